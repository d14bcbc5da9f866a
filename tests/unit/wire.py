"""A server of raw bytes on loopback: what a client meets when the other end misbehaves, and what the client really sent."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HALF = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"Response": {"MessageId": "half'
)
GARBAGE = b"\x00\x01 this is not HTTP \r\n\r\n"


class Received(NamedTuple):
    """One request as it arrived. Header names are lower-case."""

    line: str
    headers: dict[str, str]
    body: bytes


def answer(body: bytes, *, status: int = 200, content_type: str = "application/json; charset=utf-8") -> bytes:
    """Build a whole HTTP answer that ends its connection."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


class Wire:
    """Answers each connection's one request with ``reply``: bytes, then close; None: say nothing until the end."""

    def __init__(self, reply: Callable[[int], bytes | None]) -> None:
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.received: list[Received] = []
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self._handle(connection)

    def _handle(self, connection: socket.socket) -> None:
        request = _read_request(connection)
        if request is None:
            connection.close()
            return
        self.received.append(request)
        reply = self._reply(len(self.received))
        if reply is not None:
            with contextlib.suppress(OSError):
                connection.sendall(reply)
            connection.close()

    def close(self) -> None:
        """Stop listening and hang up on everybody."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in self._open:
            connection.close()


def _read_request(connection: socket.socket) -> Received | None:
    stream = connection.makefile("rb")
    with stream:
        line = stream.readline().decode("latin-1").strip()
        if not line:
            return None
        headers: dict[str, str] = {}
        while (header := stream.readline().decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        return Received(line, headers, stream.read(int(headers.get("content-length", "0"))))


@contextlib.contextmanager
def serving(*replies: bytes | None) -> Iterator[Wire]:
    """Serve ``replies`` one after the other, the last of them for ever."""
    wire = Wire(lambda number: replies[min(number, len(replies)) - 1])
    try:
        yield wire
    finally:
        wire.close()


def refused_port() -> int:
    """Return a loopback port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
