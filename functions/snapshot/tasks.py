"""The task list in full, once an hour, and what changed in it since the last time: a task's history.

SES tells how things are, never how they were, and the order of its list is not documented; it may shift while it is
paged. So a list whose total moved, or which did not come to it, is paged again, and the pages are joined.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.snapshot.rows import task_record
from shared.trail.layout import LAST_TASKS_KEY, task_changes_key, tasks_key
from shared.trail.records import VERSION, Task, TaskChange, day_of, decode_lines, encode_line, encode_lines, epoch, iso
from shared.upstream.ses import PAGE_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.snapshot.desk import Desk
    from functions.snapshot.pace import Pace
    from shared.upstream.ses import SesClient

_MOST_ROUNDS = 3
_HOURLY_S = 3300.0
_FOLLOWED = ("status", "requested", "sent", "cached", "error")
"""Members whose change is a change of the task; ``UpdateTime`` alone is none."""

Tasks = dict[str, Task]


class TaskList(NamedTuple):
    """What one run told. ``total``: SES's own count; ``drifted``: it was still not reached in the last round."""

    key: str
    rows: int
    changes: int
    total: int
    drifted: bool


def snapshot_tasks(desk: Desk, ses: SesClient, pace: Pace) -> TaskList:
    """Write the task list as it is now, and what changed; within an hour, tell of the last one.

    Raises OutOfTimeError, GaveUpError, UpstreamError, StoreError.
    """
    now = int(desk.clock())
    last = json.loads(desk.store.get(LAST_TASKS_KEY) or b"{}")
    if last and 0 <= now - epoch(last["at"]) < _HOURLY_S:
        return TaskList(last["key"], last["rows"], 0, last["total"], last["drifted"])
    before: Tasks = {}
    if last:
        before = {task["task_id"]: task for task in _read_tasks((desk.store.get(last["key"]) or b"").splitlines())}
    tasks, total, drifted = _list_tasks(desk, ses, pace)
    day, at = day_of(now, desk.utc_offset_s), iso(now)
    changes = list(_changes(before, tasks, at))
    key = tasks_key(day, at)
    # Changes first: whoever dies in between finds the same ones again, against the same list.
    if changes:
        desk.store.put(task_changes_key(day, at), encode_lines(changes))
    desk.store.put(key, encode_lines(tasks.values()))
    told = {"v": VERSION, "at": at, "key": key, "rows": len(tasks), "total": total, "drifted": drifted}
    desk.store.put(LAST_TASKS_KEY, encode_line(told), content_type="application/json")
    return TaskList(key, len(tasks), len(changes), total, drifted)


def _read_tasks(lines: list[bytes]) -> Iterator[Any]:
    yield from decode_lines(lines)


def _list_tasks(desk: Desk, ses: SesClient, pace: Pace) -> tuple[Tasks, int, bool]:
    """Page the list, again while it drifts; a task that was met twice is kept as it was met last."""
    tasks: Tasks = {}
    for _ in range(_MOST_ROUNDS):
        met: set[str] = set()
        totals: set[int] = set()
        offset, rows = 0, PAGE_ROWS
        while rows == PAGE_ROWS:
            desk.check_time()
            at = offset
            page = pace.call(lambda: ses.list_send_tasks(offset=at))  # noqa: B023 - called at once
            totals.add(page.total)
            for row in page.rows:
                record = task_record(row, desk.now(), desk.utc_offset_s)
                tasks[record["task_id"]] = record
                met.add(record["task_id"])
            rows = len(page.rows)
            offset += rows
            if offset >= page.total:
                break
        if totals == {len(met)}:
            return tasks, len(met), False
    return tasks, max(totals), True


def _changes(before: Mapping[str, Task], tasks: Mapping[str, Task], at: str) -> Iterator[TaskChange]:
    for task_id, task in tasks.items():
        known = before.get(task_id)
        was, is_now = known and _followed(known), _followed(task)
        if was != is_now:
            yield {
                "v": VERSION,
                "task_id": task_id,
                "at": at,
                "change": "changed" if known else "appeared",
                "before": was,
                "after": is_now,
                "subject": task["subject"],
            }


def _followed(task: Task) -> dict[str, Any]:
    return {name: task[name] for name in _FOLLOWED}  # type: ignore[literal-required]
