"""One callback request: who sent it, what it holds, and into the trail with it."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from functions.webhook.adapt import adapt_sendcloud, adapt_ses
from functions.webhook.authenticate import PROVIDERS, provider_of, verify_signature
from functions.webhook.body import UnreadableError, parse_objects
from functions.webhook.ingest import Desk, Stored, ingest, quarantine
from shared.edge.clock import clock
from shared.edge.http_event import HttpRequest, Problem
from shared.trail.store import Place, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.webhook.adapt import Fact
    from shared.edge.settings import WebhookSettings

MOST_BYTES = 256 * 1024
_KEPT_HEADERS = ("content-type", "content-encoding", "content-length", "user-agent")


def receive(request: HttpRequest, settings: WebhookSettings, time_left_s: Callable[[], float]) -> Stored | None:
    """Store what a callback holds; None for a probe (GET), which stores nothing.

    Raises Problem for who may not call or a body of over 256 KB, StoreError when COS did not take it.
    """
    provider = provider_of(request, settings.secrets)
    if request.method in ("GET", "HEAD"):  # both consoles probe the address
        return None
    if request.method != "POST":
        raise Problem(405, "method_not_allowed", f"POST or GET /webhook/{'|'.join(PROVIDERS)}/{{secret}}")
    if len(request.body) > MOST_BYTES:
        raise Problem(413, "too_large", f"a callback is {MOST_BYTES} bytes at most")
    store = Store(Place(*settings.credential, *settings.bucket), time_left_s)
    desk = Desk(store, settings.utc_offset_s, clock(os.environ)())
    headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
    kept = {"provider": provider, "method": request.method, "headers": headers}
    try:
        return _store(desk, request, settings, provider=provider, kept=kept)
    except (UnreadableError, RecursionError) as error:  # the latter: nested so deeply that it was read, not written
        quarantine(desk, request.body, str(error), kept)
        return Stored(0, 1)


def _store(
    desk: Desk, request: HttpRequest, settings: WebhookSettings, *, provider: str, kept: dict[str, Any]
) -> Stored:
    objects = parse_objects(request.body)
    adapt: Callable[[Any], list[Fact]]
    if provider == "ses":
        adapt = functools.partial(adapt_ses, received_s=desk.received_s, token_keys=settings.token_keys)
    else:
        verified = [verify_signature(raw, settings.sendcloud_app_keys, request) for raw in objects]
        adapt = functools.partial(adapt_sendcloud, received_s=desk.received_s, verified=all(verified))
    return ingest(desk, objects, adapt, kept, body=request.body)
