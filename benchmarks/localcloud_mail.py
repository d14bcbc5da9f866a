"""SendEmail in the ways a client can reach localcloud, and send_email in the ways it can reach moto's SES.

Every side is a context manager that yields ``send(number)``, which looks for a MessageId in the answer: what is not
checked may be fast for not being done.
"""

from __future__ import annotations

import functools
import http.client
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from localcloud.defaults import REGION, SECRET_ID, SECRET_KEY, SENDER_DOMAIN
from localcloud.exchange import Request
from shared.upstream.signing import Credential, sign_tc3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.world import LocalCloud

    Send = Callable[[int], object]

SES_HOST = "ses.tencentcloudapi.com"
MAIL = {
    "FromEmailAddress": f"Acme <noreply@{SENDER_DOMAIN}>",
    "Subject": "Your code",
    "Template": {"TemplateID": 100091, "TemplateData": '{"code":"1234"}'},
}
MOTO_REGION = "us-east-1"


def signed_mail(host: str, number: int) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a SendEmail to an address of its own (ten an hour to one address are allowed)."""
    return signed(host, "SendEmail", {**MAIL, "Destination": [f"user{number}-{time.monotonic_ns()}@example.com"]})


def signed(host: str, action: str, params: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a call of ``action``, signed for now."""
    body = json.dumps(params).encode()
    at = int(time.time())
    headers = {"Content-Type": "application/json", "Host": host}
    headers["Authorization"] = sign_tc3(Credential(SECRET_ID, SECRET_KEY), headers, body, service="ses", timestamp=at)
    headers |= {"X-TC-Action": action, "X-TC-Version": "2020-10-02", "X-TC-Region": REGION, "X-TC-Timestamp": str(at)}
    return body, headers


def request_for(body: bytes, headers: dict[str, str]) -> Request:
    """Return the call as ``dispatch`` takes it."""
    return Request("POST", SES_HOST, "/", "", {name.lower(): value for name, value in headers.items()}, body)


@contextmanager
def through_dispatch(cloud: LocalCloud) -> Iterator[Send]:
    """Our own signer, then ``dispatch``: no HTTP at all."""

    def send(number: int) -> None:
        _check(cloud.dispatch("ses", request_for(*signed_mail(SES_HOST, number))).body)

    yield send


@contextmanager
def through_mock() -> Iterator[Send]:
    """Send by ``requests`` inside ``mock_tencent``, with our own signer."""
    import requests  # noqa: PLC0415 - each side imports its own

    from localcloud import mock_tencent  # noqa: PLC0415

    with mock_tencent(ses_rate_per_s=0), requests.Session() as session:

        def send(number: int) -> None:
            body, headers = signed_mail(SES_HOST, number)
            _check(session.post(f"https://{SES_HOST}/", data=body, headers=headers, timeout=10).content)

        yield send


@contextmanager
def through_mock_by_sdk() -> Iterator[Send]:
    """Send by the vendor's SDK inside ``mock_tencent``."""
    from tencentcloud.common.credential import Credential as SdkCredential  # noqa: PLC0415
    from tencentcloud.ses.v20201002 import models, ses_client  # noqa: PLC0415

    from localcloud import mock_tencent  # noqa: PLC0415

    with mock_tencent(ses_rate_per_s=0):
        client = ses_client.SesClient(SdkCredential(SECRET_ID, SECRET_KEY), REGION)

        def send(number: int) -> None:
            request = models.SendEmailRequest()
            request.from_json_string(json.dumps({**MAIL, "Destination": [f"user{number}@example.com"]}))
            if not client.SendEmail(request).MessageId:
                raise AssertionError("no MessageId")

        yield send


@contextmanager
def through_server(url: str) -> Iterator[Send]:
    """Keep-alive ``http.client`` to a server in a process of its own, with our own signer."""
    host = urlsplit(url).netloc
    connection = http.client.HTTPConnection(host, timeout=10)

    def send(number: int) -> None:
        body, headers = signed_mail(host, number)
        connection.request("POST", "/", body, headers)
        _check(connection.getresponse().read())

    try:
        yield send
    finally:
        connection.close()


@contextmanager
def through_moto() -> Iterator[Send]:
    """boto3's SES inside ``mock_aws``."""
    from moto import mock_aws  # noqa: PLC0415

    with mock_aws():
        client = _boto3_client()
        client.verify_domain_identity(Domain=SENDER_DOMAIN)
        yield lambda number: client.send_email(**_moto_mail(number))["MessageId"]


@contextmanager
def through_moto_server(url: str) -> Iterator[Send]:
    """Keep-alive ``http.client`` to moto's server in a process of its own, which verifies no signature."""
    _boto3_client(url).verify_domain_identity(Domain=SENDER_DOMAIN)
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)

    def send(number: int) -> None:
        body, headers = _sigv4_mail(url, number)
        connection.request("POST", "/", body, headers)
        _check(connection.getresponse().read())

    try:
        yield send
    finally:
        connection.close()


@functools.cache
def _boto3_client(url: str | None = None) -> Any:
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    # Without retries, and without looking for credentials or a region anywhere.
    config = Config(retries={"max_attempts": 0}, proxies={})
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client("ses", region_name=MOTO_REGION, endpoint_url=url, config=config, **keys)


def _moto_mail(number: int) -> dict[str, Any]:
    message = {"Subject": {"Data": "Your code"}, "Body": {"Text": {"Data": "Your code: 1234"}}}
    source = f"noreply@{SENDER_DOMAIN}"
    return {"Source": source, "Destination": {"ToAddresses": [f"user{number}@example.com"]}, "Message": message}


def _sigv4_mail(url: str, number: int) -> tuple[bytes, dict[str, str]]:
    from urllib.parse import urlencode  # noqa: PLC0415

    from botocore.auth import SigV4Auth  # noqa: PLC0415
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    form = {
        "Action": "SendEmail",
        "Version": "2010-12-01",
        "Source": f"noreply@{SENDER_DOMAIN}",
        "Destination.ToAddresses.member.1": f"user{number}@example.com",
        "Message.Subject.Data": "Your code",
        "Message.Body.Text.Data": "Your code: 1234",
    }
    body = urlencode(form).encode()
    request = AWSRequest("POST", url, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, body)
    SigV4Auth(Credentials("testing", "testing"), "ses", MOTO_REGION).add_auth(request)
    return body, dict(request.headers.items())


def _check(answer: bytes) -> None:
    if b"MessageId" not in answer:
        raise AssertionError(answer[:500])
