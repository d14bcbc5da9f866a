"""One HTTP/1.1 request over a kept connection, in urllib3's pools: for a request that is finished and wants no help.

urllib3 makes, verifies and keeps the connections. Ours is the exchange itself: the request goes out in one piece, its
answer is read by ``answer.py``. Redirects, retries, proxies and bodies of other kinds are what urllib3 has besides, and
what nobody here may use.
"""

from __future__ import annotations

import re
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple

from urllib3.connection import BaseSSLError, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    MaxRetryError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from shared.answer import PlainAnswer, read_by_urllib3, read_plain, receive_head

if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

    import urllib3

    from shared.answer import Deadline

_JOINED_BYTES = 65536
"""A body up to this goes out in one piece with its head; a larger one is not copied for that."""
# As text: compiled when it is first used, and not when the function is loaded.
_HEAD = r"[A-Z]+ [!-~]+ HTTP/1\.1\r\n(?:[!#-'*+.^`|~\w-]+: [\t -~\x80-\xff]*\r\n)*\r\n"


class _Request(NamedTuple):
    """What goes out."""

    method: str
    url: str
    head: bytes
    body: bytes


class _Https(HTTPSConnection):
    """urllib3's connection, whose handshake has what is left after the connect."""

    deadline: Deadline

    def _new_conn(self) -> socket:
        sock = super()._new_conn()
        try:
            self.deadline.allow(sock)
        except TimeoutError:
            sock.close()
            raise
        return sock


class HttpPool(HTTPConnectionPool):
    """urllib3's pool of one origin."""

    def urlopen(  # type: ignore[override] # what requests' adapter asks for
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str | bytes], **how: Any
    ) -> PlainAnswer | urllib3.HTTPResponse:
        """Send one request; return its answer, whole when it is plain. Of ``how``, a Deadline as ``timeout`` counts.

        Raises urllib3's exceptions: MaxRetryError when no connection came about, so that nothing was sent.
        """
        return _exchange(self, _Request(method, url, _head(method, url, headers), body or b""), how["timeout"])


class HttpsPool(HTTPSConnectionPool):
    """urllib3's pool of one origin, over TLS."""

    ConnectionCls = _Https
    urlopen = HttpPool.urlopen  # type: ignore[assignment]


def _head(method: str, url: str, headers: Mapping[str, str | bytes]) -> bytes:
    lines = [f"{method} {url} HTTP/1.1"]
    for name, value in headers.items():
        lines.append(f"{name}: {value if isinstance(value, str) else value.decode('latin-1')}")
    head = "\r\n".join([*lines, "", ""])
    if not re.fullmatch(_HEAD, head, re.ASCII) or head.count("\r\n") != len(lines) + 1:
        raise InvalidHeader("a line of the request that HTTP cannot carry")  # not told which: they hold secrets
    return head.encode("latin-1")


def _exchange(pool: Any, request: _Request, deadline: Deadline) -> PlainAnswer | urllib3.HTTPResponse:
    connection = pool._get_conn()  # noqa: SLF001 - of a class of ours
    try:
        _make_ready(pool, connection, request, deadline)
        answer = _ask(pool, connection, request, deadline)
    except BaseException as error:
        connection.close()
        pool._put_conn(None)  # noqa: SLF001 - its place, not itself: what failed may know it still
        if isinstance(error, TimeoutError):
            raise ReadTimeoutError(pool, request.url, "the answer was not whole in time") from error
        if isinstance(error, OSError | HTTPException):
            raise ProtocolError("Connection aborted.", error) from error
        raise
    if isinstance(answer, PlainAnswer):  # urllib3's puts the connection back itself
        pool._put_conn(connection)  # noqa: SLF001 - of a class of ours
    return answer


def _make_ready(pool: Any, connection: Any, request: _Request, deadline: Deadline) -> None:
    """Connect, over TLS with all its checks, where that has not been done."""
    try:
        if connection.sock is None:
            connection.timeout, connection.deadline = deadline.connect_timeout, deadline
            connection.connect()
        deadline.allow(connection.sock)
    except (HTTPError, OSError, ValueError) as error:
        reason: Exception = error
        if isinstance(error, TimeoutError):  # of the handshake, or nothing is left after it
            reason = ConnectTimeoutError(connection, "not connected in time")
        elif isinstance(error, BaseSSLError):
            reason = SSLError(error)
        try:
            raise MaxRetryError(pool, request.url, reason) from error
        finally:
            del reason  # in this frame it would be a circle, and keep the body until the collector of garbage comes by


def _ask(pool: Any, connection: Any, request: _Request, deadline: Deadline) -> PlainAnswer | urllib3.HTTPResponse:
    sock = connection.sock
    is_sent = _send(sock, request)
    received = receive_head(sock, deadline)
    answer = read_plain(request.method, received, sock, deadline)
    if answer is None:
        return read_by_urllib3(pool, connection, request.method, received, deadline, is_last=not is_sent)
    if answer.is_last or not is_sent:
        connection.close()
    return answer


def _send(sock: Any, request: _Request) -> bool:
    """Send all of it; False when the other end would not take it, and may have answered early (413)."""
    try:
        if len(request.body) <= _JOINED_BYTES:
            sock.sendall(request.head + request.body)
        else:
            sock.sendall(request.head)
            sock.sendall(request.body)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True
