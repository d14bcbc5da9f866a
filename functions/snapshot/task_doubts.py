"""Bulk tasks that nobody knows the outcome of, looked into by the judgement that their callers hear as well.

Here for the reasons of ``doubts.py``: this function may ask SES, knows how often, and runs four times an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.snapshot.pace import GaveUpError
from shared.edge.log import log
from shared.trail.store import StoreError
from shared.trail.task_doubts import Desk as Inquiry
from shared.trail.task_doubts import resolve_all
from shared.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from functions.snapshot.desk import Desk
    from functions.snapshot.pace import Pace
    from shared.upstream.ses import SesClient

_SHARE = 0.1
"""Of the time left, what this may take: they are few, and what is left is the next run's."""


def settle_task_doubts(desk: Desk, ses: SesClient, pace: Pace) -> dict[str, Any]:
    """Settle what can be proven, and count it; ``why`` when not all could be. Never raises for COS or SES."""
    end_s = desk.time_left_s() * (1 - _SHARE)

    def left_s() -> float:
        return desk.time_left_s() - end_s

    def ask(receiver_id: int, offset: int) -> tuple[list[dict[str, Any]], int] | None:
        try:
            page = pace.call(lambda: ses.list_send_tasks(offset=offset, receiver_id=receiver_id))
        except (UpstreamError, GaveUpError) as error:
            log("WARNING", "tasks not told", code=getattr(error, "code", "out of time"))
            return None
        return page.rows, page.total

    store = desk.store.within(left_s())
    try:
        told: dict[str, Any] = resolve_all(Inquiry(store, desk.utc_offset_s, desk.clock, ask, left_s))
    except StoreError as error:
        return {"why": error.code}
    if any(told.values()):
        log("INFO", "task doubts looked into", **told)
    return told
