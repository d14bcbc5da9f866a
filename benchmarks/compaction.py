"""Compaction of one hour of many small objects by the report timer: how fast, in how much memory, and by how many runs.

The function runs as on SCF, in a fresh process for each invocation; localcloud's COS is a process of its own.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.goals import BenchmarkError, Goal
from benchmarks.localcloud_servers import ROOT, localcloud_without_limit
from functions.webhook.adapt import adapt_ses
from localcloud import defaults
from localcloud.cos.store import Content
from localcloud.gateway.environment import Ports, account_environment, endpoint_environment
from localcloud.world import LocalCloud
from shared.trail.layout import event_key
from shared.trail.records import content_hash, day_and_hour, encode_line

if TYPE_CHECKING:
    from collections.abc import Iterator

FEW, MANY = 10_000, 100_000
LIMIT_S, SHORT_S = 900, 60
GRACE_S = 1800
MOST_RUNS = 200
# VmHWM, not ru_maxrss: that one begins with what the process had before exec, which is the memory of this benchmark.
INVOCATION = """
import json, re, sys, time
from pathlib import Path
from functions.report.handler import main_handler
begun, cpu = time.perf_counter(), time.process_time()
event = {"Type": "Timer", "TriggerName": "t", "Time": "", "Message": '{"days": []}'}
told = main_handler(event, {"request_id": "r", "time_limit_in_ms": int(sys.argv[1]) * 1000})
print(json.dumps({
    **told["maintenance"]["compaction"],
    "seconds": round(time.perf_counter() - begun, 2),
    "cpu_s": round(time.process_time() - cpu, 2),
    "peak_rss_mb": round(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024, 1),
}))
"""


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Return what compacting hours of ``FEW`` and ``MANY`` objects takes, once: ``rounds`` is for what is quick."""
    del rounds
    few, many = _compact(FEW, LIMIT_S), _compact(MANY, LIMIT_S)
    resumed = _compact(MANY, SHORT_S)
    goals = [
        Goal("peak memory at 100 k objects / at 10 k", many["peak_rss_mb"] / few["peak_rss_mb"], 1.2),
        Goal("peak memory at 100 k objects, MB", many["peak_rss_mb"], 512),
        Goal("objects of 100 k that runs of 60 s read twice", resumed["read_twice"], 0),
        Goal("events of 100 k that are lost or double after it", abs(resumed["events"] - MANY), 0),
    ]
    return {"few": few, "many": many, "many_by_runs_of_60_s": resumed}, goals


def _compact(objects: int, limit_s: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="mailtrail-compaction-") as folder:
        _seed(Path(folder), objects)
        with localcloud_without_limit(Path(folder)) as running:
            ports = Ports(*range(running.port, running.port + 4))
            merging = _run_until_done(ports, limit_s, "merged", offset_s=0)
            _advance(ports, GRACE_S + 1)
            deleting = _run_until_done(ports, limit_s, "deleted", offset_s=GRACE_S + 1)
        log = [json.loads(line.read_bytes()) for line in sorted(Path(folder).rglob("state/report/merged/*/*/*.json"))]
        read = [name for line in log for name in line["objects"] if not name.startswith("merged-")]
        left = [path for path in Path(folder).rglob("events/*/*/*.jsonl") if "%versions" not in str(path)]
        events = [json.loads(line)["event_id"] for path in left for line in path.read_bytes().splitlines()]
    merge_s = sum(run["seconds"] for run in merging)
    delete_s = sum(run["seconds"] for run in deleting)
    return {
        "objects": objects,
        "runs": len(merging),
        "merge_s": round(merge_s, 2),
        "merged_per_s": round(objects / merge_s),
        "merge_cpu_s": round(sum(run["cpu_s"] for run in merging), 2),
        "delete_s": round(delete_s, 2),
        "deleted_per_s": round(objects / delete_s),
        "peak_rss_mb": max(run["peak_rss_mb"] for run in merging + deleting),
        "read_twice": len(read) - len(set(read)),
        "objects_left": len(left),
        "events": len(set(events)) if len(events) == len(set(events)) else -len(events),
        "log_lines": len(log),
    }


def _run_until_done(ports: Ports, limit_s: int, count: str, *, offset_s: int) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = []
    while not runs or runs[-1].get(count) or not runs[-1].get("finished"):
        if len(runs) > MOST_RUNS:
            raise BenchmarkError(f"compaction does not come to an end: {runs[-1]}")
        runs.append(_invoke(ports, limit_s, offset_s))
    return runs[:-1]  # the last only found that nothing was left


def _invoke(ports: Ports, limit_s: int, offset_s: int) -> dict[str, Any]:
    environment = {**os.environ, **account_environment(), **endpoint_environment(ports)}
    environment |= {"MAILTRAIL_CLOCK_OFFSET_S": str(offset_s), "PYTHONPATH": str(ROOT), "LOG_LEVEL": "WARNING"}
    done = subprocess.run(
        (sys.executable, "-c", INVOCATION, str(limit_s)), cwd=ROOT, env=environment, capture_output=True, check=False
    )
    if done.returncode:
        raise BenchmarkError(f"the report function failed: {done.stderr.decode()[-500:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _advance(ports: Ports, seconds: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", ports.gateway, timeout=60)
    connection.request("POST", "/_local/clock", json.dumps({"advance_s": seconds}))
    if connection.getresponse().status != 200:
        raise BenchmarkError("the local clock could not be moved")
    connection.close()


def _seed(folder: Path, objects: int) -> None:
    """Put the objects of so many callbacks into one hour of yesterday, past COS's door, which is not measured here."""
    with LocalCloud(folder) as cloud:
        store, now = cloud.cos.store, cloud.clock.now()
        for key, body in _iter_objects(objects, now - 86400):
            with store.files.stage([body]) as staged:
                content = Content(staged, staged.md5.hex(), {"Content-Type": "application/x-ndjson"})
                store.put(defaults.BUCKET, key.encode(), content, now=now)


def _iter_objects(objects: int, received_s: float) -> Iterator[tuple[str, bytes]]:
    occurred = int(received_s) // 3600 * 3600
    day, hour = day_and_hour(occurred, defaults.UTC_OFFSET_S)
    for number in range(objects):
        raw = {"event": "delivered", "email": f"user{number}@example.com", "timestamp": occurred + number % 3600}
        raw |= {"bulkId": f"qcloudses-30-1250000000-date-20261120155930-{number:012d}", "from": "a@mail.example.com"}
        ((_, record),) = adapt_ses(raw, received_s=received_s, token_keys=())
        yield event_key(day, hour, content_hash([[record["source"], record["raw"]]])), encode_line(record)


if __name__ == "__main__":
    begun = time.perf_counter()
    chosen = [int(text) for text in sys.argv[1:] if re.fullmatch("[0-9]+", text)]
    print(json.dumps(_compact(*chosen), indent=1), round(time.perf_counter() - begun, 1))
