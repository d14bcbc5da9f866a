"""What SES would refuse is refused before it is asked and before anything is written, all of it named at once."""

from __future__ import annotations

import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from functions.send.guard import admission
from localcloud import defaults, mock_tencent
from shared.trail import suppression_list
from shared.trail.records import iso
from shared.trail.suppression import Cause, Removal, Selection, entry
from tests.handlers import NOW, VALID, Answer, bucket, call_back, look_up, records, send
from tests.suppressed import BOUNCE, store

if TYPE_CHECKING:
    from localcloud import LocalCloud

CHECKS = ("suppression", "template", "sender", "quota", "recipient", "rate", "size")


def suppress(address: str, *, reason: str = "hard_bounce", until: float | None = None, removed: bool = False) -> None:
    """Put an address on the list as the command does."""
    cause = Cause(iso(NOW - 60), reason, None if until is None else iso(until), "cli")
    removals = [Removal(iso(NOW - 30), "cli", Selection())] if removed else []
    suppression_list.write(store(), entry(address, [cause], removals))


def fields(answer: Answer) -> list[str]:
    """Return the fields that an answer names, in order."""
    return [error["field"] for error in answer.body.get("errors", ())]


def new_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on as another instance."""
    monkeypatch.setattr(admission, "instance", admission.Instance())


def ask_ses(cloud: LocalCloud, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Call SES as the account's owner does at the console."""
    from shared.upstream.ses import SesClient  # noqa: PLC0415 - only here
    from shared.upstream.signing import Credential  # noqa: PLC0415 - only here

    client = SesClient(Credential(defaults.SECRET_ID, defaults.SECRET_KEY), site="cn", clock=cloud.clock.now)
    return client.call(action, payload)


def make_template(cloud: LocalCloud, html: str) -> int:
    """Have a template reviewed at once."""
    cloud.ses.switches.template_review = "at_once"
    content = {"Html": base64.b64encode(html.encode()).decode()}
    return int(ask_ses(cloud, "CreateEmailTemplate", {"TemplateName": "t", "TemplateContent": content})["TemplateID"])


def test_every_problem_is_named_at_once_and_nothing_is_sent_or_written(cloud: LocalCloud, calls: list[str]) -> None:
    """Two suppressed, a sender that is not verified, a template under review: one answer, no PUT, no SendEmail."""
    suppress("bob@example.com")
    suppress("carol@example.com", reason="complaint")
    before = bucket()
    calls.clear()
    body = {**VALID, "to": ["alice@example.com", "Bob@Example.com"], "bcc": ["carol@example.com"]}
    body |= {"from": "noreply@elsewhere.example.org", "template": {"id": 100092, "data": {}}}
    answer = send(body, key="order-42")
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (422, "recipient_suppressed", False)
    assert fields(answer) == ["to[1]", "bcc[0]", "from", "template.id", "template.data.name"]
    assert "Retry-After" not in answer.headers
    assert "upstream" not in answer.body
    assert "SendEmail" not in "".join(calls)
    assert "cos:PutObject" not in calls
    assert bucket() == before


def test_what_is_refused_here_is_what_ses_would_refuse_in_the_same_words(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status, code and whether a retry is safe do not depend on who said no."""
    bodies = {
        "sender": {**VALID, "from": "noreply@elsewhere.example.org"},
        "template": {**VALID, "template": {"id": 100092, "data": {}}},
        "no template": {**VALID, "template": {"id": 7}},
        "data": {**VALID, "template": {"id": 100091, "data": {}}},
    }
    ours = {name: send(body) for name, body in bodies.items()}
    monkeypatch.setenv("SEND_GUARD", "off")
    theirs = {name: send(body) for name, body in bodies.items()}
    for name, answer in theirs.items():
        assert "upstream" in answer.body
        assert "upstream" not in ours[name].body
        for member in ("status", "code", "retry_safe"):
            assert ours[name].body[member] == answer.body[member], name


# --- suppression


@pytest.mark.parametrize(
    ("given", "is_refused"),
    [
        ({}, True),
        ({"until": NOW + 60}, True),
        ({"until": NOW - 1}, False),
        ({"removed": True}, False),
        ({"reason": "unsubscribe"}, True),
        ({"reason": "manual"}, True),
    ],
)
@pytest.mark.parametrize("transactional", [False, True])
def test_who_is_on_the_list_gets_nothing_while_it_holds(
    given: dict[str, Any], *, is_refused: bool, transactional: bool, cloud: LocalCloud
) -> None:
    """Unsubscribed is unsubscribed, from codes and receipts as well: SES refuses those, too."""
    suppress("alice@example.com", **given)
    answer = send({**VALID, "to": ["ALICE@example.com"], "transactional": transactional})
    assert answer.status == (422 if is_refused else 202)
    assert fields(answer) == (["to[0]"] if is_refused else [])
    assert len(cloud.messages()) == (0 if is_refused else 1)


def test_a_bounce_suppresses_at_once_and_never_from_memory(cloud: LocalCloud) -> None:
    assert send(VALID).status == 202
    assert call_back(BOUNCE).status == 200
    answer = send(VALID)
    assert (answer.status, answer.body["code"]) == (422, "recipient_suppressed")
    assert "hard_bounce, for good" in answer.body["errors"][0]["problem"]
    assert send({**VALID, "to": ["bob@example.com"]}).status == 202


def test_of_ninety_recipients_each_is_looked_at(cloud: LocalCloud, calls: list[str]) -> None:
    body = {
        **VALID,
        "to": [f"a{n}@example.com" for n in range(50)],
        "cc": [f"b{n}@example.com" for n in range(20)],
        "bcc": [f"c{n}@example.com" for n in range(20)],
    }
    suppress("a49@example.com")
    suppress("c19@example.com")
    calls.clear()
    assert fields(send(body)) == ["to[49]", "bcc[19]"]
    assert calls.count("cos:HeadObject") == 90


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "status": 503, "code": "ServiceUnavailable"},
        {"kind": "error", "status": 403, "code": "AccessDenied"},
        {"kind": "drop_request"},
    ],
)
def test_a_list_that_cannot_be_read_costs_a_warning_not_the_mail(
    fault: dict[str, Any], cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from functions.send.guard import suppression  # noqa: PLC0415 - only here

    monkeypatch.setattr(admission, "PATIENCE_S", 0.2)
    suppress("alice@example.com")
    cloud.add_faults({"service": "cos", "action": "HeadObject", **fault})
    answer = send(VALID)
    assert (answer.status, answer.body["warnings"]) == (202, [suppression.UNREADABLE])
    assert "suppression list not read" in capsys.readouterr().out


def test_of_several_who_can_be_read_is_refused_though_another_cannot(cloud: LocalCloud) -> None:
    from shared.trail.layout import suppression_key  # noqa: PLC0415 - only here

    store().put(suppression_key("alice@example.com"), b"hello")
    suppress("bob@example.com")
    assert fields(send({**VALID, "bcc": ["bob@example.com"]})) == ["bcc[0]"]


def test_somebodys_own_file_on_the_list_stops_no_mail(cloud: LocalCloud) -> None:
    from shared.trail.layout import suppression_key  # noqa: PLC0415 - only here

    store().put(suppression_key("alice@example.com"), b"hello")
    answer = send(VALID)
    assert (answer.status, len(answer.body["warnings"])) == (202, 1)


# --- template and sender


def test_every_variable_that_is_missing_is_named(cloud: LocalCloud) -> None:
    number = make_template(cloud, "<p>Hello {{name}}, your {{ order.id }} of {{day}} is on its way, {{name}}.</p>")
    answer = send({**VALID, "template": {"id": number, "data": {"day": "Monday"}}})
    assert (answer.status, answer.body["code"]) == (422, "template_data_invalid")
    assert fields(answer) == ["template.data.name", "template.data.order.id"]
    data = {"day": "Monday", "name": "Al", "order.id": 7, "more": "than it wants"}
    assert send({**VALID, "template": {"id": number, "data": data}}).status == 202


def test_what_ses_has_told_is_asked_for_again_before_it_refuses(cloud: LocalCloud) -> None:
    """A template that has just been approved, a domain that has just been verified: at most a minute late."""
    number = make_template(cloud, "<p>Hello {{name}}</p>")
    body = {**VALID, "template": {"id": number, "data": {}}}
    assert send(body).status == 422
    content = {"Html": base64.b64encode(b"<p>Your code is here: {{code}}</p>").decode()}
    change = {"TemplateID": number, "TemplateName": "t", "TemplateContent": content}
    ask_ses(cloud, "UpdateEmailTemplate", change)
    body = {**VALID, "template": {"id": number, "data": {"code": "1"}}}
    cloud.advance(61)
    assert send(body).status == 202


def test_what_passed_is_believed_for_ten_minutes(cloud: LocalCloud, calls: list[str]) -> None:
    """A warm instance asks SES for nothing in between."""
    assert send(VALID).status == 202
    calls.clear()
    for _ in range(5):
        cloud.advance(100)
        assert send(VALID).status == 202
    assert {call for call in calls if call.startswith("ses:")} == {"ses:SendEmail"}
    cloud.advance(120)
    assert send(VALID).status == 202
    assert {"ses:GetEmailTemplate", "ses:ListEmailIdentities", "ses:GetStatisticsReport"} <= set(calls)


def test_a_cold_instance_reads_what_another_was_told(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert send(VALID).status == 202
    assert len(bucket("state/send/facts/")) == 3
    new_instance(monkeypatch)
    calls.clear()
    assert send(VALID).status == 202
    assert [call for call in calls if call.startswith("ses:")] == ["ses:SendEmail"]
    assert calls.count("cos:PutObject") == 1


def test_of_many_mails_at_once_one_asks(cloud: LocalCloud, calls: list[str]) -> None:
    with ThreadPoolExecutor(12) as pool:
        bodies = [{**VALID, "to": [f"p{n}@example.com"]} for n in range(12)]
        assert {answer.status for answer in pool.map(send, bodies)} == {202}
    asked = ("GetEmailTemplate", "ListEmailIdentities", "GetStatisticsReport")
    assert [calls.count(f"ses:{action}") for action in asked] == [1, 1, 1]


def test_facts_are_written_once_in_minutes_not_with_each_mail(cloud: LocalCloud, calls: list[str]) -> None:
    for number in range(10):
        assert send({**VALID, "subject": str(number)}).status == 202
    assert calls.count("cos:PutObject") == 10 + 3


@pytest.mark.parametrize("code", ["InternalError", "UnauthorizedOperation", "RequestLimitExceeded"])
def test_while_ses_does_not_tell_mails_go_out_unchecked_and_it_is_logged_once(
    code: str, cloud: LocalCloud, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the role lacks the right: SES decides itself."""
    asked = ("GetEmailTemplate", "ListEmailIdentities", "GetStatisticsReport")
    for action in asked:
        cloud.add_faults({"service": "ses", "action": action, "kind": "error", "code": code})
    for _ in range(3):
        answer = send(VALID)
        assert (answer.status, "warnings" in answer.body) == (202, False)
    assert sum(calls.count(f"ses:{action}") for action in asked) == 2, "the statistics of an unknown quota say nothing"
    assert capsys.readouterr().out.count("limit not checked") == 2
    unverified = send({**VALID, "from": "noreply@elsewhere.example.org"})
    assert unverified.body["upstream"]["code"] == "FailedOperation.NotAuthenticatedSender"


def test_facts_in_the_bucket_that_are_not_ours_are_not_believed(cloud: LocalCloud) -> None:
    for body in (b"hello", b"[]", b'{"v": 1}', b'{"v": 1, "at": "x", "told": 1}', b"null"):
        store().put("state/send/facts/template/100091.json", body)
        assert send(VALID).status == 202
        admission.instance = admission.Instance()


# --- quota


def test_at_ninety_percent_it_is_said_and_beyond_the_quota_refused_until_midnight(cloud: LocalCloud) -> None:
    """Level 1: 500 a day. 16:10 in the account's zone: 7 hours and 50 minutes to midnight."""
    cloud.ses.switches.update({"reputation_level": 1, "reputation_moves": False})
    people = [[f"p{round_}-{n}@example.com" for n in range(50)] for round_ in range(11)]
    answers = [send({**VALID, "to": each}) for each in people]
    assert [answer.status for answer in answers] == [202] * 10 + [429]
    assert ["warnings" in answer.body for answer in answers] == [False] * 8 + [True] * 2 + [False]
    assert answers[8].body["warnings"] == ["from: 450 of the domain's 500 mails of today are used"]
    refused = answers[10]
    assert (refused.body["code"], refused.body["retry_safe"], fields(refused)) == (
        "daily_quota_exceeded", True, ["from"],
    )  # fmt: skip
    assert refused.body["errors"][0]["problem"] == "the domain's 500 mails a day of reputation level 1 are used up"
    assert 28_000 < int(refused.headers["Retry-After"]) <= 28_200
    assert "upstream" not in refused.body
    cloud.advance(int(refused.headers["Retry-After"]))
    assert send({**VALID, "to": people[10]}).status == 202


def test_what_other_instances_send_counts_too(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking turns, two instances use the quota to its last mail, and SES never has to say no."""
    cloud.ses.switches.update({"reputation_level": 1, "reputation_moves": False})
    instances = [admission.Instance(), admission.Instance()]
    statuses = []
    for round_ in range(14):
        monkeypatch.setattr(admission, "instance", instances[round_ % 2])
        cloud.advance(20)
        statuses.append(send({**VALID, "to": [f"p{round_}-{n}@example.com" for n in range(40)]}).status)
    assert statuses == [202] * 12 + [429] * 2
    assert send({**VALID, "to": [f"q{n}@example.com" for n in range(20)]}).status == 202
    assert send(VALID).status == 429


def test_a_level_that_rises_is_seen_at_once(cloud: LocalCloud) -> None:
    cloud.ses.switches.update({"reputation_level": 1, "reputation_moves": False})
    for round_ in range(10):
        assert send({**VALID, "to": [f"p{round_}-{n}@example.com" for n in range(50)]}).status == 202
    assert send(VALID).status == 429
    cloud.ses.switches.reputation_level = 2
    cloud.advance(61)
    assert send(VALID).status == 202


def test_a_quota_that_ses_itself_calls_used_up_is_not_tried_again(cloud: LocalCloud, calls: list[str]) -> None:
    """Its statistics may be late."""
    code = "FailedOperation.ExceedSendLimit"
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": "error", "code": code, "times": 1})
    assert send(VALID).body["upstream"]["code"] == code
    answer = send(VALID)
    assert (answer.status, answer.body["code"]) == (429, "daily_quota_exceeded")
    assert calls.count("ses:SendEmail") == 1
    cloud.advance(61)
    assert send(VALID).status == 202


# --- one address within the hour


@pytest.fixture
def hourly(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> LocalCloud:
    """Have SES and us count ten mails an hour."""
    cloud.ses.switches.hourly_per_recipient = 10
    monkeypatch.setenv("SES_HOURLY", "10")
    return cloud


def test_the_first_mail_to_an_address_asks_for_nothing(hourly: LocalCloud, calls: list[str]) -> None:
    for number in range(12):
        assert send({**VALID, "to": [f"p{number}@example.com"]}).status == 202
    assert "ses:GetSendEmailStatus" not in calls
    assert send({**VALID, "to": ["P3@example.com"]}).status == 202
    assert calls.count("ses:GetSendEmailStatus") == 1


def test_ten_an_hour_pass_and_ses_never_has_to_refuse(hourly: LocalCloud, calls: list[str]) -> None:
    """Five at once, then one in each tenth of an hour, by however many instances; each refusal says when to come."""
    instances = [admission.Instance() for _ in range(3)]
    statuses = []
    for minute in range(60):
        admission.instance = instances[minute % 3]
        answer = send(VALID)
        statuses.append(answer.status)
        if answer.status == 429:
            assert (answer.body["code"], answer.body["retry_safe"]) == ("recipient_rate_limited", True)
            assert (fields(answer), "upstream" in answer.body) == (["to[0]"], False)
            assert 1 <= int(answer.headers["Retry-After"]) <= 3700
        hourly.advance(60)
    assert statuses.count(202) == 10
    assert len(hourly.messages()) == 10
    assert calls.count("ses:SendEmail") == 10
    assert len(bucket("state/send/turns/")) == 5, "only the upper half is written down"


def test_an_instance_that_alone_writes_to_an_address_has_the_whole_hour(hourly: LocalCloud, calls: list[str]) -> None:
    """Ten at once, as SES takes them; the eleventh comes when the first is an hour old."""
    assert [send(VALID).status for _ in range(10)] == [202] * 10
    answer = send(VALID)
    assert (answer.status, answer.body["code"]) == (429, "recipient_rate_limited")
    assert 3590 <= int(answer.headers["Retry-After"]) <= 3610
    assert (bucket("state/send/turns/"), calls.count("ses:SendEmail")) == ({}, 10)
    hourly.advance(int(answer.headers["Retry-After"]))
    assert send(VALID).status == 202


def test_who_is_told_when_to_come_back_gets_through_then(hourly: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert send(VALID).status == 202
    new_instance(monkeypatch)
    answers = [send(VALID) for _ in range(6)]
    hourly.advance(int(answers[-1].headers["Retry-After"]))
    assert (answers[-1].status, send(VALID).status) == (429, 202)


def test_in_a_mail_to_several_who_got_enough_is_named(hourly: LocalCloud) -> None:
    """Without the guard SES would take the mail and leave them out."""
    for _ in range(10):
        assert send({**VALID, "to": ["bob@example.com"]}).status == 202
        hourly.advance(360)
    answer = send({**VALID, "cc": ["bob@example.com"]})
    assert (answer.status, fields(answer)) == (429, ["cc[0]"])


def test_when_several_addresses_are_that_far_a_new_instance_asks_at_once(
    hourly: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instance that has not written to an address itself must not be the eleventh."""
    for name in ("a", "b", "c", "d"):
        for _ in range(6 if name != "d" else 10):
            assert send({**VALID, "to": [f"{name}@example.com"]}).status == 202
    other = admission.Instance()
    monkeypatch.setattr(admission, "instance", other)
    for name in ("a", "b", "c"):
        assert [send({**VALID, "to": [f"{name}@example.com"]}).status for _ in range(3)] == [202, 202, 429]
    calls.clear()
    assert send({**VALID, "to": ["d@example.com"]}).status == 429
    assert calls.count("ses:GetSendEmailStatus") == 1


def test_the_simulators_addresses_are_exempt_here_as_at_ses(hourly: LocalCloud, calls: list[str]) -> None:
    for _ in range(12):
        assert send({**VALID, "to": ["delivered@simulator.mailtrail.test"]}).status == 202
    assert "ses:GetSendEmailStatus" not in calls


def test_a_refused_mail_is_no_mail_of_the_hour(hourly: LocalCloud, calls: list[str]) -> None:
    hourly.add_faults(
        {"service": "ses", "action": "SendEmail", "kind": "error", "code": "FailedOperation.IncorrectEmail"}
    )
    for _ in range(12):
        assert send(VALID).status == 422
    assert "ses:GetSendEmailStatus" not in calls


def test_around_midnight_the_hour_is_looked_at_whole(hourly: LocalCloud, calls: list[str]) -> None:
    """SES tells rows by day: the hour before 00:10 lies in two."""
    hourly.move_to(1795190100.0)  # 23:55 in the account's zone
    for _ in range(9):
        assert send(VALID).status == 202
    hourly.advance(900)
    calls.clear()
    assert [send(VALID).status for _ in range(2)] == [202, 429]
    assert calls.count("ses:GetSendEmailStatus") == 4


def test_while_ses_does_not_tell_the_hour_is_not_checked(hourly: LocalCloud) -> None:
    hourly.add_faults({"service": "ses", "action": "GetSendEmailStatus", "kind": "error", "code": "InternalError"})
    assert [send(VALID).status for _ in range(10)] == [202] * 10
    assert send(VALID).body["upstream"]["code"] == "FailedOperation.FrequencyLimit"


def test_what_an_instance_remembers_is_bounded(hourly: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from functions.send.guard import recipients  # noqa: PLC0415 - only here

    monkeypatch.setattr(recipients, "MOST", 10)
    for number in range(30):
        send({**VALID, "to": [f"p{number}@example.com"]})
    assert len(admission.instance.hours._known) == 10
    new_instance(monkeypatch)
    monkeypatch.setenv("SES_HOURLY", "0")
    send(VALID)
    assert len(admission.instance.hours._known) == 0


# --- the rate


class Seconds:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Seconds:
    """Have the guard count its rate, by a time that the test moves."""
    monkeypatch.setenv("SEND_GUARD", "")
    found = Seconds()
    monkeypatch.setattr(admission, "instance", admission.Instance(found, lambda _seconds: None))
    return found


@pytest.mark.parametrize("key", ["", "order"])
def test_who_is_over_the_rate_is_told_at_once_and_costs_no_write(
    key: str, seconds: Seconds, cloud: LocalCloud, calls: list[str]
) -> None:
    """Twenty in a second pass; the next is asked to come in a second, before anything else is looked at."""
    statuses = [send(VALID, key=key and f"{key}-{n}").status for n in range(20)]
    assert statuses == [202] * 20
    calls.clear()
    answer = send(VALID, key=key and f"{key}-20")
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (429, "rate_limited", True)
    assert answer.headers["Retry-After"] == "1"
    assert calls == (["cos:GetObject"] if key else []), "the key is looked up: its mail may be out"
    seconds.now += 1.05
    assert send(VALID, key=key and f"{key}-20").status == 202


def test_who_comes_as_fast_as_is_permitted_waits_for_a_turn_and_is_not_refused(
    seconds: Seconds, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst of twenty, and one that would be refused though its turn comes within a second."""
    slept: list[float] = []

    def sleep(seconds_: float) -> None:
        slept.append(seconds_)
        seconds.now += seconds_

    monkeypatch.setattr(admission.instance, "sleep", sleep)
    assert [send(VALID).status for _ in range(45)] == [202] * 45
    assert slept == pytest.approx([1.045, 1.045], abs=0.01)
    monkeypatch.setenv("SES_RATE", "0.5")
    assert [send(VALID).status for _ in range(2)] == [202, 429]
    assert len(slept) == 2, "two seconds are too long to wait"


def test_after_each_refusal_of_ses_less_is_taken_and_it_comes_back(
    seconds: Seconds, cloud: LocalCloud, calls: list[str]
) -> None:
    """Told by any attempt: three refusals of one mail, 20 becomes 17; after a second and a third it is 17 and a third."""

    def passing() -> int:
        seconds.now += 2
        count = 0
        while send(VALID).status == 202:
            count += 1
        return count

    cloud.add_faults(
        {"service": "ses", "action": "SendEmail", "kind": "error", "code": "RequestLimitExceeded", "times": 3}
    )
    assert send(VALID).status == 429
    assert passing() == 17
    seconds.now += 9
    assert passing() == 20


def test_a_mail_that_is_refused_gives_its_turn_back(seconds: Seconds, cloud: LocalCloud) -> None:
    suppress("alice@example.com")
    assert [send(VALID).status for _ in range(30)] == [422] * 30
    assert send({**VALID, "to": ["bob@example.com"]}).status == 202


def test_repeats_of_a_sent_mail_take_no_turns(seconds: Seconds, cloud: LocalCloud) -> None:
    assert [send(VALID, key="k").status for _ in range(30)] == [202] * 30
    assert len(cloud.messages()) == 1


def test_the_rate_is_the_settings(seconds: Seconds, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SES_RATE", "0.5")
    assert [send(VALID).status for _ in range(2)] == [202, 429]
    seconds.now += 1.9
    assert send(VALID).status == 429
    seconds.now += 0.2
    assert send(VALID).status == 202


# --- worlds that follow each other in one process


@pytest.mark.parametrize("how", ["another", "reset"])
def test_what_was_learnt_of_one_localcloud_is_not_held_against_the_next(how: str) -> None:
    """Ten mails to one address are its hour; in a cloud that begins anew nobody has had any."""

    def an_hour(cloud: LocalCloud) -> list[int]:
        cloud.move_to(NOW)
        return [send({**VALID, "to": ["alice@example.com"]}).status for _ in range(11)]

    with mock_tencent(ses_rate_per_s=0) as cloud:
        assert an_hour(cloud) == [202] * 10 + [429]
        if how == "reset":
            cloud.reset()
            assert an_hour(cloud) == [202] * 10 + [429]
    if how == "another":
        with mock_tencent(ses_rate_per_s=0) as cloud:
            assert an_hour(cloud) == [202] * 10 + [429]


def test_a_localcloud_without_limits_is_not_guarded_by_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes the limits off SES means the functions, too; a guard that was chosen stays."""
    with mock_tencent(ses_rate_per_s=0) as cloud:
        cloud.move_to(NOW)
        cloud.ses.switches.update({"hourly_per_recipient": 0})
        assert [send({**VALID, "to": ["alice@example.com"]}).status for _ in range(40)] == [202] * 40
        cloud.ses.switches.reset()
        assert send({**VALID, "to": ["alice@example.com"]}).status == 429
    monkeypatch.setenv("SEND_GUARD", "off")
    with mock_tencent(ses_rate_per_s=0) as cloud:
        assert os.environ["SEND_GUARD"] == "off"
        cloud.reset()
        assert os.environ["SEND_GUARD"] == "off"
    assert "MAILTRAIL_WORLD" not in os.environ


# --- the ledger comes first where the guard would refuse


@pytest.mark.parametrize("now_refused", ["suppressed", "rate"])
def test_a_repeat_of_a_sent_mail_gets_its_first_answer_whatever_the_guard_would_say_now(
    now_refused: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = send(VALID, key="order-42")
    if now_refused == "suppressed":
        suppress("alice@example.com")
    else:
        monkeypatch.setenv("SEND_GUARD", "on")
        monkeypatch.setenv("SES_RATE", "0.5")
        assert send(VALID).status == 202
        assert send(VALID).status == 429
    again = send(VALID, key="order-42")
    assert (again.status, again.body) == (202, {**first.body, "duplicate": True})
    other = send({**VALID, "subject": "Another"}, key="order-42")
    assert (other.status, other.body["code"]) == (409, "idempotency_conflict")


def test_a_key_that_the_guard_refuses_is_not_used_up(cloud: LocalCloud) -> None:
    suppress("alice@example.com")
    assert send(VALID, key="order-42").status == 422
    assert look_up("order-42").status == 404
    suppress("alice@example.com", removed=True)
    assert send(VALID, key="order-42").body["duplicate"] is False


def test_a_key_that_may_be_tried_again_is_refused_by_the_guard_like_a_new_one(cloud: LocalCloud) -> None:
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": "error", "code": "FailedOperation.TemporaryBlocked", "times": 1})  # fmt: skip
    assert send(VALID, key="order-42").status == 429
    suppress("alice@example.com")
    assert send(VALID, key="order-42").body["code"] == "recipient_suppressed"


def test_a_key_in_doubt_is_looked_into_before_the_guard_may_answer(cloud: LocalCloud) -> None:
    """The mail went out and its answer got lost; meanwhile the address bounced."""
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": "drop_response", "times": 1})
    assert send(VALID, key="order-42").status == 504
    suppress("alice@example.com")
    assert send(VALID, key="order-42").body["code"] == "outcome_uncertain"
    cloud.advance(400)
    again = send(VALID, key="order-42")
    assert (again.status, again.body["duplicate"]) == (202, True)
    assert len(cloud.messages()) == 1


# --- the switch


@pytest.mark.parametrize("check", ["suppression", "template", "sender", "size"])
def test_a_check_that_only_warns_lets_the_mail_go_and_says_so(
    check: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What SES then says is its own matter."""
    body = {
        "suppression": VALID,
        "template": {**VALID, "template": {"id": 100092, "data": {}}},
        "sender": {**VALID, "from": "noreply@elsewhere.example.org"},
        "size": {**VALID, "template": {"id": 100091, "data": {"code": "1", "x": "x" * 6 * 2**20}}},
    }[check]
    suppress("alice@example.com" if check == "suppression" else "nobody@example.com")
    monkeypatch.setenv("SEND_GUARD", f"rate=off,{check}=warn")
    answer = send(body)
    if check in ("suppression", "size"):
        assert (answer.status, len(answer.body["warnings"])) == (202, 1)
        assert answer.body["warnings"][0].startswith({"suppression": "to[0]: ", "size": "body: "}[check])
        assert "alice" not in json.dumps(answer.body["warnings"])
    else:
        assert (answer.status, "upstream" in answer.body) == (422, True)
    assert "alice" not in capsys.readouterr().out


def test_rate_quota_and_hour_warn_too(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.ses.switches.update({"reputation_level": 1, "reputation_moves": False})
    monkeypatch.setenv("SEND_GUARD", "warn")
    monkeypatch.setenv("SES_RATE", "0.01")
    monkeypatch.setenv("SES_HOURLY", "1")
    assert "warnings" not in send(VALID).body
    answer = send(VALID)
    assert answer.status == 202
    assert sorted(warning.partition(":")[0] for warning in answer.body["warnings"]) == [
        "over 0.01 mails a second for the account", "to[0]",
    ]  # fmt: skip
    for round_ in range(9):
        send({**VALID, "to": [f"p{round_}-{n}@example.com" for n in range(50)]})
    over = send({**VALID, "to": [f"q{n}@example.com" for n in range(50)]})
    assert over.body["upstream"]["code"] == "FailedOperation.ExceedSendLimit"


def test_off_is_off(cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of anyone, and nothing is refused."""
    suppress("alice@example.com")
    calls.clear()
    monkeypatch.setenv("SEND_GUARD", "off")
    monkeypatch.setenv("SES_RATE", "0.01")
    monkeypatch.setenv("SES_HOURLY", "1")
    for _ in range(3):
        assert send(VALID).status == 202
    assert calls == ["ses:SendEmail", "cos:PutObject"] * 3


@pytest.mark.parametrize("check", CHECKS)
def test_one_check_that_is_off_leaves_the_others(
    check: str, cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEND_GUARD", f"{check}=off")
    assert send(VALID).status == 202
    assert ("cos:HeadObject" in calls) is (check != "suppression")
    assert ("ses:GetEmailTemplate" in calls) is (check != "template")
    assert ("ses:GetStatisticsReport" in calls) is (check != "quota")


def test_nothing_personal_of_what_the_guard_refuses_is_logged(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Invariant 7. The answer names members, not people."""
    suppress("secret.person@example.com")
    answer = send({**VALID, "to": ["secret.person@example.com"]}, key="secret-key")
    assert answer.status == 422
    assert "secret" not in json.dumps(answer.body)
    assert "secret" not in capsys.readouterr().out
    assert records("sends/") == []
