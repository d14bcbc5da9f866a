"""``POST /tasks``: a list at SES, one batch task, each recipient mailed once; what is kept, and what GET tells."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from functions.send.bulk import lists, uploads
from functions.send.ledger import key_hash
from shared.trail.layout import suppression_key
from shared.trail.records import iso
from shared.trail.suppression import Cause, encode, entry
from tests.closed_hours import trail
from tests.handlers import NOW, VALID, ask, bucket, call_back, records, run, send, timer
from tests.handlers import look_up as look_up_mail
from tests.task_making import (
    KEY,
    PEOPLE,
    TASK,
    look_up,
    mailed,
    make,
    make_event,
    move_waits,
    receiver_lists,
    tasks,
    until_sent,
)

if TYPE_CHECKING:
    from localcloud import LocalCloud

EACH_ONCE = dict.fromkeys(PEOPLE, 1)
ASKED = ["ses:ListEmailIdentities", "ses:GetEmailTemplate"]
"""What a cold instance asks before a task begins."""


@pytest.fixture(autouse=True)
def _waits(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    move_waits(cloud, monkeypatch)


def suppress(address: str, *, until: float | None = None) -> None:
    """Put an address on the suppression list, for good or until a time."""
    cause = Cause(iso(NOW - 86400), "manual", None if until is None else iso(until), "cli")
    trail().put(suppression_key(address), encode(entry(address, [cause])))


def test_a_task_at_once_mails_each_recipient_once(cloud: LocalCloud) -> None:
    answer = make()
    (task,) = tasks(cloud)
    assert (answer.status, answer.body) == (
        202,
        {
            "task_id": str(task["task_id"]),
            "receiver_id": task["receiver_id"],
            "request_id": answer.body["request_id"],
            "state": "sent",
            "recipients": 5,
            "suppressed": 0,
            "invalid": 0,
            "duplicate": False,
        },
    )
    assert len(answer.body["request_id"]) == 36
    cloud.advance(10)
    assert mailed(cloud) == EACH_ONCE
    (task,) = tasks(cloud)
    assert (task["type"], task["status"], task["sent"], task["subject"]) == (1, 10, 5, TASK["subject"])


def test_a_repeat_gets_the_first_answer_and_makes_nothing(cloud: LocalCloud, calls: list[str]) -> None:
    first = make()
    calls.clear()
    assert make().body == {**first.body, "duplicate": True}
    assert not [call for call in calls if call.startswith("ses:")]
    assert make(key="another key").body["duplicate"] is False
    assert len(tasks(cloud)) == 2


def test_recipients_with_variables_of_their_own_get_their_own(cloud: LocalCloud) -> None:
    """Over those of the template, which are the same for all."""
    people = [{"to": f"p{n}@example.com", "data": {"code": f"c\u00f6de \u57ce {n}"}} for n in range(3)]
    body = {**TASK, "subject": "For {{code}}", "template": {"id": 100091, "data": {"other": 1}}, "recipients": people}
    assert make(body).body["recipients"] == 3
    cloud.advance(10)
    assert mailed(cloud) == {f"p{n}@example.com": 1 for n in range(3)}
    assert {message["subject"] for message in cloud.messages()} == {f"For c\u00f6de \u57ce {n}" for n in range(3)}


def test_a_timed_task_begins_at_its_moment_in_the_accounts_zone(cloud: LocalCloud) -> None:
    """09:30 in Berlin is 16:30 in the account's zone, twenty minutes from now."""
    assert make({**TASK, "when": {"at": "2026-11-20T09:30:00+01:00"}}).status == 202
    (task,) = tasks(cloud)
    assert (task["type"], json.loads(task["timed"])) == (2, {"BeginTime": "2026-11-20 16:30:00"})
    cloud.advance(19 * 60)
    assert not mailed(cloud)
    cloud.advance(80)
    assert mailed(cloud) == EACH_ONCE
    assert look_up().body["task"]["status"] == "done"


def test_a_recurring_task_goes_on_until_it_is_stopped(cloud: LocalCloud) -> None:
    when = {"begin": "2026-11-20T08:30:00Z", "every_hours": 24, "until_stopped": True}
    assert make({**TASK, "when": when}).status == 202
    (task,) = tasks(cloud)
    cycle = {"BeginTime": "2026-11-20 16:30:00", "IntervalTime": 24, "TermCycle": 0}
    assert (task["type"], json.loads(task["cycle"])) == (3, cycle)
    cloud.advance(3600)
    assert mailed(cloud) == EACH_ONCE
    cloud.advance(2 * 86400)
    assert mailed(cloud) == dict.fromkeys(PEOPLE, 3)


@pytest.mark.parametrize("offset", ["-05:00", "+05:30"])
def test_another_zone_of_the_account(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, offset: str) -> None:
    monkeypatch.setenv("MAILTRAIL_UTC_OFFSET", offset)
    assert make({**TASK, "when": {"at": "2026-11-21T08:30:00Z"}}).status == 202
    told = {"-05:00": "2026-11-21 03:30:00", "+05:30": "2026-11-21 14:00:00"}[offset]
    assert json.loads(tasks(cloud)[0]["timed"]) == {"BeginTime": told}


def test_a_time_that_is_over_is_refused_but_for_a_task_that_was_made_in_time(
    cloud: LocalCloud, calls: list[str]
) -> None:
    body = {**TASK, "when": {"at": "2026-11-20T08:30:00Z"}}
    first = make(body)
    assert first.status == 202
    cloud.advance(3600)
    assert make(body).body == {**first.body, "duplicate": True}
    calls.clear()
    late = make(body, key="another key")
    assert (late.status, late.body["errors"][0]["field"]) == (400, "when.at")
    assert not [call for call in calls if call.startswith("ses:")]
    assert look_up("another key").status == 404


def test_a_list_that_ses_has_can_be_mailed_as_it_is(cloud: LocalCloud, calls: list[str]) -> None:
    """Nothing is uploaded, and how many it has is not known here."""
    body = {name: value for name, value in TASK.items() if name != "recipients"}
    answer = make({**body, "receiver_id": 123})
    assert (answer.status, answer.body["receiver_id"], answer.body["recipients"]) == (202, 123, None)
    assert [call for call in calls if call.startswith("ses:")] == [*ASKED, "ses:BatchSendEmail"]
    cloud.advance(10)
    assert tasks(cloud)[0]["sent"] == 11
    unknown = make({**body, "receiver_id": 9}, key="other")
    assert (unknown.status, unknown.body["code"], unknown.body["errors"][0]["field"]) == (
        404,
        "not_found",
        "receiver_id",
    )


def test_every_member_reaches_ses_in_its_words(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch, asked = cloud.ses.dispatch, []

    def note(request: Any) -> Any:
        if cloud.ses.action_of(request) == "BatchSendEmail":
            asked.append(json.loads(request.body))
        return dispatch(request)

    monkeypatch.setattr(cloud.ses, "dispatch", note)
    assert make({**TASK, "reply_to": "help@example.com", "unsubscribe": "en", "ad": "suffix"}).status == 202
    assert make({**TASK, "when": "now", "ad": "none", "unsubscribe": None}, key="plain").status == 202
    full, plain = ({**one, "ReceiverId": 0} for one in asked)
    least = {
        "FromEmailAddress": TASK["from"],
        "ReceiverId": 0,
        "Subject": TASK["subject"],
        "TaskType": 1,
        "Template": {"TemplateID": 100091, "TemplateData": '{"code": "1234"}'},
    }
    assert plain == least
    assert full == {**least, "ReplyToAddresses": "help@example.com", "Unsubscribe": "2", "ADLocation": 2}


def test_who_is_on_the_suppression_list_is_left_out_and_counted(cloud: LocalCloud) -> None:
    """An entry that is over suppresses nobody; what was decided first stays for all repeats of the task."""
    suppress("P1@example.com")
    suppress("p3@example.com", until=NOW - 1)
    suppress("elsewhere@example.com")
    answer = make()
    assert (answer.body["recipients"], answer.body["suppressed"]) == (4, 1)
    suppress("p2@example.com")
    assert make().body == {**answer.body, "duplicate": True}
    cloud.advance(10)
    assert set(mailed(cloud)) == set(PEOPLE) - {"p1@example.com"}


@pytest.mark.parametrize("mode", ["off", "warn"])
def test_where_the_guard_does_not_refuse_the_suppressed_they_are_mailed(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Then SES's own list decides, and ours is not read."""
    monkeypatch.setenv("SEND_GUARD", f"suppression={mode}")
    suppress("p1@example.com")
    calls.clear()
    assert (make().body["recipients"], make().body["suppressed"]) == (5, 0)
    assert "cos:GetBucket" not in calls


def test_when_everybody_is_suppressed_nothing_is_made(cloud: LocalCloud, calls: list[str]) -> None:
    suppress("p0@example.com")
    answer = make({**TASK, "recipients": ["p0@example.com"]})
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (422, "recipient_suppressed", False)
    assert (look_up().body["state"], look_up().body["code"]) == ("refused", "recipient_suppressed")
    assert make({**TASK, "recipients": ["p0@example.com"]}).body["code"] == "recipient_suppressed"
    assert [call for call in calls if call.startswith("ses:")] == ASKED


def test_a_suppression_list_of_several_pages_is_read_to_its_end(cloud: LocalCloud) -> None:
    for number in range(120):
        suppress(f"s{number}@example.com")
    people = [f"s{number}@example.com" for number in range(0, 240, 2)]
    answer = make({**TASK, "recipients": people})
    assert (answer.body["recipients"], answer.body["suppressed"]) == (60, 60)


def test_what_ses_refuses_for_good_is_answered_again_and_its_list_deleted(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEND_GUARD", "off")  # it would refuse before there is a list
    body = {**TASK, "template": {"id": 100092, "data": {}}}
    first = make(body)
    assert (first.status, first.body["code"], first.body["errors"][0]["field"]) == (
        422,
        "template_unusable",
        "template.id",
    )
    calls.clear()
    second = make(body)
    assert (second.status, second.body["code"], second.body["duplicate"]) == (422, "template_unusable", True)
    assert not [call for call in calls if call.startswith("ses:")]
    seen = look_up().body
    assert (seen["state"], seen["retry_safe"]) == ("refused", False)
    cloud.advance(10)
    assert receiver_lists(cloud) == {}
    assert not mailed(cloud)


def test_while_ses_uploads_the_caller_is_told_to_come_again(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, so that whatever repeats requests by itself goes on; what was done is not done again."""
    monkeypatch.setattr(lists, "MOST_WAIT_S", 0.0)
    answer = make()
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "preparing", True)
    assert (answer.body["state"], answer.body["uploaded"], answer.body["recipients"]) == ("preparing", 5, 5)
    assert int(answer.headers["Retry-After"]) > 0
    seen = look_up().body
    assert {name: seen[name] for name in ("state", "uploaded", "recipients")} == {
        "state": "preparing",
        "uploaded": 5,
        "recipients": 5,
    }
    assert until_sent(cloud)[-1].status == 202
    assert list(receiver_lists(cloud).values()) == [5]


def test_with_little_time_one_chunk_is_uploaded_by_each_request(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The progress is told, and goes on where it stopped."""
    monkeypatch.setattr(uploads, "CHUNK_PEOPLE", 2)
    dispatch, told = cloud.ses.dispatch, []

    def tire(request: Any) -> Any:
        if cloud.ses.action_of(request) == "CreateReceiverDetail":
            monkeypatch.setattr(uploads, "TIME_FOR_A_CHUNK_S", 1000.0)
        return dispatch(request)

    monkeypatch.setattr(cloud.ses, "dispatch", tire)
    for _ in range(3):
        monkeypatch.setattr(uploads, "TIME_FOR_A_CHUNK_S", 5.0)
        told += [make(), look_up()]
    assert [answer.body.get("uploaded") for answer in told] == [2, 2, 4, 4, None, None]
    assert told[-2].status == 202
    assert calls.count("ses:CreateReceiverDetail") == 3
    cloud.advance(10)
    assert mailed(cloud) == EACH_ONCE


def test_the_snapshot_follows_the_task_and_events_name_it(cloud: LocalCloud) -> None:
    """Its id is the same in the answer, in the task list, and in what callbacks tell."""
    task_id = make().body["task_id"]
    cloud.advance(60)
    run("snapshot", {**timer(), "Message": '{"days": []}'}, time_limit_s=900)
    (line,) = records("tasks/")
    assert (line["task_id"], line["status"], line["sent"]) == (task_id, 10, 5)
    cloud.deliver_callbacks(lambda callback: call_back(callback.body).status)
    events = records("events/")
    assert {event["task_id"] for event in events} == {task_id}
    assert {event["recipient"] for event in events} == set(PEOPLE)


def test_get_tells_what_the_ledger_and_ses_know(cloud: LocalCloud) -> None:
    assert look_up().status == 404
    answer = make()
    cloud.advance(10)
    seen = look_up().body
    assert {name: seen[name] for name in answer.body} == answer.body
    task = {name: seen["task"][name] for name in ("status", "requested", "sent", "cached", "error")}
    assert task == {"status": "done", "requested": 5, "sent": 5, "cached": 0, "error": None}
    cloud.add_faults({"service": "ses", "kind": "error"})
    assert look_up().body["task"] is None


def test_of_a_task_no_address_is_kept_and_its_line_says_whose_it_is(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recipients are at SES, and in the caller's request; the bucket has hashes, counts and ids."""
    answer = make({**TASK, "recipients": [{"to": "p0@example.com", "data": {"code": "secret"}}]}, key="secret-key")
    kept = bucket()
    assert not [key for key, body in kept.items() if b"p0@example.com" in body or b"secret" in body]
    (line,) = records("state/send/tasks/")
    assert {name: line[name] for name in ("v", "task_id", "subject", "template_id", "recipients", "sender")} == {
        "v": 1,
        "task_id": answer.body["task_id"],
        "subject": TASK["subject"],
        "template_id": 100091,
        "recipients": 1,
        "sender": "noreply@mail.example.com",
    }
    assert line["key_sha256"] == key_hash("secret-key")
    assert not any(word in capsys.readouterr().out for word in ("p0@", "secret"))


def test_a_key_of_a_mail_and_a_key_of_a_task_are_two_keys(cloud: LocalCloud) -> None:
    assert send(VALID, key=KEY).status == 202
    assert make().body["duplicate"] is False


@pytest.mark.parametrize("key", ["tasks", "a/tasks/b", "send", "a/send/b", "tasks/send/tasks"])
def test_keys_that_are_called_like_paths(cloud: LocalCloud, key: str) -> None:
    """Whichever of the two words comes first in the path is the path's."""
    assert make(key=key).status == 202
    assert look_up(key).body["state"] == "sent"
    assert look_up_mail(key).status == 404
    assert send(VALID, key=key).status == 202
    assert look_up_mail(key).body["message_id"]


def test_fifty_thousand_recipients_in_little_memory(cloud: LocalCloud, calls: list[str]) -> None:
    """Ten uploads; beside the request itself, what a function of 256 MB has room for."""
    people = [f"person-{number:05d}@customers.example.com" for number in range(50_000)]
    event = make_event({**TASK, "recipients": people}, KEY)
    tracemalloc.start()
    answer = ask("send", event, time_limit_s=600)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (answer.status, answer.body["recipients"]) == (202, 50_000)
    assert calls.count("ses:CreateReceiverDetail") == 10
    assert list(receiver_lists(cloud).values()) == [50_000]
    assert peak_bytes < 64 * 1024 * 1024


def test_a_request_as_large_as_scf_takes_is_cut_by_its_bytes_too(cloud: LocalCloud, calls: list[str]) -> None:
    """Five megabytes of variables: no upload over two, and one request over six is refused."""
    people = [{"to": f"p{number}@example.com", "data": {"code": "\u57ce" * 250}} for number in range(6000)]
    sizes = []
    dispatch = cloud.ses.dispatch

    def note(request: Any) -> Any:
        sizes.append(len(request.body))
        return dispatch(request)

    cloud.ses.dispatch = note  # type: ignore[method-assign]
    body = json.dumps({**TASK, "recipients": people}, ensure_ascii=False).encode()
    answer = make(body, time_limit_s=600)
    assert answer.status == 202
    assert calls.count("ses:CreateReceiverDetailWithData") == 5
    assert max(sizes) < 2.2 * 1024 * 1024
    large = make(body + b" " * (6 * 1024 * 1024), key="large")
    assert (large.status, large.body["code"]) == (413, "too_large")
