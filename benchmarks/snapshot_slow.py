"""The same day at one request a second: so many runs of 900 s that half of them may die, and SES and COS fail.

A run is killed (SIGKILL) at a request at random, which takes effect all the same or does not. Of the requests at SES
5 % fail, half of them without an answer, and 1 % are throttled; of those at COS 1 % are answered 5xx. A day takes
hours, and is agreed at last without asking for much more than its pages, pass by pass. A round is 20 000 rows: 15
rounds are 300 000, 50 are the million.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.goals import Goal
from benchmarks.snapshot_day import Size, take_day

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS_A_ROUND = 20_000
RATE = 1.0
KILLED = 0.5


def _fault(service: str, kind: str, probability: float, **more: Any) -> dict[str, Any]:
    return {"service": service, "kind": kind, "probability": probability, **more}


WEATHER: tuple[Mapping[str, Any], ...] = (
    _fault("ses", "error", 0.0125, code="InternalError"),
    _fault("ses", "error", 0.0125, code="FailedOperation.ServiceNotAvailable"),
    _fault("ses", "drop_response", 0.0125),
    _fault("ses", "drop_request", 0.0125),
    _fault("ses", "throttle", 0.01),
    _fault("cos", "error", 0.005, status=500, code="InternalError"),
    _fault("cos", "error", 0.005, status=503, code="ServiceUnavailable"),
)


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Take a day of ``rounds`` times 20 000 rows."""
    rows = rounds * ROWS_A_ROUND
    with tempfile.TemporaryDirectory(prefix="mailtrail-snapshot-") as folder:
        outcome = take_day(Path(folder) / "site", Size(rows, "updated_last", RATE, KILLED, WEATHER))
    verdict = outcome.verdict
    return outcome.numbers, [
        Goal("missing", verdict.missing, 0),
        Goal("double", verdict.double, 0),
        Goal("untrue, invented or damaged", verdict.wrong - verdict.missing - verdict.double, 0),
        Goal("stale rows of 100 000", verdict.stale / verdict.rows * 100_000, 1),
        Goal("sealed, and not as SES has it", outcome.sealed.wrong + outcome.sealed.stale, 0),
        Goal(
            "requests that SES answered / passes times pages", outcome.numbers["requests_answered"] / outcome.pages, 1.1
        ),
        Goal("passes begun again though pages of them were kept", outcome.numbers["begun_again"], 0),
        Goal("requests in any second", outcome.numbers["most_in_a_second_as_sent"], RATE),
    ]
