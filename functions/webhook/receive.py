"""One callback: who sent it, and into the trail with what it holds.

Two steps, so that what was authenticated can be stored again later as it was received: ``authenticate`` is told the
request and touches nothing, ``store_callback`` needs no request.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.webhook.adapt import adapt_sendcloud, adapt_ses
from functions.webhook.authenticate import PROVIDERS, Refused, provider_of, verify_signature
from functions.webhook.body import UnreadableError, parse_objects
from functions.webhook.ingest import Desk, Stored, ingest, quarantine
from functions.webhook.sendcloud_token import WHY, use_tokens
from shared.edge.http_event import HttpRequest, Problem
from shared.edge.log import log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from functions.webhook.adapt import Fact

MOST_BYTES = 256 * 1024
_KEPT_HEADERS = ("content-type", "content-encoding", "content-length", "user-agent")


class Callback(NamedTuple):
    """One authenticated callback: all that storing it needs, now or at a replay.

    ``provider``: ``ses`` or ``sendcloud``. ``headers``: those worth keeping, none secret. ``received_s``: epoch
    seconds. ``verified``: SendCloud's HMAC was checked and right; SES proves its events one by one, by our token.
    """

    provider: str
    headers: Mapping[str, str]
    body: bytes
    received_s: float
    verified: bool

    def __repr__(self) -> str:
        """Say how much it is, never what."""
        return f"Callback({self.provider}, {len(self.body)} bytes)"


def authenticate(
    request: HttpRequest, secrets: Sequence[str], app_keys: Sequence[str], *, received_s: float
) -> Callback | None:
    """Return the callback that a live secret lets in; None for a probe (GET), which stores nothing.

    ``app_keys``: SendCloud's; without one its signatures are not checked. Raises Problem for who may not call, or a
    body of over 256 KB.
    """
    provider = provider_of(request, secrets)
    if request.method in ("GET", "HEAD"):  # both consoles probe the address
        return None
    if request.method != "POST":
        raise Problem(405, "method_not_allowed", f"POST or GET /webhook/{'|'.join(PROVIDERS)}/{{secret}}")
    if len(request.body) > MOST_BYTES:
        log("WARNING", "callback too large", request_id=request.request_id, bytes=len(request.body))
        raise Problem(413, "too_large", f"a callback is {MOST_BYTES} bytes at most")
    headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
    verified = provider == "sendcloud" and _is_signed(request, app_keys)
    return Callback(provider, headers, request.body, received_s, verified)


def _is_signed(request: HttpRequest, app_keys: Sequence[str]) -> bool:
    """Check the signature of every object. What holds none is nobody's event; quarantine takes it unsigned."""
    if not app_keys:
        return False
    try:
        objects = [raw for raw in parse_objects(request.body) if isinstance(raw, dict)]
    except UnreadableError:
        return False
    return bool(objects) and all(verify_signature(raw, app_keys) for raw in objects)


def store_callback(callback: Callback, desk: Desk, token_keys: Sequence[str]) -> Stored:
    """Store what a callback holds, as of the time it was received. Raises StoreError when COS did not take it.

    Raises Refused for a SendCloud token that is stale or was used for something else; the body is in quarantine then.
    """
    kept = {"provider": callback.provider, "method": "POST", "headers": callback.headers}
    try:
        objects = parse_objects(callback.body)
        if callback.verified:  # SendCloud's
            use_tokens([raw for raw in objects if isinstance(raw, dict)], desk)  # what is none lies in quarantine
        return ingest(desk, objects, _adapter(callback, token_keys), kept, body=callback.body)
    except Refused as refused:  # should SendCloud use a token twice after all, nothing is lost
        quarantine(desk, callback.body, WHY[refused.reason], kept)
        raise
    except (UnreadableError, RecursionError) as error:  # the latter: nested so deeply that it was read, not written
        quarantine(desk, callback.body, str(error), kept)
        return Stored(0, 1)


def _adapter(callback: Callback, token_keys: Sequence[str]) -> Callable[[Any], list[Fact]]:
    if callback.provider == "ses":
        return functools.partial(adapt_ses, received_s=callback.received_s, token_keys=token_keys)
    return functools.partial(adapt_sendcloud, received_s=callback.received_s, verified=callback.verified)
