"""A lean requests session: warm connections, and nothing done again that its callers have done already.

The COS SDK and shared.upstream hand over a finished URL, finished headers and a signer; requests would parse, merge and
encode them once more and look for cookies, proxies and redirects, a third of the CPU time of a small request. What
matters stays requests' own: the adapter's pool, TLS, time-outs and exceptions. The three rooms of shared may use this
module, and nothing else that is not theirs.
"""

from __future__ import annotations

import io
import os
import time
from contextvars import ContextVar
from http.client import HTTPResponse
from socket import SocketIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from socket import socket

    from urllib3 import BaseHTTPResponse
    from urllib3.connectionpool import ConnectionPool


_CONNECTIONS = 32
"""Kept open to one origin: a timer reads that many objects at once, an HTTP function one."""


def _cut(url: str) -> tuple[str, str]:
    """Cut a URL into its origin and what stands in the request line."""
    place = url.find("/", len("https://"))
    return (url, "/") if place < 0 else (url[:place], url[place:])


_END: ContextVar[float | None] = ContextVar("_END", default=None)
"""time.monotonic() by which the answer under way must be whole."""


class _InTime(SocketIO):
    """What comes from a socket until ``end``. A socket's own time-out begins anew with each byte that drips in."""

    end: float
    has_begun = False  # the first wait is the request's own time-out, which is no longer than its patience

    def readinto(self, buffer: Any) -> int | None:
        if self.has_begun:
            left_s = self.end - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("the answer was not whole in time")
            self._sock.settimeout(left_s)  # type: ignore[attr-defined]
        self.has_begun = True
        return super().readinto(buffer)


class _Timed(NamedTuple):
    """A socket as http.client asks it for its file."""

    sock: socket
    end: float

    def makefile(self, mode: str) -> io.BufferedReader:
        raw: Any = self.sock.makefile(mode, buffering=0)  # type: ignore[call-overload]
        raw.__class__ = _InTime  # the socket counts its files, so it must have made this one itself
        raw.end = self.end
        return io.BufferedReader(raw)


class _AnswerInTime(HTTPResponse):
    """http.client's answer, whole before ``_END`` or a time-out."""

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        end = _END.get()
        super().__init__(sock if end is None else _Timed(sock, end), *args, **options)  # type: ignore[arg-type]


class _Http(HTTPConnection):
    response_class = _AnswerInTime


class _Https(HTTPSConnection):
    response_class = _AnswerInTime


class WarmAdapter(HTTPAdapter):
    """requests' adapter, less what is the same for every request: the pool of an origin, and no cookie jar."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=_CONNECTIONS)
        self._pools: dict[str, ConnectionPool] = {}
        self._pid = os.getpid()

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        """Return the origin's pool. One session verifies in one way, so the origin is all that tells pools apart."""
        origin, _ = _cut(request.url or "")
        if self._pid != os.getpid():  # two processes on one connection would read each other's answers
            self.__init__()  # type: ignore[misc]
        if origin not in self._pools:
            pool: Any = super().get_connection_with_tls_context(request, *args, **options)
            pool.ConnectionCls = _Https if origin.startswith("https:") else _Http
            self._pools[origin] = pool
        return self._pools[origin]

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:  # noqa: ARG002 - requests' signature
        """Return what stands in the request line: never absolute, because there is no proxy."""
        return _cut(request.url or "")[1]

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        """Wrap an answer. Neither service sets cookies; both answer in UTF-8."""
        response = requests.Response()
        response.status_code = resp.status
        # urllib3's own headers know no case either; requests would copy them one by one.
        response.headers = resp.headers  # type: ignore[assignment]
        response.encoding = "utf-8"
        response.raw = resp
        response.reason = resp.reason or ""
        response.url = str(req.url)
        response.request = req
        return response


PATIENCE_S: ContextVar[float | None] = ContextVar("PATIENCE_S", default=None)
"""Seconds that the request under way may take, its whole answer included; None: its time-outs as given.

The COS SDK has one time-out for a client's whole life, an invocation has less and less time.
"""


class WarmSession(requests.Session):
    """get, put, post, head and delete of requests.Session. No redirects, no retries, no proxies, no cookies."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        for scheme in ("http://", "https://"):
            self.mount(scheme, WarmAdapter())

    def request(self, method: Any, url: Any, **given: Any) -> requests.Response:  # type: ignore[override]
        """Send one request as it is given: ``headers data params auth timeout stream verify cert`` of requests.

        Raises requests' exceptions.
        """
        prepared = requests.PreparedRequest()
        prepared.method = method
        params = given.get("params")
        prepared.url = f"{url}?{urlencode(params, quote_via=quote)}" if params else url
        prepared.body = given.get("data") or None
        headers: Any = {"Accept-Encoding": "identity", **(given.get("headers") or {})}
        if prepared.body is not None or method in ("PUT", "POST"):
            headers["Content-Length"] = str(len(prepared.body or b""))
        prepared.headers = headers  # a plain dict: nobody here asks for a header in another case
        if given.get("auth"):
            given["auth"](prepared)
        how = {name: given[name] for name in ("stream", "timeout", "verify", "cert") if name in given}
        if (patience_s := PATIENCE_S.get()) is not None:
            how["timeout"] = tuple(min(patience_s, limit_s) for limit_s in how.get("timeout") or (patience_s,) * 2)
            _END.set(time.monotonic() + patience_s)
        else:
            _END.set(None)
        response = self.get_adapter(url).send(prepared, **how)
        if not given.get("stream"):
            response.content  # noqa: B018 - read to its end, so that the connection returns to the pool
        return response
