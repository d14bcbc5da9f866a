"""POST /send/batch: one SendEmail each, a result each, and a repeat that completes what is missing and repeats nothing."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.send import batch as batch_module
from functions.send import extras, office, service
from functions.send.attempts import MOST
from functions.send.batch_keys import derived_key
from functions.send.batch_turns import Turns
from localcloud import mock_tencent
from shared.trail.evidence import ASK_AFTER_S, NOT_ACCEPTED_AFTER_S
from tests.batches import COMMON, batch_of, data_of, mails_of, person, trio
from tests.handlers import NOW, VALID, bucket, look_up, records, send, send_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud import LocalCloud

README = Path(__file__).parents[2] / "README.md"
KEY = "newsletter-7"
ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
NO_COS = {"service": "cos", "kind": "error", "status": 503, "code": "ServiceUnavailable"}


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let turns come at once; how they are spaced has tests of its own."""
    monkeypatch.setenv("SES_RATE", "100000")


def at_ses(address: str, answer: Callable[[Any], Any], cloud: LocalCloud, patch: pytest.MonkeyPatch) -> None:
    """Have ``answer(request)`` answer the SendEmail to ``address``."""
    dispatch = cloud.ses.dispatch

    def instead(request: Any) -> Any:
        is_theirs = address in json.loads(request.body).get("Destination", ())
        return answer(request) if is_theirs else dispatch(request)

    patch.setattr(cloud.ses, "dispatch", instead)


def refuse(address: str, code: str, cloud: LocalCloud, patch: pytest.MonkeyPatch) -> None:
    at_ses(address, lambda request: cloud.ses.error_response(request, code, 200), cloud, patch)


def codes(answer: Any) -> list[Any]:
    return [result.get("code") for result in answer.body["results"]]


def test_each_gets_a_mail_of_their_own_and_each_result_is_what_post_send_would_say(cloud: LocalCloud) -> None:
    answer = send_batch(trio(), key=KEY)
    assert answer.status == 202
    assert {name: answer.body[name] for name in ("accepted", "duplicates", "refused", "unknown", "retry_safe")} == {
        "accepted": 3, "duplicates": 0, "refused": 0, "unknown": 0, "retry_safe": True,
    }  # fmt: skip
    by_recipient = {message["to"][0]: message["message_id"] for message in cloud.messages()}
    assert [(one["to"], one["message_id"]) for one in answer.body["results"]] == [
        (address, by_recipient[address]) for address in (ALICE, BOB, CAROL)
    ]
    assert all(
        set(one) == {"to", "key", "status", "message_id", "request_id", "recipients", "duplicate"}
        for one in answer.body["results"]
    )
    assert data_of(cloud) == {ALICE: {"code": "1"}, BOB: {"code": "2"}, CAROL: {"code": "3"}}
    assert "Retry-After" not in answer.headers


def test_the_batch_of_readme_is_accepted_and_answered_with_what_readme_says(cloud: LocalCloud) -> None:
    text = README.read_text(encoding="utf-8").split("### Many at once")[1].split("\n## ")[0]
    answer = send_batch(text.split("```json")[1].split("```")[0].encode(), key=KEY)
    assert answer.status == 202
    told = set(re.findall(r"`([a-z_]+)`", text.split("| member | what |")[1].split("\n\n")[0]))
    assert set(answer.body) - {"request_id"} <= told
    delivered, opened = sorted(data_of(cloud).items())
    assert (delivered[1], opened[1]) == ({"code": "1234"}, {"code": "none yet"})


def test_what_is_common_is_a_default_that_each_may_override(cloud: LocalCloud) -> None:
    people = [
        person("alice", "1", metadata={"order": "a"}),
        {"to": BOB},
        {"to": CAROL, "metadata": {"campaign": "vip"}, "data": None},
    ]
    template = {"id": 100091, "data": {"code": "common"}}
    assert send_batch(batch_of(people, template=template, metadata={"campaign": "all"}), key=KEY).status == 202
    assert data_of(cloud) == {ALICE: {"code": "1"}, BOB: {"code": "common"}, CAROL: {"code": "common"}}
    kept = {line["recipients"][0]: line["metadata"] for line in records("sends/")}
    assert kept == {
        ALICE: {"campaign": "all", "order": "a"}, BOB: {"campaign": "all"}, CAROL: {"campaign": "vip"},
    }  # fmt: skip


def test_a_repeat_sends_nothing_and_says_so(cloud: LocalCloud, calls: list[str]) -> None:
    first, second = send_batch(trio(), key=KEY), send_batch(trio(), key=KEY)
    assert second.status == 202
    assert second.body["results"] == [{**one, "duplicate": True} for one in first.body["results"]]
    assert (second.body["accepted"], second.body["duplicates"]) == (3, 3)
    assert calls.count("ses:SendEmail") == 3


def test_a_repeat_in_another_order_in_other_parts_and_with_more_people_sends_only_to_the_new(cloud: LocalCloud) -> None:
    send_batch(trio(), key=KEY)
    people = [person("dave"), person("carol", "3"), person("alice", "1")]
    answer = send_batch(batch_of(people), key=KEY)
    assert [one["duplicate"] for one in answer.body["results"]] == [False, True, True]
    assert send_batch(batch_of([person("bob", "2")]), key=KEY).body["duplicates"] == 1
    assert mails_of(cloud) == Counter([ALICE, BOB, CAROL, "dave@example.com"])


def test_the_case_of_an_address_makes_nobody_another(cloud: LocalCloud) -> None:
    send_batch(trio(), key=KEY)
    answer = send_batch(batch_of([{"to": "ALICE@Example.com", "data": {"code": "1"}}]), key=KEY)
    assert answer.body["results"][0]["duplicate"] is True
    assert len(cloud.messages()) == 3


def test_another_mail_to_one_of_them_is_a_conflict_for_that_one_alone(cloud: LocalCloud) -> None:
    send_batch(trio(), key=KEY)
    people = [person("alice", "changed"), person("bob", "2"), person("dave")]
    answer = send_batch(batch_of(people), key=KEY)
    assert answer.status == 207
    assert codes(answer) == ["idempotency_conflict", None, None]
    assert answer.body["retry_safe"] is False
    assert mails_of(cloud) == Counter([ALICE, BOB, CAROL, "dave@example.com"])


def test_another_key_is_another_mail_to_everybody(cloud: LocalCloud) -> None:
    send_batch(trio(), key="a")
    send_batch(trio(), key="b")
    assert set(mails_of(cloud).values()) == {2}


def test_the_key_of_a_result_can_be_asked_for_and_is_legal_and_tells_nothing(cloud: LocalCloud) -> None:
    """Its form is documented: ``batch.`` and the hash of key and address."""
    answer = send_batch(trio(), key=KEY)
    for one in answer.body["results"]:
        digest = hashlib.sha256(f"mailtrail-batch\n{KEY}\n{one['to']}".encode()).hexdigest()
        assert one["key"] == derived_key(KEY, one["to"].upper()) == f"batch.{digest}"
        seen = look_up(one["key"])
        assert (seen.status, seen.body["state"], seen.body["message_id"]) == (200, "sent", one["message_id"])


def test_a_result_is_that_of_post_send_with_its_key_and_its_mail(cloud: LocalCloud) -> None:
    """A batch is nothing but that many sends: each can be repeated alone."""
    template = {"id": 100091, "data": {"code": "1"}}
    (one, *_) = send_batch(trio(), key=KEY).body["results"]
    alone = send({**COMMON, "to": [ALICE], "template": template, "metadata": {}}, key=one["key"])
    assert (alone.status, alone.body["duplicate"], alone.body["message_id"]) == (202, True, one["message_id"])


def test_without_a_key_nothing_is_remembered_and_a_repeat_sends_again(cloud: LocalCloud) -> None:
    first = send_batch(trio())
    assert all("key" not in one for one in first.body["results"])
    assert first.body["retry_safe"] is False  # it was sent: what a repeat would do is send it again
    assert bucket("ledger/") == {}
    send_batch(trio())
    assert set(mails_of(cloud).values()) == {2}


def test_what_ses_refuses_one_costs_nobody_else_anything(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(BOB, "FailedOperation.EmailAddrInBlacklist", cloud, monkeypatch)
    answer = send_batch(trio(), key=KEY)
    assert (answer.status, codes(answer)) == (207, [None, "recipient_suppressed", None])
    result = answer.body["results"][1]
    assert (result["status"], result["retry_safe"]) == (422, False)
    assert result["upstream"]["code"] == "FailedOperation.EmailAddrInBlacklist"
    assert [error["field"] for error in result["errors"]] == ["to"]
    assert (answer.body["accepted"], answer.body["refused"], answer.body["retry_safe"]) == (2, 1, False)
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    again = send_batch(trio(), key=KEY)
    assert (again.body["duplicates"], again.body["results"][1]["duplicate"]) == (2, True)
    assert mails_of(cloud) == Counter([ALICE, CAROL])


def test_when_all_fail_alike_the_answer_is_that_problem_with_the_results_beside_it(cloud: LocalCloud) -> None:
    answer = send_batch(trio(**{"from": "noreply@unverified.example.org"}), key=KEY)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (422, "sender_unverified", False)
    assert answer.headers["Content-Type"] == "application/problem+json; charset=utf-8"
    assert codes(answer) == ["sender_unverified"] * 3
    assert (answer.body["accepted"], answer.body["refused"]) == (0, 3)


def test_when_they_fail_differently_each_says_how(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(ALICE, "FailedOperation.EmailAddrInBlacklist", cloud, monkeypatch)
    refuse(BOB, "RequestLimitExceeded", cloud, monkeypatch)
    refuse(CAROL, "FailedOperation.FrequencyLimit", cloud, monkeypatch)
    answer = send_batch(trio(), key=KEY)
    assert (answer.status, codes(answer)) == (207, ["recipient_suppressed", "rate_limited", "recipient_rate_limited"])
    assert [one.get("retry_after_s") for one in answer.body["results"]] == [None, 1, 3600]
    assert answer.headers["Retry-After"] == "3600"
    assert answer.body["retry_after_s"] == 3600


def test_what_was_rate_limited_is_completed_by_a_repeat(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        refuse(BOB, "RequestLimitExceeded", cloud, patch)
        first = send_batch(trio(), key=KEY)
    assert (first.status, codes(first), first.body["retry_safe"]) == (207, [None, "rate_limited", None], True)
    assert first.headers["Retry-After"] == "1"
    again = send_batch(trio(), key=KEY)
    assert (again.status, [one["duplicate"] for one in again.body["results"]]) == (202, [True, False, True])
    assert mails_of(cloud) == Counter([ALICE, BOB, CAROL])
    assert calls.count("ses:SendEmail") == 2 + MOST + 1


@pytest.mark.parametrize(("kind", "sent"), [("drop_response", 3), ("drop_request", 2)])
def test_an_unknown_outcome_of_one_is_found_out_by_repeats_as_that_of_a_single_mail(
    kind: str, sent: int, cloud: LocalCloud
) -> None:
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": kind, "times": 1})
    answer = send_batch(trio(), key=KEY)
    assert (answer.status, answer.body["unknown"], answer.body["accepted"]) == (207, 1, 2)
    (lost,) = [one for one in answer.body["results"] if one["status"] != 202]
    assert (lost["status"], lost["code"], lost["outcome"]) == (504, "upstream_no_answer", "unknown")
    assert answer.body["retry_safe"] is False
    soon = send_batch(trio(), key=KEY)
    assert [one.get("code") for one in soon.body["results"]].count("outcome_uncertain") == 1
    assert int(soon.headers["Retry-After"]) > 0
    assert len(cloud.messages()) == sent
    cloud.advance(NOT_ACCEPTED_AFTER_S)
    last = send_batch(trio(), key=KEY)
    assert (last.status, last.body["accepted"]) == (202, 3)
    assert set(mails_of(cloud).values()) == {1}
    assert len(cloud.messages()) == 3


def test_all_in_doubt_are_looked_into_only_so_far_and_never_before_the_others_were_sent(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking takes requests and time; who has no mail yet comes first, and the timer looks into the rest."""
    monkeypatch.setattr(batch_module, "MOST_LOOKED_INTO", 2)
    lost = [person(f"p{number}") for number in range(5)]
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": "drop_response", "times": 5})
    assert send_batch(batch_of(lost), key=KEY).status == 504
    cloud.advance(ASK_AFTER_S + 1)
    calls.clear()
    answer = send_batch(batch_of([*lost, person("new")]), key=KEY)
    assert (answer.body["accepted"], answer.body["unknown"]) == (3, 3)
    assert calls.count("ses:GetSendEmailStatus") == 2
    assert calls.index("ses:SendEmail") < calls.index("ses:GetSendEmailStatus")
    assert set(mails_of(cloud).values()) == {1}


def test_what_there_is_no_time_for_was_not_touched_and_a_repeat_does_it(cloud: LocalCloud, calls: list[str]) -> None:
    answer = send_batch(trio(), key=KEY, time_limit_s=office.TIME_FOR_SES_S)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "out_of_time", True)
    assert answer.headers["Retry-After"] == "1"
    assert codes(answer) == ["out_of_time"] * 3
    assert calls == []
    assert send_batch(trio(), key=KEY).body["accepted"] == 3


def test_a_batch_that_is_too_long_for_its_time_ends_in_time_and_is_completed_by_repeats(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turns at SES that come too late are not waited for: 100 mails at a rate of a half in 30 s are about a dozen."""
    monkeypatch.setenv("SES_RATE", "0.5")
    now = [0.0]

    class Timed(Turns):
        def __init__(self, rate_per_s: float) -> None:
            super().__init__(rate_per_s, monotonic=lambda: now[0], sleep=lambda _: None)

    monkeypatch.setattr(batch_module, "Turns", Timed)
    people = [person(f"p{number}") for number in range(100)]
    first = send_batch(batch_of(people), key=KEY)
    assert first.status == 207
    assert (10 <= first.body["accepted"] < 20, first.body["retry_safe"]) == (True, True)
    assert {one.get("code") for one in first.body["results"]} == {None, "out_of_time"}
    monkeypatch.setenv("SES_RATE", "100000")
    assert send_batch(batch_of(people), key=KEY).body["duplicates"] == first.body["accepted"]
    assert set(mails_of(cloud).values()) == {1}
    assert len(mails_of(cloud)) == 100


def test_turns_are_evenly_spaced_and_one_that_was_not_used_is_given_back() -> None:
    now, slept = [100.0], []
    turns = Turns(20, monotonic=lambda: now[0], sleep=slept.append)
    assert all(turns.take(1) for _ in range(4))
    assert slept == pytest.approx([0.05, 0.1, 0.15])
    assert not turns.take(0.1)
    turns.give_back()
    assert turns.take(0.2)
    assert slept[-1] == pytest.approx(0.15)
    now[0] += 60  # none is saved up
    slept.clear()
    assert all(turns.take(1) for _ in range(3))
    assert slept == pytest.approx([0.05, 0.1])
    assert not turns.take(-0.1)


def test_where_the_guard_has_no_turn_the_batch_waits_for_one(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard counts a little more than a second, and others send, too: that is no refusal as long as there is time."""
    monkeypatch.setenv("SEND_GUARD", "on")
    monkeypatch.setenv("SES_RATE", "20")
    assert send(VALID).status == 202
    answer = send_batch(batch_of(person(f"p{n}") for n in range(30)), key=KEY)
    assert (answer.status, answer.body["accepted"]) == (202, 30)
    assert len(cloud.messages(100)) == 31


def test_a_bucket_that_fails_for_one_is_their_result_and_nobody_elses(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = hashlib.sha256(derived_key(KEY, BOB).encode()).hexdigest()
    dispatch = cloud.cos.dispatch

    def denied(request: Any) -> Any:
        if theirs in request.path:
            return cloud.cos.error_response(request, "AccessDenied", 403)
        return dispatch(request)

    with monkeypatch.context() as patch:
        patch.setattr(cloud.cos, "dispatch", denied)
        answer = send_batch(trio(), key=KEY)
    assert (answer.status, codes(answer)) == (207, [None, "trail_unavailable", None])
    assert (answer.body["results"][1]["status"], answer.body["retry_safe"]) == (503, True)
    assert answer.headers["Retry-After"] == "5"
    assert send_batch(trio(), key=KEY).body["duplicates"] == 2
    assert mails_of(cloud) == Counter([ALICE, BOB, CAROL])


def test_a_claim_in_doubt_is_told_as_that_of_a_single_mail(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """COS may have written it and nobody can be told that it is void: not safe, and nothing was sent."""
    monkeypatch.setattr(office, "TIME_FOR_SES_S", 0.1)
    cloud.add_faults(
        [{"service": "cos", "action": action, "kind": "drop_response"} for action in ("PutObject", "GetObject")]
    )
    answer = send_batch(trio(), key=KEY, time_limit_s=1.3)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "trail_unavailable", False)
    cloud.clear_faults()
    assert not cloud.messages()


def test_a_bug_that_one_mail_meets_costs_the_others_nothing(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = service._keep

    def stumble(office: Any, mail: Any, *rest: Any, **more: Any) -> None:
        if mail.to == [BOB]:
            raise RuntimeError(f"a bug about {BOB}")
        keep(office, mail, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(service, "_keep", stumble)
        answer = send_batch(trio(), key=KEY)
    assert (answer.status, codes(answer)) == (207, [None, "unexpected", None])
    assert (answer.body["results"][1]["outcome"], answer.body["unknown"]) == ("unknown", 1)
    logged = capsys.readouterr().out
    assert "RuntimeError" in logged
    assert "bob@" not in logged
    assert send_batch(trio(), key=KEY).body["duplicates"] == 3


def test_the_log_counts_and_names_nobody(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    send_batch(trio(), key="secret-key")
    logged = capsys.readouterr().out
    (line,) = [line for line in map(json.loads, logged.splitlines()) if line["message"] == "batch"]
    assert (line["accepted"], line["refused"], line["codes"]) == (3, 0, {})
    assert "@" not in logged
    assert "secret-key" not in logged


def test_side_by_side_they_learn_once_what_ses_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused header costs no mail, and is noted once, whichever thread met it first."""
    monkeypatch.setattr(extras, "learnt", extras.Learnt())
    with mock_tencent(ses_rate_per_s=0) as cloud:
        cloud.move_to(NOW)
        cloud.ses.switches.update({"hourly_per_recipient": 0, "smtp_headers": "refuse"})
        answer = send_batch(batch_of([person(f"p{n}") for n in range(40)]), key=KEY)
        assert (answer.status, answer.body["accepted"]) == (202, 40)
        assert set(mails_of(cloud).values()) == {1}
        assert len(bucket("state/send/callback-token-refused.json")) == 1
        assert extras.learnt.take_unwritten() is None


def test_a_hundred_are_sent_and_a_body_of_megabytes_is_sent_one_by_one(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    most, under_way, lock = [0], [0], threading.Lock()
    dispatch = cloud.ses.dispatch

    def add(number: int) -> None:
        with lock:
            under_way[0] += number
            most[0] = max(most[0], under_way[0])

    def count(request: Any) -> Any:
        add(1)
        try:
            return dispatch(request)
        finally:
            add(-1)

    monkeypatch.setattr(cloud.ses, "dispatch", count)
    assert send_batch(batch_of([person(f"p{n}") for n in range(100)]), key=KEY).body["accepted"] == 100
    assert most[0] <= batch_module.MOST_AT_ONCE
    most[0] = 0
    heavy = [{"filename": "a.pdf", "content": "QUJD" * 700_000}]
    assert send_batch(trio(attachments=heavy), key="heavy").body["accepted"] == 3
    assert most[0] == 1


def test_who_may_not_call_is_told_so_before_anything_is_read(calls: list[str]) -> None:
    assert send_batch(b"{", send_key="wrong").status == 401
    assert send_batch(trio(), key="k" * 257).status == 400
    assert calls == []


def test_get_of_the_path_asks_for_the_key_of_that_name(cloud: LocalCloud) -> None:
    assert look_up("batch").status == 404
    send(VALID, key="batch")
    assert look_up("batch").body["state"] == "sent"
