"""The task list in full, once an hour, and what changed since: a task's history, which SES does not tell."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.snapshot import handler as snapshot
from functions.snapshot.pace import Pace
from functions.snapshot.rounds import LEASE_S
from tests.closed_hours import Killed
from tests.handlers import bucket, records, run, timer

if TYPE_CHECKING:
    from localcloud import LocalCloud

DAY = "2026-11-20"


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass while the function waits for its turn."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def pace(rate: float, **options: Any) -> Pace:
        return Pace(rate, monotonic=lambda: now[0], sleep=sleep, **options)

    monkeypatch.setattr(snapshot, "Pace", pace)


def take() -> dict[str, Any]:
    """Run the timer's function for no day at all."""
    result = run("snapshot", {**timer(), "Message": '{"days": []}'}, time_limit_s=900)
    (told,) = [one for one in result["snapshots"] if one["source"] == "tasks"]
    return dict(told)


def change(cloud: LocalCloud, task_id: str, **columns: Any) -> None:
    """Let SES do something with a task."""
    sets = ", ".join(f"{name} = ?" for name in columns)
    cloud.ses._account.database.write(f"UPDATE task SET {sets} WHERE task_id = ?", (*columns.values(), int(task_id)))  # noqa: S608


def test_what_changed_between_two_lists_is_kept_with_before_and_after(cloud: LocalCloud) -> None:
    cloud.seed(day=DAY, messages=0, tasks=3, sendcloud=0, seed=1)
    assert take()["changes"] == 3
    assert {line["change"] for line in records("task-changes/")} == {"appeared"}
    first, second, _ = sorted(line["task_id"] for line in records("task-changes/"))
    known = {line["task_id"]: line["after"] for line in records("task-changes/")}
    change(cloud, first, status=7, err_msg="daily quota exceeded")
    change(cloud, second, updated_at=cloud.clock.now())  # it says nothing else, so nothing changed
    cloud.advance(3600)
    told = take()
    assert (told["rows"], told["changes"], told["drifted"]) == (3, 1, False)
    *_, (key, body) = bucket("task-changes/").items()
    assert key == told["key"].replace("tasks/", "task-changes/")
    line = json.loads(body)
    assert {name: line[name] for name in ("v", "task_id", "change", "before")} == {
        "v": 1,
        "task_id": first,
        "change": "changed",
        "before": known[first],
    }
    assert line["after"] == known[first] | {"status": 7, "error": "daily quota exceeded"}


def test_within_an_hour_the_last_list_stands(cloud: LocalCloud, calls: list[str]) -> None:
    """A timer that is doubled, or repeated by the platform, changes nothing."""
    cloud.seed(day=DAY, messages=0, tasks=3, sendcloud=0, seed=1)
    first, before = take(), bucket("tasks/")
    cloud.advance(900)
    calls.clear()
    assert take() == first | {"changes": 0}
    assert bucket("tasks/") == before
    assert "ses:ListSendTasks" not in calls


def test_a_list_that_grows_while_it_is_paged_is_paged_again(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """TotalCount tells it: the newest come first, so each new task pushes one over the edge of the page."""
    cloud.seed(day=DAY, messages=0, tasks=250, sendcloud=0, seed=1)
    dispatch, asked = cloud.dispatch, []

    def grow(service: str, request: Any, **options: Any) -> Any:
        response = dispatch(service, request, **options)
        if service == "ses":
            asked.append(json.loads(request.body)["Offset"])
            if len(asked) <= 3:
                cloud.ses.seed(day=DAY, messages=0, tasks=1, seed=len(asked))
        return response

    monkeypatch.setattr(cloud, "dispatch", grow)
    told = take()
    assert (told["rows"], told["total"], told["drifted"]) == (253, 253, False)
    assert asked == [0, 100, 200, 0, 100, 200]
    assert len({line["task_id"] for line in records("tasks/")}) == 253


def test_a_list_that_never_comes_to_its_total_is_told_of(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was met is kept; three times is enough."""
    cloud.seed(day=DAY, messages=0, tasks=5, sendcloud=0, seed=1)
    dispatch, asked = cloud.dispatch, []

    def lie(service: str, request: Any, **options: Any) -> Any:
        response = dispatch(service, request, **options)
        if service == "ses":
            asked.append(request)
            told = json.loads(response.body)
            told["Response"]["TotalCount"] += 1
            return replace(response, body=json.dumps(told).encode())
        return response

    monkeypatch.setattr(cloud, "dispatch", lie)
    told = take()
    assert (told["rows"], told["total"], told["drifted"]) == (5, 6, True)
    assert len(asked) == 3
    assert len(records("tasks/")) == 5


def test_a_death_between_the_objects_of_one_run_tells_the_same_changes_again(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is skipped: until the list is noted, the next run compares with the one before it."""
    cloud.seed(day=DAY, messages=0, tasks=2, sendcloud=0, seed=1)
    take()
    (task_id, _) = sorted(line["task_id"] for line in records("tasks/"))
    change(cloud, task_id, status=6)
    cloud.advance(3600)
    dispatch = cloud.dispatch

    def die(service: str, request: Any, **options: Any) -> Any:
        if request.method == "PUT" and request.path.startswith("/tasks/"):
            raise Killed
        return dispatch(service, request, **options)

    with monkeypatch.context() as patch:
        patch.setattr(cloud, "dispatch", die)
        with pytest.raises(Killed):
            take()
    cloud.advance(LEASE_S)
    assert take()["changes"] == 1
    told = [line for line in records("task-changes/") if line["change"] == "changed"]
    assert [(line["task_id"], line["after"]["status"]) for line in told] == [(task_id, 6)] * 2
