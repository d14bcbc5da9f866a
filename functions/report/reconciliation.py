"""The event-loss meter: the status rows of sealed days against their events, the oldest day first.

A day is reconciled when it is sealed, and again when it has a loss and events came since: of the day itself at once, as
after a replay; of the days after it, on which its mail was still under way, once in ``AGAIN_AFTER_S``, since these days
are full of other mail's events. So a day costs about four readings. It needs no lease: two that reconcile the same day
write the same events.
"""

from __future__ import annotations

import functools
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from functions.report.dates import shifted
from functions.report.manifests import SOURCES, read_manifests_of, rows_in
from functions.report.reading import BrokenPartError
from functions.report.reconciliation_day import reconcile_day
from shared.edge.log import log
from shared.trail.layout import reconciled_key
from shared.trail.records import content_hash, day_of, encode_line, epoch
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from functions.report.maintenance import Work
    from functions.report.manifests import Manifest, Manifests
    from shared.trail.store import Store

    Result = dict[str, Any]

AGAIN_AFTER_S = 20 * 3600
TIME_TO_BEGIN_S = 10.0
"""Seconds that must be left to begin a day."""
_LONGEST_WINDOW_DAYS = 8
"""Days after its own on which the events of a day are looked for; a mail is given up after three."""
_OVERLAP_S = 120
"""LIST may lag, and COS has its own clock."""
_AT_ONCE = 16
_INTERNAL = ("v", "source", "day", "manifest")


def window(day: str, manifests: Iterable[Manifest], utc_offset_s: int) -> tuple[str, str]:
    """Return the first and the last day on which events of the rows of ``day`` may lie.

    Up to the day of the sealing. From the day before when a row was requested then: the zone of SES's days is not
    documented, and may not be the account's.
    """
    first, last = day, day
    for manifest in manifests:
        if at := manifest.get("first_at"):
            first = min(first, day_of(epoch(at), utc_offset_s))
        last = max(last, day_of(epoch(_sealed_at(manifest)), utc_offset_s))
    return max(first, shifted(day, -1)), min(last, shifted(day, _LONGEST_WINDOW_DAYS))


def reconcile(work: Work, manifests: Manifests, news: Mapping[str, float]) -> dict[str, Any]:
    """Reconcile the days that want it, within the time left; return counts and the days that were.

    ``news``: day -> when its latest object of events was written, epoch seconds, as far as that is known.
    Raises StoreError or BrokenPartError when a day failed, after all others.
    """
    days = sorted({day for found in manifests.of.values() for day in found})
    wanted = functools.partial(_is_wanted, news=news, now=work.clock(), utc_offset_s=work.utc_offset_s)
    return _reconcile_all(work, days, manifests.of, wanted)


def reconcile_named(work: Work, days: Iterable[str]) -> dict[str, Any]:
    """Reconcile days that somebody named, also those that have a loss already; as ``reconcile``."""
    days = sorted(set(days))
    return _reconcile_all(work, days, read_manifests_of(work.store, days), _is_wanted_by_name)


def read_losses(store: Store, day: str) -> dict[str, Result | None] | None:
    """Return what came of a day's reconciliation, by source; None when there was none yet. Raises StoreError."""
    found = {source: _read_result(store, source, day) for source in SOURCES}
    if not any(found.values()):
        return None
    return {
        source: {name: value for name, value in result.items() if name not in _INTERNAL} if result else None
        for source, result in found.items()
    }


def _reconcile_all(work: Work, days: list[str], found: Mapping[str, Mapping[str, Manifest]], wanted: Any) -> Result:
    places = [(day, source) for day in days for source in SOURCES if _is_sealed(found[source].get(day, {}))]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        known = pool.map(lambda place: _read_result(work.store, place[1], place[0]), places)
        due: dict[str, dict[str, Manifest]] = {}
        for (day, source), result in zip(places, known, strict=True):
            if wanted(day, found[source][day], result):
                due.setdefault(day, {})[source] = found[source][day]
    done: list[str] = []
    failures: list[Exception] = []
    is_finished = all(_attempt(work, day, sealed, done, failures) for day, sealed in due.items())
    log("INFO", "reconciled", days=done, due=len(due), finished=is_finished)
    if failures:
        raise failures[0]
    return {"days": done, "finished": is_finished}


def _attempt(work: Work, day: str, sealed: Mapping[str, Manifest], done: list[str], failures: list[Exception]) -> bool:
    """Reconcile one day; returns whether there may be time for another."""
    if work.time_left_s() < TIME_TO_BEGIN_S:
        return False
    at = work.clock()
    try:
        results = reconcile_day(work, day, sealed, window(day, sealed.values(), work.utc_offset_s), at)
        for source, result in results.items():
            told = {**result, "manifest": _identity(sealed[source])}
            work.store.put(reconciled_key(source, day), encode_line(told), content_type="application/json")
    except (StoreError, BrokenPartError) as error:
        if isinstance(error, BrokenPartError) and len(sealed) > 1:  # of one source; the other need not wait for it
            alone = [{source: manifest} for source, manifest in sealed.items()]
            return all(_attempt(work, day, one, done, failures) for one in alone)
        is_late = work.time_left_s() <= 0
        code = "OutOfTime" if is_late else getattr(error, "code", "")
        log("ERROR", "day not reconciled", day=day, error=type(error).__name__, code=code)
        failures += [] if is_late else [error]
        return not is_late
    done += [day] if day not in done else []
    return True


def _is_wanted(
    day: str, manifest: Manifest, known: Result | None, *, news: Mapping[str, float], now: float, utc_offset_s: int
) -> bool:
    if known is None or known["manifest"] != _identity(manifest):
        return True
    if not known["filled_in"]:
        return False
    at = epoch(known["at"])
    first, last = window(day, [manifest], utc_offset_s)
    fresh = [other for other, newest in news.items() if first <= other <= last and newest > at - _OVERLAP_S]
    return day in fresh or (bool(fresh) and now - at >= AGAIN_AFTER_S)


def _is_wanted_by_name(_: str, manifest: Manifest, known: Result | None) -> bool:
    return known is None or bool(known["filled_in"]) or known["manifest"] != _identity(manifest)


def _read_result(store: Store, source: str, day: str) -> Result | None:
    body = store.get(reconciled_key(source, day))
    result: Result | None = json.loads(body) if body else None
    return result


def _identity(manifest: Manifest) -> str:
    """Name what a manifest seals: the day is reconciled anew when it is sealed with other rows."""
    return content_hash([manifest.get("sealed_at"), [part["sha256"] for part in manifest["parts"]]])


def _is_sealed(manifest: Manifest) -> bool:
    """Whether a manifest seals rows; one that lacks what tells which and when is not of ours."""
    return bool(manifest.get("sealed")) and "parts" in manifest and rows_in(manifest) and bool(_sealed_at(manifest))


def _sealed_at(manifest: Manifest) -> str:
    return str(manifest.get("sealed_at") or manifest.get("finished_at") or "")
