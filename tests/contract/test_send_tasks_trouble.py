"""A task while SES does not count what was uploaded, lists vanish, or the bucket is down at the worst moment."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.report.maintenance import work_on
from functions.report.task_expiry import expire_tasks
from functions.send import office
from functions.send.bulk import lists, uploads
from localcloud import defaults
from localcloud.exchange import Dropped
from shared.trail.layout import suppression_key
from tests.closed_hours import trail
from tests.task_making import TASK, look_up, mailed, make, move_waits, receiver_lists, tasks, until_sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud import LocalCloud

NO_COS = {"service": "cos", "kind": "error", "status": 503, "code": "ServiceUnavailable"}


@pytest.fixture(autouse=True)
def _waits(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    move_waits(cloud, monkeypatch)
    monkeypatch.setattr(office, "TIME_TO_REMEMBER_S", 0.3)


def tell_lists(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]) -> None:
    """Let SES tell its lists in another way."""
    dispatch = cloud.ses.dispatch

    def changed(request: Any) -> Any:
        response = dispatch(request)
        if cloud.ses.action_of(request) != "ListReceivers":
            return response
        told = json.loads(response.body)
        for row in told["Response"]["Data"]:
            change(row)
        return replace(response, body=json.dumps(told).encode())

    monkeypatch.setattr(cloud.ses, "dispatch", changed)


def after(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, action: str, *rules: dict[str, Any]) -> None:
    """Add fault rules as soon as SES has done something."""
    dispatch = cloud.ses.dispatch

    def then(request: Any) -> Any:
        response = dispatch(request)
        if cloud.ses.action_of(request) == action:
            cloud.add_faults(list(rules))
        return response

    monkeypatch.setattr(cloud.ses, "dispatch", then)


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.update(ReceiversStatus=2),
        lambda row: row.update(Count=4),
        lambda row: row.update(ReceiverId=999),
        lambda row: row.update(ReceiversName="another"),
    ],
    ids=["uploading for ever", "one too few", "another list of that name", "not to be found"],
)
def test_a_list_that_is_never_whole_is_never_mailed(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]
) -> None:
    """For a quarter of an hour it may still become so; after five of them the task is given up, and says so."""
    tell_lists(cloud, monkeypatch, change)
    codes = []
    while "list_unproven" not in codes:
        codes.append(make().body["code"])
        cloud.advance(lists.UPLOAD_LASTS_S)
    assert set(codes) == {"preparing", "list_unproven"}
    assert calls.count("ses:CreateReceiver") == lists.MOST_LISTS
    assert "ses:BatchSendEmail" not in calls


def test_addresses_that_ses_takes_for_none_are_counted(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    tell_lists(cloud, monkeypatch, lambda row: row.update(InvalidCount=2))
    assert make().body["invalid"] == 2


def test_a_list_that_somebody_deletes_meanwhile_is_made_again(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two chunks; in the console, say."""
    monkeypatch.setattr(uploads, "CHUNK_PEOPLE", 3)
    dispatch, seen = cloud.ses.dispatch, []

    def delete(request: Any) -> Any:
        if cloud.ses.action_of(request) == "CreateReceiverDetail":
            seen.append(json.loads(request.body)["ReceiverId"])
            if len(seen) == 2:
                cloud.ses._account.database.write("DELETE FROM receiver WHERE receiver_id = ?", (seen[0],))
        return dispatch(request)

    monkeypatch.setattr(cloud.ses, "dispatch", delete)
    assert make().status == 202
    assert list(receiver_lists(cloud).values()) == [5]
    cloud.advance(10)
    assert set(mailed(cloud).values()) == {1}


@pytest.mark.parametrize(
    "code", [f"OperationDenied.Receiver{what}" for what in ("StatusError", "IsOperating", "NotExist")]
)
def test_a_list_of_ours_that_ses_calls_not_ready_is_waited_for(cloud: LocalCloud, code: str) -> None:
    """It was told to be uploaded: one part of SES knows sooner than another."""
    cloud.add_faults({"service": "ses", "action": "BatchSendEmail", "kind": "error", "code": code, "times": 1})
    answer = make()
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "preparing", True)
    assert look_up().body["state"] == "preparing"
    assert make().body["duplicate"] is False
    assert len(tasks(cloud)) == 1


def test_a_list_of_others_that_is_not_ready_is_refused(cloud: LocalCloud) -> None:
    code = "OperationDenied.ReceiverStatusError"
    cloud.add_faults({"service": "ses", "action": "BatchSendEmail", "kind": "error", "code": code, "times": 1})
    answer = make({**{k: v for k, v in TASK.items() if k != "recipients"}, "receiver_id": 123})
    assert (answer.status, answer.body["code"], answer.body["errors"][0]["field"]) == (409, "conflict", "receiver_id")


def test_a_bucket_that_goes_down_after_acceptance_costs_the_trail_not_the_answer(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The task is made: the caller hears 202. A repeat finds it by its list."""
    with monkeypatch.context() as patch:
        after(cloud, patch, "BatchSendEmail", NO_COS)
        first = make()
    cloud.clear_faults()
    assert first.status == 202
    logged = capsys.readouterr().out
    assert "outcome not kept" in logged
    assert "task not noted" in logged
    cloud.advance(31)
    assert make().body == {**first.body, "request_id": "", "duplicate": True, "resolved_by": "task"}
    assert len(tasks(cloud)) == 1


def test_a_list_that_cannot_be_deleted_costs_nothing(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.add_faults({"service": "ses", "action": "CreateReceiverDetail", "kind": "drop_response", "times": 1})
    cloud.add_faults({"service": "ses", "action": "DeleteReceiver", "kind": "error"})
    assert make().status == 202
    assert "list not deleted" in capsys.readouterr().out
    assert sorted(receiver_lists(cloud).values()) == [5, 5]
    cloud.advance(10)
    assert set(mailed(cloud).values()) == {1}


@pytest.mark.parametrize("heard", [True, False], ids=["said to be void", "not even that"])
def test_a_claim_that_nobody_heard_of_does_not_block_its_task(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, *, heard: bool
) -> None:
    """COS wrote the claim to send and no answer came: its maker says so beside it, or the caller learns of the doubt."""
    with monkeypatch.context() as patch:
        patch.setattr(lists, "MOST_WAIT_S", 0.0)
        assert make().body["code"] == "preparing"
    cloud.advance(10)
    dispatch, is_down = cloud.dispatch, [False]

    def fail(service: str, request: Any, **options: Any) -> Any:
        is_claim = request.method == "PUT" and request.path.endswith("/send-0.json")
        if is_claim and not is_down[0]:
            is_down[0] = True
            dispatch(service, request, **options)
            raise Dropped
        if is_down[0] and not (heard and (is_claim or "/send-0-" in request.path)):
            raise Dropped
        return dispatch(service, request, **options)

    with monkeypatch.context() as patch:
        patch.setattr(cloud, "dispatch", fail)
        patch.setattr(office.Office, "spare_s", lambda _: 1.0)
        answer = make(time_limit_s=1.6)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "trail_unavailable", heard)
    assert tasks(cloud) == []
    if heard:
        assert make().status == 202
    assert until_sent(cloud)[-1].status == 202
    assert len(tasks(cloud)) == 1


def test_a_suppression_list_that_takes_too_long_stops_the_task(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than mailing who must not be: nothing is sent, and a repeat may have more luck."""
    trail().put(suppression_key("p1@example.com"), b"{}")
    with monkeypatch.context() as patch:
        patch.setattr(office.Office, "spare_s", lambda _: -1.0)
        answer = make()
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "out_of_time", True)
    assert not [call for call in calls if call.startswith("ses:")]
    assert make().status == 202


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"hello", b'{"reason": 1, "until": 2}'])
def test_a_file_of_somebody_elses_in_the_suppression_list_suppresses_nobody(cloud: LocalCloud, body: bytes) -> None:
    trail().put(suppression_key("p1@example.com"), body)
    assert make().body["suppressed"] == 0


def test_with_too_little_time_to_hear_ses_no_task_is_made(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch = cloud.ses.dispatch

    def tire(request: Any) -> Any:
        if cloud.ses.action_of(request) == "ListReceivers":
            patch.setattr(office.Office, "spare_s", lambda _: -1.0)
        return dispatch(request)

    with monkeypatch.context() as patch:
        patch.setattr(cloud.ses, "dispatch", tire)
        assert [make().body["code"] for _ in range(2)] == ["preparing", "preparing"]
    assert "ses:BatchSendEmail" not in calls
    assert until_sent(cloud)[-1].status == 202


def test_a_run_of_expiry_that_has_no_time_leaves_off(cloud: LocalCloud) -> None:
    """And one that comes second leaves it to the first."""
    make()
    cloud.advance(31 * 86400)
    work = work_on(trail(), cloud.clock.now, defaults.UTC_OFFSET_S, lambda: 1.0)
    assert expire_tasks(work) == {"walk": "goes on", "keys": 0, "objects": 0}
    assert expire_tasks(work._replace(time_left_s=lambda: 60.0))["keys"] == 1
