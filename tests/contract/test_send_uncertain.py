"""What became of a send whose answer got lost: found out from events and status rows, or left uncertain. Never guessed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.send import doubt, office, service
from shared.trail.bulk_mail import note_task
from shared.trail.evidence import ASK_AFTER_S, NOT_ACCEPTED_AFTER_S
from shared.trail.layout import UNCERTAIN_PREFIX
from shared.trail.ledger import LONGEST_LIFE_S
from shared.trail.records import iso
from tests.closed_hours import trail
from tests.handlers import VALID, Answer, bucket, call_back, look_up, records, run, send, timer, write_report
from tests.task_making import TASK, make, move_waits, until_sent

if TYPE_CHECKING:
    from localcloud import LocalCloud

KEY, OTHER = "order-42", "order-43"
HASH = hashlib.sha256(KEY.encode()).hexdigest()
ACTED = {"service": "ses", "action": "SendEmail", "kind": "drop_response", "times": 1}
NEVER_ARRIVED = {"service": "ses", "action": "SendEmail", "kind": "drop_request", "times": 1}
NO_COS = {"service": "cos", "kind": "error", "status": 503, "code": "ServiceUnavailable"}
METADATA = {**VALID, "metadata": {"order": "42"}}


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pass that settles what is in doubt ask for its sixty days faster than twenty a second of real time."""
    monkeypatch.setenv("SES_RATE", "500")


def pass_over() -> dict[str, Any]:
    """Run the status pass; returns what came of the sends in doubt."""
    found: dict[str, Any] = run("snapshot", timer(), time_limit_s=900)["doubts"]
    return found


def lose(cloud: LocalCloud, fault: dict[str, Any], body: dict[str, Any] = VALID, *, key: str = KEY) -> Answer:
    """Send with an answer that gets lost."""
    cloud.add_faults(fault)
    answer = send(body, key=key)
    assert (answer.status, answer.body["outcome"], answer.body["retry_safe"]) == (504, "unknown", False)
    return answer


def deliver_events(cloud: LocalCloud) -> None:
    """Have SES tell the webhook everything that has happened."""
    cloud.deliver_callbacks(lambda callback: call_back(callback.body).status)


def die_before_the_outcome(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any] = VALID) -> None:
    """Send, with a function that dies as soon as SES has the mail."""

    class DiedError(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(service, "_settle", die)
        with pytest.raises(DiedError):
            send(body, key=KEY)
    assert look_up(KEY).body["state"] == "claimed"


def messages(cloud: LocalCloud) -> int:
    return len(cloud.messages(10_000))


def test_before_ses_is_called_the_claim_holds_what_the_mail_carries(cloud: LocalCloud) -> None:
    """A Message-Id and the reference of our token, unlike from claim to claim; neither tells the key."""
    lose(cloud, ACTED)
    (claim,) = records(f"ledger/send/{HASH}/claim-0.json")
    (message,) = cloud.messages()
    assert message["smtp_message_id"] == claim["smtp_message_id"] == f"<mt.{claim['reference']}@mail.example.com>"
    assert len(claim["reference"]) == 32
    assert claim["reference"] not in HASH
    send(VALID, key=OTHER)
    assert cloud.messages()[0]["smtp_message_id"] != message["smtp_message_id"]


def test_the_callers_own_message_id_wins(cloud: LocalCloud) -> None:
    send({**VALID, "message_id": "<mine@example.com>"}, key=KEY)
    assert cloud.messages()[0]["smtp_message_id"] == "<mine@example.com>"
    assert records(f"ledger/send/{HASH}/claim-0.json")[0]["smtp_message_id"] == "<mine@example.com>"


def test_a_send_with_a_key_costs_no_request_more_than_its_three_promises(cloud: LocalCloud, calls: list[str]) -> None:
    """The first instance to send writes more, once: what it asked of SES is there for others."""
    for number in range(2):
        assert send(VALID, key=f"before-{number}").status == 202
    calls.clear()
    assert send(VALID, key=KEY).status == 202
    assert calls == ["cos:HeadObject", "cos:PutObject", "ses:SendEmail", "cos:PutObject", "cos:PutObject"]


@pytest.mark.parametrize("by", ["token", "message id"])
def test_an_event_of_the_mail_proves_that_it_was_sent(by: str, cloud: LocalCloud) -> None:
    """However soon: nothing has to be asked of SES."""
    cloud.ses.switches.update({"smtp_message_id": "ignore"} if by == "token" else {"smtp_headers": "ignore"})
    lose(cloud, ACTED, METADATA)
    cloud.advance(61)
    deliver_events(cloud)
    cloud.add_faults({"service": "ses", "kind": "error", "code": "InternalError", "action": "GetSendEmailStatus"})
    (message,) = cloud.messages()
    again = send(METADATA, key=KEY)
    assert (again.status, again.body["message_id"], again.body["duplicate"]) == (202, message["message_id"], True)
    assert again.body["resolved_by"] == "event"
    assert look_up(KEY).body["state"] == "sent"
    (line,) = records("sends/")
    assert (line["message_id"], line["key_sha256"]) == (message["message_id"], HASH)
    assert (line["subject"], line["metadata"]) == ("Your code", {"order": "42"})


def test_a_status_row_that_can_be_no_other_mails_proves_that_it_was_sent(cloud: LocalCloud, calls: list[str]) -> None:
    lose(cloud, ACTED)
    cloud.advance(ASK_AFTER_S + 1)
    calls.clear()
    seen = look_up(KEY)
    assert (seen.body["state"], seen.body["resolved_by"]) == ("sent", "status")
    assert seen.body["message_id"] == cloud.messages()[0]["message_id"]
    assert calls.count("ses:GetSendEmailStatus") == 1
    assert send(VALID, key=KEY).body["duplicate"] is True
    assert messages(cloud) == 1


def test_a_mail_that_ses_never_had_is_sent_by_a_repeat_once_that_is_proven(cloud: LocalCloud) -> None:
    lose(cloud, NEVER_ARRIVED)
    cloud.advance(NOT_ACCEPTED_AFTER_S - 60)
    early = send(VALID, key=KEY)
    assert (early.status, early.body["code"], early.body["retry_safe"]) == (409, "outcome_uncertain", False)
    assert 0 < int(early.headers["Retry-After"]) <= 60
    cloud.advance(61)
    seen = look_up(KEY)
    assert (seen.body["state"], seen.body["code"], seen.body["retry_safe"]) == ("refused", "not_accepted", True)
    assert messages(cloud) == 0
    again = send(VALID, key=KEY)
    assert (again.status, again.body["duplicate"]) == (202, False)
    assert messages(cloud) == 1
    assert look_up(KEY).body["generation"] == 1


def test_a_repeat_that_comes_late_enough_finds_out_and_sends_at_once(cloud: LocalCloud) -> None:
    lose(cloud, NEVER_ARRIVED)
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    assert send(VALID, key=KEY).body["duplicate"] is False
    assert messages(cloud) == 1


def test_the_status_pass_settles_what_nobody_asks_about(cloud: LocalCloud) -> None:
    for number in range(6):
        body = {**METADATA, "to": [f"person{number}@example.com"], "subject": f"Mail {number}"}
        lose(cloud, ACTED if number % 2 else NEVER_ARRIVED, body, key=f"key-{number}")
    assert len(bucket(UNCERTAIN_PREFIX)) == 6
    cloud.advance(ASK_AFTER_S)
    assert pass_over() == {"sent": 3, "not_accepted": 0, "uncertain": 3, "over": 0}
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    assert pass_over() == {"sent": 0, "not_accepted": 3, "uncertain": 0, "over": 0}
    assert bucket(UNCERTAIN_PREFIX) == {}
    assert [look_up(f"key-{number}").body["state"] for number in range(6)] == ["refused", "sent"] * 3
    assert sorted(line["subject"] for line in records("sends/")) == ["Mail 1", "Mail 3", "Mail 5"]
    assert write_report()["sends"] == 3


def test_a_claim_whose_function_died_is_looked_into_when_it_is_asked_for(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_before_the_outcome(cloud, monkeypatch)
    cloud.advance(LONGEST_LIFE_S - 10)
    assert send(VALID, key=KEY).body["code"] == "in_flight"
    cloud.advance(20)
    again = send(VALID, key=KEY)
    assert (again.status, again.body["message_id"]) == (202, cloud.messages()[0]["message_id"])
    assert messages(cloud) == 1


def test_a_claim_whose_function_died_and_that_nobody_asks_for_is_found_by_the_daily_walk(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the names in the listing alone: a claim without an outcome."""
    die_before_the_outcome(cloud, monkeypatch)
    send({**VALID, "to": ["bob@example.com"]}, key=OTHER)
    cloud.advance(2 * 3600)
    run("report", timer(), time_limit_s=900)
    assert [key.rpartition("/")[2] for key in bucket(UNCERTAIN_PREFIX)] == [f"{HASH}-0.json"]
    assert pass_over()["sent"] == 1
    assert look_up(KEY).body["state"] == "sent"
    assert {line["key_sha256"] for line in records("sends/")} == {HASH, hashlib.sha256(OTHER.encode()).hexdigest()}


def test_a_line_of_the_send_proves_it_though_its_outcome_was_not_written(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A known message is another mail's, unless the line is of this very key: it must not pass for "not accepted"."""
    monkeypatch.setattr(office, "TIME_TO_REMEMBER_S", 0.3)
    dispatch = cloud.cos.dispatch

    def no_outcome(request: Any) -> Any:
        if request.method == "PUT" and "/outcome-" in request.path:
            return cloud.cos.error_response(request, "ServiceUnavailable", 503)
        return dispatch(request)

    with monkeypatch.context() as patch:
        patch.setattr(cloud.cos, "dispatch", no_outcome)
        first = send(VALID, key=KEY)
    assert first.status == 202
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    assert send(VALID, key=KEY).body["message_id"] == first.body["message_id"]
    assert messages(cloud) == 1
    assert len(records("sends/")) == 1


def test_a_row_of_another_send_of_ours_proves_nothing(cloud: LocalCloud) -> None:
    """Known by its line in sends/: the lost mail was not accepted, although its recipient got one just then."""
    lose(cloud, NEVER_ARRIVED)
    other = send({**VALID, "subject": "Another"}, key=OTHER)
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    assert pass_over()["not_accepted"] == 1
    assert look_up(KEY).body["code"] == "not_accepted"
    assert look_up(OTHER).body["message_id"] == other.body["message_id"]


def test_two_in_doubt_to_one_person_are_not_guessed_apart_by_a_row(cloud: LocalCloud) -> None:
    """One row, two mails that it may be: both stay uncertain until an event tells."""
    lose(cloud, ACTED)
    lose(cloud, NEVER_ARRIVED, {**VALID, "subject": "Another"}, key=OTHER)
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    assert pass_over() == {"sent": 0, "not_accepted": 0, "uncertain": 2, "over": 0}
    assert send(VALID, key=KEY).body["code"] == "outcome_uncertain"
    deliver_events(cloud)
    assert pass_over() == {"sent": 1, "not_accepted": 1, "uncertain": 0, "over": 0}
    assert (look_up(KEY).body["state"], look_up(OTHER).body["state"]) == ("sent", "refused")
    assert messages(cloud) == 1


def test_a_row_of_a_mail_that_an_event_gives_to_another_proves_nothing(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's line in sends/ got lost; its event carries its own token."""
    lose(cloud, NEVER_ARRIVED)
    with monkeypatch.context() as patch:
        patch.setattr(service, "_keep", lambda *_, **__: None)
        assert send({**VALID, "subject": "Another"}, key=OTHER).status == 202
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    deliver_events(cloud)
    assert pass_over()["not_accepted"] == 1


@pytest.mark.parametrize("ago_s", [200, -150])
def test_a_row_that_is_not_quite_of_that_moment_proves_neither(ago_s: int, cloud: LocalCloud) -> None:
    """A mail that went out past mailtrail some minutes away: no proof of ours, nor of its absence."""
    if ago_s > 0:
        _send_past_us(cloud)
        cloud.advance(ago_s)
    lose(cloud, NEVER_ARRIVED)
    if ago_s < 0:
        cloud.advance(-ago_s)
        _send_past_us(cloud)
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    assert pass_over()["uncertain"] == 1
    assert send(VALID, key=KEY).body["code"] == "outcome_uncertain"


def _send_past_us(cloud: LocalCloud) -> None:
    from shared.upstream.ses import SesClient  # noqa: PLC0415 - only here
    from shared.upstream.signing import Credential  # noqa: PLC0415 - only here

    template = {"TemplateID": 100091, "TemplateData": json.dumps(VALID["template"]["data"])}
    mail = {"FromEmailAddress": "noreply@mail.example.com", "Destination": VALID["to"], "Subject": "x"}
    client = SesClient(Credential("AKIDLOCALCLOUD", "localcloud-secret-key"), site="cn", clock=cloud.clock.now)
    client.send_email({**mail, "Template": template})


def test_another_senders_row_is_another_mails(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(cloud, NEVER_ARRIVED)
    monkeypatch.setattr(service, "_keep", lambda *_, **__: None)  # the sender alone decides here
    assert send({**VALID, "from": "news@mail.example.com"}).status == 202
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    assert pass_over()["not_accepted"] == 1


def test_a_mail_to_several_is_proven_by_rows_of_all_of_them(cloud: LocalCloud) -> None:
    body = {**VALID, "to": ["a@example.com", "b@example.com"], "bcc": ["c@example.com"]}
    lose(cloud, ACTED, body)
    cloud.advance(ASK_AFTER_S)
    assert look_up(KEY).body["state"] == "sent"


def test_around_midnight_both_days_are_asked_for(cloud: LocalCloud) -> None:
    """SES's day began between the attempt and its row, or was about to."""
    cloud.move_to(1795190395)  # 2026-11-20T15:59:55Z: five seconds before midnight in the account's zone
    lose(cloud, ACTED)
    cloud.advance(ASK_AFTER_S)
    assert look_up(KEY).body["state"] == "sent"


@pytest.mark.parametrize("what", ["ses", "cos"])
def test_while_ses_or_cos_fail_nothing_is_concluded(what: str, cloud: LocalCloud) -> None:
    lose(cloud, NEVER_ARRIVED)
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    if what == "ses":
        cloud.add_faults({"service": "ses", "kind": "error", "code": "InternalError", "action": "GetSendEmailStatus"})
    else:
        cloud.add_faults(
            {"service": "cos", "kind": "error", "status": 403, "code": "AccessDenied", "action": "GetBucket"}
        )
    assert send(VALID, key=KEY).body["code"] == "outcome_uncertain"
    cloud.clear_faults()
    cloud.advance(60)
    assert send(VALID, key=KEY).status == 202
    assert messages(cloud) == 1


def test_a_caller_who_asks_in_a_loop_does_not_use_up_ses(cloud: LocalCloud, calls: list[str]) -> None:
    lose(cloud, NEVER_ARRIVED)
    cloud.advance(ASK_AFTER_S)
    calls.clear()
    for _ in range(10):
        look_up(KEY)
        send(VALID, key=KEY)
    assert calls.count("ses:GetSendEmailStatus") == 1


def test_a_doubt_that_could_not_be_noted_is_noted_by_who_asks(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(office, "TIME_TO_REMEMBER_S", 0.3)
    dispatch = cloud.cos.dispatch

    def no_note(request: Any) -> Any:
        if request.method == "PUT" and request.path.startswith("/state/send/"):
            return cloud.cos.error_response(request, "ServiceUnavailable", 503)
        return dispatch(request)

    with monkeypatch.context() as patch:
        patch.setattr(cloud.cos, "dispatch", no_note)
        lose(cloud, NEVER_ARRIVED)
    assert "doubt not noted" in capsys.readouterr().out
    assert bucket(UNCERTAIN_PREFIX) == {}
    cloud.advance(61)
    assert look_up(KEY).body["state"] == "uncertain"
    assert len(bucket(UNCERTAIN_PREFIX)) == 1


def test_two_days_later_nobody_looks_any_more_and_nothing_is_sent(cloud: LocalCloud) -> None:
    _send_past_us(cloud)
    cloud.advance(200)
    lose(cloud, NEVER_ARRIVED)
    cloud.advance(2 * 86400 + 1)
    assert pass_over()["over"] == 1
    assert bucket(UNCERTAIN_PREFIX) == {}
    assert send(VALID, key=KEY).body["code"] == "outcome_uncertain"


def test_the_same_key_in_its_next_life_is_not_proven_by_the_first_ones_events(cloud: LocalCloud) -> None:
    """Opens come for days: they bear the reference of their own claim."""
    send(VALID, key=KEY)
    (first,) = records(f"ledger/send/{HASH}/claim-0.json")
    cloud.advance(4 * 86400)
    run("report", timer(), time_limit_s=900)
    assert look_up(KEY).status == 404
    lose(cloud, NEVER_ARRIVED)
    deliver_events(cloud)
    (second,) = records(f"ledger/send/{HASH}/claim-0.json")
    assert first["reference"] != second["reference"]
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    assert pass_over()["not_accepted"] == 1


def test_ses_refusing_our_message_id_costs_one_call_and_never_the_mail_nor_its_token(
    cloud: LocalCloud, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ses.switches.update({"smtp_message_id": "refuse"})
    assert send(METADATA, key=KEY).status == 202
    assert calls.count("ses:SendEmail") == 2
    assert '"extras": ["callback token", "message id"]' in capsys.readouterr().out
    assert cloud.messages()[0]["echo"]
    assert send({**METADATA, "subject": "Another"}, key=OTHER).status == 202
    assert calls.count("ses:SendEmail") == 3, "a warm instance does not try again"


def test_ses_refusing_both_of_our_extras_costs_two_calls_and_never_the_mail(
    cloud: LocalCloud, calls: list[str]
) -> None:
    cloud.ses.switches.update({"smtp_message_id": "refuse", "smtp_headers": "refuse"})
    answer = send(METADATA, key=KEY)
    assert (answer.status, len(answer.body["warnings"])) == (202, 1)
    assert calls.count("ses:SendEmail") == 3
    assert messages(cloud) == 1


def test_with_more_in_doubt_than_a_caller_can_wait_for_the_timer_looks(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SES was away: whoever asks costs a LIST, not a look at every other doubt."""
    monkeypatch.setattr(doubt, "MOST_OBJECTS", 3)
    for number in range(5):
        lose(cloud, ACTED, {**VALID, "to": [f"person{number}@example.com"]}, key=f"key-{number}")
    cloud.advance(ASK_AFTER_S)
    calls.clear()
    assert look_up("key-0").body["state"] == "uncertain"
    assert len(calls) <= 7
    assert pass_over()["sent"] == 5


def test_a_row_that_may_be_a_bulk_tasks_proves_nothing(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newsletter of the same sender went to the same person just then: the code that was lost is not told as sent."""
    move_waits(cloud, monkeypatch)
    assert until_sent(cloud, {**TASK, "recipients": VALID["to"]})[-1].status == 202
    cloud.advance(10)
    lose(cloud, NEVER_ARRIVED)
    for wait_s in (ASK_AFTER_S + 1, NOT_ACCEPTED_AFTER_S):
        cloud.advance(wait_s)
        assert send(VALID, key=KEY).body["code"] == "outcome_uncertain"
    assert pass_over()["uncertain"] == 1
    deliver_events(cloud)
    assert pass_over()["not_accepted"] == 1, "an event says that the mail of this row is the task's"
    assert send(VALID, key=KEY).body["duplicate"] is False


def test_the_task_of_another_sender_is_no_rival(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one that is over for days."""
    move_waits(cloud, monkeypatch)
    assert until_sent(cloud, {**TASK, "from": "sales@mail.example.com"})[-1].status == 202
    assert until_sent(cloud, TASK, key="long ago")[-1].status == 202
    cloud.advance(5 * 86400)
    lose(cloud, ACTED)
    cloud.advance(ASK_AFTER_S + 1)
    assert send(VALID, key=KEY).body["resolved_by"] == "status"


def test_a_row_of_a_send_without_a_key_that_nobody_heard_of_is_not_taken_for_anothers(cloud: LocalCloud) -> None:
    """It is noted for that alone, and forgotten when rows prove nothing any more."""
    cloud.add_faults(ACTED)
    assert send(VALID).body["outcome"] == "unknown"
    lose(cloud, NEVER_ARRIVED)
    for wait_s in (ASK_AFTER_S + 1, NOT_ACCEPTED_AFTER_S, 86400):
        cloud.advance(wait_s)
        assert send(VALID, key=KEY).body["code"] == "outcome_uncertain"
    assert pass_over()["uncertain"] == 1
    cloud.advance(86400)
    assert pass_over() == {"sent": 0, "not_accepted": 0, "uncertain": 0, "over": 2}
    assert bucket(UNCERTAIN_PREFIX) == {}
    assert send(VALID, key=KEY).body["code"] == "outcome_uncertain"
    assert messages(cloud) == 1


def test_a_recurring_task_that_nobody_heard_of_is_a_rival_for_ever(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays uncertain, nobody looks any more, and it writes on."""
    move_waits(cloud, monkeypatch)
    begin = {"begin": iso(cloud.clock.now() + 3 * 86400), "every_hours": 24, "until_stopped": True}
    newsletter = {**{name: value for name, value in TASK.items() if name != "recipients"}, "receiver_id": 123}
    for key, kind in (("one", "drop_response"), ("two", "drop_request")):
        cloud.add_faults({"service": "ses", "action": "BatchSendEmail", "kind": kind, "times": 1})
        assert make({**newsletter, "when": begin}, key=key).status == 504
    cloud.advance(2 * 86400 + 900)
    assert pass_over() == {"sent": 0, "not_accepted": 0, "uncertain": 0, "over": 0}
    cloud.advance(86400 - 880)
    cloud.ses.pump()
    (reader, *_) = cloud.messages(1)[0]["to"]
    lose(cloud, NEVER_ARRIVED, {**VALID, "to": [reader]})
    cloud.advance(ASK_AFTER_S + 1)
    assert look_up(KEY).body["state"] == "uncertain"


def test_a_task_that_was_refused_is_no_rival_for_ever(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """SES never had it: the timer takes away what says that it may write."""
    move_waits(cloud, monkeypatch)
    when = {"begin": iso(cloud.clock.now() + 86400), "every_hours": 24, "until_stopped": True}
    refusal = {"service": "ses", "action": "BatchSendEmail", "kind": "error", "times": 1}
    cloud.add_faults({**refusal, "code": "InvalidParameterValue.WrongDate"})
    assert until_sent(cloud, {**TASK, "when": when})[-1].status == 400
    assert len(bucket("state/send/bulk/")) == 1
    pass_over()
    assert bucket("state/send/bulk/") == {}
    cloud.advance(2 * 86400)
    lose(cloud, ACTED)
    cloud.advance(ASK_AFTER_S + 1)
    assert send(VALID, key=KEY).body["resolved_by"] == "status"


def test_the_tasks_of_another_address_that_ends_alike_are_not_taken_for_it(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of presales@ is none of sales@."""
    move_waits(cloud, monkeypatch)
    from_sales = {**VALID, "from": "Acme <sales@mail.example.com>"}
    assert until_sent(cloud, {**TASK, "from": "presales@mail.example.com", "recipients": VALID["to"]})[-1].status == 202
    cloud.advance(10)
    lose(cloud, NEVER_ARRIVED, from_sales)
    cloud.advance(ASK_AFTER_S + 1)
    assert send(from_sales, key=KEY).body["code"] == "outcome_uncertain"
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    assert send(from_sales, key=KEY).body["duplicate"] is False


def test_tasks_of_long_ago_cost_nothing_however_many(cloud: LocalCloud, calls: list[str]) -> None:
    """Whoever waits for what became of a mail is not told to wait for the timer because of them."""
    told = {"sender": "noreply@mail.example.com", "task_type": 1, "begins_at": None}
    for number in range(doubt.MOST_OBJECTS + 1):
        note_task(trail(), {**told, "number": number}, at=cloud.clock.now() - 30 * 86400)
    lose(cloud, ACTED)
    cloud.advance(ASK_AFTER_S + 1)
    calls.clear()
    assert send(VALID, key=KEY).body["resolved_by"] == "status"
    assert len(calls) < 60


@pytest.mark.parametrize("age_s", [2 * 86400 - 3000, 13 * 86400])
def test_that_there_is_no_row_proves_something_for_longer(cloud: LocalCloud, age_s: float) -> None:
    """Silence needs no notes of who else was in doubt; SES forgets rows after thirty days."""
    lose(cloud, NEVER_ARRIVED)
    cloud.advance(age_s)
    assert send(VALID, key=KEY).body["duplicate"] is False
    assert messages(cloud) == 1


def test_after_two_days_rows_prove_nothing_and_events_still_do(cloud: LocalCloud) -> None:
    """Who else was in doubt then is not noted any more; that an event came late is no matter."""
    lose(cloud, ACTED)
    lose(cloud, NEVER_ARRIVED, key=OTHER)
    cloud.advance(2 * 86400 + 60)
    for key in (KEY, OTHER):
        assert send(VALID, key=key).body["code"] == "outcome_uncertain"
    deliver_events(cloud)
    cloud.advance(60)
    assert send(VALID, key=KEY).body["resolved_by"] == "event"
    assert send(VALID, key=OTHER).body["duplicate"] is False, "now that row is another's, and there is no other"
    assert messages(cloud) == 2


@pytest.mark.parametrize("age_s", [59.7, 299.9, 1799.9])
def test_whoever_is_told_to_wait_is_told_how_long(cloud: LocalCloud, age_s: float) -> None:
    """A part of a second is one: without Retry-After a client gives up, or comes at once."""
    lose(cloud, ACTED if age_s < ASK_AFTER_S else NEVER_ARRIVED)
    cloud.advance(age_s)
    assert int(send(VALID, key=KEY).headers["Retry-After"]) >= 1
