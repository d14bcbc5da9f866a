"""Walks over all events: which hours want compaction, and when each day had its last news. Only LIST, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.report.merging import SEALED_BYTES, is_merged, is_single
from shared.trail.layout import events_prefix, parse_event_key
from shared.trail.records import local_time_epoch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.trail.store import Entry, Store

CLOSED_AFTER_S = 600
"""Seconds after its end that an hour is left to the callbacks that are on their way, and to a LIST that lags."""
_BEHIND_ALL = "0"
"""The character after the slash: instead of it, this sorts behind all that lies in an hour, whoever named it."""

Hour = tuple[str, str]


def iter_hours(store: Store, *, now: float, utc_offset_s: int) -> Iterator[Hour]:
    """Yield the (day, hour) that want compaction, the earliest first. Raises StoreError.

    An hour is told as soon as that is known, and the rest of it is passed over, as is an hour that is not over: however
    many objects there are, the first hour that has work comes at once.
    """
    after: str | None = ""
    while after is not None:
        place, wanted = _next_hour(store, after, now, utc_offset_s)
        after = None if place is None else events_prefix(*place)[:-1] + _BEHIND_ALL
        if place is not None and wanted:
            yield place


def _next_hour(store: Store, after: str, now: float, utc_offset_s: int) -> tuple[Hour | None, bool]:
    """Return the next hour that can be passed over, and whether it wants compaction; None at the end."""
    place, seen = None, _Seen()
    for entry in store.iterate(events_prefix(), after=after):
        if (found := parse_event_key(entry.key)) is None:
            continue
        if found[:2] != place:
            place, seen = found[:2], _Seen()
            if not _is_closed(*place, now, utc_offset_s):
                return place, False
        seen.add(found[2], entry)
        if seen.wants:
            return place, True
    return None, False


class _Seen:
    """What was seen of an hour so far."""

    def __init__(self) -> None:
        self._listed = self._singles = self._open_merged = 0

    def add(self, name: str, entry: Entry) -> None:
        self._listed += 1
        if entry.size_bytes < SEALED_BYTES:
            self._singles += is_single(name)
            self._open_merged += is_merged(name)

    @property
    def wants(self) -> bool:
        # One object alone is as merged as it can be; whether it was merged already matters only beside another.
        return self._listed > 1 and (self._singles > 0 or self._open_merged > 1)


def newest_by_day(store: Store) -> Iterator[dict[str, str]]:
    """Yield, after every object, day -> when its latest object so far was written, ISO 8601 as COS gives it.

    One and the same dict, so that a reader may stop when its time is up and keep what it has. Raises StoreError.
    """
    newest: dict[str, str] = {}
    for entry in store.iterate(events_prefix()):
        if found := parse_event_key(entry.key):
            newest[found[0]] = max(newest.get(found[0], ""), entry.modified_at)
        yield newest


def _is_closed(day: str, hour: str, now: float, utc_offset_s: int) -> bool:
    try:
        begins = local_time_epoch(f"{day} {hour}:00:00", utc_offset_s)
    except ValueError:  # no hour of ours
        return False
    return begins + 3600 + CLOSED_AFTER_S <= now
