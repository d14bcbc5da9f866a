"""The course of a storm, and the weather in it; what is looked at, and when, is told in benchmarks/storm.py."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.goals import BenchmarkError
from benchmarks.localcloud_servers import localcloud_without_limit
from benchmarks.storm_site import Recorder, Site, callback_of
from benchmarks.storm_truth import Differences, Sent, Stored, compare, compare_report, compare_suppression, missing
from benchmarks.webhook_workers import Workers
from cli import target
from localcloud.clock import Clock
from localcloud.storm_inputs import Asked
from localcloud.storm_run import StormRun

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from localcloud.storm import Storm

DAY, NOW = "2026-11-16", "2026-11-20T12:00:00Z"
"""When the mails were sent, and the simulated time of the storm: late enough for every event to have happened."""
TIME_LIMIT_S = 2.0
"""Of one invocation: a second for attempts, a second to answer in."""
LATE_S = 1.15
"""What a request at COS takes that takes too long for that."""
SEED = 4
MOST_RUNS = 50
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
SHOWERS = [rule for rule in WEATHER if rule.get("seconds") != LATE_S]
"""The same without what only takes time: a timer has 900 s, and waits."""


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


def run_storm(folder: Path, size: Size, *, seed: int = SEED) -> Outcome:
    """Run it in ``folder``, on processes of its own."""
    with ExitStack() as stack:
        port = stack.enter_context(localcloud_without_limit(folder / "data")).port
        (folder / "logs").mkdir()
        site = Site(port, folder)
        site.ask("clock", {"now": NOW})
        settings = {**target.local_environment(port), "LOG_LEVEL": "WARNING"}
        workers = stack.enter_context(Workers(size.workers, settings, folder / "logs", time_limit_s=TIME_LIMIT_S))
        return _Run(site, workers, size, seed).go()


class _Run:
    def __init__(self, site: Site, workers: Workers, size: Size, seed: int) -> None:
        self._site, self._workers, self._size, self._seed = site, workers, size, seed
        self._begun = time.monotonic()
        self._numbers: dict[str, Any] = size._asdict()
        self._differences = Differences()

    def go(self) -> Outcome:
        asked = Asked(
            self._size.events, self._seed, deliveries=self._size.deliveries, day=DAY, connections=self._size.workers
        )
        self._let_it(WEATHER)
        post = Recorder(self._workers.url, asked.events)
        try:
            storm = self._blow(asked, post)
            sent = Sent(storm)
            lost = self._check_promises(storm, sent, post)
            self._tell_missing(storm, post)
            self._check("after the storm", storm, sent)
            self._compact(storm, sent, post)
        finally:
            post.close()
        self._numbers |= {"answers": dict(post.answers), "kills": self._workers.kills}
        self._numbers["seconds"] = round(time.monotonic() - self._begun, 1)
        return Outcome(self._numbers, *lost, self._differences)

    def _blow(self, asked: Asked, post: Recorder) -> Storm:
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

    def _check_promises(self, storm: Storm, sent: Sent, post: Recorder) -> tuple[int, int]:
        """Count what was acknowledged and is not there; and what was refused and is not there after a replay."""
        time.sleep(LATE_S)  # what was written when nobody waited any more, so that the counts below are settled
        stored = self._read()
        lost_after_ack = missing(sent, stored, [n for n, known in enumerate(post.acknowledged) if known])
        unheard = [n for n in post.unacknowledged() if not post.refused[n]]
        refused = [n for n in range(storm.events) if post.refused[n]]
        self._numbers["replay"] = {"events_refused": len(refused), "missing_before": missing(sent, stored, refused)}
        self._let_it([])
        results = self._site.replay(sorted((self._site.folder / "logs").iterdir()))
        stored = self._read()
        lost_after_replay = missing(sent, stored, refused)
        self._numbers["replay"] |= {"results": dict(results), "missing_after": lost_after_replay}
        self._numbers["never_answered"] = {"events": len(unheard), "missing": missing(sent, stored, unheard)}
        self._say(f"{lost_after_ack} lost, replay {self._numbers['replay']}, {self._numbers['never_answered']}")
        return lost_after_ack, lost_after_replay

    def _tell_missing(self, storm: Storm, post: Recorder) -> None:
        rounds = 0
        self._let_it(WEATHER)
        with self._workers.being_killed(every_s=self._size.kill_every_s, seed=self._seed + 1):
            while untold := post.unacknowledged():
                _give_up_after(MOST_RUNS, rounds, f"rounds leave {len(untold)} events without a 2xx")
                rounds += 1
                self._tell(storm, untold, post)
        self._numbers["rounds_of_redelivery"] = rounds

    def _tell(self, storm: Storm, numbers: Sequence[int], post: Recorder) -> None:
        with ThreadPoolExecutor(self._size.workers) as pool:
            list(pool.map(lambda number: post(callback_of(storm, number)), numbers))

    def _compact(self, storm: Storm, sent: Sent, post: Recorder) -> None:
        """Run the report timer hourly until nothing is left to do; tell some events again, and once more."""
        begun, told = time.monotonic(), []
        self._let_it(SHOWERS)
        told += self._run_timer()
        self._check("beside the merged objects", storm, sent)
        some = random.Random(self._seed).sample(range(storm.events), min(RETOLD, storm.events))  # noqa: S311
        self._tell(storm, some, post)
        told += self._run_timer()
        stored = self._check("after compaction", storm, sent)
        for day in sent.days:
            self._note(f"report of {day}", compare_report(sent, day, self._site.read_report(day)))
        self._note("list", compare_suppression(sent, self._site.objects))
        self._numbers["compaction"] = {"seconds": round(time.monotonic() - begun, 1), "runs": told}
        self._numbers["compaction"] |= {"objects": len(stored.keys), "lines": stored.lines}

    def _run_timer(self) -> list[dict[str, Any]]:
        """Run it once an hour of simulated time, until a run finds nothing to merge: it has deleted what was merged."""
        told: list[dict[str, Any]] = []
        while not told or told[-1].get("merged", 1) or told[-1].get("hours_waiting"):
            _give_up_after(MOST_RUNS, len(told), "runs of the report timer leave something to merge")
            self._site.ask("clock", {"advance_s": 3600})
            told.append(self._site.report()["maintenance"]["compaction"])
            self._say(f"report timer: {told[-1]}")
        return told

    def _check(self, when: str, storm: Storm, sent: Sent) -> Stored:
        stored = self._read()
        found = compare(storm, sent, stored)
        self._note(when, found)
        self._numbers[when] = {"objects": len(stored.keys), "lines": stored.lines, "events": len(stored.events)}
        self._say(f"{when}: {self._numbers[when]}, {found.count} differences")
        return stored

    def _note(self, where: str, found: Differences) -> None:
        self._differences.extend(f"{where}: {text}" for text in found)
        self._differences.count += found.count

    def _read(self) -> Stored:
        return Stored(self._site.objects, seed=self._seed)

    def _let_it(self, rules: list[dict[str, Any]]) -> None:
        self._site.ask("faults", method="DELETE")
        self._site.ask(f"faults?seed={self._seed}", rules)

    def _weather(self) -> dict[str, int]:
        attempts, *rules = self._site.ask("faults", method="GET")
        names = [f"{rule['kind']} {rule['status'] or rule['seconds'] or ''}".strip() for rule in rules]
        fired = {name: rule["fired"] for name, rule in zip(names, rules, strict=True)}
        return {"attempts to put": attempts["fired"], **fired}

    def _say(self, text: str) -> None:
        print(f"  {time.monotonic() - self._begun:7.1f} s  {text}", flush=True)


def _give_up_after(most: int, number: int, what: str) -> None:
    if number >= most:
        raise BenchmarkError(f"{most} {what}")
