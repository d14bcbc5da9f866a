"""One HTTP request and its response, as values: what every service takes and gives, whichever door it came through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Request:
    """A request as it stood on the wire.

    ``host``: the Host header, with its port if it had one. ``path``: still percent-encoded, without the query.
    ``query``: raw, without the question mark. ``headers``: lower-case names; repeated ones joined with ", ".
    ``body``: after transfer decoding, before any content decoding. ``list_lag_s``: of no wire, but of a fault rule: by
    how many seconds this LIST lags behind.
    """

    method: str
    host: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    scheme: str = "http"
    list_lag_s: float = 0.0


@dataclass
class Response:
    """An answer: status, headers as they go out, body bytes."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Dropped(Exception):
    """The connection closes without an answer (a fault asked for it)."""


class Service(Protocol):
    """What a local service looks like to the doors and to the fault injector."""

    name: str

    def dispatch(self, request: Request) -> Response:
        """Answer one request. Thread-safe; never raises for what a client did."""
        ...

    def action_of(self, request: Request) -> str:
        """Name the action for fault rules and logs: ``SendEmail``, ``PutObject``, ``emailStatus``."""
        ...

    def error_response(self, request: Request, code: str, status: int) -> Response:
        """Answer ``code`` in this service's own error shape."""
        ...
