"""The same days twice: by one timer, and by one that fires thrice each time, two instances at once: the same bytes.

Two clouds with the same mails, tasks and SendCloud rows live through the same days, and the same rows change between
the same runs. In one the function runs once at a time. In the other a second instance begins some random seconds after
the first, and when both are done it runs once more. Then the buckets are compared, leases and times of manifests aside.

``still``: the wall clock of the function stands still at the time of its timer, and only the one by which it paces
itself goes on, so that ``fetched_at`` and the names of task lists are the same: nothing is masked. ``running``: both go
on, and runs are so short that one instance goes on where another stopped; there these times are masked before bytes and
hashes are compared. How many requests a pass took is left out like a time: what was asked for ahead, when the last page
came, depends on how fast answers were. The results have the sums.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.goals import Goal
from benchmarks.snapshot_movement import Movement, Plan
from benchmarks.snapshot_rates import most_in_a_second, most_of_an_action, outcomes
from benchmarks.snapshot_site import RUN_S, Site
from localcloud.defaults import UTC_OFFSET_S
from localcloud.ses.days import parse_day
from shared.trail.records import day_of, epoch

if TYPE_CHECKING:
    from benchmarks.snapshot_site import Instance, Run

BEGIN = epoch("2026-11-15T16:00:00Z")
DAYS = 5
MAILS_A_DAY, SENDCLOUD_MAILS, TASKS, CHANGES = 4000, 120, 30, 25
"""The latter of each round; changes: of each of the last three days."""
OFFSETS_S = 3.0
"""Until when after the first instance the second begins."""
SHOWN = 20
_TIMES = ("started_at", "finished_at", "sealed_at", "digest", "requests")
_MASKED = re.compile(rb'"(fetched_at|at)":\s*"[^"]*"')
_CLOCK_IN_KEY = re.compile(r"T(\d\d)\d{4}Z")


class Mode(NamedTuple):
    """How the clouds live. ``rounds``: in a day, each begins with what has changed; ``ticks``: of the timer in each.

    What is begun in a round is done before the next. When an open day is paged again depends on how long that took, and
    several runs take long: where runs are short, a round is over within an hour, and a day apart from the next.
    """

    name: str
    is_still: bool
    rate: float
    limit_s: float
    rounds: int
    ticks: int
    tick_s: float


STILL = Mode("still", is_still=True, rate=20, limit_s=RUN_S, rounds=6, ticks=2, tick_s=RUN_S)
RUNNING = Mode("running", is_still=False, rate=2, limit_s=60, rounds=1, ticks=7, tick_s=300)


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Live through the days in both modes, once: ``rounds`` is for what is quick."""
    del rounds
    results: dict[str, Any] = {}
    goals: list[Goal] = []
    for mode in (STILL, RUNNING):
        begun = time.perf_counter()
        once, twice = _live(mode, is_doubled=False), _live(mode, is_doubled=True)
        differences = sorted(_differences(once.contents, twice.contents))
        results[mode.name] = {
            "objects": len(once.contents),
            "once": once.numbers,
            "twice": twice.numbers,
            "differences": differences[:SHOWN],
            "seconds": round(time.perf_counter() - begun, 1),
        }
        goals += [
            Goal(f"{mode.name}: objects that differ", len(differences), 0),
            Goal(f"{mode.name}: requests in any second, of both instances", twice.most_in_a_second, mode.rate),
        ]
    return results, goals


class _Life(NamedTuple):
    contents: dict[str, bytes]
    most_in_a_second: int
    numbers: dict[str, Any]


def _live(mode: Mode, *, is_doubled: bool) -> _Life:
    with (
        tempfile.TemporaryDirectory(prefix="mailtrail-snapshot-") as folder,
        Site(Path(folder) / "site", now=BEGIN, rate=mode.rate, sendcloud=True) as site,
    ):
        runs = _Days(site, mode, is_doubled=is_doubled).pass_rounds()
        most = most_of_an_action(runs)
        numbers = {
            "runs": len(runs),
            "requests": sum(len(run.asked) for run in runs),
            "most_in_a_second_of_one_action": most,
            "most_in_a_second_of_all": most_in_a_second(one.at for run in runs for one in run.asked),
            "told": outcomes(runs),
        }
        return _Life(_contents(site.objects, is_masked=not mode.is_still), most, numbers)


class _Days:
    def __init__(self, site: Site, mode: Mode, *, is_doubled: bool) -> None:
        self._site = site
        self._mode = mode
        self._dice = random.Random(f"twice/{mode.name}")  # noqa: S311 - a die that must be repeatable
        self._is_doubled = is_doubled
        site.cloud.ses.switches.update({"row_order": "updated_last"})

    def pass_rounds(self) -> list[Run]:
        """Let all rounds pass; returns every invocation."""
        first, second = (self._site.instance(name) for name in ("first", "second"))
        runs: list[Run] = []
        for number in range(1, DAYS * self._mode.rounds + 1):
            begin = BEGIN + number * 86400 / self._mode.rounds - 2 * 3600
            self._site.time.move_to(begin)
            self._site.cloud.clock.move_to(begin)
            self._mail(begin, number)
            for tick in range(self._mode.ticks):
                runs += self._fire(first, second, begin + tick * self._mode.tick_s)
        return runs

    def _mail(self, now: float, number: int) -> None:
        day = day_of(now, UTC_OFFSET_S)
        cloud, clock = self._site.cloud, self._site.cloud.clock
        clock.now = lambda: now  # type: ignore[method-assign] # until when mails come: to the same second in both clouds
        cloud.seed(
            day=day, messages=MAILS_A_DAY // self._mode.rounds, tasks=TASKS, sendcloud=SENDCLOUD_MAILS, seed=number
        )
        del clock.now
        database = cloud.ses._account.database  # noqa: SLF001 - whatever befalls seeded rows, befalls them here
        for back in range(3):
            day = day_of(now - back * 86400, UTC_OFFSET_S)
            found = database.row("SELECT COUNT(*) FROM status WHERE day = ?", (parse_day(day),))
            if found and found[0]:
                Movement(database, day, Plan(found[0], 0, 1), seed=number).move(CHANGES, now)

    def _fire(self, first: Instance, second: Instance, tick: float) -> list[Run]:
        self._site.time.move_to(max(tick, self._site.time.now()))
        how: dict[str, Any] = {"limit_s": self._mode.limit_s, "still": tick if self._mode.is_still else None}
        first.start(**how)
        if not self._is_doubled:
            return [first.wait()]
        begin = tick + self._dice.random() * OFFSETS_S
        while self._site.time.now() < begin and not first.is_over(within_s=0.001):
            pass
        return [second.run(**how), first.wait(), first.run(**how)]


def _contents(objects: Path, *, is_masked: bool) -> dict[str, bytes]:
    """Return what lies in the bucket, by key, without leases and times of manifests; ``is_masked``: without others."""
    keys = {str(path.relative_to(objects)): path for path in objects.rglob("*") if path.is_file()}
    bodies = {key: path.read_bytes() for key, path in keys.items() if "/lease/" not in key}
    if is_masked:
        bodies = {_CLOCK_IN_KEY.sub(r"T\1", key): _MASKED.sub(b'"\1":""', body) for key, body in bodies.items()}
    for key in [key for key in bodies if key.endswith("/manifest.json")]:
        manifest = json.loads(bodies[key])
        kept = {name: value for name, value in manifest.items() if name not in _TIMES}
        for part in kept["parts"]:
            # The hash of the part as it is compared; without masks it is the one that the manifest has.
            part["sha256"] = part["sha256"] if not is_masked else hashlib.sha256(bodies[part["key"]]).hexdigest()
        bodies[key] = json.dumps(kept, indent=1).encode()
    return bodies


def _differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    found = [f"{key} is in one only" for key in one.keys() ^ other.keys()]
    return found + [f"{key} differs" for key in one.keys() & other.keys() if one[key] != other[key]]
