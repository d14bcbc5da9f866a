"""When a task runs: ``"now"``, ``{"at"}`` or ``{"begin", "every_hours", "until_stopped"}``, in SES's words.

SES takes times without a zone, ``YYYY-MM-DD HH:MM:SS``; the account's is assumed (docs/open-questions.md).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.records import UTC

if TYPE_CHECKING:
    from functions.send.given import Given

NOW, TIMED, RECURRING = 1, 2, 3
"""TaskType."""
MOST_AHEAD_S = 366 * 86400
MOST_HOURS = 8760
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_RULE = 'must be "now", {"at"}, or {"begin", "every_hours", "until_stopped"}'


class Schedule(NamedTuple):
    """``begin_s``: epoch seconds, None for at once; ``field``: the member of the request that says so."""

    task_type: int = NOW
    begin_s: int | None = None
    every_hours: int = 0
    field: str = "when"

    def payload(self, utc_offset_s: int) -> dict[str, Any]:
        """Return what of BatchSendEmail's parameters is about time."""
        if self.begin_s is None:
            return {"TaskType": NOW}
        begin = dt.datetime.fromtimestamp(self.begin_s + utc_offset_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
        if self.task_type == TIMED:
            return {"TaskType": TIMED, "TimedParam": {"BeginTime": begin}}
        # TermCycle 1 would end the cycle.
        cycle = {"BeginTime": begin, "IntervalTime": self.every_hours, "TermCycle": 0}
        return {"TaskType": RECURRING, "CycleParam": cycle}


def parse_when(given: Given, *, now: float) -> Schedule:
    """Return when a task is to run. That its time is over is no problem here: a repeat may come after it."""
    value = given.body.get("when")
    if value is None or value == "now":
        return Schedule()
    if not isinstance(value, dict):
        given.problems.add("when", _RULE)
        return Schedule()
    if "at" in value:
        given.problems.add_unknown("when", set(value) - {"at"})
        return Schedule(TIMED, _begin(given, "when.at", value["at"], now), field="when.at")
    given.problems.add_unknown("when", set(value) - {"begin", "every_hours", "until_stopped"})
    every_hours = value.get("every_hours")
    if not isinstance(every_hours, int) or isinstance(every_hours, bool) or not 1 <= every_hours <= MOST_HOURS:
        given.problems.add("when.every_hours", f"must be a whole number of hours, 1 to {MOST_HOURS}")
    if value.get("until_stopped") is not True:
        given.problems.add(
            "when.until_stopped",
            "must be true: SES mails the list again and again until somebody stops it in its console",
        )
    return Schedule(RECURRING, _begin(given, "when.begin", value.get("begin"), now), every_hours or 0, "when.begin")


def _begin(given: Given, field: str, value: Any, now: float) -> int | None:
    """Return the epoch seconds of a moment, None with a problem."""
    moment = _moment(value)
    if moment is None:
        given.problems.add(field, "must be a moment with its zone, such as 2026-11-21T09:00:00+08:00")
        return None
    if moment > now + MOST_AHEAD_S:
        given.problems.add(field, "lies more than a year ahead")
    return moment


def _moment(value: Any) -> int | None:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return None
    try:
        moment = dt.datetime.fromisoformat(re.sub(r"\.\d+", "", value.replace("Z", "+00:00")))
        return int(moment.timestamp())
    except (ValueError, OverflowError):
        return None
