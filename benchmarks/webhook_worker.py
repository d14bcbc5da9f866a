"""Instances of a function as SCF has them: processes that take one event at a time, with connections of their own.

    python -m benchmarks.webhook_worker <listening socket> <seconds of one invocation> <instances> <logs> <function>

``listening socket``: its descriptor; ``function``: ``webhook`` or ``send``.

One process imports the function, as a warm pool of the platform does, and forks the instances, which share the socket.
The settings are its environment; what an instance prints goes to a file of its own in the folder ``logs``. At the start
it prints the process ids. A line on its standard input, the number of an instance, has that one killed (SIGKILL,
whatever it is doing) and replaced; it answers with the new process id. The end of the input ends them all.
"""

from __future__ import annotations

import importlib
import itertools
import os
import signal
import socket
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httptools

from localcloud.exchange import Request
from localcloud.gateway.events import Incoming, build_apigw_event
from localcloud.gateway.replies import build_reply
from localcloud.gateway.runtime import Outcome
from shared.edge.clock import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[dict[str, Any], dict[str, Any]], Any]

ROUTES = {"webhook": "/webhook/{provider}/{secret}", "send": "/send", "key": "/send/{key}"}


class Connection:
    """A sender's connection: each request on it becomes an event, as the gateway would send it."""

    def __init__(
        self, handler: Handler, connection: socket.socket, address: tuple[str, int], time_limit_s: float
    ) -> None:
        self._handler = handler
        self._socket = connection
        self._address = address
        self._time_limit_s = time_limit_s
        self._path = ""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def serve(self) -> None:
        """Answer until the other side closes. Raises OSError when it breaks off."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = httptools.HttpRequestParser(self)
        while data := self._socket.recv(1 << 16):
            self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Begin a request."""
        self._path = url.decode("latin-1")
        self._headers, self._body = {}, bytearray()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header in."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body in."""
        self._body += body

    def on_message_complete(self) -> None:
        """Invoke the function and answer."""
        method = self._parser.get_method().decode()
        request = Request(method, self._headers.get("host", ""), self._path, "", self._headers, bytes(self._body))
        route, parameters = _route(self._path)
        incoming = Incoming(request, route, parameters, str(uuid.uuid4()), self._address, 0, clock({})())
        context = {"request_id": str(uuid.uuid4()), "time_limit_in_ms": round(self._time_limit_s * 1000)}
        value: Any = self._handler(build_apigw_event(incoming), context)
        reply = build_reply(Outcome(context["request_id"], value), "apigw")
        head = [f"HTTP/1.1 {reply.status} ", f"Content-Length: {len(reply.body)}"]
        head += [f"{name}: {text}" for name, text in reply.headers]
        self._socket.sendall("\r\n".join([*head, "", ""]).encode() + reply.body)


def _route(path: str) -> tuple[str, dict[str, str]]:
    first, _, rest = path.removeprefix("/").partition("/")
    if first == "webhook":
        provider, _, secret = rest.partition("/")
        return ROUTES["webhook"], {"provider": provider, "secret": secret}
    return (ROUTES["key"], {"key": rest}) if rest else (ROUTES["send"], {})


class Instances:
    """The processes, by their place."""

    def __init__(self, handler: Handler, listener: socket.socket, time_limit_s: float, logs: Path) -> None:
        self._handler = handler
        self._listener = listener
        self._time_limit_s = time_limit_s
        self._logs = logs
        self._numbers = itertools.count(1)
        self._pids: dict[int, int] = {}

    def start(self, place: int) -> int:
        """Fork an instance. Returns its process id."""
        number = next(self._numbers)
        pid = os.fork()
        if pid:
            self._pids[place] = pid
            return pid
        try:
            log = os.open(self._logs / f"instance-{number:05d}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for stream in (1, 2):
                os.dup2(log, stream)
            self._serve()
        finally:
            os._exit(1)  # the parent's end is not this one's

    def kill(self, place: int) -> None:
        """End an instance as the platform's own failure would: without a word."""
        os.kill(self._pids[place], signal.SIGKILL)
        os.waitpid(self._pids.pop(place), 0)

    def kill_all(self) -> None:
        """End them all."""
        for place in list(self._pids):
            self.kill(place)

    def _serve(self) -> None:
        while True:
            connection, address = self._listener.accept()
            with connection:
                try:
                    Connection(self._handler, connection, address, self._time_limit_s).serve()
                except OSError:  # the sender has gone
                    continue


def main(descriptor: int, time_limit_s: float, count: int, logs: Path, function: str) -> None:
    """Run until standard input ends."""
    handler = importlib.import_module(f"functions.{function}.handler").main_handler
    instances = Instances(handler, socket.socket(fileno=descriptor), time_limit_s, logs)
    print(*(instances.start(place) for place in range(count)), flush=True)
    try:
        for line in sys.stdin:
            instances.kill(int(line))
            print(instances.start(int(line)), flush=True)
    finally:
        instances.kill_all()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5])
