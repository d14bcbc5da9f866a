"""The manifests of the last weeks, read once a run: how far the snapshots have come."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.report.dates import shifted
from shared.trail.layout import manifest_key, rows_prefix
from shared.trail.records import day_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.report.maintenance import Work
    from shared.trail.store import Store

SOURCES = ("status", "sendcloud")
FORGOTTEN_AFTER_DAYS = 30
"""SES forgets the rows of earlier days; the snapshot timer asks SendCloud no further back either."""
LOOKED_BACK_DAYS = 40
"""So a day that was lost is told of for ten days, and one that was sealed while this timer stood still is found."""
_AT_ONCE = 16
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?=/)")

Manifest = dict[str, Any]


class Manifests(NamedTuple):
    """``of``: source -> day -> manifest, of those that there are. ``since``: source -> the first day with anything."""

    today: str
    of: dict[str, dict[str, Manifest]]
    since: dict[str, str]

    def empty_days(self) -> set[str]:
        """Return the days that were looked at and have no row: thirty of them on a first day, nothing to report."""
        days = {day for found in self.of.values() for day in found}
        return {day for day in days if not any(rows_in(found.get(day)) for found in self.of.values())}


def rows_in(manifest: Manifest | None) -> bool:
    """Whether a manifest names any rows."""
    return manifest is not None and bool(manifest.get("rows", True))


def read_manifests(work: Work) -> Manifests:
    """Read the manifests of today and of the ``LOOKED_BACK_DAYS`` before. Raises StoreError."""
    today = day_of(work.clock(), work.utc_offset_s)
    days = [shifted(today, -back) for back in range(LOOKED_BACK_DAYS + 1)]
    found = read_manifests_of(work.store, days)
    since = {source: day for source in SOURCES if (day := _first_day(work.store, source))}
    return Manifests(today, found, since)


def read_manifests_of(store: Store, days: Iterable[str]) -> dict[str, dict[str, Manifest]]:
    """Return source -> day -> manifest, of those that there are. Raises StoreError."""
    places = [(source, day) for source in SOURCES for day in days]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        bodies = pool.map(lambda place: store.get(manifest_key(*place)), places)
        found: dict[str, dict[str, Manifest]] = {source: {} for source in SOURCES}
        for (source, day), body in zip(places, bodies, strict=True):
            if body and (manifest := _parse(body)):
                found[source][day] = manifest
    return found


def _parse(body: bytes) -> Manifest | None:
    """Return a manifest; None for what is none: the day's own report fails by it, the others need not."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _first_day(store: Store, source: str) -> str | None:
    """Return the earliest day of which anything lies there: before it, the source was not in use."""
    prefix = rows_prefix(source)
    days = (_DAY.match(entry.key, len(prefix)) for entry in store.iterate(prefix))
    return next((match[0] for match in days if match), None)
