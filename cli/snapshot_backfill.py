"""The snapshot function run after run, each as the timer runs it, until every day that was asked for is there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from cli import target
from cli.snapshot_desk import Known, iter_known, open_desk
from cli.snapshot_outcomes import Outcome, judge, judge_before, may_pass, told_by
from cli.snapshot_watch import Watch
from cli.terminal import note
from cli.timers import run_timer
from functions.snapshot.checkpoint import read_checkpoint
from functions.snapshot.rounds import OUT_OF_TIME, SOMEBODY_ELSE

if TYPE_CHECKING:
    from rich.progress import Progress

    from cli.snapshot_days import Asked
    from cli.snapshot_desk import Where

WAIT_S = 15.0
"""Seconds between two looks at whether somebody else is done, or at an upstream that fails."""
_MOST_IN_VAIN = 3
_STOPPED = "stopped"
_TIME_IS_UP = ("", OUT_OF_TIME, "OutOfTime")
"""How a run ends that had more to do: by the function's clock, or by its store's."""
_WITHOUT_SENDCLOUD = {"SENDCLOUD_API_USER": "", "SENDCLOUD_API_KEY": ""}


class Pending:
    """The days of one source that are still to be had. ``trouble``: what ended the last run before they all were."""

    def __init__(self, source: str, days: list[str]) -> None:
        self.source = source
        self.days = days
        self.trouble = ""
        self.in_vain = 0
        self.mark: object = None
        self.said = ""


class Backfill:
    """One command's days; ``outcomes`` has what is over, ``runs`` how often the function was run."""

    def __init__(self, port: int | None, where: Where, asked: Asked) -> None:
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.runs = 0
        self._port = port
        self._where = where
        self._days = asked.days
        self._tasks: list[dict[str, Any]] = []
        self._passes: dict[tuple[str, str], int] = {}
        self._pending = {source: Pending(source, []) for source in where.sources}
        for known in iter_known(where.desk.store, where.sources, self._days):
            self._begin(known, may_stay=known.day not in asked.single)

    def _begin(self, known: Known, *, may_stay: bool) -> None:
        if known.standing is None:
            raise click.ClickException(f"the manifest of {known.source} {known.day} is damaged: snapshot verify")
        place = (known.source, known.day)
        self._passes[place] = known.standing.passes
        before = judge_before(self._where.desk, known) if may_stay else None
        if before is None:
            self._pending[known.source].days.append(known.day)
        else:
            self.outcomes[place] = before

    def run_all(self, bar: Progress) -> None:
        """Go on until nothing is pending. Raises ClickException when the function itself fails, and StoreError."""
        while asked := self._next():
            with Watch(bar, self._where.desk.store, self._where.sources, self._days, self._is_over):
                self._take_in(asked, self._run(asked))
            self._where = open_desk(self._port)
            self._settle([pending for pending in asked if pending.days])

    def look_again(self) -> None:
        """Take note of days that are over by what their manifests say now. Raises StoreError."""
        for pending in self._pending.values():
            for day in [*pending.days]:
                if (outcome := self._by_manifest(pending.source, day)) and outcome.is_over:
                    self._note(pending, day, outcome)

    def result(self) -> dict[str, Any]:
        """Return what was told, in the function's own form."""
        places = [(source, day) for source in self._where.sources for day in self._days]
        unfinished = {"complete": False, "why": _STOPPED}
        told = [
            self.outcomes[place].told if place in self.outcomes else {"source": place[0], "day": place[1], **unfinished}
            for place in places
        ]
        complete = all(place in self.outcomes and self.outcomes[place].is_good for place in places)
        return {"days": self._days, "snapshots": [*self._tasks, *told], "complete": complete, "runs": self.runs}

    def _next(self) -> list[Pending]:
        """Return whose days the next run is about.

        The function takes the days that are named for every source. So SendCloud is left out while it has one of them
        already: it would be asked again for what it has, and for what it lacks too late.
        """
        waiting = [pending for pending in self._pending.values() if pending.days]
        if len(waiting) == 2 and not {*waiting[0].days} <= {*waiting[1].days}:
            return waiting[:1]
        return waiting

    def _run(self, asked: list[Pending]) -> list[dict[str, Any]]:
        is_without = all(pending.source != "sendcloud" for pending in asked)
        self.runs += 1
        # Anew for each run: localcloud's clock may have been moved.
        settings = {**target.environment(self._port), **(_WITHOUT_SENDCLOUD if is_without else {})}
        result = run_timer("snapshot", asked[0].days, settings)
        told: list[dict[str, Any]] = result["snapshots"]
        self._tasks = [one for one in told if one["source"] == "tasks"]
        return told

    def _take_in(self, asked: list[Pending], told: list[dict[str, Any]]) -> None:
        by_place = {(one["source"], one.get("day", "")): one for one in told}
        for pending in asked:
            at_all = by_place.get((pending.source, ""), {})  # what was told of no day: the lease
            pending.trouble = at_all.get("why", "")
            for day in [*pending.days]:
                place = (pending.source, day)
                if place in by_place:
                    outcome = judge(self._where.desk, by_place[place], self._passes[place])
                    pending.trouble = outcome.told.get("why", "") if not outcome.is_over else pending.trouble
                    self._note(pending, day, outcome)

    def _note(self, pending: Pending, day: str, outcome: Outcome) -> None:
        if outcome.is_over:
            self.outcomes[pending.source, day] = outcome
            pending.days.remove(day)

    def _settle(self, left: list[Pending]) -> None:
        """Decide after a run what becomes of the days that it left: given up, gone on with now, or after a while."""
        must_wait = [self._must_wait(pending) for pending in left]
        if must_wait and all(must_wait):
            pause(WAIT_S)
            self.look_again()  # somebody else's work is as good

    def _must_wait(self, pending: Pending) -> bool:
        before, pending.mark = pending.mark, self._mark(pending)
        if pending.trouble == SOMEBODY_ELSE:
            self._say(pending, f"{SOMEBODY_ELSE} (the timer, or another command); waiting")
            return True
        pending.in_vain = pending.in_vain + 1 if pending.mark == before else 0
        if not may_pass(pending.source, pending.trouble) or pending.in_vain >= _MOST_IN_VAIN:
            self._give_up(pending)
            return False
        is_failing = pending.trouble not in _TIME_IS_UP
        self._say(pending, f"{pending.trouble}; trying again every {WAIT_S:g} s" if is_failing else "")
        return is_failing or pending.in_vain > 0

    def _say(self, pending: Pending, text: str) -> None:
        """Say what is waited for, once."""
        if text and text != pending.said:
            note(f"{pending.source}: {text}")
        pending.said = text

    def _mark(self, pending: Pending) -> object:
        """Return what differs when a run has got anywhere."""
        store, first = self._where.desk.store, pending.days[0]
        (known,) = iter_known(store, [pending.source], [first])
        checkpoint = read_checkpoint(store, pending.source, first)
        far = checkpoint and (checkpoint["number"], checkpoint["pages"], checkpoint["merge"])
        return len(pending.days), known.standing and known.standing.passes, far

    def _give_up(self, pending: Pending) -> None:
        for day in [*pending.days]:
            why = pending.trouble or OUT_OF_TIME
            told = {"source": pending.source, "day": day, "complete": False, "why": why}
            self._note(pending, day, Outcome(told, is_over=True, is_good=False))

    def _is_over(self, source: str, day: str) -> bool:
        outcome = self.outcomes.get((source, day)) or self._by_manifest(source, day)
        return outcome is not None and outcome.is_over

    def _by_manifest(self, source: str, day: str) -> Outcome | None:
        """Return what the passes since the beginning made of a day, also those of somebody else."""
        (known,) = iter_known(self._where.desk.store, [source], [day])
        passes_before = self._passes[source, day]
        if known.manifest is None or known.standing is None or known.standing.passes <= passes_before:
            return None
        return judge(self._where.desk, told_by(known.manifest), passes_before)


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
