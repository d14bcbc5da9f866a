"""Unsubscribe links as tests use them: made as ``send`` makes them, opened and posted to as browsers and providers do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud import defaults
from shared.upstream.unsubscribe_token import Unsubscribe, build_unsubscribe_token
from tests.handlers import NOW, Answer, ask, http_event

if TYPE_CHECKING:
    from collections.abc import Mapping

FORM = "application/x-www-form-urlencoded"
ONE_CLICK = b"List-Unsubscribe=One-Click"
ALICE = Unsubscribe("alice@example.com", "mail.example.com", int(NOW) - 86400)


def token_of(wish: Unsubscribe = ALICE, key: str = defaults.TOKEN_KEY) -> str:
    """Return the token in the link of a mail."""
    return build_unsubscribe_token(key, wish)


def open_link(token: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Answer:
    """Open a link with a browser."""
    return ask("webhook", http_event(method, f"/unsubscribe/{token}", headers=headers))


def post(token: str, body: bytes = ONE_CLICK, content_type: str = FORM, *, time_limit_s: float = 30.0) -> Answer:
    """Post to a link, by default as a mailbox provider does (RFC 8058 section 3.2): no cookie, no Accept-Language."""
    event = http_event("POST", f"/unsubscribe/{token}", body, {"content-type": content_type})
    return ask("webhook", event, time_limit_s=time_limit_s)
