"""Who may use the console and the control plane: this machine's own programs, and pages that we served ourselves.

A page of somebody else's must neither read nor change anything, whatever it makes a browser do: a host name that it has
pointed at 127.0.0.1 is refused by the Host header, a form or a fetch of its own by Origin and Sec-Fetch-Site, which
every browser sends with it; and no answer carries a CORS header, so that it could not be read. Programs send neither,
and whatever content type their library makes up (curl -d, urllib).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.door import write_response
from localcloud.problems import problem_response

if TYPE_CHECKING:
    from localcloud.door import Asgi, Receive, Scope, Send
    from localcloud.exchange import Response

CONTROL_PATH = "/_local"
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_READING = ("GET", "HEAD", "OPTIONS")
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
"""On every answer."""


def guarded(app: Asgi) -> Asgi:
    """Wrap the gateway's application: ``/`` and ``/_local`` are guarded, the functions' routes stay open."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = scope["path"]
        if path not in ("/", CONTROL_PATH) and not path.startswith(f"{CONTROL_PATH}/"):
            await app(scope, receive, send)
            return

        async def send_with_headers(message: dict[str, object]) -> None:
            """Add HEADERS."""
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *HEADERS]}  # type: ignore[misc]
            await send(message)

        refusal = refuse(scope["method"], {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]})
        if refusal is None:
            await app(scope, receive, send_with_headers)
        else:
            await write_response(send_with_headers, refusal.status, refusal.headers.items(), refusal.body)

    return guard


def refuse(method: str, headers: dict[str, str]) -> Response | None:
    """Say why a request is not answered; None when it is. ``headers``: lower-case names."""
    host = headers.get("host", "")
    if not _LOOPBACK.fullmatch(host):
        return problem_response(403, "forbidden_host", "Only Host 127.0.0.1, localhost and [::1] are answered here.")
    if method in _READING:
        return None
    is_ours = headers.get("origin", f"http://{host}") == f"http://{host}"
    if not is_ours or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return problem_response(403, "forbidden_origin", "Another page may not change anything here.")
    return None
