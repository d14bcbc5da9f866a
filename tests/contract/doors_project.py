"""A small project for the server door's tests: serverless.yml and entry files that show what they were given."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from localcloud.defaults import SECRET_ID, SECRET_KEY
from shared.upstream.signing import Credential, sign_tc3

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SERVERLESS = """
provider: {environment: {variables: {LITERAL: 'from-yml', PLACEHOLDER: '${env:X}'}}}
functions:
  echo:
    handler: scf_echo.main_handler
    timeout: 10
    memorySize: 256
    events:
      - apigw: {parameters: {path: /echo, httpMethod: ANY}}
      - apigw: {parameters: {path: '/echo/{name}', httpMethod: POST}}
      - timer: {name: echo_timer, parameters: {cronExpression: '0 0 * * * * *', enable: true, argument: from-yml}}
  broken: {handler: scf_broken.main_handler, events: [{apigw: {parameters: {path: /broken}}}]}
  absent: {handler: scf_absent.main_handler, events: [{apigw: {parameters: {path: /absent}}}]}
  nameless: {handler: scf_echo.no_such_name, events: [{apigw: {parameters: {path: /nameless}}}]}
  raising: {handler: scf_odd.raising, events: [{apigw: {parameters: {path: /raising}}}, {timer: {name: raising_timer}}]}
  odd: {handler: scf_odd.odd, events: [{apigw: {parameters: {path: /odd}}}]}
  unserialisable: {handler: scf_odd.unserialisable, events: [{apigw: {parameters: {path: /unserialisable}}}]}
  slow: {handler: scf_odd.slow, timeout: 1, events: [{apigw: {parameters: {path: /slow, serviceTimeout: 9}}}]}
  patient: {handler: scf_odd.slow, timeout: 9, events: [{apigw: {parameters: {path: /patient, serviceTimeout: 1}}}]}
  webhook:
    handler: scf_hook.main_handler
    events: [{apigw: {parameters: {path: '/webhook/{provider}/{secret}', httpMethod: ANY}}}]
"""
ECHO = """
import json, os, threading
loaded = 0
def main_handler(event, context):
    global loaded
    loaded += 1
    seen = {"event": event, "context": context, "environ": dict(os.environ), "calls": loaded}
    return {"isBase64Encoded": False, "statusCode": 200, "headers": {"X-Many": ["1", "2"]}, "body": json.dumps(seen)}
"""
ODD = """
import threading
released = threading.Event()
def raising(event, context): raise ZeroDivisionError("on purpose")
def odd(event, context): return {"status": 200}
def unserialisable(event, context): return {1, 2}
def slow(event, context):
    released.wait(2)
    return {"statusCode": 200, "body": "late"}
"""
HOOK = """
import json
answers = []
bodies = []
def main_handler(event, context):
    bodies.append(event["body"])
    return {"statusCode": answers.pop(0) if answers else 200, "body": "stored"}
"""


def write_project(folder: Path) -> Path:
    """Write the project into ``folder`` and return it."""
    files = {
        "serverless.yml": SERVERLESS,
        "scf_echo.py": ECHO,
        "scf_broken.py": "import no_such_module_anywhere",
        "scf_odd.py": ODD,
        "scf_hook.py": HOOK,
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


class Reply(NamedTuple):
    """An answer over a socket of its own."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


def call(
    url: str, method: str = "GET", body: bytes | object | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """One request; a body that is not bytes is sent as JSON."""
    parts = urlsplit(url)
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, content, dict(headers or {}))
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def raw(port: int, data: bytes) -> bytes:
    """Send these bytes; return everything until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


MAIL = {
    "FromEmailAddress": "noreply@mail.example.com",
    "Destination": ["alice@example.com"],
    "Subject": "Your code",
    "Template": {"TemplateID": 100091, "TemplateData": '{"code": "1234"}'},
}


def signed_mail(host: str, at: float, *, to: str = "alice@example.com") -> tuple[bytes, dict[str, str]]:
    """Body and headers of a signed SendEmail."""
    body = json.dumps({**MAIL, "Destination": [to]}).encode()
    headers = {"Content-Type": "application/json", "Host": host}
    headers["Authorization"] = sign_tc3(
        Credential(SECRET_ID, SECRET_KEY), headers, body, service="ses", timestamp=int(at)
    )
    return body, {
        **headers,
        "X-TC-Action": "SendEmail",
        "X-TC-Version": "2020-10-02",
        "X-TC-Region": "ap-guangzhou",
        "X-TC-Timestamp": str(int(at)),
    }
