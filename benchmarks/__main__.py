"""Run the benchmarks and keep what they measured: ``python -m benchmarks [name ...] [--rounds N]``.

Each writes ``benchmarks/results/<name>.json``: the machine, every number, and the goals with whether they are reached.
Exit 1 when one could not run. A goal that is missed is a number, not a failure: machines differ.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import (
    cold_start,
    compaction,
    expiry,
    handlers,
    limits,
    localcloud,
    sends,
    snapshot_cliff,
    snapshot_million,
    snapshot_slow,
    snapshot_twice,
    storm,
    webhook_load,
)
from benchmarks.goals import BenchmarkError, Goal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RESULTS = Path(__file__).resolve().parent / "results"
BENCHMARKS: dict[str, Callable[[int], tuple[dict[str, Any], list[Goal]]]] = {
    "cold_start": cold_start.measure,
    "localcloud": localcloud.measure,
    "handlers": handlers.measure,
    "webhook_load": webhook_load.measure,
    "storm": storm.measure,
    "sends": sends.measure,
    "limits": limits.measure,
    "compaction": compaction.measure,
    "expiry": expiry.measure,
    "snapshot_million": snapshot_million.measure,
    "snapshot_slow": snapshot_slow.measure,
    "snapshot_cliff": snapshot_cliff.measure,
    "snapshot_twice": snapshot_twice.measure,
}
"""Name -> ``measure(rounds)``, which returns its numbers and its goals, and raises BenchmarkError if it cannot run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run those named, or all. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Side by side with what else there is.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}; all when none is given")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved repetitions (default 15)")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return max([_run(name, options.rounds) for name in options.names or BENCHMARKS])


def _run(name: str, rounds: int) -> int:
    print(f"{name}: {rounds} rounds")
    try:
        results, goals = BENCHMARKS[name](rounds)
    except BenchmarkError as error:
        print(f"{name} could not run: {error}", file=sys.stderr)
        return 1
    machine = {"system": platform.platform(), "cpus": os.cpu_count(), "load_1_min": os.getloadavg()[0]}
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = [{**goal._asdict(), "reached": goal.is_reached} for goal in goals]
    document = {"benchmark": name, "at": at, "rounds": rounds, "machine": machine, "goals": told, "results": results}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    for goal in goals:
        verdict = "reached" if goal.is_reached else "MISSED "
        print(f"  {verdict}  {goal.what}: {goal.measured:.3g} (at most {goal.at_most})")
    print(f"  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
