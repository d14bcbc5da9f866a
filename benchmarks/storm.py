"""A storm of callbacks in bad weather: whether the trail has every event once, and what it says of each mail is true.

localcloud's storm tells 50 000 events 300 000 times, in random order, to webhook processes that are killed at random,
over a COS of which every twentieth answer is a 5xx or none at all. Then, one after the other:

1. what was answered 2xx is stored, at once: a sender that never repeats has lost nothing of that;
2. what was answered 503 is stored once the instances' logs went through ``mailtrail replay``;
3. what nobody answered (a killed instance, a time-out on the sender's side) is told again, in the same weather;
4. the bucket, read from the disk, holds each event once, verbatim, and folds to the truth that the storm knows;
5. the same after compaction, and after some of the events were told again; the reports' numbers are those of a count
   of what was sent.

A round is 20 000 callbacks: 15 rounds are the 300 000, 50 are a million.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.goals import Goal
from benchmarks.storm_course import Size, run_storm

DELIVERIES_A_ROUND, TELLINGS = 20_000, 6


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Run a storm of ``rounds`` times 20 000 callbacks. Raises BenchmarkError when localcloud does not come up."""
    deliveries = rounds * DELIVERIES_A_ROUND
    size = Size(deliveries // TELLINGS, deliveries, workers=16, kill_every_s=0.5)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_storm(Path(folder), size)
    goals = [
        Goal("acknowledged and not stored", outcome.lost_after_ack, 0),
        Goal("answered 503 and not stored after replay", outcome.lost_after_replay, 0),
        Goal("differences between what was sent and the trail", outcome.differences.count, 0),
    ]
    return {**outcome.numbers, "differences": list(outcome.differences)}, goals
