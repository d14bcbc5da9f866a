"""One Idempotency-Key, one mail: repeats, rivals, answers that got lost, and a bucket that is down."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from functions.send import office
from functions.send.attempts import MOST
from tests.event_files import load_event
from tests.handlers import VALID, ask, bucket, look_up, records, send

if TYPE_CHECKING:
    from localcloud import LocalCloud

KEY = "order-42"
HASH = hashlib.sha256(KEY.encode()).hexdigest()
NO_COS = {"service": "cos", "kind": "error", "status": 503, "code": "ServiceUnavailable"}
SHORT_S = 1.3
"""A time limit that leaves 0.3 s for retries at COS: the second before the end is kept for the answer."""


def after_ses(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, *rules: dict[str, Any]) -> None:
    """Add fault rules as soon as SES has a mail."""
    dispatch = cloud.ses.dispatch

    def then(request: Any) -> Any:
        response = dispatch(request)
        if cloud.ses.action_of(request) == "SendEmail":
            cloud.add_faults(list(rules))
        return response

    monkeypatch.setattr(cloud.ses, "dispatch", then)


def test_a_repeat_gets_the_first_answer_and_sends_nothing(cloud: LocalCloud, calls: list[str]) -> None:
    first, second = send(VALID, key=KEY), send(VALID, key=KEY)
    assert (first.status, second.status) == (202, 202)
    assert second.body == {**first.body, "duplicate": True}
    assert calls.count("ses:SendEmail") == 1
    assert len(cloud.messages()) == 1


def test_the_same_content_in_another_order_of_members_is_the_same(cloud: LocalCloud) -> None:
    reordered = json.dumps(dict(reversed(VALID.items())), indent=3).encode()
    assert send(VALID, key=KEY).status == 202
    assert send(reordered, key=KEY).body["duplicate"] is True
    assert len(cloud.messages()) == 1


def test_another_body_under_the_key_is_a_conflict_and_not_sent(cloud: LocalCloud) -> None:
    assert ask("send", load_event("send/apigw-idempotent.json")).status == 202
    answer = ask("send", load_event("send/clb-idempotent-other-body.json"))
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (409, "idempotency_conflict", False)
    assert len(cloud.messages()) == 1


def test_another_key_is_another_mail(cloud: LocalCloud) -> None:
    assert send(VALID, key="a").body["duplicate"] is False
    assert send(VALID, key="b").body["duplicate"] is False
    assert len(cloud.messages()) == 2


def test_sixteen_at_once_send_one_mail(cloud: LocalCloud, calls: list[str]) -> None:
    """Who loses is told to wait, or gets the winner's answer; nobody else reaches SES."""
    start = threading.Barrier(16)

    def one(_: int) -> Any:
        start.wait()
        return send(VALID, key=KEY)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(16)))
    assert calls.count("ses:SendEmail") == 1
    (message,) = cloud.messages()
    sent = [answer for answer in answers if answer.status == 202]
    waiting = [answer for answer in answers if answer.status == 409]
    assert len(sent) + len(waiting) == 16
    assert {answer.body["message_id"] for answer in sent} == {message["message_id"]}
    assert [answer.body["duplicate"] for answer in sent].count(False) == 1
    assert all(
        (answer.body["code"], answer.body["retry_safe"], answer.headers["Retry-After"]) == ("in_flight", True, "2")
        for answer in waiting
    )
    assert send(VALID, key=KEY).body["message_id"] == message["message_id"]


@pytest.mark.parametrize("claim", ["forbid-overwrite", "append"])
def test_fifty_at_once_call_ses_once_whichever_the_way_of_claiming(
    claim: str, cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILTRAIL_CLAIM", claim)
    start = threading.Barrier(50)

    def one(_: int) -> int:
        start.wait()
        return send(VALID, key=KEY).status

    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(one, range(50)))
    assert calls.count("ses:SendEmail") == 1
    assert len(cloud.messages()) == 1
    assert set(statuses) <= {202, 409}
    assert 202 in statuses


@pytest.mark.parametrize(("kind", "sent"), [("drop_response", 1), ("drop_request", 0)])
def test_after_an_unknown_outcome_a_repeat_never_sends(
    kind: str, sent: int, cloud: LocalCloud, calls: list[str]
) -> None:
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": kind, "times": 1})
    assert send(VALID, key=KEY).status == 504
    for _ in range(3):
        answer = send(VALID, key=KEY)
        assert (answer.status, answer.body["code"]) == (409, "outcome_uncertain")
        assert (answer.body["outcome"], answer.body["retry_safe"]) == ("unknown", False)
        assert int(answer.headers["Retry-After"]) > 0
    assert calls.count("ses:SendEmail") == 1
    assert len(cloud.messages()) == sent
    seen = look_up(KEY)
    assert (seen.status, seen.body["state"]) == (200, "uncertain")


def test_what_was_refused_and_may_be_retried_is_sent_by_a_repeat(cloud: LocalCloud, calls: list[str]) -> None:
    cloud.add_faults(
        {"service": "ses", "action": "SendEmail", "kind": "error", "code": "RequestLimitExceeded", "times": 2 * MOST}
    )
    assert [send(VALID, key=KEY).status for _ in range(4)] == [429, 429, 202, 202]
    assert calls.count("ses:SendEmail") == 2 * MOST + 1
    assert len(cloud.messages()) == 1
    assert sorted(key.rpartition("/")[2] for key in bucket(f"ledger/send/{HASH}/")) == [
        "claim-0.json", "claim-1.json", "claim-2.json", "outcome-0.json", "outcome-1.json", "outcome-2.json",
    ]  # fmt: skip


def test_sixteen_retries_at_once_after_a_refusal_send_one_mail(cloud: LocalCloud) -> None:
    cloud.add_faults({"service": "ses", "kind": "throttle", "action": "SendEmail", "times": MOST})
    assert send(VALID, key=KEY).status == 429
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: send(VALID, key=KEY).status, range(16)))
    assert set(statuses) <= {202, 409}
    assert len(cloud.messages()) == 1


def test_what_was_refused_for_good_is_answered_again_without_asking(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEND_GUARD", "off")  # it would refuse before the ledger hears of it
    body = {**VALID, "from": "noreply@unverified.example.org"}
    first, second = send(body, key=KEY), send(body, key=KEY)
    assert calls.count("ses:SendEmail") == 1
    assert (first.status, second.status) == (422, 422)
    ignored = ("request_id", "duplicate")
    assert {k: v for k, v in second.body.items() if k not in ignored} == {
        k: v for k, v in first.body.items() if k not in ignored
    }
    assert second.body["duplicate"] is True
    assert look_up(KEY).body["state"] == "refused"


def test_invalid_input_does_not_use_the_key_up(cloud: LocalCloud) -> None:
    assert send({**VALID, "subject": ""}, key=KEY).status == 400
    assert send(VALID, key=KEY).status == 202


def test_what_the_ledger_says_of_a_key(cloud: LocalCloud) -> None:
    assert look_up(KEY).status == 404
    sent = send(VALID, key=KEY)
    seen = look_up(KEY)
    assert (seen.status, seen.body["state"], seen.body["message_id"]) == (200, "sent", sent.body["message_id"])


def test_of_a_mail_the_ledger_keeps_hashes_ids_and_whom_to_ask_ses_for(cloud: LocalCloud) -> None:
    """A key may hold personal data, a body does. SES finds a mail by its recipient's address, and by no hash."""
    mail = {**VALID, "subject": "secret", "template": {"id": 100091, "data": {"code": "secret"}}}
    answer = send({**mail, "cc": ["bob@example.com"], "metadata": {"a": "secret"}}, key="secret-key")
    (claim, outcome) = records(f"ledger/send/{hashlib.sha256(b'secret-key').hexdigest()}/")
    assert (claim["v"], claim["state"], len(claim["body_sha256"])) == (1, "claimed", 64)
    assert (outcome["v"], outcome["state"], outcome["message_id"]) == (1, "sent", answer.body["message_id"])
    assert outcome["body_sha256"] == claim["body_sha256"]
    assert (claim["sender"], claim["recipients"]) == (
        "noreply@mail.example.com",
        ["alice@example.com", "bob@example.com"],
    )
    assert b"secret" not in b"".join(bucket("ledger/").values())
    assert records("sends/")[0]["key_sha256"] == hashlib.sha256(b"secret-key").hexdigest()


def test_keys_of_any_characters_are_keys(cloud: LocalCloud) -> None:
    """Slashes, percent signs and spaces: each its own, found again by GET."""
    for key, path in (("a/b", "a%2Fb"), ("a%2Fb", "a%252Fb"), ("a b~", "a%20b~"), ("k" * 256, "k" * 256)):
        assert send(VALID, key=key).body["duplicate"] is False
        assert look_up(path).body["state"] == "sent"
    assert len(cloud.messages()) == 4


@pytest.mark.parametrize("key", ["键", "\ud800k", "/x", "x/", "a//b", "a\nb", "k" * 257])
def test_a_key_that_get_could_not_name_is_refused(key: str, cloud: LocalCloud) -> None:
    answer = send(VALID, key=key)
    assert (answer.status, answer.body["code"]) == (400, "invalid_request")
    assert not cloud.messages()


def test_a_claim_whose_maker_never_heard_of_it_does_not_block_its_key(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COS wrote the claim and every answer got lost; told to come back, the caller comes back and the mail goes out."""
    monkeypatch.setattr(office, "TIME_FOR_SES_S", 0.1)
    cloud.add_faults({"service": "cos", "action": "PutObject", "kind": "drop_response"})
    cloud.add_faults({"service": "cos", "action": "GetObject", "kind": "drop_response"})
    first = send(VALID, key=KEY, time_limit_s=SHORT_S)
    assert first.status == 503
    assert first.body["retry_safe"] is False  # nobody could be told that the claim is void
    cloud.clear_faults()
    cloud.add_faults({"service": "cos", "action": "GetObject", "kind": "error", "status": 503})
    assert send(VALID, key="other", time_limit_s=SHORT_S).status == 202
    cloud.clear_faults()
    cloud.add_faults({"service": "cos", "action": "PutObject", "kind": "drop_response", "times": 1})
    cloud.add_faults({"service": "cos", "action": "GetObject", "kind": "error", "status": 503})
    third = send(VALID, key="third", time_limit_s=SHORT_S)
    assert (third.status, third.body["retry_safe"]) == (503, True)
    cloud.clear_faults()
    assert send(VALID, key="third").body["duplicate"] is False
    assert len(cloud.messages()) == 2


def test_a_key_that_was_throttled_often_is_found_in_a_few_steps(cloud: LocalCloud, calls: list[str]) -> None:
    """Every refusal adds a generation; the next attempt must not walk through all of them."""
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": "error", "code": "RequestLimitExceeded"})
    for _ in range(40):
        assert send(VALID, key=KEY).status == 429
    cloud.clear_faults()
    calls.clear()
    assert send(VALID, key=KEY).status == 202
    assert len(calls) < 25
    assert look_up(KEY).body["generation"] == 40


def test_a_bucket_that_is_down_before_the_call_means_503_and_nothing_sent(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office, "TIME_FOR_SES_S", 0.1)
    cloud.add_faults(NO_COS)
    answer = send(VALID, key=KEY, time_limit_s=SHORT_S)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "trail_unavailable", True)
    assert int(answer.headers["Retry-After"]) > 0
    assert not any(call.startswith("ses:") for call in calls)
    cloud.clear_faults()
    assert send(VALID, key=KEY).status == 202


def test_a_bucket_that_stutters_before_the_call_is_overcome(cloud: LocalCloud) -> None:
    cloud.add_faults({**NO_COS, "times": 2})
    assert send(VALID, key=KEY).status == 202


@pytest.mark.parametrize("key", ["", KEY])
def test_a_bucket_that_goes_down_after_acceptance_costs_the_trail_not_the_answer(
    key: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mail is out: the caller hears 202. A repeat of the key meets a claim, and does not send; later it finds out."""
    monkeypatch.setattr(office, "TIME_TO_REMEMBER_S", 0.3)
    after_ses(cloud, monkeypatch, NO_COS)
    answer = send(VALID, key=key)
    assert (answer.status, answer.body["duplicate"]) == (202, False)
    assert "send not kept" in capsys.readouterr().out
    cloud.clear_faults()
    if key:
        assert look_up(key).body["state"] == "claimed"
        assert send(VALID, key=key).body["code"] == "in_flight"
        cloud.advance(901)
        again = send(VALID, key=key).body
        assert (again["message_id"], again["duplicate"]) == (answer.body["message_id"], True)
        assert again["resolved_by"] == "status"
    assert len(cloud.messages()) == 1


def test_of_two_writes_after_acceptance_the_outcome_comes_first(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When time runs out between them, the key is settled: a repeat gets its answer."""
    after_ses(cloud, monkeypatch)
    put = cloud.cos.dispatch

    def only_the_ledger(request: Any) -> Any:
        if request.method == "PUT" and request.path.startswith("/sends/"):
            return cloud.cos.error_response(request, "ServiceUnavailable", 503)
        return put(request)

    monkeypatch.setattr(office, "TIME_TO_REMEMBER_S", 0.3)
    monkeypatch.setattr(cloud.cos, "dispatch", only_the_ledger)
    first = send(VALID, key=KEY)
    assert first.status == 202
    assert send(VALID, key=KEY).body == {**first.body, "duplicate": True}


def test_ses_is_not_called_when_too_little_time_is_left_to_hear_its_answer(cloud: LocalCloud, calls: list[str]) -> None:
    """Dying between the call and its answer would leave the key in doubt; refused now, it may be tried again."""
    answer = send(VALID, key=KEY, time_limit_s=office.TIME_FOR_SES_S)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "out_of_time", True)
    assert not any(call.startswith("ses:") for call in calls)
    assert send(VALID, key=KEY).status == 202


def test_a_claim_whose_acknowledgement_was_lost_is_still_our_own(cloud: LocalCloud) -> None:
    """COS wrote it and the answer got lost; the repeat meets our own object and goes on."""
    cloud.add_faults({"service": "cos", "action": "PutObject", "kind": "drop_response", "times": 1})
    answer = send(VALID, key=KEY)
    assert (answer.status, answer.body["duplicate"]) == (202, False)
    assert len(cloud.messages()) == 1
