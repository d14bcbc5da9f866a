"""A bulk task of which nobody heard and for which nobody asks: the snapshot timer settles what can be proven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.send.ledger import key_hash
from tests.closed_hours import Killed, trail
from tests.contract.test_send_tasks_doubts import SHARED, by_somebody, lose
from tests.handlers import bucket, records, run, timer
from tests.pacing import Stopwatch
from tests.task_making import PEOPLE, TASK, look_up, mailed, make, move_waits, tasks

if TYPE_CHECKING:
    from localcloud import LocalCloud

NOTES = "state/send/uncertain-tasks/"


@pytest.fixture(autouse=True)
def _waits(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    move_waits(cloud, monkeypatch)
    Stopwatch(monkeypatch)


def told(**given: int) -> dict[str, int]:
    """Return the counts of a run; what is not given is 0."""
    return {"sent": 0, "not_accepted": 0, "uncertain": 0, "over": 0, **given}


def settle() -> dict[str, Any]:
    """Let the timer fire, and return what it tells of tasks in doubt."""
    found: dict[str, Any] = run("snapshot", timer(), time_limit_s=900)["task_doubts"]
    return found


def unanswered(cloud: LocalCloud, key: str) -> dict[str, Any]:
    """Return what GET tells while SES tells nothing: what is in the ledger."""
    cloud.add_faults({"service": "ses", "action": "ListSendTasks", "kind": "error", "code": "InternalError"})
    found: dict[str, Any] = look_up(key).body
    cloud.clear_faults()
    return found


@pytest.mark.parametrize("body", [TASK, SHARED], ids=["a list of its own", "a list of others"])
def test_a_task_whose_answer_was_lost_is_found_though_nobody_asks(cloud: LocalCloud, body: dict[str, Any]) -> None:
    """Its caller, and whoever reads the bucket, learns of it; the note goes."""
    lose(cloud, body)
    (note,) = records(NOTES)
    cloud.advance(301)
    assert settle() == told(sent=1)
    (task,) = tasks(cloud)
    (line,) = records("state/send/tasks/")
    assert (line["task_id"], line["key_sha256"]) == (str(task["task_id"]), note["key_sha256"])
    seen = unanswered(cloud, "lost")
    assert (seen["state"], seen["task_id"], seen["resolved_by"]) == ("sent", line["task_id"], "task")
    assert bucket(NOTES) == {}
    assert settle() == told()
    assert make(body, key="lost").body["duplicate"] is True
    assert len(tasks(cloud)) == 1


@pytest.mark.parametrize("body", [TASK, SHARED], ids=["a list of its own", "a list of others"])
def test_that_ses_never_had_it_is_proven_after_half_an_hour_and_not_before(
    cloud: LocalCloud, body: dict[str, Any]
) -> None:
    """Then a repeat sends; nothing is sent by the timer itself."""
    lose(cloud, body, arrives=False)
    cloud.advance(1700)
    assert settle() == told(uncertain=1)
    assert len(bucket(NOTES)) == 1
    cloud.advance(200)
    assert settle() == told(not_accepted=1)
    assert bucket(NOTES) == {}
    assert tasks(cloud) == []
    seen = unanswered(cloud, "lost")
    assert (seen["state"], seen["code"], seen["retry_safe"]) == ("refused", "not_accepted", True)
    answer = make(body, key="lost")
    assert (answer.status, answer.body["duplicate"]) == (202, False)
    assert len(tasks(cloud)) == 1


def test_what_cannot_be_proven_stays_uncertain_and_is_looked_into_for_two_days(
    cloud: LocalCloud, calls: list[str]
) -> None:
    """Somebody else's task to that list may be it: never guessed, by no timer either."""
    by_somebody(cloud)
    cloud.advance(200)
    lose(cloud)
    for wait_s in (100, 1801, 86400):
        cloud.advance(wait_s)
        assert settle() == told(uncertain=1)
    cloud.advance(86400)
    assert settle() == told(over=1)
    assert bucket(NOTES) == {}
    assert look_up("lost").body["state"] == "uncertain"
    assert len(tasks(cloud)) == 2


def test_a_task_whose_function_died_is_found_by_the_timer_though_nobody_asks(cloud: LocalCloud) -> None:
    """Before SES was called: half an hour later it is known that it never was."""
    dispatch = cloud.dispatch

    def dying(service: str, request: Any, **options: Any) -> Any:
        if cloud.services[service].action_of(request) == "BatchSendEmail":
            raise Killed
        return dispatch(service, request, **options)

    cloud.dispatch = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        make(key="dead")
    cloud.dispatch = dispatch  # type: ignore[method-assign]
    assert len(bucket(NOTES)) == 1
    cloud.advance(31)
    assert settle() == told(uncertain=1)
    cloud.advance(1801)
    assert settle() == told(not_accepted=1)
    assert make(key="dead").status == 202
    cloud.advance(60)
    assert mailed(cloud) == dict.fromkeys(PEOPLE, 1)


def test_what_its_caller_has_had_settled_is_over(cloud: LocalCloud, calls: list[str]) -> None:
    """The note of it goes without a question to SES."""
    lose(cloud, TASK)
    assert look_up("lost").body["state"] == "sent"
    calls.clear()
    assert settle() == told()
    assert calls.count("ses:ListSendTasks") == 1, "the hour's list"
    assert bucket(NOTES) == {}


def test_the_note_of_an_attempt_before_this_one_is_over(cloud: LocalCloud) -> None:
    """It was proven that SES never had it, and the next attempt is in doubt by itself."""
    lose(cloud, TASK, arrives=False)
    cloud.advance(1801)
    assert look_up("lost").body["code"] == "not_accepted"
    lose(cloud, TASK, arrives=False)
    assert [note["attempt"] for note in records(NOTES)] == [0, 1]
    assert settle() == told(over=1, uncertain=1)
    assert [note["attempt"] for note in records(NOTES)] == [1]


def test_while_ses_tells_nothing_nothing_is_settled(cloud: LocalCloud) -> None:
    """And the snapshots go on as they can."""
    lose(cloud, TASK, arrives=False)
    cloud.advance(3600)
    cloud.add_faults({"service": "ses", "action": "ListSendTasks", "kind": "error", "code": "UnauthorizedOperation"})
    assert settle() == told(uncertain=1)
    cloud.clear_faults()
    assert settle() == told(not_accepted=1)


def test_a_bucket_that_cannot_be_listed_stops_no_snapshot(cloud: LocalCloud) -> None:
    lose(cloud, TASK)
    rule = {"service": "cos", "action": "GetBucket", "kind": "error", "status": 403, "code": "AccessDenied"}
    cloud.add_faults(rule)
    result = run("snapshot", timer(), time_limit_s=900)
    assert result["task_doubts"] == {"why": "AccessDenied"}
    assert "tasks" in {told["source"] for told in result["snapshots"]}
    cloud.clear_faults()
    assert settle() == told(sent=1)


def test_a_note_holds_no_address_and_no_key(cloud: LocalCloud) -> None:
    lose(cloud, TASK)
    (note,) = records(NOTES)
    assert set(note) == {"v", "at", "key_sha256", "life", "attempt", "nonce"}
    assert (note["key_sha256"], note["attempt"]) == (key_hash("lost"), 0)


ODD = b'{"at": "today", "key_sha256": "a", "life": "b", "nonce": "c"}'


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"7", ODD, ODD.replace(b'"today"', b"5")])
def test_somebodys_own_file_among_the_notes_stops_nothing(cloud: LocalCloud, body: bytes) -> None:
    lose(cloud, TASK)
    trail().put(f"{NOTES}0.json", body)
    assert settle() == told(sent=1)
    assert list(bucket(NOTES)) == [f"{NOTES}0.json"]
