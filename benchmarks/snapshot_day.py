"""One day of many rows, snapshot after snapshot, until it is agreed: in time that is moved, while its rows move.

Then nothing changes any more, three days go by, and it is sealed.
"""

from __future__ import annotations

import random
import time
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.goals import BenchmarkError
from benchmarks.snapshot_gate import STATUS
from benchmarks.snapshot_movement import PAGE_ROWS, Movement, Plan
from benchmarks.snapshot_rates import median_rate, most_in_a_second, outcomes, rate_of_paging, rate_of_runs
from benchmarks.snapshot_site import RUN_S, Instance, Run, Site
from benchmarks.snapshot_truth import Verdict, judge
from shared.trail.records import epoch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DAY, NOW = "2026-11-19", epoch("2026-11-19T16:20:00Z")
"""A day of the account's zone, and 20 minutes after its end."""
MOVED = 0.02
SETTLED_AFTER_S = 3 * 86400.0
PASSES_OF_MOVEMENT = 3
"""In so many passes MOVED of the rows move; later ones at the same rate, but none comes new."""
SEED = 5
_MOST_RUNS = 400
_TOLD_EVERY_S = 60.0


class Size(NamedTuple):
    """What is tried. ``order``: of SES's rows. ``killed``: the share of runs that are."""

    rows: int
    order: str
    rate: float
    killed: float = 0.0
    faults: Sequence[Mapping[str, Any]] = ()


class Outcome(NamedTuple):
    """What came of it: ``verdict`` when the day was agreed, ``sealed`` when it was sealed.

    ``numbers``: of the runs until it was agreed, but for peak memory. ``pages``: passes times pages until then.
    """

    numbers: dict[str, Any]
    verdict: Verdict
    sealed: Verdict
    pages: int


def take_day(folder: Path, size: Size) -> Outcome:
    """Run the timer every ``RUN_S`` until the day is agreed, and judge it."""
    with Site(folder, now=NOW, rate=size.rate) as site:
        begun = time.perf_counter()
        site.cloud.ses.seed(day=DAY, messages=size.rows, tasks=0, seed=SEED)
        site.cloud.ses.switches.update({"row_order": size.order})
        seeded_s = time.perf_counter() - begun
        outcome = _Course(site, size).go()
    outcome.numbers["seconds_seeding"] = round(seeded_s, 1)
    return outcome


class _Course:
    def __init__(self, site: Site, size: Size) -> None:
        self._site = site
        self._size = size
        self._dice = random.Random(f"kill/{SEED}")  # noqa: S311 - a die that must be repeatable
        pages = size.rows // PAGE_ROWS + 1
        plan = Plan(size.rows, MOVED, PASSES_OF_MOVEMENT * pages)
        # The service's own connection: another's writes would empty its cache.
        database = site.cloud.ses._account.database  # noqa: SLF001
        self._movement = Movement(database, DAY, plan, seed=SEED)
        self._begun_again = 0
        self._told_at = self._begun = time.perf_counter()
        site.gate.before = self._before
        site.cloud.add_faults([dict(rule) for rule in size.faults])

    def go(self) -> Outcome:
        site, movement = self._site, self._movement
        instance = site.instance("function")
        runs = self._run_until("agreed", NOW, instance)
        verdict = judge(site.objects, site.database, DAY, movement.history, began=movement.began)
        numbers = self._numbers(runs, verdict)
        pages, simulated_s = numbers["passes"] * numbers["pages_of_the_last_pass"], site.time.now() - NOW
        site.gate.before = lambda _day, _offset: None
        last_runs = self._run_until("sealed", NOW + SETTLED_AFTER_S, instance)
        sealed = judge(site.objects, site.database, DAY)
        peaks = [run.told["peak_rss_mb"] for run in (*runs, *last_runs) if run.told]
        numbers |= {
            "sealed": {"runs": len(last_runs), "passes": (site.manifest(DAY) or {})["passes"], **sealed._asdict()},
            "peak_rss_mb": max(peaks),
            "peak_rss_mb_by_run": peaks,
            "simulated_hours": round(simulated_s / 3600, 2),
            "seconds": round(time.perf_counter() - self._begun, 1),
        }
        self._say(f"{numbers}")
        return Outcome(numbers, verdict, sealed, pages)

    def _run_until(self, word: str, begin: float, instance: Instance) -> list[Run]:
        """Run the timer until the day's manifest says that."""
        runs: list[Run] = []
        while not (self._site.manifest(DAY) or {}).get(word):
            if len(runs) == _MOST_RUNS:
                raise BenchmarkError(f"the day is not {word} after {_MOST_RUNS} runs")
            self._site.time.move_to(max(begin + len(runs) * RUN_S, self._site.time.now()))
            pid = instance.start()
            if self._dice.random() < self._size.killed:
                last = self._dice.randrange(1, ceil(RUN_S * self._size.rate * 1.1))
                self._site.gate.kill_at(last, pid, is_done=self._dice.random() < 0.5)
            runs.append(instance.wait())
            self._site.gate.spare()
        return runs

    def _before(self, day: str, offset: int) -> None:
        if day != DAY:
            return
        self._movement.before_query(self._site.time.now(), offset)
        if offset == 0 and self._site.has_kept_pages(DAY):
            self._begun_again += 1
        if time.perf_counter() - self._told_at > _TOLD_EVERY_S:
            self._told_at = time.perf_counter()
            self._say(f"query {self._movement.queries}, offset {offset}, {self._movement.updated} changes")

    def _numbers(self, runs: Sequence[Run], verdict: Verdict) -> dict[str, Any]:
        manifest, gate = self._site.manifest(DAY) or {}, self._site.gate
        of_day = [query for query in gate.queries if (query.action, query.day) == (STATUS, DAY)]
        return {
            "rows": self._size.rows,
            "order": self._size.order,
            "rate_permitted": self._size.rate,
            "runs": len(runs),
            "killed": gate.kills,
            "passes": manifest["passes"],
            "pages_of_the_last_pass": manifest["pages"],
            "requests_answered": sum(query.answered for query in of_day),
            "requests_in_all": len(of_day),
            "first_page_asked_for": sum(query.offset == 0 and query.answered for query in of_day),
            "begun_again": self._begun_again,
            "changed": self._movement.updated,
            "inserted": self._movement.inserted,
            "rate_of_paging": round(rate_of_paging(runs, DAY), 3),
            "rate_of_paging_median": round(median_rate(runs, DAY), 3),
            "rate_of_runs": round(rate_of_runs(runs), 3),
            "most_in_a_second_as_sent": most_in_a_second(asked.at for run in runs for asked in run.asked),
            "most_in_a_second_as_arrived": most_in_a_second(query.at for query in gate.queries),
            "told": outcomes(runs),
            "agreed": verdict._asdict(),
        }

    def _say(self, text: str) -> None:
        print(f"  {time.perf_counter() - self._begun:7.1f} s  {text}", flush=True)
