"""A COS that answers every request 200 after a set time and keeps nothing, so cheap that it does not matter.

    python -m benchmarks.cos_stand_in <listening socket's descriptor> <seconds until an answer>

What is measured against it is the client alone: localcloud's own COS costs about as much CPU as the webhook.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.localcloud_servers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: "0"\r\nx-cos-request-id: NjU=\r\nServer: tencent-cos\r\n\r\n'
_LENGTH = b"\r\ncontent-length:"


@contextlib.contextmanager
def cos_at(seconds: float) -> Iterator[str]:
    """Run one in a process of its own; yields its endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = (sys.executable, "-m", "benchmarks.cos_stand_in", str(listener.fileno()), str(seconds))
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=(listener.fileno(),))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.kill()
            process.wait()


class _Answering(asyncio.Protocol):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end]).lower()
            _, is_there, rest = head.partition(_LENGTH)
            size = end + 4 + (int(rest.partition(b"\r\n")[0]) if is_there else 0)
            if len(self._received) < size:
                return
            del self._received[:size]
            asyncio.get_running_loop().call_later(self._seconds, self._write, ANSWER)


async def _serve(descriptor: int, seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: _Answering(seconds), sock=socket.socket(fileno=descriptor)
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
