"""A task that SES would refuse at the end is refused before its claim and before any upload, all of it named at once."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from functions.send.bulk import lists
from functions.send.guard import admission
from tests.contract.test_send_guard import ask_ses, fields, make_template
from tests.handlers import bucket
from tests.task_making import KEY, PEOPLE, TASK, look_up, mailed, make, move_waits, receiver_lists, tasks, until_sent

if TYPE_CHECKING:
    from localcloud import LocalCloud

ELSEWHERE = "noreply@elsewhere.example.org"
BAD = {**TASK, "from": ELSEWHERE, "template": {"id": 100092, "data": {}}}
HELLO = "<p>Hello {{name}}</p>"
SHARED = {**{name: value for name, value in TASK.items() if name != "recipients"}, "receiver_id": 123}
ASKED = {"ses:ListEmailIdentities", "ses:GetEmailTemplate"}


@pytest.fixture(autouse=True)
def _waits(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    move_waits(cloud, monkeypatch)


def change(cloud: LocalCloud, number: int, html: str = HELLO) -> None:
    """Change a template, which is then reviewed again."""
    content = {"Html": base64.b64encode(html.encode()).decode()}
    ask_ses(cloud, "UpdateEmailTemplate", {"TemplateID": number, "TemplateName": "t", "TemplateContent": content})


def withdraw(cloud: LocalCloud, number: int) -> None:
    """Let a template wait for its review, and the guard know of it."""
    cloud.ses.switches.template_review = "never"
    change(cloud, number)
    cloud.advance(601)


def test_all_that_is_against_a_task_is_named_and_nothing_is_claimed_made_or_written(
    cloud: LocalCloud, calls: list[str]
) -> None:
    """A sender that is not verified, a template under review that lacks a variable: one answer, no PUT, no list."""
    before = bucket()
    calls.clear()
    answer = make(BAD)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (422, "sender_unverified", False)
    assert fields(answer) == ["from", "template.id", "template.data.name"]
    assert {"upstream", "outcome", "duplicate"}.isdisjoint(answer.body)
    assert {call for call in calls if call.startswith("ses:")} == ASKED
    assert set(calls) - ASKED == {"cos:GetObject"}
    assert bucket() == before
    assert look_up().status == 404


def test_a_key_that_was_refused_so_is_not_used_up(cloud: LocalCloud) -> None:
    """Also not for another body: nothing is known of it."""
    assert make(BAD).status == 422
    answer = make(TASK)
    assert (answer.status, answer.body["duplicate"]) == (202, False)


def test_a_template_that_is_not_there_is_named(cloud: LocalCloud) -> None:
    answer = make({**TASK, "template": {"id": 7, "data": {"code": "1"}}})
    assert (answer.status, answer.body["code"], fields(answer)) == (422, "template_unusable", ["template.id"])


@pytest.mark.parametrize(
    ("common", "own", "missing"),
    [
        ({"day": "1", "name": "2"}, None, []),
        ({}, {"day": "1", "name": "2"}, []),
        ({"day": "1"}, {"name": "2"}, []),
        ({"day": "1"}, {"day": "2"}, ["name"]),
        ({}, {"other": "1"}, ["day", "name"]),
        ({"name": "1"}, None, ["day"]),
    ],
)
def test_every_variable_must_come_from_the_template_data_or_from_each_persons_own(
    cloud: LocalCloud, common: dict[str, str], own: dict[str, str] | None, missing: list[str]
) -> None:
    """What nobody gives would be mailed as ``{{name}}``."""
    number = make_template(cloud, "<p>Hello {{name}}, it is {{day}}</p>")
    people: list[Any] = [{"to": person, "data": own} for person in PEOPLE] if own else PEOPLE
    answer = make({**TASK, "template": {"id": number, "data": common}, "recipients": people})
    assert fields(answer) == [f"template.data.{name}" for name in missing]
    assert answer.status == (422 if missing else 202)
    if missing:
        assert answer.body["code"] == "template_data_invalid"
        assert receiver_lists(cloud) == {}


def test_variables_of_a_list_that_ses_has_are_not_judged_but_its_template_and_sender_are(cloud: LocalCloud) -> None:
    """What its people have of their own is unknown."""
    assert make({**SHARED, "template": {"id": 100091, "data": {}}}).status == 202
    answer = make({**SHARED, "from": ELSEWHERE, "template": {"id": 100092, "data": {}}}, key="another")
    assert (answer.status, fields(answer)) == (422, ["from", "template.id"])


def test_where_the_guard_warns_the_answer_says_so_and_the_repeat_too(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when its list took several requests, and in what GET tells. SES knows of a change, the guard not yet."""
    monkeypatch.setenv("SEND_GUARD", "rate=off,template=warn")
    monkeypatch.setattr(lists, "MOST_WAIT_S", 0.0)
    number = make_template(cloud, "<p>Hello {{name}}, it is {{day}}</p>")
    body = {**TASK, "template": {"id": number, "data": {"name": "1"}}}
    assert make(body).body["code"] == "preparing"
    change(cloud, number)
    answer = until_sent(cloud, body)[-1]
    warnings = ["template.data.day: the template wants this variable"]
    assert (answer.status, answer.body["warnings"]) == (202, warnings)
    repeat = make(body).body
    assert (repeat["warnings"], repeat["duplicate"]) == (warnings, True)
    assert look_up().body["warnings"] == warnings
    assert "guard warns" in capsys.readouterr().out


def test_a_check_that_refuses_is_not_softened_by_one_that_warns(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEND_GUARD", "rate=off,template=warn")
    answer = make(BAD)
    assert (answer.status, fields(answer)) == (422, ["from"])
    assert bucket("ledger/") == {}


def test_what_is_off_is_not_looked_at(cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """SES says no itself, at the end."""
    monkeypatch.setenv("SEND_GUARD", "off")
    answer = make(BAD)
    assert (answer.status, "upstream" in answer.body) == (422, True)
    assert ASKED.isdisjoint(calls)


def test_a_task_that_is_made_gets_its_answer_whatever_the_guard_would_say_now(cloud: LocalCloud) -> None:
    """And a key that another body uses is still another's."""
    number = make_template(cloud, HELLO)
    body = {**TASK, "template": {"id": number, "data": {"name": "1"}}}
    first = make(body)
    assert first.status == 202
    withdraw(cloud, number)
    assert make(body).body == {**first.body, "duplicate": True}
    assert make(body, key="another").body["code"] == "template_unusable"
    assert make(BAD).body["code"] == "idempotency_conflict"
    assert len(tasks(cloud)) == 1


def test_a_task_in_doubt_stays_in_doubt_whatever_the_guard_would_say_now(cloud: LocalCloud) -> None:
    """Not a 422, of which a caller would make a new key."""
    number = make_template(cloud, HELLO)
    body = {**SHARED, "template": {"id": number, "data": {"name": "1"}}}
    cloud.add_faults({"service": "ses", "action": "BatchSendEmail", "kind": "drop_request", "times": 1})
    assert make(body).status == 504
    withdraw(cloud, number)
    answer = make(body)
    assert (answer.status, answer.body["code"], answer.body["outcome"]) == (409, "outcome_uncertain", "unknown")


def test_a_task_under_way_goes_on_whatever_the_guard_would_say_now(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its list is there, and SES decides at the end; what it says is kept, and the list deleted."""
    monkeypatch.setattr(lists, "MOST_WAIT_S", 0.0)
    number = make_template(cloud, HELLO)
    body = {**TASK, "template": {"id": number, "data": {"name": "1"}}}
    assert make(body).body["code"] == "preparing"
    withdraw(cloud, number)
    answer = make(body)
    assert (answer.status, answer.body["code"], "upstream" in answer.body) == (422, "template_unusable", True)
    assert make(body).body["duplicate"] is True
    cloud.advance(10)
    assert receiver_lists(cloud) == {}
    assert not mailed(cloud)


def test_while_ses_does_not_tell_a_task_is_made_unchecked(cloud: LocalCloud) -> None:
    for action in ("GetEmailTemplate", "ListEmailIdentities"):
        cloud.add_faults({"service": "ses", "action": action, "kind": "error", "code": "UnauthorizedOperation"})
    answer = make()
    assert (answer.status, "warnings" in answer.body) == (202, False)


def test_a_time_that_is_over_is_told_before_any_limit(cloud: LocalCloud, calls: list[str]) -> None:
    """What is wrong in itself comes first, and costs SES nothing."""
    calls.clear()
    answer = make({**BAD, "when": {"at": "2026-11-20T08:00:00Z"}})
    assert (answer.status, fields(answer)) == (400, ["when.at"])
    assert ASKED.isdisjoint(calls)


def test_what_ses_told_is_shared_with_other_instances_by_tasks_that_were_made(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        assert make(key=f"{KEY}-{number}").status == 202
    assert len(bucket("state/send/facts/")) == 2
    monkeypatch.setattr(admission, "instance", admission.Instance())
    calls.clear()
    assert make(key="cold").status == 202
    assert ASKED.isdisjoint(calls)
