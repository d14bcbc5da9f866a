"""What ``requests`` sends to Tencent Cloud's hosts, answered by a LocalCloud: over ``responses``, without a socket."""

from __future__ import annotations

import io
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import responses
from urllib3.exceptions import ProtocolError
from urllib3.response import HTTPResponse

from localcloud.exchange import Dropped, Request

if TYPE_CHECKING:
    from localcloud.exchange import Response
    from localcloud.world import LocalCloud

HOSTS = {
    "ses": r"https?://([^/?#]+\.)?tencentcloudapi\.com(:\d+)?(/|\?|$)",
    "cos": r"https?://([^/?#]+\.)?(myqcloud\.com|tencentcos\.cn)(:\d+)?(/|\?|$)",
    "sendcloud": r"https?://(api2?\.sendcloud\.net|[^/?#]+\.aurorasendcloud\.com)(:\d+)?(/|\?|$)",
}
LOOPBACK = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|\?|$)")
KEPT_CALLS = 100
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def open_door(cloud: LocalCloud) -> responses.RequestsMock:
    """Start to answer for ``cloud``; ``stop`` of what is returned ends it. Loopback passes, other hosts are refused."""
    door = responses.RequestsMock(assert_all_requests_are_fired=False, registry=_HostRegistry)
    # Only the latest calls: a load test must not keep every request and response it ever made.
    door._calls = _LatestCalls()  # noqa: SLF001 - there is no public way to bound it
    for service, pattern in HOSTS.items():
        door.add(_ServiceResponse(cloud, service, re.compile(pattern)))
    door.add_passthru(LOOPBACK)
    door.start()
    return door


class _LatestCalls(responses.CallList):
    def add_call(self, call: responses.Call) -> None:
        """Keep ``call``, and only so many before it."""
        super().add_call(call)
        del self._calls[:-KEPT_CALLS]


class _HostRegistry(responses.registries.FirstMatchRegistry):
    """The first match, never used up, whatever the method; the original drops one of two that both match."""

    def find(self, request: Any) -> tuple[responses.BaseResponse | None, list[str]]:
        """Return the response whose pattern fits the URL, or None and a reason for each."""
        for response in self.registered:
            if re.match(response.url, str(request.url)):
                return response, []
        return None, ["is another host"] * len(self.registered)


class _ServiceResponse(responses.BaseResponse):
    """Every method of every URL of one service."""

    def __init__(self, cloud: LocalCloud, service: str, pattern: re.Pattern[str]) -> None:
        super().__init__("ANY", pattern)
        self.service = service
        self._cloud = cloud
        self._calls = _LatestCalls()

    def get_response(self, request: Any) -> HTTPResponse:
        """Dispatch; a dropped connection or lost patience is what requests raises for one."""
        try:
            answer = self._cloud.dispatch(
                self.service, request_from(request), patience_s=_read_timeout_s(request.req_kwargs.get("timeout"))
            )
        except Dropped:
            cause = ProtocolError("Connection aborted.", ConnectionResetError("dropped by a fault rule"))
            raise requests.exceptions.ConnectionError(cause, request=request) from None
        except TimeoutError as error:
            raise requests.exceptions.ReadTimeout(str(error), request=request) from None
        return _http_response(answer, request.method)


def request_from(prepared: requests.PreparedRequest) -> Request:
    """Turn a prepared request into ours. Header values may be bytes (the COS SDK sends such)."""
    parts = urlsplit(str(prepared.url))
    headers = {_text(name).lower(): _text(value) for name, value in prepared.headers.items()}
    headers.setdefault("host", parts.netloc.rpartition("@")[2])
    return Request(
        method=str(prepared.method),
        host=headers["host"],
        path=parts.path or "/",
        query=parts.query,
        headers=headers,
        body=_bytes(prepared.body),
        scheme=parts.scheme,
    )


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    content: bytes = body.read() if hasattr(body, "read") else b"".join(body)
    return content


def _read_timeout_s(timeout: Any) -> float | None:
    # Three ways that requests' adapter knows: (connect, read), seconds, urllib3's Timeout.
    read = timeout[1] if isinstance(timeout, tuple) else getattr(timeout, "read_timeout", timeout)
    return read if isinstance(read, (int, float)) else None


def _http_response(answer: Response, method: str) -> HTTPResponse:
    names = {name.lower() for name in answer.headers}
    headers = dict(answer.headers)
    if "content-length" not in names and answer.status not in (204, 304):
        headers["Content-Length"] = str(len(answer.body))
    return HTTPResponse(
        body=io.BytesIO(b"" if method == "HEAD" else answer.body),
        headers=headers,
        status=answer.status,
        reason=_PHRASES.get(answer.status, ""),
        request_method=method,
        preload_content=False,
    )
