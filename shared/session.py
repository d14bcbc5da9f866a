"""A lean requests session: warm connections, and nothing done again that its callers have done already.

The COS SDK and shared.upstream hand over a finished URL, finished headers and a signer; requests would parse, merge and
encode them once more and look for cookies, proxies and redirects. What matters stays requests' own: the adapter, its
pools and their TLS, its exceptions; beneath it, ``wire.py`` and ``answer.py`` are to urllib3 what this is to requests.
The three rooms of shared may use this module, and nothing else that is not theirs.
"""

from __future__ import annotations

import functools
import io
import os
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from shared.answer import Deadline, PlainAnswer
from shared.wire import HttpPool, HttpsPool

if TYPE_CHECKING:
    from urllib3.connectionpool import ConnectionPool


_CONNECTIONS = 32
"""Kept open to one origin: a timer reads that many objects at once, an HTTP function one."""
_HEADERS = {"User-Agent": "mailtrail", "Accept-Encoding": "identity"}


def _cut(url: str) -> tuple[str, str]:
    """Cut a URL into its origin and what stands in the request line."""
    place = url.find("/", len("https://"))
    if place >= 0:
        return url[:place], url[place:]
    origin, mark, query = url.partition("?")
    return origin, f"/{mark}{query}"


@functools.lru_cache(maxsize=64)
def host_of(origin: str) -> str:
    """Return an origin's Host header: no capitals, no dot at its end, no port that goes without saying."""
    scheme, _, place = origin.lower().partition("://")
    name, colon, port = place.rpartition("@")[2].partition(":") if "]" not in place else (place, "", "")
    return name.rstrip(".") + ("" if port == {"http": "80", "https": "443"}.get(scheme) else colon + port)


class WarmAdapter(HTTPAdapter):
    """requests' adapter, less what is the same for every request: the pool of an origin, and no cookie jar."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=_CONNECTIONS)
        self._pools: dict[str, ConnectionPool] = {}
        self._pid = os.getpid()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools, of our classes."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        """Return the origin's pool. One session verifies in one way, so the origin is all that tells pools apart."""
        origin, _ = _cut(request.url or "")
        if self._pid != os.getpid():  # two processes on one connection would read each other's answers
            self.__init__()  # type: ignore[misc]
        if origin not in self._pools:
            self._pools[origin] = super().get_connection_with_tls_context(request, *args, **options)
        return self._pools[origin]

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:  # noqa: ARG002 - requests' signature
        """Return what stands in the request line: never absolute, because there is no proxy."""
        return _cut(request.url or "")[1]

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Wrap an answer. Neither service sets cookies; both answer in UTF-8."""
        response: Any = requests.Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.encoding = "utf-8"
        response.raw = resp
        if isinstance(resp, PlainAnswer):  # whole already, and the connection put back
            response._content, response._content_consumed = resp.body, True  # noqa: SLF001 - as its own reading sets them
            response.raw = io.BytesIO(resp.body)  # the COS SDK hands it out
        response.reason = resp.reason or ""
        response.url = str(req.url)
        response.request = req
        return cast("requests.Response", response)


PATIENCE_S: ContextVar[float | None] = ContextVar("PATIENCE_S", default=None)
"""Seconds that the request under way may take, its whole answer included; None: its time-outs as given.

The COS SDK has one time-out for a client's whole life, an invocation has less and less time.
"""


def _deadline(timeout: Any) -> Deadline:
    """Return what requests means by ``timeout``, within the patience that there is."""
    connect_s, read_s = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    patience_s = PATIENCE_S.get()
    if patience_s is None:
        return Deadline(connect_s, read_s, None)
    connect_s, read_s = (patience_s if limit_s is None else min(patience_s, limit_s) for limit_s in (connect_s, read_s))
    return Deadline(connect_s, read_s, time.monotonic() + patience_s)


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
        body = given.get("data") or None
        prepared.body = body.encode() if isinstance(body, str) else body
        headers: Any = {**_HEADERS, **(given.get("headers") or {})}
        if "Host" not in headers and "host" not in headers:
            headers["Host"] = host_of(_cut(url)[0])
        if prepared.body is not None or method in ("PUT", "POST"):
            headers["Content-Length"] = str(len(prepared.body or b""))
        prepared.headers = headers  # a plain dict: nobody here asks for a header in another case
        if given.get("auth"):
            given["auth"](prepared)
        how: Any = {name: given[name] for name in ("stream", "verify", "cert") if name in given}
        how["timeout"] = _deadline(given.get("timeout"))
        response = self.get_adapter(url).send(prepared, **how)
        if not given.get("stream"):
            response.content  # noqa: B018 - read to its end, so that the connection returns to the pool
        return response
