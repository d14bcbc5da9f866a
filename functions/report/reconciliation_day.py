"""One day's reconciliation: read its rows, read its events, read its rows again and fill in what was not told.

Held is what ``told.Heard`` needs, and the lines of one chunk. The numbers are returned after all events were written,
so a run that died left none, and the next does the day again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.report.dates import days_through
from functions.report.event_reading import Missed, iter_heads
from functions.report.filling import ROWS_TOGETHER, Filler
from functions.report.reading import iter_rows
from functions.report.told import Heard, Meter
from shared.trail.records import VERSION, iso

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.report.maintenance import Work
    from functions.report.manifests import Manifest


def reconcile_day(
    work: Work, day: str, sealed: Mapping[str, Manifest], window: tuple[str, str], now: float
) -> dict[str, dict[str, Any]]:
    """Reconcile the sources of a day with its events, which are read once for all of them.

    Returns source -> numbers. ``now``: when it began: what came later is news to the next run.
    Raises StoreError, and BrokenPartError when a part is not what its manifest says.
    """
    heard = Heard()
    for manifest in sealed.values():
        for row in iter_rows(work.store, manifest):
            heard.expect(row)
    missed = Missed()
    for each in days_through(*window):
        for event in iter_heads(work.store, each, missed):
            heard.hear(event)
    told = {"events_from": window[0], "events_to": window[1], "events_missed": missed.vanished + missed.unreadable}
    head = {"v": VERSION, "day": day, "at": iso(now)}
    return {
        source: {**head, "source": source, **_fill_in(work, source, manifest, heard), **told}
        for source, manifest in sealed.items()
    }


def _fill_in(work: Work, source: str, manifest: Manifest, heard: Heard) -> dict[str, Any]:
    meter = Meter(source)
    sealed_at = manifest.get("sealed_at") or manifest["finished_at"]
    filler = Filler(work.store, work.utc_offset_s, sealed_at)
    for number, row in enumerate(iter_rows(work.store, manifest)):
        if number % ROWS_TOGETHER == 0:
            filler.flush()
        if not meter.add(row, heard.said_of(row)):
            continue
        event = filler.event_of(row)
        # What lies there already is not written again: only compaction would have to clear it away.
        if not heard.is_filled_in(event["event_id"]):
            filler.add(event)
    filler.flush()
    return {**meter.as_json(), "sealed_at": sealed_at}
