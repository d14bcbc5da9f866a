"""45 days of mail, a timer that is killed at random and once stands still for 20 days: no day is lost.

SES forgets a day after 30. Each hour mails come, and some of the last 72 hours change; then the timer fires. A run in
three is killed at a request at random. At the end every day but the youngest is sealed and agreed, and each is compared
with SES's own database, row by row.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.goals import Goal
from benchmarks.snapshot_site import Site
from benchmarks.snapshot_truth import judge
from localcloud.defaults import UTC_OFFSET_S
from shared.trail.records import day_of, epoch

if TYPE_CHECKING:
    from benchmarks.snapshot_site import Instance

DAYS, MAILS_A_DAY = 45, 300
OUTAGE = range(12, 32)
"""Days without a timer: 20."""
YOUNGEST = 4
"""Days at the end that are not sealed: today, and three that may still change."""
BEGIN = epoch("2026-10-31T16:00:00Z")
"""The midnight of the account's zone before the first day."""
DAY_S, HOUR_S = 86400, 3600
CHANGES_FOR_S = 72 * HOUR_S
CHANGED_AN_HOUR = 25
KILLED = 1 / 3
RATE = 20.0
USUAL_REQUESTS = 90
"""Of a run; the one to die at is one of so many."""
SEED = 45
_PICK = """SELECT day, seq, deliver_status, opened, clicked, complained FROM status
    WHERE request_time BETWEEN ? AND ? AND day >= ? ORDER BY day, seq"""
_DELIVER = "UPDATE status SET deliver_status = ?, deliver_time = ?, updated_at = ? WHERE day = ? AND seq = ?"
_FLAG = "UPDATE status SET {0} = 1, updated_at = ? WHERE day = ? AND seq = ?"
_FLAGS = ("opened", "clicked", "complained")


class Day(NamedTuple):
    """What became of a day; ``wrong``: how much of it is not as SES has it. A day that is not sealed may be of old."""

    day: str
    sealed: bool
    agreed: bool
    rows: int
    missing: int
    wrong: int
    examples: list[str]


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Let ``DAYS`` days pass, once: ``rounds`` is for what is quick."""
    del rounds
    begun = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="mailtrail-snapshot-") as folder,
        Site(Path(folder) / "site", now=BEGIN, rate=RATE) as site,
    ):
        history = _History(site)
        history.pass_days()
        days = [_look_at(site, history.day(number)) for number in range(DAYS)]
    old = days[:-YOUNGEST]
    down = [days[number] for number in OUTAGE]
    results = {
        **history.numbers,
        "rows": sum(day.rows for day in days),
        "sealed": sum(day.sealed for day in days),
        "seconds": round(time.perf_counter() - begun, 1),
        "days": [day._asdict() for day in days],
    }
    return results, [
        Goal("days that should be sealed and agreed, and are not", sum(not (d.sealed and d.agreed) for d in old), 0),
        Goal("rows of those that are missing, double or untrue", sum(day.wrong for day in old), 0),
        Goal("rows of the outage that are missing, double or untrue", sum(day.wrong for day in down), 0),
        Goal("youngest days that are over, and not agreed", sum(not day.agreed for day in days[-YOUNGEST:]), 0),
        Goal("rows of those that are missing", sum(day.missing for day in days[-YOUNGEST:]), 0),
    ]


def _look_at(site: Site, day: str) -> Day:
    manifest, verdict = (
        site.manifest(day) or {"sealed": False, "agreed": False},
        judge(site.objects, site.database, day),
    )
    examples = verdict.examples if manifest["sealed"] else []
    return Day(day, manifest["sealed"], manifest["agreed"], verdict.rows, verdict.missing, verdict.wrong, examples)


class _History:
    """The days as they pass, an hour at a time."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._dice = random.Random(f"cliff/{SEED}")  # noqa: S311 - a die that must be repeatable
        self._database = site.cloud.ses._account.database  # noqa: SLF001 - whatever befalls seeded rows, befalls them here
        site.cloud.ses.switches.update({"row_order": "updated_last"})
        self.numbers = {"hours": 0, "runs": 0, "killed": 0, "changes": 0, "requests_at_ses": 0}

    def day(self, number: int) -> str:
        """Return the name of the n-th day."""
        return day_of(BEGIN + number * DAY_S, UTC_OFFSET_S)

    def pass_days(self) -> None:
        """Let them all pass, and the timer fire a few times more."""
        instance = self._site.instance("function")
        for hour in range(1, DAYS * 24 + 1):
            self.numbers["hours"] += 1
            self._site.time.move_to(BEGIN + hour * HOUR_S - 60)
            self._site.cloud.clock.move_to(self._site.time.now())
            self._mail(hour)
            self._change()
            if hour // 24 not in OUTAGE:
                self._fire(instance, is_safe=False)
            if hour % 240 == 0:
                print(f"  day {hour // 24}: {self.numbers}", flush=True)
        for _ in range(3):  # the last day is over, and the timer goes on
            self._site.time.move_to(self._site.time.now() + 900)
            self._fire(instance, is_safe=True)
        self.numbers["requests_at_ses"] = len(self._site.gate.queries)
        self.numbers["killed"] = self._site.gate.kills

    def _mail(self, hour: int) -> None:
        mails = self._dice.randrange(2 * MAILS_A_DAY // 24)
        self._site.cloud.ses.seed(day=self.day((hour * HOUR_S - 60) // DAY_S), messages=mails, tasks=0, seed=hour)

    def _change(self) -> None:
        """Let something befall mails that were sent within 72 hours."""
        now = int(self._site.time.now())
        first = (now - CHANGES_FOR_S + UTC_OFFSET_S) // DAY_S
        rows = self._database.rows(_PICK, (now - CHANGES_FOR_S, now, first))
        with self._database.transaction():
            for day, seq, delivery, *flags in self._dice.sample(rows, min(CHANGED_AN_HOUR, len(rows))):
                if delivery in (0, 8):
                    self._database.write(_DELIVER, (self._dice.choice((1, 1, 1, 3)), now, now, day, seq))
                elif delivery == 1 and not all(flags):
                    self._database.write(_FLAG.format(_FLAGS[flags.index(0)]), (now, day, seq))
                else:
                    continue
                self.numbers["changes"] += 1

    def _fire(self, instance: Instance, *, is_safe: bool) -> None:
        self.numbers["runs"] += 1
        pid = instance.start()
        if not is_safe and self._dice.random() < KILLED:
            last = self._dice.randrange(1, USUAL_REQUESTS)
            self._site.gate.kill_at(last, pid, is_done=self._dice.random() < 0.5)
        instance.wait()
        self._site.gate.spare()
