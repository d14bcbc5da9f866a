"""CPU time of our handlers beside the official SDKs doing the same thing, over one localcloud in another process.

- webhook: ``main_handler`` with one SES callback, beside the stock ``qcloud_cos`` ``put_object`` of the same bytes;
  as figures only, also beside a PUT of them that is signed by hand and no more: with ``requests``, with ``http.client``
- send: ``SesClient.send_email`` (build, sign, post, map), the whole handler with its line in ``sends/``, and the
  handler with an Idempotency-Key, beside ``tencentcloud-sdk-python-ses`` SendEmail

Only this process's CPU time counts; what the services cost is theirs. The sides take turns within one session.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.goals import BenchmarkError, Goal
from cli import target
from localcloud import defaults
from localcloud.listening import bind_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
CALLS, WARM_UP = 200, 50
CONTEXT = {"request_id": "bench", "time_limit_in_ms": 10_000}
MAIL = {
    "from": f"Acme <noreply@{defaults.SENDER_DOMAIN}>",
    "to": [f"delivered@{defaults.SIMULATOR_DOMAIN}"],  # exempt from 10 mails an hour
    "subject": "Your code",
    "template": {"id": 100091, "data": {"code": "1234"}},
}
CALLBACK = {
    "event": "delivered", "email": "someone@example.com", "bulkId": "", "timestamp": 1795161608, "reason": "",
    "bounceType": "", "username": defaults.APP_ID, "from": f"noreply@{defaults.SENDER_DOMAIN}",
    "fromDomain": defaults.SENDER_DOMAIN, "templateId": 100091, "subject": "Your code",
    "messageId": "4f1c2f6e@mail.example.com", "sentTimestamp": 1795161570,
}  # fmt: skip


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Return CPU milliseconds a call of every side and round, ratios, and the goals of DESIGN §10.

    Raises BenchmarkError when localcloud does not come up or a side fails.
    """
    with _localcloud() as port:
        # The guard is on, at a rate that is never reached: a refusal is not what is measured.
        os.environ.update(target.local_environment(port), LOG_LEVEL="ERROR", SES_RATE="100000")
        sides = {**_webhook_sides(port), **_send_sides(port)}
        for side in sides.values():
            _time_ms(side, WARM_UP)
        times = {name: [0.0] * 0 for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                times[name].append(_time_ms(side, CALLS))
    goals = [
        Goal("webhook handler / stock put_object, CPU", _ratio(times, "webhook", "stock_put_object"), 1.0),
        Goal("SES call / SDK SendEmail, CPU", _ratio(times, "ses_call", "sdk_send_email"), 0.75),
        Goal("send handler / SDK SendEmail, CPU", _ratio(times, "send", "sdk_send_email"), 1.5),
        Goal("send handler with a key / SDK SendEmail, CPU", _ratio(times, "send_with_key", "sdk_send_email"), 2.8),
    ]
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    beside = {name: _ratio(times, "webhook", name) for name in ("bare_put_requests", "bare_put_http_client")}
    return {"cpu_ms_per_call": times, "medians_ms": medians, "webhook_to": beside}, goals


def _ratio(times: dict[str, list[float]], ours: str, theirs: str) -> float:
    return round(statistics.median(a / b for a, b in zip(times[ours], times[theirs], strict=True)), 3)


def _time_ms(side: Callable[[], None], calls: int) -> float:
    before = time.process_time()
    for _ in range(calls):
        side()
    return (time.process_time() - before) / calls * 1000


def _webhook_sides(port: int) -> dict[str, Callable[[], None]]:
    from qcloud_cos import CosConfig, CosS3Client  # noqa: PLC0415 - the SDKs are sides, not tools

    from functions.webhook.handler import main_handler  # noqa: PLC0415

    numbers = itertools.count()
    config = CosConfig(
        Region=defaults.REGION, SecretId=defaults.SECRET_ID, SecretKey=defaults.SECRET_KEY, Scheme="http",
        IP="127.0.0.1", Port=port + 2,
    )  # fmt: skip
    stock, line = CosS3Client(config), b"x" * 950  # what one such event is as a line

    def webhook() -> None:
        body = json.dumps({**CALLBACK, "bulkId": f"bench-{next(numbers)}"})
        event = _event(f"/webhook/ses/{defaults.WEBHOOK_SECRET}", body)
        _expect(main_handler(event, CONTEXT), 200)

    def stock_put_object() -> None:
        stock.put_object(Bucket=defaults.BUCKET, Key=f"bench/{next(numbers)}.jsonl", Body=line)

    return {"webhook": webhook, "stock_put_object": stock_put_object, **_bare_puts(port + 2, line)}


def _bare_puts(port: int, line: bytes) -> dict[str, Callable[[], None]]:
    """PUT with nothing around it: a signature, one warm connection, a look at the status."""
    numbers, session = itertools.count(), requests.Session()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    host = f"{defaults.BUCKET}.cos.{defaults.REGION}.myqcloud.com"

    def with_requests() -> None:
        path = f"/bench/requests-{next(numbers)}.jsonl"
        headers = {"Host": host, "Authorization": _sign_put(path, host)}
        answer = session.put(f"http://127.0.0.1:{port}{path}", data=line, headers=headers)
        _expect({"statusCode": answer.status_code}, 200)

    def with_http_client() -> None:
        path = f"/bench/http-client-{next(numbers)}.jsonl"
        connection.request("PUT", path, line, {"Host": host, "Authorization": _sign_put(path, host)})
        answer = connection.getresponse()
        answer.read()
        _expect({"statusCode": answer.status}, 200)

    return {"bare_put_requests": with_requests, "bare_put_http_client": with_http_client}


def _sign_put(path: str, host: str) -> str:
    """Sign as https://cloud.tencent.com/document/product/436/7778 has it; of the headers only the host counts."""
    begin = int(time.time())
    times = f"{begin - 60};{begin + 600}"
    key = hmac.new(defaults.SECRET_KEY.encode(), times.encode(), hashlib.sha1).hexdigest()
    digest = hashlib.sha1(f"put\n{path}\n\nhost={host}\n".encode()).hexdigest()
    signature = hmac.new(key.encode(), f"sha1\n{times}\n{digest}\n".encode(), hashlib.sha1).hexdigest()
    return (
        f"q-sign-algorithm=sha1&q-ak={defaults.SECRET_ID}&q-sign-time={times}&q-key-time={times}"
        f"&q-header-list=host&q-url-param-list=&q-signature={signature}"
    )


def _send_sides(port: int) -> dict[str, Callable[[], None]]:
    from functions.send.handler import main_handler  # noqa: PLC0415
    from shared.upstream.ses import SesClient  # noqa: PLC0415
    from shared.upstream.signing import Credential  # noqa: PLC0415

    numbers = itertools.count()
    body = json.dumps(MAIL)
    payload = {
        "FromEmailAddress": MAIL["from"],
        "Subject": MAIL["subject"],
        "Destination": MAIL["to"],
        "Template": {"TemplateID": 100091, "TemplateData": '{"code": "1234"}'},
    }
    credential = Credential(defaults.SECRET_ID, defaults.SECRET_KEY)
    ses = SesClient(credential, site="cn", clock=time.time, endpoint=f"http://127.0.0.1:{port + 1}")

    def send(headers: dict[str, str]) -> None:
        authorization = {"authorization": f"Bearer {defaults.SEND_KEY}"}
        _expect(main_handler(_event("/send", body, {**authorization, **headers}), CONTEXT), 202)

    return {
        "ses_call": lambda: _expect({"statusCode": 202 if ses.send_email(payload).message_id else 0}, 202),
        "send": lambda: send({}),
        "send_with_key": lambda: send({"idempotency-key": f"bench-{next(numbers)}-{time.time_ns()}"}),
        "sdk_send_email": _sdk_send_email(port, json.dumps(payload)),
    }


def _sdk_send_email(port: int, payload: str) -> Callable[[], None]:
    from tencentcloud.common import credential  # noqa: PLC0415
    from tencentcloud.common.profile.client_profile import ClientProfile  # noqa: PLC0415
    from tencentcloud.common.profile.http_profile import HttpProfile  # noqa: PLC0415
    from tencentcloud.ses.v20201002 import models, ses_client  # noqa: PLC0415

    profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{port + 1}"))
    who = credential.Credential(defaults.SECRET_ID, defaults.SECRET_KEY)
    client = ses_client.SesClient(who, defaults.REGION, profile)

    def sdk_send_email() -> None:
        request = models.SendEmailRequest()
        request.from_json_string(payload)
        _expect({"statusCode": 202 if client.SendEmail(request).MessageId else 0}, 202)

    return sdk_send_email


def _event(path: str, body: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    headers = {"content-type": "application/json", "x-scf-remote-addr": "127.0.0.1", **(headers or {})}
    return {"httpMethod": "POST", "path": path, "headers": headers, "body": body, "queryString": {}}


def _expect(reply: dict[str, Any], status: int) -> None:
    if reply["statusCode"] != status:
        raise BenchmarkError(f"answered {reply}, not {status}")


@contextlib.contextmanager
def _localcloud() -> Iterator[int]:
    """Run localcloud in a process of its own, without rate limits: SES's 20 a second would be what is measured."""
    sockets = bind_ports(0)
    port: int = sockets[0].getsockname()[1]
    for one in sockets:
        one.close()
    start = f"LocalServer({port}, ses_rate_per_s=0).start()"
    code = f"from localcloud.server import LocalServer; import time; {start}; time.sleep(3600)"
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**before, "TMPDIR": folder})
        try:
            _wait(process, port)
            yield port
        finally:
            process.terminate()
            process.wait(10)
            os.environ.clear()
            os.environ.update(before)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{port}/_local/health", timeout=2).ok:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise BenchmarkError("localcloud did not come up")
