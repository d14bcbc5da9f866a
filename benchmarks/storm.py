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

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from benchmarks.goals import BenchmarkError, Goal
from benchmarks.localcloud_servers import ROOT, localcloud_without_limit
from benchmarks.storm_truth import Differences, Sent, Stored, compare, compare_report, missing
from benchmarks.webhook_workers import Workers
from cli import target
from localcloud import defaults
from localcloud.callbacks import Callback
from localcloud.clock import Clock
from localcloud.delivery import HttpPost
from localcloud.storm_inputs import Asked
from localcloud.storm_run import StormRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from localcloud.delivery import Answer
    from localcloud.storm import Storm

DELIVERIES_A_ROUND, TELLINGS = 20_000, 6
DAY, NOW = "2026-11-16", "2026-11-20T12:00:00Z"
"""When the mails were sent, and the simulated time of the storm: late enough for every event to have happened."""
TIME_LIMIT_S = 2.0
"""Of one invocation: a second for attempts, a second to answer in."""
LATE_S = 1.15
"""What a request at COS takes that takes too long for that."""
SEED = 4
REPORT_S = 3600
"""Of one run of the report function. It has 900 in the cloud, where it does not share its cores with COS and others."""
RETOLD = 1000
"""Events that are told once more when the hours are compacted."""


def _cos(kind: str, probability: float, **more: Any) -> dict[str, Any]:
    return {"service": "cos", "kind": kind, "probability": probability, **more}


WEATHER = [
    _cos("delay", 1.0, seconds=0, action="PutObject"),  # counts the attempts, and does nothing
    _cos("error", 0.0125, status=500, code="InternalError"),
    _cos("throttle", 0.0125),
    _cos("delay", 0.00625, seconds=LATE_S),  # written when nobody waits any more
    _cos("lose", 0.00625, seconds=LATE_S),  # never written
    _cos("drop_response", 0.00625),
    _cos("drop_request", 0.00625),
    _cos("list_lag", 1.0, seconds=60),
]
"""5 % of all requests at COS: half of them 5xx, half without an answer; and a LIST that is a minute behind."""


class Size(NamedTuple):
    """How much of it. ``kill_every_s``: seconds between two kills, on average."""

    events: int
    deliveries: int
    workers: int
    kill_every_s: float


class Outcome(NamedTuple):
    """What came of it: numbers for the results, and everything that is not as it must be."""

    numbers: dict[str, Any]
    lost_after_ack: int
    lost_after_replay: int
    differences: Differences


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


def run_storm(folder: Path, size: Size, *, seed: int = SEED) -> Outcome:
    """Run it in ``folder``, on processes of its own."""
    with ExitStack() as stack:
        port = stack.enter_context(localcloud_without_limit(folder / "data")).port
        (folder / "logs").mkdir()
        local = _Local(port, folder)
        local.ask("clock", {"now": NOW})
        settings = {**target.local_environment(port), "LOG_LEVEL": "WARNING"}
        workers = stack.enter_context(Workers(size.workers, settings, folder / "logs", time_limit_s=TIME_LIMIT_S))
        return _Run(local, workers, size, seed).go()


class _Local:
    """localcloud, from outside."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.folder = port, folder
        self.objects = folder / "data" / "cos" / defaults.BUCKET / "objects"

    def ask(self, path: str, body: Any = None, method: str = "POST") -> Any:
        answer = requests.request(method, f"http://127.0.0.1:{self.port}/_local/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def replay(self, logs: Iterable[Path]) -> Counter[str]:
        """Give what the instances logged to ``mailtrail replay``; returns its results, counted."""
        command = (sys.executable, "-m", "cli", "replay", "-", "--json", "--local", str(self.port))
        text = b"\n".join(path.read_bytes() for path in logs)
        run = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, check=False)
        try:
            return Counter(one["result"] for one in json.loads(run.stdout)["callbacks"])
        except (ValueError, KeyError) as error:
            raise BenchmarkError(f"mailtrail replay: {run.stderr.decode()[-500:]}") from error

    def report(self) -> dict[str, Any]:
        """Run the report function as its timer does."""
        from functions.report.handler import main_handler  # noqa: PLC0415 - it is what is measured, not a tool

        with target.running_as({**target.local_environment(self.port), "LOG_LEVEL": "ERROR"}):
            event = {"Type": "Timer", "TriggerName": "report_hourly", "Time": NOW, "Message": ""}
            return main_handler(event, target.context("report", time_limit_s=REPORT_S))

    def read_report(self, day: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.objects / f"reports/dt={day}/report.json").read_bytes())
        return found


class _Recorder:
    """Carries callbacks and remembers how the best answer to each event was."""

    def __init__(self, url: str, events: int) -> None:
        self._post = HttpPost({"ses": f"{url}/webhook/ses/{defaults.WEBHOOK_SECRET}"})
        self.acknowledged = bytearray(events)
        self.refused = bytearray(events)
        self.answers: Counter[str] = Counter()

    def __call__(self, callback: Callback) -> Answer:
        status, answer = self._post(callback)
        self.answers["none" if status is None else str(status)] += 1
        if status is not None and 200 <= status < 300:
            self.acknowledged[callback.id] = 1
        elif status is not None:
            self.refused[callback.id] = 1
        return status, answer

    def close(self) -> None:
        self._post.close()

    def unacknowledged(self) -> list[int]:
        return [number for number, known in enumerate(self.acknowledged) if not known]


class _Run:
    def __init__(self, local: _Local, workers: Workers, size: Size, seed: int) -> None:
        self._local, self._workers, self._size, self._seed = local, workers, size, seed
        self._begun = time.monotonic()
        self._numbers: dict[str, Any] = size._asdict()
        self._differences = Differences()

    def go(self) -> Outcome:
        asked = Asked(
            self._size.events, self._seed, deliveries=self._size.deliveries, day=DAY, connections=self._size.workers
        )
        self._local.ask(f"faults?seed={self._seed}", WEATHER)
        post = _Recorder(self._workers.url, asked.events)
        try:
            storm = self._blow(asked, post)
            sent = Sent(storm)
            lost = self._check_promises(storm, sent, post)
            self._tell_missing(storm, post)
            self._check("after the storm", storm, sent)
            self._compact(storm, sent, post)
        finally:
            post.close()
        self._numbers |= {"answers": dict(post.answers), "kills": self._workers.kills, "weather": self._weather()}
        self._numbers["seconds"] = round(time.monotonic() - self._begun, 1)
        return Outcome(self._numbers, *lost, self._differences)

    def _blow(self, asked: Asked, post: _Recorder) -> Storm:
        with self._workers.being_killed(every_s=self._size.kill_every_s, seed=self._seed):
            run = StormRun(asked, post, Clock())
            while not run.wait(10):
                self._say(f"{sum(post.answers.values())} told, {self._workers.kills} kills, {dict(post.answers)}")
        progress = run.progress()
        if progress["state"] != "done":
            raise BenchmarkError(f"the storm {progress['state']}: {progress['error']}")
        seconds = progress["seconds"]
        self._numbers |= {"storm_seconds": seconds, "callbacks_a_second": round(self._size.deliveries / seconds, 1)}
        self._numbers |= {"kills_in_storm": self._workers.kills, "answers_in_storm": dict(post.answers)}
        self._numbers |= {"weather_in_storm": self._weather()}
        return run.storm

    def _check_promises(self, storm: Storm, sent: Sent, post: _Recorder) -> tuple[int, int]:
        """Count what was acknowledged and is not there; and what was refused and is not there after a replay."""
        time.sleep(LATE_S)  # what was written when nobody waited any more, so that the counts below are settled
        stored = self._read()
        lost_after_ack = missing(sent, stored, [n for n, known in enumerate(post.acknowledged) if known])
        unheard = [n for n in post.unacknowledged() if not post.refused[n]]
        refused = [n for n in range(storm.events) if post.refused[n]]
        self._numbers["replay"] = {"events_refused": len(refused), "missing_before": missing(sent, stored, refused)}
        self._local.ask("faults", method="DELETE")
        results = self._local.replay(sorted((self._local.folder / "logs").iterdir()))
        stored = self._read()
        lost_after_replay = missing(sent, stored, refused)
        self._numbers["replay"] |= {"results": dict(results), "missing_after": lost_after_replay}
        self._numbers["never_answered"] = {"events": len(unheard), "missing": missing(sent, stored, unheard)}
        self._say(f"{lost_after_ack} lost, replay {self._numbers['replay']}, {self._numbers['never_answered']}")
        self._local.ask(f"faults?seed={self._seed + 1}", WEATHER)
        return lost_after_ack, lost_after_replay

    def _tell_missing(self, storm: Storm, post: _Recorder) -> None:
        rounds = 0
        with self._workers.being_killed(every_s=self._size.kill_every_s, seed=self._seed + 1):
            while untold := post.unacknowledged():
                rounds += 1
                self._tell(storm, untold, post)
        self._numbers["rounds_of_redelivery"] = rounds

    def _tell(self, storm: Storm, numbers: Sequence[int], post: _Recorder) -> None:
        with ThreadPoolExecutor(self._size.workers) as pool:
            list(pool.map(lambda number: post(_callback(storm, number)), numbers))

    def _compact(self, storm: Storm, sent: Sent, post: _Recorder) -> None:
        """Run the report timer hourly until nothing is left to do; tell some events again, and once more."""
        begun, told = time.monotonic(), []
        told += self._run_timer()
        self._check("beside the merged objects", storm, sent)
        some = random.Random(self._seed).sample(range(storm.events), min(RETOLD, storm.events))  # noqa: S311
        self._tell(storm, some, post)
        told += self._run_timer()
        stored = self._check("after compaction", storm, sent)
        for day in sent.days:
            found = compare_report(sent, day, self._local.read_report(day))
            self._differences.extend(found)
            self._differences.count += found.count
        self._numbers["compaction"] = {"seconds": round(time.monotonic() - begun, 1), "runs": told}
        self._numbers["compaction"] |= {"objects": len(stored.keys), "lines": stored.lines}

    def _run_timer(self) -> list[dict[str, Any]]:
        """Run it once an hour of simulated time until a run finds nothing to merge or delete."""
        told: list[dict[str, Any]] = []
        while not told or any(told[-1].get(name) for name in ("merged", "deleted", "hours_waiting")):
            self._local.ask("clock", {"advance_s": 3600})
            told.append(self._local.report()["maintenance"]["compaction"])
            self._say(f"report timer: {told[-1]}")
        return told

    def _check(self, when: str, storm: Storm, sent: Sent) -> Stored:
        stored = self._read()
        found = compare(storm, sent, stored)
        self._differences.extend(f"{when}: {text}" for text in found)
        self._differences.count += found.count
        self._numbers[when] = {"objects": len(stored.keys), "lines": stored.lines, "events": len(stored.events)}
        self._say(f"{when}: {self._numbers[when]}, {found.count} differences")
        return stored

    def _read(self) -> Stored:
        return Stored(self._local.objects, seed=self._seed)

    def _weather(self) -> dict[str, int]:
        rules = self._local.ask("faults", method="GET")
        names = [f"{rule['kind']} {rule['status'] or rule['seconds'] or ''}".strip() for rule in rules]
        return {name.replace("delay 0", "attempts"): rule["fired"] for name, rule in zip(names, rules, strict=True)}

    def _say(self, text: str) -> None:
        print(f"  {time.monotonic() - self._begun:7.1f} s  {text}", flush=True)


def _callback(storm: Storm, number: int) -> Callback:
    event = storm.event(number)
    return Callback(
        id=number, source="ses", due_at=0.0, body=event.body, content_type="application/json",
        message_id=event.message_id, recipient=event.recipient, event=event.event, attempt=1,
    )  # fmt: skip
