"""Which days need a report: yesterday and today, and every day that has news since its report was written."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from functions.report.dates import DAY_S, shifted
from functions.report.hours import newest_by_day
from functions.report.manifests import LOOKED_BACK_DAYS, SOURCES
from shared.trail.layout import manifest_key, reconciled_prefix, report_key, reports_prefix
from shared.trail.records import day_of, epoch

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from functions.report.maintenance import Work

_DAYS_OF_STATUS = 31
"""SES forgets a status row after 30 days, so no manifest of an earlier day changes."""
_OVERLAP_S = 1000
"""What was written while a report was being made, or just before and not listed yet, may not be in it: a function lives
900 s, LIST may lag a minute."""
_AT_ONCE = 16


def usual_days(work: Work) -> list[str]:
    """Return yesterday and today, in the account's zone."""
    now = work.clock()
    return [day_of(now - DAY_S, work.utc_offset_s), day_of(now, work.utc_offset_s)]


def newest_events(work: Work, *, until_s: float) -> dict[str, float]:
    """Return day -> when its latest object of events was written, epoch seconds. Raises StoreError.

    With less than ``until_s`` seconds left, later days than those that were walked over by then are left to the next
    run. A merged object is news too: whoever died between merging an hour and its report left nothing else.
    """
    told: dict[str, str] = {}
    for told in newest_by_day(work.store):  # noqa: B007 - the last one is all
        if work.time_left_s() < until_s:
            break
    return {day: epoch(at) for day, at in told.items()}


def days_with_news(work: Work, events: Mapping[str, float], empty: Container[str]) -> list[str]:
    """Return the other days with something that their report cannot know; the latest first. Raises StoreError.

    An event (``events``: from ``newest_events``), a status snapshot, what came of the day's reconciliation: late events
    make them, and a timer that did not run. A snapshot without rows, of an ``empty`` day, is no news.
    """
    newest = dict(events)
    for day, at in itertools.chain(_manifests(work), _reconciliations(work)):
        if day in events or day not in empty:
            newest[day] = max(newest.get(day, 0), at)
    written = {entry.key: epoch(entry.modified_at) for entry in work.store.iterate(reports_prefix())}
    usual = usual_days(work)
    return sorted(
        (
            day
            for day, at in newest.items()
            if day not in usual and at > written.get(report_key(day, "json"), 0) - _OVERLAP_S
        ),
        reverse=True,
    )


def _manifests(work: Work) -> Iterator[tuple[str, float]]:
    now = work.clock()
    days = [day_of(now - DAY_S * back, work.utc_offset_s) for back in range(2, _DAYS_OF_STATUS + 1)]
    places = [(day, manifest_key(source, day)) for day in days for source in SOURCES]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        listed = pool.map(lambda place: list(work.store.iterate(place[1])), places)
        for (day, _), entries in zip(places, listed, strict=True):
            for entry in entries:
                yield day, epoch(entry.modified_at)


def _reconciliations(work: Work) -> Iterator[tuple[str, float]]:
    oldest = shifted(day_of(work.clock(), work.utc_offset_s), -LOOKED_BACK_DAYS)
    for source in SOURCES:
        prefix = reconciled_prefix(source)
        for entry in work.store.iterate(prefix, after=prefix + oldest):
            # Read by its key, and written before the report in the same run: what is older than the report is in it.
            yield entry.key.removeprefix(prefix).removesuffix(".json"), epoch(entry.modified_at) - _OVERLAP_S
