"""Refused requests, counted: in memory for as long as an instance is warm, in the bucket for the report.

Each instance overwrites an object of its own with its totals of the day, so nothing is counted twice and no two write
the same key. A flood must not cost a request to COS each: a day's first ones are written at once, further ones at most
every ten seconds, the remainder with the next request of any kind that finds it due. What an instance has not written
when the platform takes it away is lost to the count; the log has a line for each.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from shared.edge.log import log
from shared.trail.layout import refused_key
from shared.trail.records import VERSION, day_of, encode_line, iso
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from shared.trail.store import Store

WRITTEN_AT_ONCE = 100
"""Refusals of a day that an instance writes as they come."""
PAUSE_S = 10.0
"""Seconds between writes after that, or after one that failed."""
PATIENCE_S = 1.0
"""Seconds that a stranger's 401 may wait for COS."""


class Refusals:
    """What one warm instance has refused, by day of the account's zone; times are epoch seconds."""

    def __init__(self) -> None:
        self._days: dict[str, dict[str, Any]] = {}
        self._owed: set[str] = set()
        self._tried_at = 0.0
        self._failed = False
        self._instance = ""
        self._lock = threading.Lock()

    def add(self, reason: str, store: Store, *, at: float, utc_offset_s: int) -> None:
        """Count one refusal and write the totals when that is due. Never raises StoreError."""
        day = day_of(at, utc_offset_s)
        with self._lock:
            line = self._days.setdefault(day, self._new_day(day, at))
            line["counts"][reason] = line["counts"].get(reason, 0) + 1
            line["last_at"] = iso(at)
            self._owed.add(day)
            is_early = not self._failed and sum(line["counts"].values()) <= WRITTEN_AT_ONCE
            if is_early or self._is_due(at):
                self._write(store, at)

    def settle(self, store: Store, *, at: float) -> None:
        """Write what is owed, when that is due; costs nothing when nothing is. Never raises StoreError."""
        if self._owed and self._is_due(at):
            with self._lock:
                self._write(store, at)

    def _new_day(self, day: str, at: float) -> dict[str, Any]:
        # Not at import: copies of one frozen process would write each other's key.
        self._instance = self._instance or os.urandom(8).hex()
        return {"v": VERSION, "day": day, "instance": self._instance, "counts": {}, "first_at": iso(at)}

    def _is_due(self, at: float) -> bool:
        return abs(at - self._tried_at) >= PAUSE_S  # localcloud's clock can be moved back as well

    def _write(self, store: Store, at: float) -> None:
        self._tried_at = at
        brief = store.within(PATIENCE_S)
        try:
            for day in sorted(self._owed):
                body = encode_line(self._days[day])
                brief.put(refused_key(day, self._instance), body, content_type="application/json")
                self._owed.discard(day)
            self._failed = False
        except StoreError as error:
            self._failed = True
            log("WARNING", "refusals not written", operation=error.operation, code=error.code)


refusals = Refusals()
"""This instance's."""
