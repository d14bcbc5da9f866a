"""The HTTP side of the server door: from ASGI to ``Request`` and back, and a protocol that can hang up."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from localcloud.exchange import Dropped, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from concurrent.futures import Executor

    from localcloud.world import LocalCloud

    # ASGI's own three: plain dicts, https://asgi.readthedocs.io/en/latest/specs/www.html
    Scope = Any
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]
    Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("localcloud")


class DoorProtocol(HttpToolsProtocol):
    """uvicorn's protocol, plus absolute-form targets of every kind and a way to close without an answer."""

    def on_message_begin(self) -> None:
        """Give the application a way to hang up: ``scope["state"]["hang_up"]``."""
        super().on_message_begin()
        self.scope["state"]["hang_up"] = self.transport.abort

    def on_headers_complete(self) -> None:
        """Reduce ``http://host/path?query``, as clients of a proxy send it, to what follows the host.

        uvicorn does that too, but stumbles when there is no path. The Host header decides, as everywhere; a client
        that sends none (HTTP/1.0) has named the host in the target (RFC 9112 §3.2.2).
        """
        if not self.url.startswith(b"/") and b"://" in self.url:
            rest = self.url.partition(b"://")[2]
            end = min((at for at in map(rest.find, (b"/", b"?")) if at >= 0), default=len(rest))
            target = rest[end:]
            self.url = target if target.startswith(b"/") else b"/" + target
            if all(name != b"host" for name, _ in self.headers):
                self.headers.append((b"host", rest[:end]))
        super().on_headers_complete()


class HeaderName(bytes):
    """A header name that goes out as it was written.

    uvicorn writes ``name.lower()``; the COS SDK hands headers over as a plain dict, so its users look for ``ETag``.
    """

    __slots__ = ()

    def lower(self) -> HeaderName:
        """Stay as it is."""
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes) and bytes.lower(self) == bytes.lower(other)

    def __ne__(self, other: object) -> bool:
        return not self == other  # bytes has a != of its own, which would be inherited

    def __hash__(self) -> int:
        return hash(bytes.lower(self))


async def read_request(scope: Scope, receive: Receive) -> Request | None:
    """Take a whole request in; None if the client left before it was complete."""
    body = bytearray()
    more_body = True
    while more_body:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more_body = message.get("more_body", False)
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(
        method=scope["method"],
        host=headers.get("host", ""),
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=bytes(body),
        scheme=scope["scheme"],
    )


async def write_response(send: Send, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
    """Send an answer. An answer to HEAD may name the Content-Length of a body that it does not carry."""
    named = list(headers)
    raw = [(HeaderName(name.encode("latin-1")), value.encode("latin-1", "replace")) for name, value in named]
    if status not in (204, 304) and not any(name.lower() == "content-length" for name, _ in named):
        raw.append((HeaderName(b"Content-Length"), str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def service_app(cloud: LocalCloud, service: str, pool: Executor) -> Asgi:
    """Build the ASGI application of one service's port: no routes, the service reads the request itself."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        request = await read_request(scope, receive)
        if request is None:
            return
        try:
            response = await asyncio.get_running_loop().run_in_executor(pool, cloud.dispatch, service, request)
        except Dropped:
            await hang_up(scope, receive)
            return
        except Exception:
            # Must not happen (a service answers every request); said loudly, because the client only sees a 500.
            log.exception("%s failed to answer %s %s", service, request.method, request.path)
            await write_response(send, 500, [], b"localcloud failed; see its log\n")
            return
        await write_response(send, response.status, response.headers.items(), response.body)

    return app


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection without an answer, and wait until uvicorn has seen it closed."""
    scope["state"]["hang_up"]()
    while (await receive())["type"] != "http.disconnect":
        pass
