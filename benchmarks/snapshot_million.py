"""A day of a million rows at 20 requests a second, while rows come, change and move: each, once, in little memory.

SES sorts by the last change, so a row that changes moves to the end and pulls another past the pager. Of the rows 2 %
move within the first three passes, a tenth of them come new; from then on they change as fast, and none comes new,
until the day is agreed. Beside it a hundred thousand rows in each order. The function lives in runs of 900 s, in time
that is moved (benchmarks/snapshot_time.py): work takes what it takes, pauses take nothing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.goals import Goal
from benchmarks.snapshot_day import Size, take_day

if TYPE_CHECKING:
    from benchmarks.snapshot_day import Outcome

FEW, BESIDE, MANY = 10_000, 100_000, 1_000_000
RATE = 20.0
MOST_MB = 96
ORDERS = ("updated_last", "newest_first", "insertion")


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Take the day of ``MANY`` rows once, and the others beside it: ``rounds`` is for what is quick."""
    del rounds
    outcomes = {
        f"{rows} rows, {order}": _take(rows, order)
        for rows, order in ((FEW, ORDERS[0]), *((BESIDE, order) for order in ORDERS), (MANY, ORDERS[0]))
    }
    few, *_, many = outcomes.values()
    goals = [
        Goal(f"peak memory at {MANY} rows / at {FEW}", many.peak_rss_mb / few.peak_rss_mb, 1.2),
        Goal(f"peak memory at {MANY} rows, MB", many.peak_rss_mb, MOST_MB),
    ]
    goals += [goal for name, outcome in outcomes.items() for goal in _goals(name, outcome)]
    return {name: outcome.numbers for name, outcome in outcomes.items()}, goals


def _take(rows: int, order: str) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="mailtrail-snapshot-") as folder:
        return take_day(Path(folder) / "site", Size(rows, order, RATE))


def _goals(name: str, outcome: Outcome) -> list[Goal]:
    verdict = outcome.verdict
    return [
        Goal(f"{name}: missing", verdict.missing, 0),
        Goal(f"{name}: double", verdict.double, 0),
        Goal(f"{name}: untrue, invented or damaged", verdict.wrong - verdict.missing - verdict.double, 0),
        Goal(f"{name}: requests in any second", outcome.most_in_a_second, RATE),
        Goal(f"{name}: short of the permitted rate while paging", 1 - outcome.paging_rate / RATE, 0.05),
    ]


if __name__ == "__main__":
    _take(int(sys.argv[1]), sys.argv[2])
