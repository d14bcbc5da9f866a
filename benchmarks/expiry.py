"""Old ledger entries by the ten thousand: how fast the report timer deletes them, and what memory that takes."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.goals import BenchmarkError, Goal
from benchmarks.localcloud_servers import ROOT, localcloud_without_limit
from functions.report.expiry import KEYS_LAST_S
from localcloud import defaults
from shared.trail.layout import claim_key, outcome_key
from shared.trail.records import encode_line, iso
from shared.trail.store import Place, Store

FEW, MANY = 5_000, 50_000
"""Keys; each has a claim and an outcome."""
OLD_S = KEYS_LAST_S + 3600
TIME_LIMIT_S = 900
FUNCTION = f"""
import json, os, re, time
from pathlib import Path
from functions.report.expiry import expire
from functions.report.maintenance import work_on
from shared.edge.clock import clock
from shared.edge.settings import report_settings
from shared.trail.store import Place, Store
settings, end, told = report_settings(os.environ), time.monotonic() + {TIME_LIMIT_S}, []
store = Store(Place(*settings.credential, *settings.bucket))
def peak_kib():  # ru_maxrss would be the parent's where that is larger
    return int(re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1])
idle_kib = peak_kib()
begun = time.perf_counter()
counts = expire(work_on(store, clock(os.environ), settings.utc_offset_s, lambda: end - time.monotonic()))
taken = time.perf_counter() - begun
print(json.dumps({{**counts, "seconds": taken, "peak_kib": peak_kib(), "idle_kib": idle_kib}}))
"""


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:  # noqa: ARG001 - one round deletes what it measures
    """Expire FEW keys and MANY, each in a process of its own, against localcloud in another."""
    results = {str(keys): _expire(keys) for keys in (FEW, MANY)}
    few, many = results[str(FEW)], results[str(MANY)]
    return results, [
        Goal(f"peak memory at {MANY} keys over that at {FEW}", many["peak_kib"] / few["peak_kib"], 1.2),
        Goal(f"seconds for {MANY} keys", many["seconds"], TIME_LIMIT_S),
    ]


def _expire(keys: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, localcloud_without_limit(Path(folder)) as server:
        _seed(server.port + 2, keys)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", "/_local/clock", json.dumps({"advance_s": OLD_S}))
        connection.getresponse().read()
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "TENCENTCLOUD_SECRETID": defaults.SECRET_ID,
            "TENCENTCLOUD_SECRETKEY": defaults.SECRET_KEY,
            "MAILTRAIL_BUCKET": defaults.BUCKET,
            "MAILTRAIL_REGION": defaults.REGION,
            "COS_ENDPOINT": f"http://127.0.0.1:{server.port + 2}",
            "MAILTRAIL_CLOCK_OFFSET_S": str(OLD_S),
        }
        function = subprocess.run(
            (sys.executable, "-c", FUNCTION), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if function.returncode:
            raise BenchmarkError(function.stderr[-500:])
        told: dict[str, Any] = json.loads(function.stdout)
        if told["keys"] != keys:
            raise BenchmarkError(f"of {keys} keys {told['keys']} expired")
        return {**told, "seconds": round(told["seconds"], 2), "keys_a_second": round(keys / told["seconds"])}


def _seed(port: int, keys: int) -> None:
    endpoint = f"http://127.0.0.1:{port}"
    place = Place(defaults.SECRET_ID, defaults.SECRET_KEY, "", defaults.BUCKET, defaults.REGION, endpoint, "append")
    store, at = Store(place), iso(time.time())
    claim = encode_line({"v": 1, "at": at, "state": "claimed", "body_sha256": "ab" * 32, "nonce": "ab" * 8})
    outcome = encode_line({"v": 1, "at": at, "state": "sent", "body_sha256": "ab" * 32, "answer": {"recipients": 1}})

    def one(number: int) -> None:
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        store.put(claim_key(sha256, 0), claim)
        store.put(outcome_key(sha256, 0), outcome)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(keys)))
