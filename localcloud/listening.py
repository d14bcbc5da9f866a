"""Four consecutive loopback ports, one event loop in a thread behind them."""

from __future__ import annotations

import errno
import socket
import threading
from typing import TYPE_CHECKING

from uvicorn.config import Config
from uvicorn.server import Server

from localcloud.door import DoorProtocol
from localcloud.gateway.environment import LOOPBACK, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localcloud.door import Asgi, Receive, Scope, Send

ATTEMPTS = 100
BACKLOG = 512
KEEP_ALIVE_S = 75
GRACE_S = 3


def bind_ports(port: int) -> list[socket.socket]:
    """Listen on ``port`` and the three after it; 0 looks for four free ones.

    Raises OSError, naming the port, when one of the asked four is taken.
    """
    for _ in range(ATTEMPTS if port == 0 else 1):
        bound: list[socket.socket] = []
        try:
            bound.append(_listen(port))
            first = bound[0].getsockname()[1]
            for offset in range(1, len(Ports._fields)):
                bound.append(_listen(first + offset))  # noqa: PERF401 - those before a failure must be closed
        except (OSError, OverflowError) as error:
            for one in bound:
                one.close()
            failure = error
        else:
            return bound
    raise OSError(errno.EADDRINUSE, f"no four free ports from {port or 'any'}: {failure}") from failure


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it every answer waits 40 ms for an ACK.
    fresh = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        fresh.bind((LOOPBACK, port))
        # Listening at once: until then two processes can hold the same port with SO_REUSEADDR.
        fresh.listen(BACKLOG)
    except (OSError, OverflowError):
        fresh.close()
        raise
    return fresh


class ListeningThread:
    """uvicorn in a thread of its own: one process, one loop, one application for each port."""

    def __init__(self, apps: Mapping[int, Asgi], sockets: Sequence[socket.socket]) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await apps[scope["server"][1]](scope, receive, send)

        config = Config(
            app,
            loop="asyncio",
            http=DoorProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = _Announcing(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": list(sockets)}, name="localcloud-http", daemon=True
        )

    def start(self) -> None:
        """Start, and wait until connections are accepted."""
        self._thread.start()
        self._server.ready.wait()

    def stop(self) -> None:
        """Answer what is being answered (at most GRACE_S seconds), close everything, end the thread."""
        self._server.should_exit = True
        self._thread.join()


class _Announcing(Server):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets=sockets)
        finally:
            self.ready.set()
