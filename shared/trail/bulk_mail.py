"""Which bulk tasks of ours may have written to somebody at a time: a status row does not say whether it is a task's.

Whom a task is to is known to SES alone, and how long it takes to nobody. So every task of the same sender counts that
had begun and may not have ended; one that repeats itself counts for ever.
"""

from __future__ import annotations

import functools
import itertools
import json
from typing import TYPE_CHECKING, Any

from shared.trail.inquiry_limits import no_more_than
from shared.trail.layout import SENT_TASKS_PREFIX, UNCERTAIN_TASKS_PREFIX
from shared.trail.records import epoch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.trail.store import Store

RECURRING = 3
"""TaskType."""
LASTS_S = 3 * 86400
"""Seconds for which a task may be at work: what goes beyond a day's quota SES sends on the next."""
ZONES_S = 16 * 3600
"""What the zone may be off by in which SES took its time of beginning."""
CLOCKS_S = 300


class BulkMail:
    """The tasks that are noted, read when they are first asked for. ``most``: notes that there is time to read."""

    def __init__(self, store: Store, most: int | None) -> None:
        self._store = store
        self._most = most

    def may_have_written(self, sender: str, at: float) -> bool:
        """Whether a task of ``sender``, a bare address, may have been at work. Raises StoreError, LookedTooFarError."""
        return any(_may_write(told, sender, at) for told in self._told)

    @functools.cached_property
    def _told(self) -> list[dict[str, Any]]:
        prefixes = (SENT_TASKS_PREFIX, UNCERTAIN_TASKS_PREFIX)
        listed = itertools.chain.from_iterable(map(self._store.iterate, prefixes))
        found = self._store.read_many(no_more_than(self._most, listed))
        return [told for _, body in found for told in _told_in(body)]


def _told_in(body: bytes | None) -> Iterator[dict[str, Any]]:
    """Yield what a note says of its task; nothing for one that is gone, and for somebody's own file."""
    try:
        note = json.loads(body or b"null")
        told = {"claimed_at": note.get("at"), **note, **(note.get("told") or {})}
        epoch(told["claimed_at"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    yield told


def _may_write(told: Mapping[str, Any], sender: str, at: float) -> bool:
    if str(told.get("sender") or sender).lower() != sender.lower():
        return False
    made = epoch(told["claimed_at"])
    begins = epoch(told["begins_at"]) if told.get("begins_at") else made
    since = max(made, begins - ZONES_S if told.get("begins_at") else made) - CLOCKS_S
    return at >= since and (told.get("task_type") == RECURRING or at <= begins + ZONES_S + LASTS_S)
