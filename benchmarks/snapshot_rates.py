"""What runs asked and told: the most requests in any second, the rate while a day was paged, why not all was done."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from benchmarks.snapshot_gate import STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.snapshot_site import Asked, Run

_EPSILON_S = 1e-5
"""Times are noted to the microsecond."""
_SOME = 100


def most_in_a_second(times: Iterable[float], window_s: float = 1.0) -> int:
    """Return the greatest number of ``times`` in any half-open window."""
    ordered = sorted(times)
    return max(
        (bisect_left(ordered, at + window_s - _EPSILON_S) - index for index, at in enumerate(ordered)), default=0
    )


def most_of_an_action(runs: Iterable[Run]) -> int:
    """Return the greatest number of requests in any second for one action, of all runs: SES limits each by itself."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for run in runs:
        for one in run.asked:
            times[one.action].append(one.at)
    return max(map(most_in_a_second, times.values()), default=0)


def outcomes(runs: Iterable[Run]) -> Counter[str]:
    """Count what runs told of each pass and each task list: ``complete``, or why not."""
    told = (one for run in runs if run.told for one in run.told["returned"]["snapshots"])
    return Counter("complete" if one["complete"] else one["why"] for one in told)


def rate_of_paging(runs: Sequence[Run], day: str) -> float:
    """Return the requests a second between the first and the last of each pass's part in each run."""
    stretches = [stretch for run in runs for stretch in _stretches(run.asked, day) if len(stretch) > 1]
    seconds = sum(stretch[-1] - stretch[0] for stretch in stretches)
    return sum(len(stretch) - 1 for stretch in stretches) / seconds if seconds else 0.0


def median_rate(runs: Sequence[Run], day: str) -> float:
    """Return the median of the rates of every hundred requests in a row: what it is when the machine does not stall."""
    stretches = [stretch for run in runs for stretch in _stretches(run.asked, day)]
    rates = [
        _SOME / (stretch[at + _SOME] - stretch[at])
        for stretch in stretches
        for at in range(0, len(stretch) - _SOME, _SOME)
    ]
    return statistics.median(rates) if rates else 0.0


def rate_of_runs(runs: Sequence[Run]) -> float:
    """Return the requests a second between the begin and the end of all runs that were not killed."""
    whole = [run for run in runs if run.told is not None]
    seconds = sum(run.told["ended"] - run.told["begun"] for run in whole if run.told)
    return sum(len(run.asked) for run in whole) / seconds if seconds else 0.0


def _stretches(asked: Sequence[Asked], day: str) -> Iterator[list[float]]:
    stretch: list[float] = []
    before = 0
    for one in asked:
        if one.action != STATUS or one.day != day:
            continue
        if one.offset == 0 and before:  # the next pass
            yield sorted(stretch)
            stretch = []
        stretch.append(one.at)
        before = one.offset
    yield sorted(stretch)
