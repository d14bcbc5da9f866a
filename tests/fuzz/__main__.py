"""Fuzz the webhook: ``python -m tests.fuzz [body] [event] [--runs N] [--seed N] [--plain]``.

Guided by coverage where atheris is installed (`pip install -e '.[fuzz]'`, Python 3.11 and newer), by mutations alone
where it is not. Writes benchmarks/results/fuzz.json. Exit 1 when an input broke something; that input lies in
tests/fuzz/crashers/ then, and is a test from now on.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.fuzz import mutation, oracle, seeds

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "fuzz.json"
TARGETS = {
    "body": (oracle.check_body, mutation.mutate, seeds.bodies),
    "event": (oracle.check_event, mutation.mutate_event, seeds.events),
}


def main() -> int:
    """Run the targets that are named, or both. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; both when none is named")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs in all (default one million)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same inputs (default 1)")
    parser.add_argument("--plain", action="store_true", help="mutations alone, also where atheris is installed")
    options = parser.parse_args()
    targets = options.targets or list(TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}")
    guided = not options.plain and importlib.util.find_spec("atheris") is not None
    run = run_guided if guided else run_plain
    told = {target: run(target, options.runs // len(targets), options.seed) for target in targets}
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "load_1_min": os.getloadavg()[0]}
    document = {"fuzz": told, "guided": guided, "seed": options.seed, "at": at, "machine": machine}
    RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 0 if all(one["broken"] == 0 for one in told.values()) else 1


def run_guided(target: str, runs: int, seed: int) -> dict[str, Any]:
    """Run one target under atheris, in a process of its own: libFuzzer ends the one it runs in."""
    command = (sys.executable, "-m", "tests.fuzz.guided", target, str(runs), str(seed))
    begun = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        return told_by(process.stderr or (), begun) | {"broken": int(process.wait() != 0)}


def told_by(lines: Any, begun: float) -> dict[str, Any]:
    """Read inputs, seconds and coverage (edges of the instrumented modules) from what libFuzzer prints."""
    done, covered = 0, 0
    for line in lines:
        if match := re.match(r"#(\d+)\s.*\bcov: (\d+)", line):
            done, covered = int(match[1]), int(match[2])
        elif not re.match(r"#|INFO", line):
            sys.stderr.write(line)
    return {"inputs": done, "seconds": round(time.perf_counter() - begun), "covered": covered}


def run_plain(target: str, runs: int, seed: int) -> dict[str, Any]:
    """Run one target on mutations of the seeds; what breaks it is kept, and the run goes on."""
    os.environ.update(oracle.environment())
    check, change, corpus = TARGETS[target]
    originals, rng, begun, broken = corpus(), random.Random(seed), time.perf_counter(), 0  # noqa: S311 - no secret
    for _ in range(runs):
        data = change(rng.choice(originals), rng)
        try:
            check(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, the input that made it is what we came for
            broken += 1
            path = seeds.CRASHERS / f"{target}-{hashlib.sha1(data).hexdigest()}"
            path.write_bytes(data)
            sys.stderr.write(f"{path}: {error!r}"[:500] + "\n")
    return {"inputs": runs, "seconds": round(time.perf_counter() - begun), "broken": broken}


if __name__ == "__main__":
    sys.exit(main())
