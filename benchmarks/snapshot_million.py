"""A day of a million rows at 20 requests a second, while rows come, change and move: each, once, in little memory.

SES sorts by the last change, so a row that changes moves to the end and pulls another past the pager. Of the rows 2 %
move within the first three passes, a tenth of them come new; from then on they change as fast, and none comes new,
until the day is agreed. Three days later, when nothing changes any more, it is sealed. Beside it 100 000 rows in each
order. The function lives in runs of 900 s, in time that is moved (benchmarks/snapshot_time.py): work takes what it
takes, pauses take nothing.
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
        Goal(f"peak memory at {MANY} rows / at {FEW}", many.numbers["peak_rss_mb"] / few.numbers["peak_rss_mb"], 1.2),
        Goal(f"peak memory at {MANY} rows, MB", many.numbers["peak_rss_mb"], MOST_MB),
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
        Goal(f"{name}: stale rows of 100 000", verdict.stale / verdict.rows * 100_000, 1),
        Goal(f"{name}: sealed, and not as SES has it", outcome.sealed.wrong + outcome.sealed.stale, 0),
        Goal(f"{name}: requests in any second", outcome.numbers["most_in_a_second_as_sent"], RATE),
        Goal(f"{name}: short of the permitted rate while paging", 1 - outcome.numbers["rate_of_paging"] / RATE, 0.05),
    ]


if __name__ == "__main__":
    _take(int(sys.argv[1]), sys.argv[2])
