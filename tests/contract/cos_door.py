"""The smallest door to the local COS for the vendor's SDK: ``responses`` callbacks around ``dispatch``."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree as ET

import responses
from qcloud_cos import CosConfig, CosS3Client

from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from localcloud.exchange import Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from localcloud.cos.service import CosService

HOST = f"{BUCKET}.cos.{REGION}.myqcloud.com"
KEYS = {SECRET_ID: SECRET_KEY}


def request_of(prepared: requests.PreparedRequest) -> Request:
    """Turn a prepared request into what stands on the wire."""
    parts = urlsplit(prepared.url)
    headers = {
        name.lower(): value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in prepared.headers.items()
    }
    body = prepared.body or b""
    body = body.read() if hasattr(body, "read") else body
    return Request(
        method=str(prepared.method),
        host=headers.get("host", parts.netloc),
        path=parts.path or "/",
        query=parts.query,
        headers=headers,
        body=body.encode() if isinstance(body, str) else body,
        scheme=parts.scheme,
    )


@contextmanager
def open_door(service: CosService) -> Iterator[None]:
    """Answer every HTTP request of this process's ``requests`` with ``service``."""

    def answer(prepared: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        response = service.dispatch(request_of(prepared))
        return response.status, response.headers, response.body

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            mock.add_callback(method, re.compile(r"https?://.*"), callback=answer, content_type=None)
        yield


def sdk_client(**options: Any) -> CosS3Client:
    """Make the vendor's client, unmodified; it does not retry, so that one call is one request."""
    config = {"Region": REGION, "SecretId": SECRET_ID, "SecretKey": SECRET_KEY, "Scheme": "http"} | options
    return CosS3Client(CosConfig(**config), retry=0)


def send(
    service: CosService,
    method: str,
    key: str = "",
    *,
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    bucket: str = BUCKET,
) -> Response:
    """One request, signed by the vendor's signer, straight into ``dispatch``."""
    params, headers = params or {}, {name.lower(): value for name, value in (headers or {}).items()}
    host = HOST.replace(BUCKET, bucket)
    signer = sdk_client()
    authorization = signer.get_auth(
        Method=method, Bucket=bucket, Key=key or "/", Headers={**headers, "host": host}, Params=params
    )
    sent = {**headers, "host": host, "authorization": authorization}
    path = "/" + quote(key, safe="/-_.~")
    return service.dispatch(Request(method, host, path, urlencode(params), sent, body))


def error_code(response: Response) -> str:
    """Read the Code of an error answer."""
    found = re.search(rb"<Code>(\w+)</Code>", response.body)
    assert found, response.body
    return found[1].decode()


def document_of(response: Response) -> ET.Element:
    """Parse the XML of an answer."""
    return ET.fromstring(response.body)  # noqa: S314 - our own answer
