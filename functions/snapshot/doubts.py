"""Sends that nobody knows the outcome of: looked into before the snapshots are taken, since somebody may be waiting.

Here, and not in the report: this function may ask SES, and knows how often; and it runs four times an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.snapshot.pace import GaveUpError
from shared.edge.log import log
from shared.trail.inquiry import Desk as Inquiry
from shared.trail.inquiry_limits import LookedTooFarError
from shared.trail.resolution import resolve_all
from shared.trail.store import StoreError
from shared.upstream.errors import UpstreamError
from shared.upstream.signing import callback_reference

if TYPE_CHECKING:
    from functions.snapshot.desk import Desk
    from functions.snapshot.pace import Pace
    from shared.upstream.ses import SesClient

_SHARE = 0.4
"""Of the time left, what this may take: what is left is the next run's."""


def settle_doubts(desk: Desk, ses: SesClient, pace: Pace) -> dict[str, Any]:
    """Settle what can be proven, and count it; ``why`` when not all could be looked at. Never raises for COS or SES."""
    end_s = desk.time_left_s() * (1 - _SHARE)

    def left_s() -> float:
        return desk.time_left_s() - end_s

    def ask(day: str, recipient: str, offset: int) -> list[dict[str, Any]] | None:
        try:
            return pace.call(lambda: ses.get_send_email_status(day, offset=offset, recipient=recipient))
        except (UpstreamError, GaveUpError) as error:
            log("WARNING", "status not told", code=getattr(error, "code", "out of time"))
            return None

    store = desk.store.within(left_s())
    inquiry = Inquiry(store, desk.utc_offset_s, desk.clock(), ask, callback_reference, left_s)
    try:
        told: dict[str, Any] = resolve_all(inquiry)
    except (StoreError, LookedTooFarError) as error:
        return {"why": getattr(error, "code", "out of time")}
    if any(told.values()):
        log("INFO", "doubts looked into", **told)
    return told
