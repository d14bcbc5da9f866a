"""Who may call back. One answer outward for every failure; the reason goes to the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.edge.http_event import Problem
from shared.edge.log import log
from shared.upstream.signing import equals_any, verify_sendcloud

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.edge.http_event import HttpRequest

PROVIDERS = ("ses", "sendcloud")


def provider_of(request: HttpRequest, secrets: Sequence[str]) -> str:
    """Return ``ses`` or ``sendcloud`` when the path names it and holds a live secret. Raises Problem (401, 404)."""
    rest = request.segments_after("webhook")
    if not rest or rest[0] not in PROVIDERS or len(rest) > 2:
        raise Problem(404, "not_found", "the paths here are /webhook/ses/{secret} and /webhook/sendcloud/{secret}")
    if not equals_any(secrets, rest[1] if len(rest) == 2 else ""):
        refuse("secret", request)
    return rest[0]


def verify_signature(raw: Any, app_keys: Sequence[str], request: HttpRequest) -> bool:
    """Check SendCloud's HMAC over timestamp and token. False when no APP KEY is set. Raises Problem (401)."""
    if not app_keys:
        return False
    fields = raw if isinstance(raw, dict) else {}
    timestamp, token, signature = (str(fields.get(name, "")) for name in ("timestamp", "token", "signature"))
    if not verify_sendcloud(app_keys, timestamp, token, signature):
        refuse("signature", request)
    return True


def refuse(reason: str, request: HttpRequest) -> None:
    """Raise the one answer that every failed authentication gets."""
    log("WARNING", "callback refused", request_id=request.request_id, reason=reason)
    raise Problem(401, "unauthorized", "not authenticated")
