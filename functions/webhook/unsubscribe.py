"""``/unsubscribe/{token}``, the link of List-Unsubscribe (RFC 8058): GET shows a page and changes nothing, POST acts.

Scanners follow links, so GET and HEAD neither write nor read the bucket. A POST acts whatever its body says: a mailbox
provider posts ``List-Unsubscribe=One-Click``, as a form of either kind, our page its button; the request itself, to an
address that only we can have made, is the wish (https://www.rfc-editor.org/rfc/rfc8058#section-3.2), and it must not
fail because somebody writes the form differently. No cookie, no redirect.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from functions.webhook.unsubscribe_page import BUTTON, Page, page_of
from shared.edge.clock import clock
from shared.edge.environment import SettingsError
from shared.edge.http_event import Problem, problem_reply
from shared.edge.log import log, place_of
from shared.edge.settings import callback_secrets, webhook_settings
from shared.trail.store import Place, Store, StoreError
from shared.trail.unsubscribes import entry_of_unsubscribe, unsubscribe
from shared.upstream.unsubscribe_token import parse_unsubscribe_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.edge.http_event import HttpRequest
    from shared.upstream.unsubscribe_token import Unsubscribe

ONE_CLICK = b"One-Click"
PATIENCE_S = 6.0
"""Seconds that COS may take: how long a mailbox provider waits is documented nowhere."""


def answer(request: HttpRequest, time_left_s: Callable[[], float]) -> dict[str, Any]:
    """Show the page, or unsubscribe. Whatever is wrong with a link gets one answer; raises nothing."""
    if request.method not in ("GET", "HEAD", "POST"):
        return problem_reply(Problem(405, "method_not_allowed", "GET or POST /unsubscribe/{token}"), request.request_id)
    try:
        wish = parse_unsubscribe_token(callback_secrets(os.environ).token_keys, _token(request))
    except ValueError:
        log("WARNING", "unsubscribe refused", request_id=request.request_id, method=request.method)
        return page_of(Page.INVALID, request)
    if request.method != "POST":
        return page_of(Page.ASK, request, wish)
    try:
        is_new = _unsubscribe(wish, time_left_s)
    except Exception as error:  # noqa: BLE001 - whatever it is, the person is told to come again, and we are told why
        log("ERROR", "unsubscribe failed", request_id=request.request_id, **_cause(error))
        return page_of(Page.AGAIN, request, wish)
    log("INFO", "unsubscribed", request_id=request.request_id, by=_sender(request.body), new=is_new)
    return page_of(Page.DONE, request, wish)


def _token(request: HttpRequest) -> str:
    rest = request.segments_after("unsubscribe") or []
    return rest[0] if len(rest) == 1 else ""


def _unsubscribe(wish: Unsubscribe, time_left_s: Callable[[], float]) -> bool:
    settings = webhook_settings(os.environ)
    now = clock(os.environ)()
    store = Store(Place(*settings.credential, *settings.bucket), time_left_s)
    fresh = entry_of_unsubscribe(wish.address, sender_domain=wish.sender_domain, sent_s=wish.issued_at_s, at=now)
    return unsubscribe(store.within(PATIENCE_S), fresh, at=now)


def _sender(body: bytes) -> str:
    """Tell who posted, for the log alone."""
    if ONE_CLICK in body:
        return "provider"
    return "page" if BUTTON.encode() in body else "unknown"


def _cause(error: Exception) -> dict[str, Any]:
    if isinstance(error, StoreError):
        return {"operation": error.operation, "code": error.code}
    if isinstance(error, SettingsError):
        return {"code": "misconfigured", "problems": error.problems}
    return {"error": type(error).__name__, "place": place_of(error)}
