"""Where snapshots are taken: the trail, the clock, the time left, and what is to be known of each source of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.records import iso

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.snapshot.pace import Pace
    from shared.trail.records import Status
    from shared.trail.store import Store

TIME_TO_FINISH_S = 8.0
"""Seconds kept of the time left, to make durable what was read."""


class OutOfTimeError(Exception):
    """The function's time is nearly up; the next run goes on."""


class Desk(NamedTuple):
    """Where a snapshot is taken. ``settle_s``: seconds after a day's end until which its rows are said to change."""

    store: Store
    utc_offset_s: int
    settle_s: float
    clock: Callable[[], float]
    time_left_s: Callable[[], float]

    def now(self) -> str:
        """Return the time, ISO 8601 to the second."""
        return iso(int(self.clock()))

    def check_time(self) -> None:
        """Raise OutOfTimeError when what is begun now might not be finished."""
        if self.time_left_s() < TIME_TO_FINISH_S:
            raise OutOfTimeError


class Source(NamedTuple):
    """Rows of a day, page by page.

    ``fetch``: day, offset -> rows; ``record``: row, day, time of fetching -> record. ``gap_s``: seconds between two
    passes, without which the second would see the first one's answers again.
    """

    name: str
    page_rows: int
    pace: Pace
    fetch: Callable[[str, int], list[dict[str, Any]]]
    record: Callable[[dict[str, Any], str, str], Status]
    gap_s: float
