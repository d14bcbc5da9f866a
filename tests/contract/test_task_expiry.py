"""Keys of bulk tasks that are forgotten in the end, and at no instant of that is a task made twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.report.maintenance import work_on
from functions.report.task_expiry import TASK_KEYS_LAST_S, expire_tasks
from functions.send.ledger import key_hash
from localcloud import defaults
from shared.trail.layout import TASKS_LEDGER_PREFIX
from tests.closed_hours import Killed, die_at, trail
from tests.handlers import bucket, run
from tests.task_making import KEY, TASK, look_up, make, move_waits, tasks

if TYPE_CHECKING:
    from localcloud import LocalCloud

OLD_S = TASK_KEYS_LAST_S + 3600
DAY_S = 86400


@pytest.fixture(autouse=True)
def _waits(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    move_waits(cloud, monkeypatch)


def expire(cloud: LocalCloud) -> dict[str, Any]:
    """Go through the ledger of tasks, with time enough."""
    return expire_tasks(work_on(trail(), cloud.clock.now, defaults.UTC_OFFSET_S, lambda: 600.0))


def test_a_key_is_remembered_for_a_month_and_then_gone_without_a_rest(cloud: LocalCloud) -> None:
    first = make()
    cloud.advance(TASK_KEYS_LAST_S - 3600)
    assert expire(cloud) == {"walk": "finished", "keys": 0, "objects": 0}
    assert expire(cloud) == {"walk": "done today"}
    assert make().body == {**first.body, "duplicate": True}
    cloud.advance(DAY_S + 7200)
    assert expire(cloud) == {"walk": "finished", "keys": 1, "objects": 0}
    assert look_up().status == 404
    before = set(bucket(TASKS_LEDGER_PREFIX))
    again = make()
    assert (again.status, again.body["duplicate"]) == (202, False)
    cloud.advance(DAY_S)
    assert expire(cloud)["objects"] == len(before)
    assert not before & set(bucket(TASKS_LEDGER_PREFIX))
    assert make().body == {**again.body, "duplicate": True}
    assert len(tasks(cloud)) == 2


def test_the_report_timer_does_it(cloud: LocalCloud) -> None:
    make()
    cloud.advance(OLD_S)
    event = {"Type": "Timer", "TriggerName": "t", "Time": "2026-12-21T08:10:00Z", "Message": '{"days": []}'}
    assert run("report", event, time_limit_s=900)["maintenance"]["task_expiry"]["keys"] == 1
    assert look_up().status == 404


def test_whoever_is_late_finds_that_it_is_over(cloud: LocalCloud) -> None:
    """Who read the claim before it went is about to send, and another has begun the key's next life meanwhile."""
    cloud.add_faults({"service": "ses", "action": "BatchSendEmail", "kind": "throttle"})
    assert make().status == 429
    cloud.clear_faults()
    cloud.advance(OLD_S)
    dispatch, others = cloud.dispatch, []

    def interrupt(service: str, request: Any, **options: Any) -> Any:
        if not others and request.method == "PUT" and request.path.endswith("/send-1.json"):
            cloud.dispatch = dispatch  # type: ignore[method-assign]
            assert expire(cloud)["keys"] == 1
            others.append(make())
        return dispatch(service, request, **options)

    cloud.dispatch = interrupt  # type: ignore[method-assign]
    late = make()
    assert (late.status, late.body["code"]) == (409, "in_flight")
    assert others[0].status == 202
    assert len(tasks(cloud)) == 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("story", ["sent", "throttled", "uncertain"])
def test_a_death_at_any_request_of_expiry_is_gone_on_from(cloud: LocalCloud, story: str, *, after: bool) -> None:
    """Whatever the key is asked meanwhile: no task too many, and in the end nothing of it is left."""
    dispatch, number, is_over = cloud.dispatch, 0, False
    while not is_over:
        key, body = f"key-{number}", {**TASK, "subject": f"Task {number}"}
        if story != "sent":
            kind = {"throttled": "throttle", "uncertain": "drop_response"}[story]
            times = {"throttled": 3, "uncertain": 1}[story]
            cloud.add_faults({"service": "ses", "action": "BatchSendEmail", "kind": kind, "times": times})
        made = [make(body, key=key)]
        cloud.clear_faults()
        cloud.advance(OLD_S)
        cloud.dispatch = die_at(number, after=after, dispatch=dispatch)  # type: ignore[method-assign]
        try:
            expire(cloud)
            is_over = True
        except Killed:
            pass
        cloud.dispatch = dispatch  # type: ignore[method-assign]
        made.append(make(body, key=key))
        fresh = sum(answer.status == 202 and not answer.body["duplicate"] for answer in made)
        known = [task["subject"] for task in tasks(cloud)].count(body["subject"])
        assert known == fresh + (story == "uncertain")
        for _ in range(3):  # the lease of who died runs out, and the walk comes round again
            cloud.advance(DAY_S)
            expire(cloud)
        number += 1
    assert number > 8
    cloud.advance(OLD_S)
    for _ in range(3):
        expire(cloud)
        cloud.advance(DAY_S)
    assert bucket(TASKS_LEDGER_PREFIX) == {}


def test_somebody_elses_file_in_the_ledger_is_left_alone(cloud: LocalCloud) -> None:
    key = f"{TASKS_LEDGER_PREFIX}{key_hash(KEY)}/notes.txt"
    trail().put(key, json.dumps("mine").encode())
    make()
    cloud.advance(OLD_S)
    assert expire(cloud)["keys"] == 1
    cloud.advance(DAY_S)
    expire(cloud)
    assert list(bucket(TASKS_LEDGER_PREFIX)) == [key]
