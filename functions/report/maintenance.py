"""What the report timer does for the bucket after the reports, in the time that is left.

A step takes the ``Work`` and returns its counts as JSON; it raises when it could not do its part. Each may stop when
its time is up: the next run goes on.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from shared.edge.log import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.trail.store import Store

    Step = Callable[["Work"], dict[str, Any]]

LEAST_TIME_S = 3.0
"""Seconds without which no step is begun: the next run has more, and nothing failed."""
_SHARE_OF_LATER = 0.1
"""Of the time left, what each step leaves to each that follows."""


T = TypeVar("T")


class Work(NamedTuple):
    """What a step works with. ``clock``: epoch seconds; ``time_left_s``: seconds that it may still take."""

    store: Store
    clock: Callable[[], float]
    utc_offset_s: int
    time_left_s: Callable[[], float]


def work_on(store: Store, clock: Callable[[], float], utc_offset_s: int, time_left_s: Callable[[], float]) -> Work:
    """Put a ``Work`` together."""
    return Work(store, clock, utc_offset_s, time_left_s)


class Attempts:
    """Things that are tried one after the other; one that fails does not keep the others from being tried."""

    def __init__(self) -> None:
        self._first: Exception | None = None

    def make(self, what: dict[str, Any], call: Callable[[], T]) -> T | None:
        """Return what ``call`` returns, or None when it raised: that is logged with ``what`` and kept."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - a bug in one step must not stop the others; raise_first tells it
            log("ERROR", "report timer failed", **what, error=type(error).__name__, code=getattr(error, "code", ""))
            self._first = self._first or error
            return None

    def raise_first(self) -> None:
        """Raise the first failure, if there was any."""
        if self._first is not None:
            raise self._first


def maintain(work: Work, steps: Sequence[tuple[str, Step]], attempts: Attempts) -> dict[str, Any]:
    """Run the steps in their order; return what each told, None of one that failed."""
    results: dict[str, Any] = {}
    for number, (name, step) in enumerate(steps):
        reserved_s = work.time_left_s() * _SHARE_OF_LATER * (len(steps) - 1 - number)
        if work.time_left_s() < LEAST_TIME_S:
            results[name] = {"out_of_time": True}
            continue
        results[name] = attempts.make({"step": name}, functools.partial(step, hurried(work, reserved_s)))
    return results


def hurried(work: Work, reserved_s: float) -> Work:
    """Return the same work in less time: ``reserved_s`` seconds are left to others."""

    def left_s() -> float:
        return work.time_left_s() - reserved_s

    return work._replace(store=work.store.within(left_s()), time_left_s=left_s)
