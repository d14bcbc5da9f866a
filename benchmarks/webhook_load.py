"""How long the webhook takes with COS at 20 ms, and what more processes of it bring.

Each process is an instance: one callback after another through ``main_handler``, on its own warm connections. COS is a
stand-in that answers after a set time (benchmarks/cos_stand_in.py): localcloud's would take the cores that are to be
measured. Latency is the handler's, from event to answer.

- at 20 ms, with 1 process up to twice as many as there are cores: latency of deliveries, which are one PUT, and of hard
  bounces, which put the recipient on the suppression list beside it
- at 0 ms, with 1 process up to as many as there are cores: how many callbacks a second, and CPU time for each
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.cos_stand_in import cos_at
from benchmarks.goals import BenchmarkError, Goal
from localcloud import defaults
from localcloud.gateway.environment import account_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.synchronize import Barrier

COS_S, LATENCY_GOAL_MS = 0.02, 40.0
LOST_TO_OTHERS = 0.1
"""Of linear growth, what may be missing: COS and the system need a share of the same cores."""
LOAD_S, WARM_UP, PATIENCE_S = 0.4, 20, 60
CALLBACK: dict[str, Any] = {
    "event": "delivered", "email": "someone@example.com", "bulkId": "", "timestamp": 1795161608, "reason": "",
    "bounceType": "", "username": defaults.APP_ID, "from": f"noreply@{defaults.SENDER_DOMAIN}",
    "fromDomain": defaults.SENDER_DOMAIN, "templateId": 100091, "subject": "Your code",
    "messageId": "<4f1c2f6e@mail.example.com>", "sentTimestamp": 1795161570,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "delivered": {},
    "hard_bounce": {
        "event": "bounce", "bounceType": "hard_bounce",
        "reason": "550 5.1.1 The email account that you tried to reach does not exist",
    },
}  # fmt: skip


together: list[Barrier] = []
"""Where the processes of one load wait for each other; each process has its own list."""


class Load(NamedTuple):
    """What one process is to do: callbacks of ``kind`` for ``seconds``."""

    kind: str
    endpoint: str
    place: int
    seconds: float


class Done(NamedTuple):
    """What it did: the handler's milliseconds of each callback, and the CPU seconds of all."""

    latencies_ms: list[float]
    cpu_s: float


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Return latencies, callbacks a second and CPU milliseconds, by COS's time, kind and number of processes."""
    cores = os.cpu_count() or 1
    seconds = LOAD_S * rounds
    with cos_at(COS_S) as endpoint:
        slow = {kind: {n: _load(n, kind, endpoint, seconds) for n in _doubling(2 * cores)} for kind in KINDS}
    with cos_at(0) as endpoint:
        fast = {n: _load(n, "delivered", endpoint, seconds) for n in _doubling(cores)}
    _tell_growth(slow["delivered"])
    _tell_growth(fast)
    goals = _latency_goals(slow, cores) + _growth_goals(slow["delivered"], fast, cores)
    return {"cores": cores, "cos_20_ms": slow, "cos_0_ms": fast}, goals


def _latency_goals(slow: Mapping[str, Mapping[int, Any]], cores: int) -> list[Goal]:
    return [
        Goal(f"p95 of {count} at once, {kind}, COS at 20 ms", told["latency_ms"]["p95"], LATENCY_GOAL_MS)
        for kind, by_count in slow.items()
        for count, told in by_count.items()
        if count <= cores
    ]


def _growth_goals(slow: Mapping[int, Any], fast: Mapping[int, Any], cores: int) -> list[Goal]:
    """Growth is judged where COS is what takes time; without that the processes share their cores with the stand-in."""
    goals = []
    for count in (count for count in fast if 1 < count <= cores):
        share = round(1 - slow[count]["growth"] / count, 3)
        goals.append(Goal(f"short of {count} times one, COS at 20 ms", share, LOST_TO_OTHERS))
        ratio = round(fast[count]["cpu_ms_per_callback"] / fast[1]["cpu_ms_per_callback"], 3)
        goals.append(Goal(f"CPU of a callback, {count} processes / one, COS at 0 ms", ratio, 1 + LOST_TO_OTHERS))
    return goals


def _doubling(most: int) -> list[int]:
    return [1 << power for power in range(most.bit_length()) if 1 << power <= most]


def _load(count: int, kind: str, endpoint: str, seconds: float) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    with context.Pool(count, _agree, (context.Barrier(count),)) as pool:
        done = pool.map(_drive, [Load(kind, endpoint, place, seconds) for place in range(count)], chunksize=1)
    latencies = sorted(one for each in done for one in each.latencies_ms)
    return {
        "callbacks_a_second": round(len(latencies) / seconds, 1),
        "cpu_ms_per_callback": round(sum(each.cpu_s for each in done) / len(latencies) * 1000, 3),
        "latency_ms": {f"p{part}": _percentile(latencies, part) for part in (50, 95, 99)},
    }


def _percentile(ordered: Sequence[float], part: int) -> float:
    return round(statistics.quantiles(ordered, n=100, method="inclusive")[part - 1], 2)


def _tell_growth(by_count: dict[int, dict[str, Any]]) -> None:
    for told in by_count.values():
        told["growth"] = round(told["callbacks_a_second"] / by_count[1]["callbacks_a_second"], 2)


def _agree(barrier: Barrier) -> None:
    together.append(barrier)


def _drive(load: Load) -> Done:
    """Run in a process of its own."""
    os.environ.update({**account_environment(), "COS_ENDPOINT": load.endpoint, "LOG_LEVEL": "ERROR"})
    for number in range(WARM_UP):
        _call(load, f"warm-{number}")
    together[0].wait(PATIENCE_S)
    latencies, end, before = [], time.monotonic() + load.seconds, time.process_time()
    while time.monotonic() < end:
        latencies.append(_call(load, str(len(latencies))))
    return Done(latencies, time.process_time() - before)


def _call(load: Load, number: str) -> float:
    from functions.webhook.handler import main_handler  # noqa: PLC0415 - only the processes that are measured need it

    unique = f"{load.kind}-{load.place}-{number}"
    body = json.dumps({**CALLBACK, **KINDS[load.kind], "bulkId": unique, "email": f"{unique}@example.com"})
    event = {
        "httpMethod": "POST", "path": f"/webhook/ses/{defaults.WEBHOOK_SECRET}", "body": body, "queryString": {},
        "headers": {"content-type": "application/json", "x-scf-remote-addr": "127.0.0.1"},
    }  # fmt: skip
    begun = time.perf_counter()
    reply = main_handler(event, {"request_id": unique, "time_limit_in_ms": 10_000})
    taken_ms = (time.perf_counter() - begun) * 1000
    if reply["statusCode"] != 200:
        raise BenchmarkError(f"answered {reply}")
    return taken_ms
