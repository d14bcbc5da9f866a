"""One source's part of a run: pass after pass, over the day that wants it most, while there is time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from functions.snapshot.desk import OutOfTimeError
from functions.snapshot.due import (
    MOST_PASSES,
    OPEN,
    Standing,
    days_to_look_at,
    is_forgotten,
    next_day,
    phase_at,
    standing_of,
)
from functions.snapshot.manifest import read_manifest, write_manifest
from functions.snapshot.pace import GaveUpError
from functions.snapshot.passes import GRACE_S, take_pass
from functions.snapshot.tasks import snapshot_tasks
from shared.edge.log import log, place_of
from shared.trail.lease import LostLeaseError, hold
from shared.trail.records import epoch
from shared.trail.store import StoreError
from shared.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from functions.snapshot.desk import Desk, Source
    from functions.snapshot.manifest import Manifest
    from functions.snapshot.pace import Pace
    from shared.upstream.ses import SesClient

SCOPES = {"tasks": "snapshot/tasks", "status": "snapshot/status", "sendcloud": "snapshot/sendcloud"}
"""Source -> its lease."""
LEASE_S = 150.0
"""Seconds after which a holder that died is followed. It is extended while the work goes on."""
SOMEBODY_ELSE = "somebody else is at it"
OUT_OF_TIME = "out of time"
_AT_ONCE = 8
_TOLD = ("complete", "agreed", "sealed", "rows", "pages", "passes", "requests")
_OF_THE_DAY = (400, 422)
"""What is wrong with one day (``FailedOperation.NotSupportDate``); everything else is wrong with the next one, too."""


class _StoppedError(Exception):
    """Nothing more can be done in this run; the argument is what the last attempt told."""


def take_source(desk: Desk, source: Source, days: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield what came of each pass over ``days``, or over those that are due.

    Days that are named get a pass whatever they had, and go on until two agree. Never raises: what an upstream or COS
    said is told, and so is a bug that one source trips over, since the days of the other run out meanwhile.
    """
    name = {"source": source.name}
    try:
        holding = hold(desk.store, SCOPES[source.name], clock=desk.clock, ttl_s=LEASE_S)
        if holding is None:
            yield {**name, "complete": False, "why": SOMEBODY_ELSE}
            return
        with holding:
            try:
                if days is None:
                    yield from _take_due(desk, source, holding.keep_on)
                else:
                    yield from _take_named(desk, source, days, holding.keep_on)
            finally:
                source.pace.rest()
    except StoreError as error:  # of the lease, or of the manifests: no day's own
        yield {**name, "complete": False, "why": error.code}
    except _StoppedError as stop:
        yield stop.args[0]
    except Exception as error:  # noqa: BLE001 - see above
        log("ERROR", "snapshot failed", source=source.name, error=type(error).__name__, place=place_of(error))
        yield {**name, "complete": False, "why": type(error).__name__}


def _take_named(
    desk: Desk, source: Source, days: Sequence[str], keep_on: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    for day in days:
        for _ in range(MOST_PASSES):
            told, standing = _attempt(desk, source, day, keep_on)
            yield told
            is_open = phase_at(desk, day, desk.clock()) == OPEN
            if standing is None or standing.agreed or is_open or source.gap_s:
                break


def _take_due(desk: Desk, source: Source, keep_on: Callable[[], None]) -> Iterator[dict[str, Any]]:
    standings = _standings(desk, source)
    while (day := next_day(desk, standings, source.gap_s)) is not None:
        told, standing = _attempt(desk, source, day, keep_on)
        yield told
        if standing is not None:
            standings[day] = standing
        else:
            del standings[day]  # the next run tries again


def _attempt(
    desk: Desk, source: Source, day: str, keep_on: Callable[[], None]
) -> tuple[dict[str, Any], Standing | None]:
    """Make a pass; return what came of it, and where the day stands then, None when the pass failed for this day.

    Raises _StoppedError when the next day would fare no better.
    """
    name = {"source": source.name, "day": day, "complete": False}
    try:
        manifest = take_pass(desk, source, day, keep_on)
    except OutOfTimeError:
        raise _StoppedError({**name, "why": OUT_OF_TIME}) from None
    except LostLeaseError:
        raise _StoppedError({**name, "why": SOMEBODY_ELSE}) from None
    except GaveUpError as error:
        raise _StoppedError({**name, "why": getattr(error.__cause__, "code", OUT_OF_TIME)}) from error
    except StoreError as error:
        raise _StoppedError({**name, "why": error.code}) from error
    except UpstreamError as error:
        if error.rule.status not in _OF_THE_DAY:
            raise _StoppedError({**name, "why": error.code}) from error
        return {**name, "why": error.code}, None
    told = {member: manifest[member] for member in _TOLD}  # type: ignore[literal-required]
    return {**name, **told}, standing_of(manifest)


def attempt_tasks(desk: Desk, ses: SesClient, pace: Pace) -> dict[str, Any]:
    """Take the task list and tell what came of it."""
    name = {"source": "tasks", "complete": False}
    try:
        holding = hold(desk.store, SCOPES["tasks"], clock=desk.clock, ttl_s=LEASE_S)
        if holding is None:
            return {**name, "why": SOMEBODY_ELSE}
        with holding:
            return {"source": "tasks", "complete": True, **snapshot_tasks(desk, ses, pace)._asdict()}
    except OutOfTimeError:
        return {**name, "why": OUT_OF_TIME}
    except GaveUpError as error:
        return {**name, "why": getattr(error.__cause__, "code", OUT_OF_TIME)}
    except (StoreError, UpstreamError) as error:
        return {**name, "why": error.code}
    except Exception as error:  # noqa: BLE001 - as in take_source
        log("ERROR", "snapshot failed", source="tasks", error=type(error).__name__, place=place_of(error))
        return {**name, "why": type(error).__name__}


def _standings(desk: Desk, source: Source) -> dict[str, Standing]:
    days = days_to_look_at(desk)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(days, pool.map(lambda day: _look_at(desk, source, day), days), strict=True))


def _look_at(desk: Desk, source: Source, day: str) -> Standing:
    """Return where a day stands; one that wants no pass any more is left in order on the way."""
    manifest = read_manifest(desk.store, source.name, day)
    if manifest is not None:
        if not manifest["sealed"] and is_forgotten(desk, day):
            manifest["sealed"], manifest["sealed_at"] = True, desk.now()
            write_manifest(desk.store, manifest)
        elif manifest["sealed"] and manifest["superseded"]:
            _tidy(desk, manifest)
    return standing_of(manifest)


def _tidy(desk: Desk, manifest: Manifest) -> None:
    """Delete what readers of an older manifest of a sealed day may have needed; no later pass will."""
    if desk.clock() - epoch(manifest["finished_at"]) > GRACE_S:
        desk.store.delete_many(manifest["superseded"])
        manifest["superseded"] = []
        write_manifest(desk.store, manifest)
