"""Mails for the console to show, sent to SES over HTTP as any client would."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from localcloud.defaults import SECRET_ID, SECRET_KEY, SEND_KEY
from shared.upstream.signing import Credential, sign_tc3
from tests.contract.doors_project import MAIL, call

if TYPE_CHECKING:
    from localcloud.server import LocalServer

JSON = {"Content-Type": "application/json"}


def b64(text: str) -> str:
    """Write text as the API wants content written."""
    return base64.b64encode(text.encode()).decode()


def send_email(server: LocalServer, **parameters: Any) -> str:
    """Call SendEmail with the usual mail, changed by ``parameters`` (None leaves one out); return its MessageId."""
    mail = {name: value for name, value in {**MAIL, **parameters}.items() if value is not None}
    host, at = f"127.0.0.1:{server.ports.ses}", int(server.cloud.clock.now())
    body, headers = json.dumps(mail).encode(), {**JSON, "Host": host}
    credential = Credential(SECRET_ID, SECRET_KEY)
    headers["Authorization"] = sign_tc3(credential, headers, body, service="ses", timestamp=at)
    headers |= {"X-TC-Action": "SendEmail", "X-TC-Version": "2020-10-02", "X-TC-Region": "ap-guangzhou"}
    headers["X-TC-Timestamp"] = str(at)
    answer = call(server.ses_url + "/", "POST", body, headers).json["Response"]
    assert "MessageId" in answer, answer
    return str(answer["MessageId"])


def send_html(server: LocalServer, html: str, **parameters: Any) -> str:
    """Send a mail that brings its own HTML."""
    server.cloud.ses.switches.update({"allow_simple": True})
    return send_email(server, Template=None, Simple={"Html": b64(html), "Text": b64("plain")}, **parameters)


def send_by_function(server: LocalServer, **members: Any) -> str:
    """Post to ``/send``; return the message_id."""
    mail: dict[str, Any] = {
        "from": "noreply@mail.example.com",
        "to": ["alice@example.com"],
        "subject": "Your code",
        "template": {"id": 100091, "data": {"code": "1234"}},
    }
    headers = {**JSON, "Authorization": f"Bearer {SEND_KEY}"}
    answer = call(f"{server.url}/send", "POST", {**mail, **members}, headers)
    assert answer.status == 202, answer.body
    return str(answer.json["message_id"])


def post(server: LocalServer, path: str, body: Any = None, **headers: str) -> Any:
    """Post JSON to the control plane, as the page does."""
    return call(f"{server.url}/_local/{path}", "POST", json.dumps(body).encode(), {**JSON, **headers})


def get(server: LocalServer, path: str) -> Any:
    """Get JSON from the control plane."""
    return call(f"{server.url}/_local/{path}").json
