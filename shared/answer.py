"""An answer as it comes off a socket: read at once when it is plain, by http.client and urllib3 otherwise.

Plain is what both services send: a head of headers that each stand once, and as many bytes as it says. http.client
reads headers as those of an e-mail, and urllib3 wraps that in two layers more, for half of what a request takes.
"""

from __future__ import annotations

import io
import re
import time
from http.client import HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import urllib3
from urllib3.util import Timeout

if TYPE_CHECKING:
    from socket import socket

    from urllib3.connection import HTTPConnection
    from urllib3.connectionpool import HTTPConnectionPool

_READ_BYTES = 65536
"""Of one read; a head that is not at its end by then is http.client's to refuse."""
# As text: compiled when they are first used, and not when the function is loaded.
_PLAIN_HEAD = rb"HTTP/1\.1 ([2-5]\d\d)(?: ([\t -~\x80-\xff]*))?\r\n((?:[!#-'*+.^`|~\w-]+:[\t -~\x80-\xff]*\r\n)*)\r\n"
_LENGTH = r"[0-9]{1,18}"
_CODED = frozenset({"transfer-encoding", "content-encoding"})
_WITHOUT_BODY = frozenset({204, 304})


class Deadline(Timeout):
    """Seconds to connect and to wait for a read, and ``end``, time.monotonic() by which the answer must be whole."""

    def __init__(self, connect_s: float | None, read_s: float | None, end: float | None) -> None:
        super().__init__(connect=connect_s, read=read_s)
        self._read_s = read_s
        self._end = end

    def allow(self, sock: socket) -> None:
        """Let ``sock`` wait as long as it may: its own time-out begins anew with each byte that drips in.

        Raises TimeoutError when it may not at all.
        """
        wait_s = self._read_s
        if self._end is not None:
            left_s = self._end - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("out of time")
            wait_s = left_s if wait_s is None else min(wait_s, left_s)
        sock.settimeout(wait_s)


class PlainAnswer(NamedTuple):
    """A plain answer, whole. ``headers``: by their names in lower case; ``is_last``: it ends its connection."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes
    is_last: bool


def receive_head(sock: socket, deadline: Deadline) -> bytes:
    """Return what comes until a head is at its end; less when the connection ends before, or when it is no HTTP.

    Raises TimeoutError, OSError.
    """
    received = b""
    while len(received) < _READ_BYTES and received[:5] == b"HTTP/"[: len(received)]:
        deadline.allow(sock)
        more = sock.recv(_READ_BYTES)
        received += more
        if not more or b"\n\r\n" in received or b"\n\n" in received:
            break
    return received


def read_plain(method: str, received: bytes, sock: socket, deadline: Deadline) -> PlainAnswer | None:
    """Read the answer that begins with ``received`` to its end; None, and nothing read, when it is not plain.

    Raises IncompleteRead, TimeoutError, OSError.
    """
    plain = re.match(_PLAIN_HEAD, received)
    if plain is None:
        return None
    status, lines = int(plain[1]), plain[3].decode("latin-1").split("\r\n")[:-1]
    headers = {name.lower(): value.strip(" \t") for name, _, value in (line.partition(":") for line in lines)}
    if len(headers) != len(lines) or not _CODED.isdisjoint(headers):
        return None
    if method == "HEAD" or status in _WITHOUT_BODY:
        length = 0
    elif re.fullmatch(_LENGTH, headers.get("content-length", "")):
        length = int(headers["content-length"])
    else:
        return None
    body = received[plain.end() :]
    if len(body) < length:
        body = _receive_body(body, length, sock, deadline)
    # What comes after an answer is nobody's, and must not be taken for the next one.
    is_last = len(body) > length or "close" in headers.get("connection", "").lower()
    return PlainAnswer(status, (plain[2] or b"").decode("latin-1"), headers, body[:length], is_last)


def _receive_body(begun: bytes, length: int, sock: socket, deadline: Deadline) -> bytes:
    """Return ``length`` bytes, of which ``begun`` are there; more when more came with them."""
    body = io.BytesIO()  # grows with what comes, whatever was announced, and hands it out without a copy
    body.write(begun)
    while body.tell() < length:
        deadline.allow(sock)
        more = sock.recv(_READ_BYTES)  # no less than a record of TLS: the rest of one would be seen by nobody
        if not more:
            raise IncompleteRead(body.getvalue(), length - body.tell())
        body.write(more)
    return body.getvalue()


class _Incoming(io.RawIOBase):
    """What comes from a socket by a deadline, after what was read of it. http.client takes it for the socket."""

    def __init__(self, connection: Any, deadline: Deadline, received: bytes) -> None:
        super().__init__()
        self._connection = connection
        self._sock = connection.sock
        self._deadline = deadline
        self._received = received
        self._is_over = False
        self.is_last = False

    def readable(self) -> bool:
        """Return True, as io.BufferedReader wants it."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as io.RawIOBase does. Raises TimeoutError, OSError."""
        if self._received:
            count = min(len(buffer), len(self._received))
            buffer[:count], self._received = self._received[:count], self._received[count:]
            return count
        if self._is_over:
            return 0
        self._deadline.allow(self._sock)
        return int(self._sock.recv_into(buffer))

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the file that http.client asks a socket for, and closes after the answer's last byte."""
        return _File(self, _READ_BYTES)

    def finish(self, file: io.BufferedReader) -> None:
        """See to the end of an answer: what of the next one has come is nobody's, so there must be none."""
        self._is_over = True
        if self.is_last:
            self._sock.close()
        elif file.peek(1):
            self._connection.close()


class _File(io.BufferedReader):
    raw: _Incoming

    def close(self) -> None:
        if not self.closed:
            self.raw.finish(self)
        super().close()


def read_by_urllib3(
    pool: HTTPConnectionPool,
    connection: HTTPConnection,
    method: str,
    received: bytes,
    deadline: Deadline,
    *,
    is_last: bool,
) -> urllib3.HTTPResponse:
    """Return the answer that begins with ``received``, which puts the connection back once it is read to its end.

    ``is_last``: whether it ends its connection whatever it says.

    Raises HTTPException, TimeoutError, OSError, urllib3's HTTPError.
    """
    incoming = _Incoming(connection, deadline, received)
    answer: Any = HTTPResponse(incoming, method=method)  # type: ignore[arg-type] # it asks for a file, nothing else
    answer.begin()
    response: Any = urllib3.HTTPResponse(
        answer,
        headers=urllib3.HTTPHeaderDict(answer.msg.items()),
        status=answer.status,
        version=answer.version,
        reason=answer.reason,
        preload_content=False,
        decode_content=False,
        original_response=answer,
        request_method=method,
    )
    if (
        is_last or answer.will_close or answer.status < 200
    ):  # what follows a 103 would be taken for the next request's answer
        incoming.is_last, connection.sock = True, None
    # As its parameters would, but last: one that cannot be made must not close a connection when it is forgotten.
    response._pool, response._connection = pool, connection  # noqa: SLF001
    return cast("urllib3.HTTPResponse", response)
