"""Who may call back. One answer outward for every failure; the reason goes to the log and into the day's count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.webhook.body import by_lower_name
from shared.edge.http_event import Problem
from shared.upstream.signing import equals_any, verify_sendcloud

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.edge.http_event import HttpRequest

PROVIDERS = ("ses", "sendcloud")
SECRET = "secret"  # noqa: S105 - a reason, not a secret
SIGNATURE = "signature"
STALE = "stale"
REPLAYED = "replayed"


class Refused(Problem):
    """The one answer that every failed authentication gets. ``reason``: ``secret signature stale replayed``."""

    def __init__(self, reason: str) -> None:
        super().__init__(401, "unauthorized", "not authenticated")
        self.reason = reason


def provider_of(request: HttpRequest, secrets: Sequence[str]) -> str:
    """Return ``ses`` or ``sendcloud`` when the path names it and holds a live secret. Raises Refused, Problem (404)."""
    rest = request.segments_after("webhook")
    if not rest or rest[0] not in PROVIDERS or len(rest) > 2:
        raise Problem(404, "not_found", "the paths here are /webhook/ses/{secret} and /webhook/sendcloud/{secret}")
    if not equals_any(secrets, rest[1] if len(rest) == 2 else ""):
        raise Refused(SECRET)
    return rest[0]


def verify_signature(raw: Any, app_keys: Sequence[str]) -> bool:
    """Check SendCloud's HMAC over timestamp and token. False when no APP KEY is set. Raises Refused."""
    if not app_keys:
        return False
    fields = signed_fields(raw)
    if not verify_sendcloud(app_keys, fields["timestamp"], fields["token"], fields["signature"]):
        raise Refused(SIGNATURE)
    return True


def signed_fields(raw: Any) -> dict[str, str]:
    """Return ``timestamp token signature`` as text, empty where there is none.

    Names are read in any case, as those of the event are: its time must be the signed one.
    """
    given = by_lower_name(raw) if isinstance(raw, dict) else {}
    return {name: str(given.get(name, "")) for name in ("timestamp", "token", "signature")}
