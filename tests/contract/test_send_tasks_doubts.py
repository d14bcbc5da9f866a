"""A task to a list that others use, of which nobody heard: only what can be nobody else's proves it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.send.bulk import journal
from localcloud.exchange import Dropped
from shared.trail.layout import UNCERTAIN_TASKS_PREFIX, sent_task_key
from shared.trail.records import iso
from shared.trail.store import StoreError
from tests.closed_hours import Killed, trail
from tests.handlers import bucket, records, run, timer
from tests.task_making import TASK, look_up, mailed, make, move_waits, tasks, until_sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud import LocalCloud

SHARED = {**{name: value for name, value in TASK.items() if name != "recipients"}, "receiver_id": 123}
OTHER = {**SHARED, "subject": "Something else"}


@pytest.fixture(autouse=True)
def _waits(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    move_waits(cloud, monkeypatch)


def lose(cloud: LocalCloud, body: Any = SHARED, *, key: str = "lost", arrives: bool = True) -> None:
    """Make a task whose answer nobody hears, or whose request never arrives."""
    kind = "drop_response" if arrives else "drop_request"
    cloud.add_faults({"service": "ses", "action": "BatchSendEmail", "kind": kind, "times": 1})
    assert make(body, key=key).status == 504
    cloud.clear_faults()


def by_somebody(cloud: LocalCloud, body: Any = SHARED) -> None:
    """Make a task that no bucket of ours knows of."""
    assert make(body, key=f"somebody's {cloud.clock.now()}").status == 202
    for line in records("state/send/tasks/"):
        trail().delete(sent_task_key(line["task_id"]))
    for key in bucket(UNCERTAIN_TASKS_PREFIX):
        trail().delete(key)


def tell(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]) -> None:
    """Let SES tell its tasks in another way."""
    dispatch = cloud.ses.dispatch

    def changed(request: Any) -> Any:
        response = dispatch(request)
        if cloud.ses.action_of(request) != "ListSendTasks":
            return response
        told = json.loads(response.body)
        change(told["Response"])
        return replace(response, body=json.dumps(told).encode())

    monkeypatch.setattr(cloud.ses, "dispatch", changed)


def test_the_only_task_that_says_the_same_at_that_time_is_it(cloud: LocalCloud) -> None:
    lose(cloud)
    (task,) = tasks(cloud)
    assert make(SHARED, key="lost").body["code"] == "outcome_uncertain", (
        "listings may not show yet who else is in doubt"
    )
    cloud.advance(301)
    answer = make(SHARED, key="lost")
    assert (answer.status, answer.body["task_id"], answer.body["duplicate"]) == (202, str(task["task_id"]), True)
    assert records("state/send/tasks/")[0]["task_id"] == str(task["task_id"])


def test_tasks_of_other_days_are_none_of_it(cloud: LocalCloud) -> None:
    """The same newsletter to the same list a week ago: half an hour later it is proven that this one was not taken."""
    by_somebody(cloud)
    cloud.advance(7 * 86400)
    lose(cloud, arrives=False)
    cloud.advance(1801)
    assert make(SHARED, key="lost").status == 202
    assert len(tasks(cloud)) == 2


@pytest.mark.parametrize("body", [SHARED, OTHER], ids=["the same", "another"])
@pytest.mark.parametrize("arrives", [True, False])
def test_with_somebody_elses_task_to_the_list_nothing_is_proven(cloud: LocalCloud, body: Any, *, arrives: bool) -> None:
    """It stays uncertain, for good: it is never guessed, and never made again."""
    by_somebody(cloud, body)
    cloud.advance(200)
    lose(cloud, arrives=arrives)
    for wait_s in (100, 1801, 36000):
        cloud.advance(wait_s)
        assert make(SHARED, key="lost").body["code"] == "outcome_uncertain"
        assert look_up("lost").body["state"] == "uncertain"
    assert len(tasks(cloud)) == 1 + arrives


def test_a_task_that_another_key_has_is_not_taken_for_it(cloud: LocalCloud) -> None:
    assert make(SHARED, key="one").status == 202
    lose(cloud, arrives=False)
    assert make(SHARED, key="lost").body["code"] == "outcome_uncertain"
    cloud.advance(1801)
    answer = make(SHARED, key="lost")
    assert (answer.status, answer.body["duplicate"]) == (202, False)
    assert len(tasks(cloud)) == 2


def test_of_two_that_are_lost_at_once_neither_is_guessed(cloud: LocalCloud) -> None:
    lose(cloud, key="one")
    lose(cloud, key="two")
    for key in ("one", "two"):
        cloud.advance(1801)
        assert make(SHARED, key=key).body["code"] == "outcome_uncertain"
    assert len(tasks(cloud)) == 2


def test_a_task_with_other_variables_is_another_keys(cloud: LocalCloud) -> None:
    """Two that differ in their data alone, and one reached SES: the other does not take it for its own."""
    lose(cloud, {**SHARED, "template": {"id": 100091, "data": {"code": "1"}}}, key="one")
    lose(cloud, {**SHARED, "template": {"id": 100091, "data": {"code": "2"}}}, key="two", arrives=False)
    cloud.advance(301)
    assert make({**SHARED, "template": {"id": 100091, "data": {"code": "2"}}}, key="two").status == 409
    answer = make({**SHARED, "template": {"id": 100091, "data": {"code": "1"}}}, key="one")
    assert (answer.status, answer.body["duplicate"]) == (202, True)
    assert len(tasks(cloud)) == 1


def in_hours(cloud: LocalCloud, hours: int) -> str:
    return iso(cloud.clock.now() + hours * 3600)


@pytest.mark.parametrize(
    "differs",
    [
        lambda _: {"from": "Acme <sales@mail.example.com>"},
        lambda cloud: {"when": {"at": in_hours(cloud, 34)}},
        lambda cloud: {"when": {"begin": in_hours(cloud, 10), "every_hours": 24, "until_stopped": True}},
    ],
    ids=["the sender", "the time", "that it repeats itself"],
)
def test_what_differs_in_one_thing_is_another_keys(
    cloud: LocalCloud, differs: Callable[[LocalCloud], dict[str, Any]]
) -> None:
    """One reached SES and one did not, a moment apart: each key ends as the truth is, whoever asks first."""
    one = {**SHARED, "when": {"at": in_hours(cloud, 10)}}
    two = {**one, **differs(cloud)}
    lose(cloud, one, key="one")
    lose(cloud, two, key="two", arrives=False)
    cloud.advance(301)
    assert make(two, key="two").body["code"] == "outcome_uncertain"
    assert make(one, key="one").body["duplicate"] is True
    cloud.advance(1801)
    assert make(one, key="one").body["task_id"] == "1"
    answer = make(two, key="two")
    assert (answer.status, answer.body["duplicate"], answer.body["task_id"]) == (202, False, "2")
    assert [task["task_id"] for task in tasks(cloud)] == [1, 2]


@pytest.mark.parametrize("sender", ["presales@mail.example.com", "Sales@mail.example.com"])
def test_a_sender_is_an_address_and_not_a_part_of_one(cloud: LocalCloud, sender: str) -> None:
    """Nor are capitals another address: of two that may be one, neither is guessed."""
    lose(cloud, {**SHARED, "from": f"Acme <{sender}>"}, key="one")
    lose(cloud, {**SHARED, "from": "Acme <sales@mail.example.com>"}, key="two", arrives=False)
    cloud.advance(301)
    assert make({**SHARED, "from": "Acme <sales@mail.example.com>"}, key="two").body["code"] == "outcome_uncertain"
    assert len(tasks(cloud)) == 1


def test_an_announcement_whose_claim_failed_does_not_stand_for_the_next(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a name of its own: by an old one the next attempt would look as if it had been made long ago."""

    def fail(*_: object, **__: object) -> None:
        raise StoreError("create", "ServiceUnavailable", status=503, retry_safe=True)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "take", fail)
        assert make(SHARED, key="one").status == 503
    cloud.advance(300)
    lose(cloud, key="one")
    cloud.advance(20)
    lose(cloud, key="two", arrives=False)
    cloud.advance(301)
    assert make(SHARED, key="two").body["code"] == "outcome_uncertain"
    assert len(tasks(cloud)) == 1


def test_the_timer_takes_no_announcement_away_whose_claim_is_just_being_made(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where an older one of the same attempt is over."""
    take = journal.take

    def die(*_: object, **__: object) -> None:
        raise Killed

    def take_late(*given: Any, **named: Any) -> Any:
        run("snapshot", timer(), time_limit_s=900)
        return take(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "take", die)
        with pytest.raises(Killed):
            make(SHARED, key="one")
    cloud.advance(1000)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "take", take_late)
        lose(cloud, key="one")
    assert len(bucket(UNCERTAIN_TASKS_PREFIX)) == 1


@pytest.mark.parametrize("first", ["one", "two"])
def test_of_two_that_say_the_same_and_one_that_arrived_neither_is_guessed(cloud: LocalCloud, first: str) -> None:
    """Whoever took the only task for its own would leave the other to be sent again."""
    lose(cloud, key="one", arrives=first == "one")
    lose(cloud, key="two", arrives=first == "two")
    for wait_s in (301, 1801, 86400, 86400):
        cloud.advance(wait_s)
        for key in ("one", "two"):
            assert make(SHARED, key=key).body["code"] == "outcome_uncertain"
    assert len(tasks(cloud)) == 1


def test_the_task_of_one_whose_function_died_is_not_taken_for_another_keys(cloud: LocalCloud) -> None:
    """It is noted before SES is called: nobody lives to note it afterwards."""
    dispatch = cloud.dispatch

    def dying(service: str, request: Any, **options: Any) -> Any:
        answer = dispatch(service, request, **options)
        if cloud.services[service].action_of(request) == "BatchSendEmail":
            raise Killed
        return answer

    cloud.dispatch = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        make(SHARED, key="dead")
    cloud.dispatch = dispatch  # type: ignore[method-assign]
    lose(cloud, arrives=False)
    cloud.advance(301)
    assert make(SHARED, key="lost").body["code"] == "outcome_uncertain"
    assert len(tasks(cloud)) == 1


def test_in_another_zone_than_assumed_nothing_is_proven_either_way(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In which zone CreateTime is, SES does not say: hours off, a task is not ours for sure, and not absent either."""
    monkeypatch.setenv("MAILTRAIL_UTC_OFFSET", "-05:00")
    lose(cloud)
    cloud.advance(1801)
    assert make(SHARED, key="lost").body["code"] == "outcome_uncertain"
    assert len(tasks(cloud)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["Data"][0].pop("ReceiverId"),
        lambda told: told["Data"][0].pop("TaskId"),
        lambda told: told.update(TotalCount=101, Data=[]),
        lambda told: told.update(Data=None),
        lambda told: told["Data"][0].update(CreateTime="yesterday"),
        lambda told: told["Data"][0].update(TaskType="1"),
        lambda told: told["Data"][0].update(Template=None),
        lambda told: told["Data"][0]["Template"].update(TemplateData="{"),
        lambda told: told.update(Error={"Code": "InternalError", "Message": ""}),
        lambda told: told.update(Data="none"),
    ],
)
def test_a_list_of_tasks_that_cannot_be_read_proves_nothing(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]
) -> None:
    """Not that the task is there, and above all not that it is absent."""
    lose(cloud)
    tell(cloud, monkeypatch, change)
    cloud.advance(1801)
    assert make(SHARED, key="lost").body["code"] == "outcome_uncertain"
    assert len(tasks(cloud)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["Data"][0].pop("ReceiverId"),
        lambda told: told.update(TotalCount=101, Data=[]),
        lambda told: told.update(Error={"Code": "InternalError", "Message": ""}),
    ],
)
def test_nor_of_a_list_of_its_own(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]
) -> None:
    lose(cloud, TASK)
    with monkeypatch.context() as patch:
        tell(cloud, patch, change)
        cloud.advance(1801)
        assert make(TASK, key="lost").body["code"] == "outcome_uncertain"
    assert make(TASK, key="lost").status == 202
    assert len(tasks(cloud)) == 1


def test_a_filter_that_is_not_honoured_does_not_make_others_tasks_ours(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SES tells of all tasks: of another list's none is taken, and the own one is found among them."""
    assert make(OTHER, key="other").status == 202
    lose(cloud, TASK)
    dispatch = cloud.ses.dispatch

    def unfiltered(request: Any) -> Any:
        if cloud.ses.action_of(request) == "ListSendTasks":
            told = dispatch(request)
            rows = json.loads(told.body)
            others = [{**rows["Response"]["Data"][0], "TaskId": 999, "ReceiverId": 123}]
            rows["Response"].update(TotalCount=2, Data=[*others, *rows["Response"]["Data"]])
            return replace(told, body=json.dumps(rows).encode())
        return dispatch(request)

    monkeypatch.setattr(cloud.ses, "dispatch", unfiltered)
    assert make(TASK, key="lost").body["task_id"] == str(tasks(cloud)[1]["task_id"])


_mishaps = st.lists(
    st.tuples(
        st.integers(0, 45),
        st.sampled_from(["die before", "die after", "request lost", "answer lost", "throttled", "failed inside"]),
        st.sampled_from([0, 5, 31, 700, 1900]),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mishaps=_mishaps)
def test_whatever_befalls_whichever_requests_a_task_is_made_once(
    cloud: LocalCloud, mishaps: list[tuple[int, str, int]]
) -> None:
    """Any sequence of deaths, losses and refusals at any requests: one task in the end, each recipient mailed once."""
    story = f"{cloud.clock.now()}"
    people = [f"{index}.{abs(hash(story))}@example.com" for index in range(3)]
    body = {**TASK, "subject": f"Story {story}", "recipients": people}
    dispatch = cloud.dispatch
    for number, mishap, wait_s in mishaps:
        cloud.dispatch = befalling(cloud, dispatch, number, mishap)  # type: ignore[method-assign]
        try:
            make(body, key=story)
        except Killed:
            pass
        finally:
            cloud.dispatch = dispatch  # type: ignore[method-assign]
        cloud.advance(wait_s)
    assert until_sent(cloud, body, key=story)[-1].status == 202
    cloud.advance(60)
    assert [task["subject"] for task in tasks(cloud)].count(body["subject"]) == 1
    everybody = mailed(cloud)
    assert [everybody[person] for person in people] == [1, 1, 1]


def befalling(cloud: LocalCloud, dispatch: Callable[..., Any], number: int, mishap: str) -> Callable[..., Any]:
    """Wrap ``dispatch``: something befalls its request ``number``, from 0; who died stays dead."""
    seen = 0

    def befallen(service: str, request: Any, **options: Any) -> Any:
        nonlocal seen
        mine, seen = seen, seen + 1
        if mine < number or (mine > number and not mishap.startswith("die")):
            return dispatch(service, request, **options)
        if mine == number and mishap in ("die after", "answer lost"):
            dispatch(service, request, **options)
        if mishap.startswith("die"):
            raise Killed
        if mishap.endswith("lost"):
            raise Dropped
        code = "RequestLimitExceeded" if mishap == "throttled" else "InternalError"
        status = 200 if service == "ses" else 503
        return cloud.services[service].error_response(request, code, status)

    return befallen
