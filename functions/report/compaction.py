"""Compaction: the small objects of hours that are over become few (compaction_hour.py), hour by hour, as time allows.

The lease only saves work: what must be right does not rest on it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from functions.report.compaction_hour import TIME_TO_BEGIN_S, HourCompaction
from functions.report.hours import iter_hours
from shared.edge.log import log
from shared.trail.lease import LONGEST_S, leased
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from functions.report.maintenance import Work

SCOPE = "report/compaction"
_LEASE_MARGIN_S = 30.0


def compact(work: Work) -> dict[str, Any]:
    """Merge every hour that wants it; return counts. Raises StoreError when an hour failed, after all others.

    That the time was up is no failure: the next run goes on.
    """
    if work.time_left_s() < TIME_TO_BEGIN_S:
        return {"out_of_time": True}
    ttl_s = min(LONGEST_S, work.time_left_s() + _LEASE_MARGIN_S)
    with leased(work.store, SCOPE, now=work.clock(), ttl_s=ttl_s) as lease:
        if lease is None:
            return {"held_elsewhere": True}
        counts = Counter(hours=0, merged=0, made=0, deleted=0, left_alone=0, damaged=0)
        failures: list[StoreError] = []
        is_finished = _compact_hours(work, counts, failures)
    log("INFO", "compacted", **counts, finished=is_finished)
    if failures:
        raise failures[0]
    return {**counts, "finished": is_finished}


def _compact_hours(work: Work, counts: Counter[str], failures: list[StoreError]) -> bool:
    """Compact hour by hour; returns whether there was time for all."""
    try:
        for place in iter_hours(work.store, now=work.clock(), utc_offset_s=work.utc_offset_s):
            if work.time_left_s() < TIME_TO_BEGIN_S or not _compact_hour(work, place, counts, failures):
                return False
    except StoreError as error:  # of the walk itself
        failures += [error] if work.time_left_s() > 0 else []
        return False
    return True


def _compact_hour(work: Work, place: tuple[str, str], counts: Counter[str], failures: list[StoreError]) -> bool:
    """Compact one hour; returns whether there may be time for another."""
    try:
        is_done = HourCompaction(work, place, counts).compact()
    except StoreError as error:
        if work.time_left_s() <= 0:
            return False
        log("ERROR", "hour not compacted", day=place[0], hour=place[1], operation=error.operation, code=error.code)
        failures.append(error)
        return True
    counts["hours"] += is_done
    return is_done
