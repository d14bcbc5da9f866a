"""A task whose requests die, whose answers get lost or which others repeat at the same time is made once, or never."""

from __future__ import annotations

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from functions.send.bulk import lists, uploads
from localcloud.exchange import Dropped
from tests.closed_hours import Killed, die_at
from tests.task_making import KEY, TASK, look_up, mailed, make, move_waits, receiver_lists, tasks, until_sent

if TYPE_CHECKING:
    from localcloud import LocalCloud

PEOPLE = 7
CHUNK = 3
"""Three chunks."""


@pytest.fixture(autouse=True)
def _small(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let seven recipients be three uploads."""
    move_waits(cloud, monkeypatch)
    monkeypatch.setattr(uploads, "CHUNK_PEOPLE", CHUNK)


def story(number: int) -> tuple[str, dict[str, Any]]:
    """Return a key and a task of its own, to people of its own."""
    people = [f"s{number}-p{person}@example.com" for person in range(PEOPLE)]
    return f"story-{number}", {**TASK, "recipients": people, "subject": f"Story {number}"}


def requests_of_a_task(cloud: LocalCloud, calls: list[str]) -> int:
    """Count the requests of a task that nothing befalls, from its claim on: what the guard asks before is known then."""
    key, body = story(1000)
    calls.clear()
    assert make(body, key=key).status == 202
    return len(calls) - calls.index("cos:PutObject")


def judge(cloud: LocalCloud, stories: int) -> None:
    """Each story's task exists once, and each of its people was mailed once; no list but those mailed is left."""
    cloud.advance(100)
    subjects = [task["subject"] for task in tasks(cloud)]
    assert sorted(subjects) == sorted({*(f"Story {number}" for number in range(stories)), "Story 1000"})
    assert {task["status"] for task in tasks(cloud)} == {10}
    everybody = mailed(cloud)
    assert set(everybody.values()) == {1}
    assert len(everybody) == PEOPLE * (stories + 1)


def test_a_death_at_any_request_is_gone_on_from(cloud: LocalCloud, calls: list[str]) -> None:
    """Before any request takes effect, which is after the one before it did, and nobody heard the answer.

    Whoever repeats as the answers say ends with one task, and each recipient is mailed once.
    """
    last, dispatch = requests_of_a_task(cloud, calls), cloud.dispatch
    assert last > 40
    for number in range(last):
        key, body = story(number)
        cloud.dispatch = die_at(number, after=False, dispatch=dispatch)  # type: ignore[method-assign]
        with pytest.raises(Killed):
            make(body, key=key)
        cloud.dispatch = dispatch  # type: ignore[method-assign]
        assert until_sent(cloud, body, key=key)[-1].status == 202
    judge(cloud, last)


def test_deaths_one_after_the_other_are_gone_on_from(cloud: LocalCloud, calls: list[str]) -> None:
    """Every request of one task dies a little later than the one before it."""
    last, dispatch = requests_of_a_task(cloud, calls), cloud.dispatch
    key, body = story(0)
    for number in range(last):
        cloud.dispatch = die_at(number, after=number % 2 == 0, dispatch=dispatch)  # type: ignore[method-assign]
        try:
            answer = make(body, key=key)
        except Killed:
            answer = None
        cloud.dispatch = dispatch  # type: ignore[method-assign]
        if answer is not None and answer.status == 202:
            break
        cloud.advance(300)
    assert until_sent(cloud, body, key=key)[-1].status == 202
    judge(cloud, 1)


@pytest.mark.parametrize("acts", [True, False], ids=["answer lost", "request lost"])
@pytest.mark.parametrize("service", ["ses", "cos"])
def test_a_connection_that_breaks_at_any_request_changes_nothing(
    cloud: LocalCloud, calls: list[str], service: str, *, acts: bool
) -> None:
    """At SES and at COS, whether the service acted or not: one task, each recipient mailed once."""
    last, dispatch = requests_of_a_task(cloud, calls), cloud.dispatch
    stories = 0
    for number in range(last):
        seen = itertools.count()
        hit: list[str] = []

        def breaking(
            name: str, request: Any, number: int = number, seen: Any = seen, hit: Any = hit, **options: Any
        ) -> Any:
            if next(seen) != number or name != service:
                return dispatch(name, request, **options)
            hit.append(name)
            if acts:
                dispatch(name, request, **options)
            raise Dropped

        key, body = story(stories)
        cloud.dispatch = breaking  # type: ignore[method-assign]
        make(body, key=key)
        cloud.dispatch = dispatch  # type: ignore[method-assign]
        assert until_sent(cloud, body, key=key)[-1].status == 202
        stories += 1
    judge(cloud, stories)


@pytest.mark.parametrize("code", ["InternalError", "RequestLimitExceeded", "FailedOperation.ServiceNotAvailable"])
@pytest.mark.parametrize(
    "action", ["CreateReceiver", "CreateReceiverDetail", "ListReceivers", "BatchSendEmail", "ListSendTasks"]
)
def test_whatever_ses_answers_at_any_step_the_task_is_made_once(cloud: LocalCloud, action: str, code: str) -> None:
    """Once, and for as long as one request tries."""
    for number, times in enumerate((1, 3)):
        cloud.add_faults({"service": "ses", "action": action, "kind": "error", "code": code, "times": times})
        key, body = story(number)
        assert until_sent(cloud, body, key=key)[-1].status == 202
        cloud.clear_faults()
    key, body = story(1000)
    assert make(body, key=key).status == 202
    judge(cloud, 2)


def test_an_upload_in_doubt_costs_its_list_and_nobody_a_second_mail(cloud: LocalCloud, calls: list[str]) -> None:
    """The chunk had arrived: the next list is filled and mailed, and the one in doubt is deleted at SES."""
    cloud.add_faults({"service": "ses", "action": "CreateReceiverDetail", "kind": "drop_response", "times": 1})
    answer = make()
    assert answer.status == 202
    assert calls.count("ses:CreateReceiver") == 2
    (name,) = receiver_lists(cloud)
    assert name.endswith("-1")
    cloud.advance(10)
    assert set(mailed(cloud).values()) == {1}


def test_a_chunk_that_arrives_late_arrives_in_a_list_that_nobody_mails(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request was held up on its way: it comes when the task is made already."""
    dispatch, held = cloud.dispatch, []

    def hold(service: str, request: Any, **options: Any) -> Any:
        if service == "ses" and not held and cloud.ses.action_of(request) == "CreateReceiverDetail":
            held.append(request)
            raise Dropped
        return dispatch(service, request, **options)

    monkeypatch.setattr(cloud, "dispatch", hold)
    assert make().status == 202
    dispatch("ses", held[0])
    cloud.advance(10)
    assert set(mailed(cloud).values()) == {1}
    assert len(tasks(cloud)) == 1


def test_a_relay_that_repeats_every_upload_gets_no_list_mailed(cloud: LocalCloud, calls: list[str]) -> None:
    """SES counts more than were uploaded: of no list it can be proven that it holds everybody once, so none is sent."""
    cloud.add_faults({"service": "ses", "action": "CreateReceiverDetail", "kind": "duplicate", "copies": 2})
    answer = make()
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (502, "list_unproven", False)
    assert "ses:BatchSendEmail" not in calls
    cloud.clear_faults()
    assert make().body["code"] == "list_unproven"
    assert tasks(cloud) == []
    assert look_up().body["state"] == "preparing"


def test_what_nobody_heard_of_is_never_made_again_before_it_is_proven_that_ses_has_it_not(
    cloud: LocalCloud, calls: list[str]
) -> None:
    """For half an hour ``uncertain``; then, as SES does not list it, a repeat makes it."""
    cloud.add_faults({"service": "ses", "action": "BatchSendEmail", "kind": "drop_request", "times": 1})
    first = make()
    assert (first.status, first.body["code"], first.body["outcome"]) == (504, "upstream_no_answer", "unknown")
    for _ in range(3):
        again = make()
        assert (again.status, again.body["code"], again.body["retry_safe"]) == (409, "outcome_uncertain", False)
        assert int(again.headers["Retry-After"]) > 0
        assert look_up().body["state"] == "uncertain"
        cloud.advance(590)
    assert calls.count("ses:BatchSendEmail") == 1
    cloud.advance(60)
    seen = look_up().body
    assert (seen["state"], seen["code"], seen["retry_safe"]) == ("refused", "not_accepted", True)
    assert make().status == 202
    assert calls.count("ses:BatchSendEmail") == 2
    assert len(tasks(cloud)) == 1


def test_a_task_whose_answer_got_lost_is_found_by_its_list(cloud: LocalCloud, calls: list[str]) -> None:
    """The list is this task's alone, so a task to it is this one: known at the next request."""
    cloud.add_faults({"service": "ses", "action": "BatchSendEmail", "kind": "drop_response", "times": 1})
    assert make().status == 504
    again = make()
    (task,) = tasks(cloud)
    assert again.status == 202
    assert (again.body["task_id"], again.body["duplicate"]) == (str(task["task_id"]), True)
    assert again.body["resolved_by"] == "task"
    assert (again.body["recipients"], look_up().body["task_id"]) == (5, str(task["task_id"]))
    assert calls.count("ses:BatchSendEmail") == 1


def test_a_task_that_ses_shows_after_all_is_not_made_again(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an hour was not enough: what was found out is wrong, and seen to be before the next call."""
    cloud.add_faults({"service": "ses", "action": "BatchSendEmail", "kind": "drop_response", "times": 1})
    assert make().status == 504
    dispatch, hidden = cloud.ses.dispatch, [True]

    def hide(request: Any) -> Any:
        response = dispatch(request)
        if hidden and cloud.ses.action_of(request) == "ListSendTasks":
            return cloud.ses.error_response(request, "InternalError", 200) if not hidden[0] else _empty(response)
        return response

    monkeypatch.setattr(cloud.ses, "dispatch", hide)
    cloud.advance(1801)
    assert look_up().body["code"] == "not_accepted"
    hidden.clear()
    answer = make()
    (task,) = tasks(cloud)
    assert (answer.status, answer.body["task_id"]) == (202, str(task["task_id"]))


def _empty(response: Any) -> Any:
    from dataclasses import replace  # noqa: PLC0415 - one test's

    told = json.loads(response.body)
    told["Response"].update(TotalCount=0, Data=[])
    return replace(response, body=json.dumps(told).encode())


@pytest.mark.parametrize("wait_s", [0, 31])
def test_another_request_in_the_middle_of_one_changes_nothing(
    cloud: LocalCloud, calls: list[str], wait_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any request of one, the same is asked again, by somebody who may take the first for dead; then it goes on.

    The second is stopped while it waits for its list, so that the first is usually the one that sends.
    """
    last, dispatch = requests_of_a_task(cloud, calls), cloud.dispatch
    for number in range(last):
        key, body = story(number)
        seen = itertools.count()

        def interrupt(name: str, request: Any, number: int = number, seen: Any = seen, **options: Any) -> Any:
            if next(seen) == number:
                cloud.advance(wait_s)
                cloud.dispatch = dispatch  # type: ignore[method-assign]
                with monkeypatch.context() as patch:
                    patch.setattr(lists, "MOST_WAIT_S", 0.0)
                    others.append(make(body, key=key))  # noqa: B023 - called at once
            return dispatch(name, request, **options)

        others: list[Any] = []
        cloud.dispatch = interrupt  # type: ignore[method-assign]
        answers = [make(body, key=key), *others]
        cloud.dispatch = dispatch  # type: ignore[method-assign]
        assert len(others) == 1
        assert all(answer.status == 202 or answer.body["retry_safe"] or "outcome" in answer.body for answer in answers)
        assert until_sent(cloud, body, key=key)[-1].status == 202
    judge(cloud, last)


@pytest.mark.parametrize("claim", ["forbid-overwrite", "append"])
def test_sixteen_at_once_make_one_task(
    cloud: LocalCloud, calls: list[str], claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who loses is told to come again; nobody else reaches BatchSendEmail."""
    monkeypatch.setenv("MAILTRAIL_CLAIM", claim)
    start = threading.Barrier(16)

    def one(_: int) -> Any:
        start.wait()
        return make()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(16)))
    assert {answer.status for answer in answers} <= {202, 409, 503}
    assert all(answer.status == 202 or answer.body["retry_safe"] for answer in answers)
    assert until_sent(cloud)[-1].status == 202
    assert calls.count("ses:BatchSendEmail") == 1
    cloud.advance(10)
    assert set(mailed(cloud).values()) == {1}


def test_another_body_under_the_key_is_a_conflict_and_makes_nothing(cloud: LocalCloud, calls: list[str]) -> None:
    assert make().status == 202
    answer = make({**TASK, "subject": "Other news"})
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (409, "idempotency_conflict", False)
    assert len(tasks(cloud)) == 1
    assert calls.count("ses:CreateReceiver") == 1
    assert KEY == "newsletter-42"


def test_a_bucket_that_is_down_means_503_and_nothing_made(cloud: LocalCloud, calls: list[str]) -> None:
    cloud.add_faults({"service": "cos", "kind": "error", "status": 503, "code": "ServiceUnavailable"})
    answer = make(time_limit_s=1.5)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "trail_unavailable", True)
    assert not any(call.startswith("ses:") for call in calls)
    cloud.clear_faults()
    assert make().status == 202
