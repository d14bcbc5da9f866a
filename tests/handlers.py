"""The functions by their public door: an event in, an answer out; and what lies in the bucket, read by the vendor's SDK."""

from __future__ import annotations

import base64
import csv
import importlib
import io
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from qcloud_cos import CosConfig, CosS3Client
from tencentcloud.common.credential import Credential
from tencentcloud.ses.v20201002 import models
from tencentcloud.ses.v20201002.ses_client import SesClient

from localcloud import defaults

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = 1795162200.0
"""2026-11-20T08:10:00Z, ten minutes after the events under ``events/``; 16:10 of the same day in the account's zone."""
DAY = "2026-11-20"
VALID: dict[str, Any] = {
    "from": "Acme <noreply@mail.example.com>",
    "to": ["alice@example.com"],
    "subject": "Your code",
    "template": {"id": 100091, "data": {"code": "1234"}},
}
"""The smallest mail that the local SES accepts."""
EVENT: dict[str, Any] = {
    "event": "delivered",
    "email": "alice@example.com",
    "bulkId": "qcloudses-30-1250000000-date-20261120155930-hT7kQ2mWxA91",
    "timestamp": 1795161600,
    "from": "noreply@mail.example.com",
}
"""A callback of SES that says the least."""


class Answer(NamedTuple):
    """What the platform would send on. ``body`` is parsed when it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any


def context(time_limit_s: float = 30.0) -> dict[str, Any]:
    """Build the second argument of a handler."""
    return {"request_id": "11111111-2222-3333-4444-555555555555", "time_limit_in_ms": round(time_limit_s * 1000)}


def run(function: str, event: Mapping[str, Any], *, time_limit_s: float = 30.0) -> Any:
    """Call ``main_handler`` of ``function`` and return what it returned."""
    handler = importlib.import_module(f"functions.{function}.handler")
    return handler.main_handler(dict(event), context(time_limit_s))


def ask(function: str, event: Mapping[str, Any], *, time_limit_s: float = 30.0) -> Answer:
    """Call an HTTP function; checks that the answer is one that every trigger takes."""
    reply = run(function, event, time_limit_s=time_limit_s)
    assert set(reply) == {"isBase64Encoded", "statusCode", "headers", "body"}
    assert reply["isBase64Encoded"] is False
    assert isinstance(reply["statusCode"], int)
    assert isinstance(reply["body"], str)
    reply["body"].encode("utf-8", "surrogatepass")
    assert all(isinstance(value, str) for value in reply["headers"].values())
    is_page = reply["headers"]["Content-Type"].startswith("text/html")
    return Answer(reply["statusCode"], reply["headers"], reply["body"] if is_page else json.loads(reply["body"]))


def http_event(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Build a Function-URL event (``ApiGwCompatible``), its body as Base64, so that any bytes can be in it."""
    return {
        "httpMethod": method,
        "path": path,
        "queryString": {},
        "headers": {"host": "mail.example.com", **(headers or {})},
        "isBase64Encoded": True,
        "body": base64.b64encode(body).decode(),
    }


def send(
    body: Any, *, key: str = "", time_limit_s: float = 30.0, send_key: str = defaults.SEND_KEY, path: str = "/send"
) -> Answer:
    """POST /send. ``body``: bytes as they are, anything else as JSON. ``key``: the Idempotency-Key."""
    headers = {"authorization": f"Bearer {send_key}", "content-type": "application/json"}
    if key:
        headers["idempotency-key"] = key
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask("send", http_event("POST", path, raw, headers), time_limit_s=time_limit_s)


def send_batch(body: Any, **given: Any) -> Answer:
    """POST /send/batch, as ``send`` does it."""
    return send(body, path="/send/batch", **given)


def look_up(key: str) -> Answer:
    """GET /send/{key}."""
    return ask("send", http_event("GET", f"/send/{key}", headers={"authorization": f"Bearer {defaults.SEND_KEY}"}))


def call_back(
    body: Any,
    *,
    provider: str = "ses",
    content_type: str = "application/json",
    secret: str = defaults.WEBHOOK_SECRET,
    time_limit_s: float = 30.0,
) -> Answer:
    """POST /webhook/{provider}/{secret}. ``body``: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    event = http_event("POST", f"/webhook/{provider}/{secret}", raw, {"content-type": content_type})
    return ask("webhook", event, time_limit_s=time_limit_s)


def timer(day: str | None = None) -> dict[str, Any]:
    """Build a timer event whose message names ``day``."""
    message = json.dumps({"day": day}) if day else ""
    return {"Type": "Timer", "TriggerName": "t", "Time": "2026-11-20T08:10:00Z", "Message": message}


def bucket(prefix: str = "") -> dict[str, bytes]:
    """Read every object under ``prefix``, in order of key, with the vendor's SDK."""
    client = CosS3Client(
        CosConfig(Region=defaults.REGION, SecretId=defaults.SECRET_ID, SecretKey=defaults.SECRET_KEY), retry=0
    )
    found: dict[str, bytes] = {}
    marker = ""
    while True:
        page = client.list_objects(Bucket=defaults.BUCKET, Prefix=prefix, Marker=marker, MaxKeys=1000)
        for item in page.get("Contents", ()):
            answer = client.get_object(Bucket=defaults.BUCKET, Key=item["Key"])
            found[item["Key"]] = answer["Body"].get_raw_stream().read()
        if page["IsTruncated"] != "true":
            return found
        marker = page["NextMarker"]


def kept() -> dict[str, bytes]:
    """Read what callbacks left in the bucket: everything but the counts of those that were refused."""
    return {key: body for key, body in bucket().items() if not key.startswith("state/webhook/refused/")}


def records(prefix: str) -> list[dict[str, Any]]:
    """Read every line of JSON under ``prefix``."""
    return [json.loads(line) for body in bucket(prefix).values() for line in body.decode().split("\n") if line]


def write_report(day: str = DAY) -> dict[str, Any]:
    """Run the report function for ``day`` and read the JSON it wrote."""
    result = run("report", timer(day), time_limit_s=900)
    assert result["days"] == [day]
    keys = [f"reports/dt={day}/report.{extension}" for extension in ("json", "csv", "html")]
    assert result["reports"][0]["keys"] == keys
    found: dict[str, Any] = json.loads(bucket(f"reports/dt={day}/")[f"reports/dt={day}/report.json"])
    return found


def report_table(day: str = DAY) -> list[dict[str, str]]:
    """Read the CSV of the report as a spreadsheet does."""
    text = bucket(f"reports/dt={day}/")[f"reports/dt={day}/report.csv"].decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def schedule_task(subject: str) -> None:
    """Make a batch task of tomorrow with the vendor's SDK."""
    request = models.BatchSendEmailRequest()
    request._deserialize(
        {
            "FromEmailAddress": "noreply@mail.example.com",
            "ReceiverId": 123,
            "Subject": subject,
            "TaskType": 2,
            "TimedParam": {"BeginTime": "2026-11-21 20:00:00"},
            "Template": {"TemplateID": 100091, "TemplateData": '{"code": "1"}'},
        }
    )
    SesClient(Credential(defaults.SECRET_ID, defaults.SECRET_KEY), defaults.REGION).BatchSendEmail(request)
