"""Batch tasks as the report shows them: what is in trouble first, with why, and how it came to be so.

failed     SES says error
suspended  SES says that it is suspended for today
stuck      it should have begun, or is under way, and nothing moved for STUCK_AFTER_H hours
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from functions.report.dates import shifted
from functions.report.reading import latest_tasks, read_task_changes
from shared.trail.records import epoch, iso, local_time_epoch
from shared.trail.vocabulary import TASK_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.trail.store import Store

STUCK_AFTER_H = 6
"""Hours. Nothing is documented of how long a task may take; sends are counted while it runs."""
_TO_START, _SENDING, _SUSPENDED, _ERROR = 1, 5, 6, 7
_HOUR_S = 3600
_ORDER = ("failed", "suspended", "stuck", None)
_LEFT_OUT = ("raw", "v")


def read_tasks(store: Store, day: str, utc_offset_s: int) -> list[dict[str, Any]]:
    """Return the tasks of the day's last list, those in trouble first, each with what changed on the day.

    Raises StoreError.
    """
    tasks = latest_tasks(store, day)
    if not tasks:
        return []
    changes = _by_task(read_task_changes(store, day))
    before = _by_task(read_task_changes(store, shifted(day, -1)))  # signs of life of the last hours
    shown = []
    for task in tasks:
        history = changes.get(task["task_id"], [])
        trouble, why = trouble_of(task, [*before.get(task["task_id"], []), *history], utc_offset_s)
        shown.append({**_shown(task), "trouble": trouble, "why": why, "history": [_change(one) for one in history]})
    return sorted(shown, key=lambda task: _ORDER.index(task["trouble"]))


def trouble_of(
    task: Mapping[str, Any], changes: Iterable[Mapping[str, Any]], utc_offset_s: int
) -> tuple[str | None, str | None]:
    """Return what is wrong with a task when it was listed, and why; None and None when nothing is. Pure.

    ``changes``: what changed in it lately, which is a sign of life too. ``utc_offset_s``: of the vendor's times.
    """
    status, error = task["status"], task["error"]
    if status == _ERROR:
        return "failed", error or "SES says error, and no reason"
    if status == _SUSPENDED:
        return "suspended", error or "suspended by SES for today"
    if status not in (_TO_START, _SENDING):
        return None, None
    moved = [at for at in (task["updated_at"] or task["created_at"], _due_at(task, utc_offset_s)) if at]
    moved += [change["at"] for change in changes if change["change"] == "changed"]
    if not moved:
        return None, None
    since = max(map(epoch, moved))
    quiet_h = (epoch(task["fetched_at"]) - since) / _HOUR_S
    if quiet_h <= STUCK_AFTER_H + _hours_between(task):
        return None, None
    return "stuck", f"{TASK_STATUS[status]} since {iso(since)}, nothing moved for {int(quiet_h)} hours"


def _due_at(task: Mapping[str, Any], utc_offset_s: int) -> str | None:
    """Return when a task is to begin: BeginTime, which has no zone and is taken for the account's."""
    for name in ("TimedParam", "CycleParam"):
        given = task["raw"].get(name)
        if isinstance(given, dict) and given.get("BeginTime"):
            try:
                return iso(local_time_epoch(str(given["BeginTime"]), utc_offset_s))
            except ValueError:
                return None
    return None


def _hours_between(task: Mapping[str, Any]) -> int:
    """Return how many hours a recurring task rests between two rounds."""
    cycle = task["raw"].get("CycleParam")
    hours = cycle.get("IntervalTime") if isinstance(cycle, dict) else 0
    return hours if isinstance(hours, int) else 0


def _by_task(changes: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for change in changes:
        found[change["task_id"]].append(change)
    return found


def _shown(task: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in task.items() if name not in _LEFT_OUT}
    return {**shown, "status_text": _status_text(task["status"])}


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: change[name] for name in ("at", "change", "before", "after")}, "what": _told(change)}


def _told(change: Mapping[str, Any]) -> str:
    """Say a change in words: ``sending -> error; sent 10 -> 20``."""
    before, after = change["before"] or {}, change["after"] or {}
    changed = [
        f"{name} {before[name]} \u2192 {after.get(name)}"
        for name in ("requested", "sent", "cached")
        if name in before and before[name] != after.get(name)
    ]
    words = [_status_text(said.get("status")) for said in (before, after) if said]
    steps = " \u2192 ".join(dict.fromkeys(words))
    return "; ".join([steps, *changed, *([after["error"]] if after.get("error") else [])])


def _status_text(status: int | None) -> str:
    return TASK_STATUS.get(status or 0, "a status the vendor's page does not list")
