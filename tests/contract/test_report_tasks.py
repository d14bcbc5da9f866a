"""Batch tasks in the report: what failed, what is suspended and what is stuck stands out, with its history of the day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.report.tasks import STUCK_AFTER_H
from functions.snapshot.rows import task_record
from localcloud import defaults
from shared.trail.layout import tasks_key
from shared.trail.records import encode_lines, iso
from tests.closed_hours import trail
from tests.contract.test_report_hostile import ONLY, SCRIPT, Elements, page
from tests.handlers import DAY, NOW, run, schedule_task, timer, write_report

if TYPE_CHECKING:
    from localcloud import LocalCloud

TO_START, SENDING, SUSPENDED, FAILED, DONE = 1, 5, 6, 7, 10
HOUR_S = 3600
LISTED = NOW


def local(hours_ago: float) -> str:
    """Write a time as SES does: of the account's zone, and without saying so."""
    return iso(LISTED - hours_ago * HOUR_S + defaults.UTC_OFFSET_S).replace("T", " ").removesuffix("Z")


def row(task_id: int, status: int, *, updated_h: float = 1, **more: Any) -> dict[str, Any]:
    """Build a row of ListSendTasks."""
    told = {"TaskId": task_id, "TaskStatus": status, "TaskType": 1, "RequestCount": 20, "SendCount": 3}
    told |= {"CacheCount": 0, "CreateTime": local(400), "UpdateTime": local(updated_h), "Subject": f"task {task_id}"}
    return {**told, "ErrMsg": "", "CycleParam": None, "TimedParam": None, **more}


def keep(*rows: dict[str, Any]) -> None:
    """Leave a task list as the snapshot does."""
    records = [task_record(one, iso(LISTED), defaults.UTC_OFFSET_S) for one in rows]
    trail().put(tasks_key(DAY, iso(LISTED)), encode_lines(records))


def keep_changes(*changes: dict[str, Any], day: str = DAY) -> None:
    """Leave what changed between two lists as the snapshot does."""
    trail().put(f"task-changes/dt={day}/T.jsonl", encode_lines({"v": 1, "subject": "s", **one} for one in changes))


def counts(status: int, sent: int, error: str | None = None) -> dict[str, Any]:
    return {"status": status, "requested": 20, "sent": sent, "cached": 0, "error": error}


def change(task_id: int, hours_ago: float, before: Any, after: Any) -> dict[str, Any]:
    kind = "changed" if before else "appeared"
    at = iso(LISTED - hours_ago * HOUR_S)
    return {"task_id": str(task_id), "at": at, "change": kind, "before": before, "after": after}


def troubles() -> list[tuple[str, str | None]]:
    """Write the report; return its tasks in their order, each with its trouble."""
    return [(task["task_id"], task["trouble"]) for task in write_report()["tasks"]]


def test_those_in_trouble_come_first_with_why(cloud: LocalCloud) -> None:
    keep(
        row(1, DONE, updated_h=300), row(2, SENDING, updated_h=7), row(3, SUSPENDED), row(4, TO_START),
        row(5, FAILED, ErrMsg="template was deleted"), row(6, 99, updated_h=300), row(7, FAILED),
    )  # fmt: skip
    assert troubles() == [
        ("5", "failed"), ("7", "failed"), ("3", "suspended"), ("2", "stuck"), ("1", None), ("4", None), ("6", None),
    ]  # fmt: skip
    tasks = {task["task_id"]: task for task in write_report()["tasks"]}
    assert [tasks[name]["why"] for name in ("5", "7", "3", "2", "1")] == [
        "template was deleted",
        "SES says error, and no reason",
        "suspended by SES for today",
        f"sending since {iso(LISTED - 7 * HOUR_S)}, nothing moved for 7 hours",
        None,
    ]
    assert "raw" not in tasks["5"]
    assert tasks["5"]["status_text"] == "error"


@pytest.mark.parametrize("status", [TO_START, SENDING])
@pytest.mark.parametrize(("hours", "trouble"), [(STUCK_AFTER_H, None), (STUCK_AFTER_H + 0.1, "stuck")])
def test_nothing_moved_for_six_hours(cloud: LocalCloud, status: int, hours: float, trouble: str | None) -> None:
    keep(row(1, status, updated_h=hours), row(2, status, UpdateTime="", CreateTime=local(hours)))
    assert troubles() == [("1", trouble), ("2", trouble)]


def test_a_task_of_no_time_is_not_judged(cloud: LocalCloud) -> None:
    keep(row(1, SENDING, UpdateTime="", CreateTime=None))
    assert troubles() == [("1", None)]


@pytest.mark.parametrize(
    ("begins_h_ago", "trouble"), [(-20, None), (5, None), (7, "stuck"), ("soon", "stuck"), (None, "stuck")]
)
def test_a_timed_task_is_stuck_when_it_should_have_begun(cloud: LocalCloud, begins_h_ago: Any, trouble: Any) -> None:
    """BeginTime is of the account's zone. One that cannot be read is none."""
    text = local(begins_h_ago) if isinstance(begins_h_ago, int) else begins_h_ago
    keep(row(1, TO_START, updated_h=100, TaskType=2, TimedParam={"BeginTime": text}))
    assert troubles() == [("1", trouble)]


@pytest.mark.parametrize(("updated_h", "trouble"), [(29, None), (31, "stuck")])
def test_a_recurring_task_rests_between_its_rounds(cloud: LocalCloud, updated_h: int, trouble: str | None) -> None:
    cycle = {"BeginTime": local(200), "IntervalTime": 24, "TermCycle": 0}
    keep(row(1, TO_START, updated_h=updated_h, TaskType=3, CycleParam=cycle))
    assert troubles() == [("1", trouble)]


def test_what_changed_lately_is_a_sign_of_life(cloud: LocalCloud) -> None:
    """Also on the day before; that a task appeared in the list is none."""
    keep(row(1, SENDING, updated_h=9), row(2, SENDING, updated_h=9), row(3, SENDING, updated_h=9))
    keep_changes(change(1, 2, counts(5, 3), counts(5, 9)), change(3, 2, None, counts(5, 9)))
    keep_changes(change(2, 5, counts(5, 3), counts(5, 9)), day="2026-11-19")
    assert troubles() == [("3", "stuck"), ("1", None), ("2", None)]
    assert [len(task["history"]) for task in write_report()["tasks"]] == [1, 1, 0]


def test_the_history_of_the_day_is_told_and_shown(cloud: LocalCloud) -> None:
    keep(row(1, FAILED, ErrMsg=SCRIPT), row(2, DONE))
    keep_changes(
        change(1, 3, None, counts(1, 0)),
        change(2, 3, counts(5, 3), counts(10, 20)),
        change(1, 2, counts(1, 0), counts(7, 3, SCRIPT)),
    )
    failed, done = write_report()["tasks"]
    assert [one["what"] for one in failed["history"]] == ["to start", f"to start → error; sent 0 → 3; {SCRIPT}"]
    assert failed["history"][1]["before"] == counts(1, 0)
    assert [one["change"] for one in done["history"]] == ["changed"]
    elements = Elements(page())
    assert elements.tags <= ONLY
    assert elements.attributes <= {"lang", "charset", "name", "content", "class"}
    assert '<b class="bad">failed</b>' in page()
    assert f"{iso(LISTED - 2 * HOUR_S)} to start → error; sent 0 → 3; {SCRIPT}" in elements.text
    assert "sending → done" not in elements.text  # what went well is not told at length


def test_an_ordinary_list_shows_no_trouble(cloud: LocalCloud) -> None:
    """As the snapshot takes it: a task of tomorrow, and one that is done."""
    schedule_task("of tomorrow")
    cloud.seed(day=DAY, messages=0, tasks=3, sendcloud=0, seed=1)
    run("snapshot", timer(DAY), time_limit_s=900)
    tasks = write_report()["tasks"]
    assert len(tasks) == 4
    assert {task["trouble"] for task in tasks if task["status"] in (TO_START, DONE)} == {None}
