"""One walk over all events: which days have news, which hours want compaction. What it keeps grows with the days."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from functions.report.merging import SEALED_BYTES, is_merged, is_single
from shared.trail.layout import events_prefix, parse_event_key
from shared.trail.records import local_time_epoch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.trail.store import Entry, Store

CLOSED_AFTER_S = 600
"""Seconds after its end that an hour is left to the callbacks that are on their way, and to a LIST that lags."""


class Survey(NamedTuple):
    """What a walk found.

    ``newest``: day -> when its latest object was written, ISO 8601 as COS gives it. ``hours``: (day, hour) that want
    compaction, the latest first.
    """

    newest: dict[str, str]
    hours: list[tuple[str, str]]


def survey(store: Store, *, now: float, utc_offset_s: int) -> Survey:
    """Walk over all events. Raises StoreError."""
    newest: dict[str, str] = {}
    hours: list[tuple[str, str]] = []
    for (day, hour), entries in itertools.groupby(_iter_events(store), key=lambda one: one[0]):
        listed = singles = open_merged = 0
        for _, name, entry in entries:
            listed += 1
            newest[day] = max(newest.get(day, ""), entry.modified_at)
            if entry.size_bytes < SEALED_BYTES:
                singles += is_single(name)
                open_merged += is_merged(name)
        # One object alone is as merged as it can be; whether it was merged already matters only beside another.
        if listed > 1 and (singles or open_merged > 1) and _is_closed(day, hour, now, utc_offset_s):
            hours.append((day, hour))
    return Survey(newest, hours[::-1])


def _iter_events(store: Store) -> Iterator[tuple[tuple[str, str], str, Entry]]:
    entries: Iterable[Entry] = store.iterate(events_prefix())
    for entry in entries:
        if found := parse_event_key(entry.key):
            yield found[:2], found[2], entry


def _is_closed(day: str, hour: str, now: float, utc_offset_s: int) -> bool:
    try:
        begins = local_time_epoch(f"{day} {hour}:00:00", utc_offset_s)
    except ValueError:  # no hour of ours
        return False
    return begins + 3600 + CLOSED_AFTER_S <= now
