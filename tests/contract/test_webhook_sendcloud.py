"""SendCloud callbacks: the HMAC, the window, tokens used once, forms and JSON, every generation of names."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from localcloud import defaults
from shared.upstream.signing import sendcloud_signature
from tests.event_files import load_event
from tests.handlers import DAY, NOW, ask, bucket, call_back, kept, records

if TYPE_CHECKING:
    from localcloud import LocalCloud
    from tests.handlers import Answer

TOKEN = "t" * 50


def signed(**fields: Any) -> dict[str, Any]:
    """Make a callback of ``fields`` with a signature that holds."""
    given = {"event": "deliver", "emailId": "id0$alice@example.com", "recipient": "alice@example.com",
             "timestamp": 1795161600712, "token": TOKEN, **fields}  # fmt: skip
    proof = sendcloud_signature(defaults.SENDCLOUD_APP_KEY, str(given["timestamp"]), given["token"])
    return {**given, "signature": proof}


def deliver(value: Any) -> Answer:
    """Call back as JSON."""
    return call_back(value, provider="sendcloud")


def deliver_form(fields: dict[str, Any]) -> Answer:
    """Call back as a form, in the order of ``fields``."""
    return call_back(urlencode(fields).encode(), provider="sendcloud", content_type="application/x-www-form-urlencoded")


def refused_for(reason: str) -> bool:
    """Whether the day's only refusal was counted under ``reason``."""
    (line,) = records(f"state/webhook/refused/dt={DAY}/")
    return bool(line["counts"] == {reason: 1})


@pytest.mark.parametrize("case", ["form-wrong-signature", "form-unsigned", "form-plain-sha256", "json-wrong-signature"])
def test_a_signature_that_does_not_hold_is_401_and_nothing_is_stored(case: str, cloud: LocalCloud) -> None:
    answer = ask("webhook", load_event(f"webhook/function-url-sendcloud-{case}.json"))
    reference = ask("webhook", load_event("webhook/function-url-ses-wrong-secret.json"))
    assert answer == reference
    assert kept() == {}


@pytest.mark.parametrize("signature", ["", "0" * 64, "\ud800", "é" * 64, None, 1, [], {}])
def test_whatever_stands_for_a_signature_is_compared_and_refused(signature: Any, cloud: LocalCloud) -> None:
    assert call_back({**signed(), "signature": signature}, provider="sendcloud").status == 401
    assert call_back({**signed(), "token": signature}, provider="sendcloud").status == 401
    assert kept() == {}


@pytest.mark.parametrize("element", [{}, {"event": "deliver"}, {**signed(), "signature": "0" * 64}])
def test_one_unsigned_object_refuses_the_whole_array(element: Any, cloud: LocalCloud) -> None:
    assert call_back([signed(), element], provider="sendcloud").status == 401
    assert kept() == {}


@pytest.mark.parametrize("element", ["7", '"x"', "null", "[]", '{"event": 1e400}', '{"event": NaN, "n": 1.10}'])
def test_what_cannot_be_an_event_costs_those_beside_it_nothing(element: str, cloud: LocalCloud) -> None:
    """It is nobody's, signed or not, and lies in quarantine as it came; a repeat would be refused for ever."""
    body = f"[{json.dumps(signed())}, {element} ]".encode()
    answer = call_back(body, provider="sendcloud")
    assert (answer.status, answer.body) == (200, {"stored": 1, "quarantined": 1})
    assert [line["body"] for line in records("quarantine/")] == [element]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("request", ("accepted", None)),
        ("deliver", ("delivered", None)),
        ("delivered", ("delivered", None)),
        ("open", ("opened", None)),
        ("click", ("clicked", None)),
        ("unsubscribe", ("unsubscribed", None)),
        ("report_spam", ("complained", None)),
        ("spam-report", ("complained", None)),
        ("invalid", ("bounced", "hard")),
        ("invalid_email", ("bounced", "hard")),
        ("soft_bounce", ("bounced", "soft")),
        ("bounce", ("bounced", "soft")),
        ("route", ("unknown", None)),
    ],
)
@pytest.mark.parametrize("kind", ["form", "json"])
def test_every_generation_of_names_in_both_content_types(
    kind: str, name: str, expected: tuple[Any, ...], cloud: LocalCloud
) -> None:
    fields = signed(event=name, url="https://a.example/1", userHeaders='{"SC-Custom-order": "42"}')
    if kind == "form":
        body, content_type = urlencode(fields).encode(), "application/x-www-form-urlencoded"
    else:
        body, content_type = json.dumps(fields).encode(), "application/json"
    assert call_back(body, provider="sendcloud", content_type=content_type).body == {"stored": 1}
    (record,) = records("events/")
    assert (record["type"], record["class"]) == expected
    assert (record["source"], record["verified"]) == ("sendcloud", True)
    assert (record["message_id"], record["recipient"]) == ("id0$alice@example.com", "alice@example.com")
    assert record["occurred_at"] == "2026-11-20T08:00:00.712Z"
    assert (record["link"], record["metadata"]) == ("https://a.example/1", {"SC-Custom-order": "42"})


@pytest.mark.parametrize(
    "case",
    ["form-request", "form-deliver", "form-open", "form-click", "form-invalid", "form-soft-bounce", "form-unsubscribe",
     "form-report-spam", "form-route", "form-bounce", "form-upper-signature", "form-late", "form-seconds",
     "json-request", "json-delivered", "json-open", "json-click", "json-invalid-email", "json-soft-bounce",
     "json-unsubscribe", "json-spam-report", "json-route"],
)  # fmt: skip
def test_the_event_files_are_stored_verified(case: str, cloud: LocalCloud) -> None:
    assert ask("webhook", load_event(f"webhook/function-url-sendcloud-{case}.json")).body == {"stored": 1}
    (record,) = records("events/")
    assert record["verified"] is True
    assert record["occurred_at"].startswith("2026-11-")


def test_a_request_of_two_is_an_event_for_each(cloud: LocalCloud) -> None:
    path = "webhook/function-url-sendcloud-form-request-two.json"
    assert ask("webhook", load_event(path)).body == {"stored": 2}
    found = records("events/")
    assert {record["recipient"] for record in found} == {"alice@example.com", "bob@example.com"}
    assert all(record["message_id"].endswith("$" + record["recipient"]) for record in found)
    first = bucket()
    ask("webhook", load_event(path))
    assert bucket() == first


def test_the_reason_of_a_bounce_is_diagnosed(cloud: LocalCloud) -> None:
    call_back(signed(event="invalid", message="550 5.1.1 no such user"), provider="sendcloud")
    (record,) = records("events/")
    assert (record["reason"], record["smtp"], record["enhanced"]) == ("invalid_recipient", "550", "5.1.1")


# --- the window and the memory of tokens -------------------------------------------------------------------------

HOUR_S = 3600
FAR = [NOW - 72 * HOUR_S - 60, NOW + 11 * 60, NOW - 30 * 24 * HOUR_S, 1426390015.358]
NEAR = [NOW - 72 * HOUR_S + 60, NOW, NOW + 9 * 60]


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
@pytest.mark.parametrize("at", FAR)
def test_a_time_outside_the_window_is_401_and_its_content_is_kept(at: float, unit: int, cloud: LocalCloud) -> None:
    """72 h back, so that the longest schedule of repeats fits; 10 min ahead; the vector of 2015 is long past."""
    fields = signed(timestamp=str(int(at * unit)))
    answer = deliver_form(fields)
    assert (answer.status, answer.body["detail"]) == (401, "not authenticated")
    assert refused_for("stale")
    assert records("events/") == []
    assert bucket("state/webhook/tokens/") == {}
    (line,) = records(f"quarantine/dt={DAY}/")
    assert (line["why"], line["provider"]) == ("a SendCloud timestamp outside the window", "sendcloud")
    assert line["body"] == urlencode(fields)


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
@pytest.mark.parametrize("at", NEAR)
def test_a_time_within_the_window_is_taken(at: float, unit: int, cloud: LocalCloud) -> None:
    assert deliver_form(signed(timestamp=str(int(at * unit)))).body == {"stored": 1}
    assert records("events/")[0]["verified"] is True


@pytest.mark.parametrize("timestamp", ["", "now", "1795161600.5", "1.7951616e9", " 1795161600", "-1795161600", "１７９５１６１６００",
                                       "9" * 400, "0", True, None, 1795161600.5, [], {}])  # fmt: skip
def test_what_is_no_time_is_refused_even_when_it_is_signed(timestamp: Any, cloud: LocalCloud) -> None:
    """Digits, nothing that a number parser would also take."""
    assert deliver(signed(timestamp=timestamp)).status == 401
    assert refused_for("stale")
    assert records("events/") == []


def test_the_time_that_is_signed_is_the_time_that_is_stored(cloud: LocalCloud) -> None:
    """Two spellings of one name: the signature and the event must not read different ones."""
    fields = signed()
    for number, name in enumerate(("Timestamp", "TIMESTAMP", "timesTamp")):
        other = {name: 1795075200000}
        content = signed(token=str(number) * 50)
        for twice in ({**content, **other}, {**other, **content}):
            deliver(twice)
            deliver({name: content["timestamp"], **content, "timestamp": other[name]})
    assert deliver({"TimeStamp": fields.pop("timestamp"), **fields}).body == {"stored": 1}
    assert {record["occurred_at"] for record in records("events/")} == {"2026-11-20T08:00:00.712Z"}


def test_a_repeat_with_the_same_token_is_accepted_and_changes_nothing(cloud: LocalCloud, calls: list[str]) -> None:
    """SendCloud may repeat with the old timestamp and token, hours later."""
    assert deliver_form(signed()).body == {"stored": 1}
    assert calls == ["cos:PutObject"] * 2, "the token and the event, nothing else"
    first = bucket()
    assert deliver_form(signed()).body == {"stored": 1}
    cloud.advance(44 * HOUR_S)
    assert deliver_form(signed()).body == {"stored": 1}
    assert bucket() == first
    assert len(records("events/")) == 1


def test_a_repeat_with_a_fresh_token_is_accepted(cloud: LocalCloud) -> None:
    """The other thing that it may do."""
    assert deliver_form(signed()).body == {"stored": 1}
    assert deliver_form(signed(token="u" * 50)).body == {"stored": 1}
    assert len({record["event_id"] for record in records("events/")}) == 1


def test_the_same_content_in_another_encoding_is_the_same(cloud: LocalCloud) -> None:
    """Order of the fields, form or JSON, numbers as text, lists as text, blank or absent, letters of the signature."""
    people = ["alice@example.com", "bob@example.com"]
    content = signed(event="request", recipient="", recipientArray=people, emailIds=["a", "b"], recipientSize=2,
                     userHeaders={"SC-Custom-order": "42"}, labelId=None, retried=False,
                     message="[mx.example.com] 250 ok")  # fmt: skip
    assert deliver(content).body == {"stored": 2}
    text = {**content, "recipientArray": json.dumps(people), "emailIds": '["a",  "b"]', "labelId": "",
            "userHeaders": '{"SC-Custom-order":"42"}', "retried": "false", "signature": content["signature"].upper()}  # fmt: skip
    assert deliver_form(dict(reversed(text.items()))).status == 200
    assert deliver({name: value for name, value in text.items() if name != "recipient"}).status == 200
    assert len({record["event_id"] for record in records("events/")}) == 2
    assert len(bucket("state/webhook/tokens/")) == 1


OTHERS = [{"recipient": "mallory@example.com"}, {"event": "report_spam"}, {"emailId": "id1$alice@example.com"},
          {"url": "https://a.example/"}, {"userHeaders": "{}"}, {"recipientArray": '["x"]'}]  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_a_token_that_was_used_for_something_else_is_401_and_its_content_is_kept(
    other: dict[str, Any], cloud: LocalCloud
) -> None:
    """The signature covers neither event nor recipient: whoever saw one callback could tell any other with it."""
    deliver_form(signed())
    first = bucket("events/")
    answer = deliver_form(signed(**other))
    assert answer == ask("webhook", load_event("webhook/function-url-sendcloud-form-wrong-secret.json"))
    assert bucket("events/") == first
    (line,) = records(f"quarantine/dt={DAY}/")
    assert line["why"] == "a SendCloud token used before"
    assert line["body"] == urlencode(signed(**other))
    (counted,) = records("state/webhook/refused/")
    assert counted["counts"] == {"replayed": 1, "secret": 1}
    assert deliver_form(signed()).status == 200, "the first content still passes"


def test_the_event_files_of_what_is_stale_and_replayed(cloud: LocalCloud) -> None:
    def answered(case: str) -> int:
        return ask("webhook", load_event(f"webhook/function-url-sendcloud-form-{case}.json")).status

    assert [answered(case) for case in ("stale", "deliver", "replayed", "deliver")] == [401, 200, 401, 200]
    assert [record["recipient"] for record in records("events/")] == ["alice@example.com"]
    assert len(records("quarantine/")) == 2


def test_where_the_timestamp_ends_cannot_be_moved(cloud: LocalCloud) -> None:
    """Timestamp and token are signed as one text: digits moved from one to the other verify, and are a replay."""
    given = signed()
    moved = {**given, "timestamp": "1795161600", "token": "712" + TOKEN}
    assert sendcloud_signature(defaults.SENDCLOUD_APP_KEY, "1795161600", "712" + TOKEN) == given["signature"]
    assert deliver_form(given).status == 200
    assert deliver_form(moved).status == 401
    assert len(records("events/")) == 1
    for digits in (1, 9, 11, 12, 14):
        text = str(given["timestamp"]) + TOKEN
        assert deliver_form({**given, "timestamp": text[:digits], "token": text[digits:]}).status == 401


def test_each_object_of_an_array_has_a_token_of_its_own(cloud: LocalCloud) -> None:
    events = [signed(token=str(number) * 50, recipient=f"p{number}@example.com") for number in range(10)]
    assert deliver(events).body == {"stored": 10}
    assert len(bucket("state/webhook/tokens/")) == 10
    assert deliver(list(reversed(events))).body == {"stored": 10}
    assert deliver(events[3]).body == {"stored": 1}
    replayed = {**events[0], "recipient": "mallory@example.com"}
    fresh = signed(token="f" * 50, recipient="carol@example.com")
    assert deliver([fresh, replayed]).status == 401
    assert "carol@example.com" not in {record["recipient"] for record in records("events/")}
    assert deliver(fresh).body == {"stored": 1}, "it was claimed, and says what it said"


@pytest.mark.parametrize("claim", ["forbid-overwrite", "append"])
def test_of_eight_at_once_under_one_token_one_content_wins(
    claim: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever claims first; its own repeats, at the same time, win with it."""
    monkeypatch.setenv("MAILTRAIL_CLAIM", claim)
    rivals = [signed(recipient=f"p{number % 4}@example.com") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(deliver, rivals))
    won = {rival["recipient"] for rival, answer in zip(rivals, answers, strict=True) if answer.status == 200}
    assert [record["recipient"] for record in records("events/")] == list(won)
    assert [answer.status for answer in answers].count(401) == 6
    assert len(bucket("quarantine/")) == 3


def test_an_array_under_one_token_is_one_thing_said(cloud: LocalCloud) -> None:
    both = [signed(), signed(recipient="bob@example.com")]
    assert deliver(both).body == {"stored": 2}
    assert deliver(both[::-1]).body == {"stored": 2}
    assert deliver(both[0]).status == 401
    assert len(records("events/")) == 2


@pytest.mark.parametrize("claim", ["forbid-overwrite", "append"])
def test_a_repeat_passes_when_the_token_was_claimed_and_the_event_not_stored(
    claim: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim comes first, so a crash between the two leaves a claim; the same content passes it."""
    monkeypatch.setenv("MAILTRAIL_CLAIM", claim)
    dispatch, written = cloud.cos.dispatch, []

    def only_one(request: Any) -> Any:
        if request.method in ("PUT", "POST") and written:
            return cloud.cos.error_response(request, "ServiceUnavailable", 503)
        written.append(request)
        return dispatch(request)

    monkeypatch.setattr(cloud.cos, "dispatch", only_one)
    answer = call_back(signed(), provider="sendcloud", time_limit_s=1.3)
    assert (answer.status, answer.body["code"]) == (503, "trail_unavailable")
    monkeypatch.setattr(cloud.cos, "dispatch", dispatch)
    (key,) = bucket()
    assert key.startswith(f"state/webhook/tokens/dt={DAY}/")
    assert deliver(signed()).body == {"stored": 1}
    assert deliver(signed(recipient="mallory@example.com")).status == 401
    assert len(records("events/")) == 1


def test_a_claim_that_cos_does_not_take_is_503(cloud: LocalCloud) -> None:
    """Nothing is acknowledged, and nothing refused, that may be right."""
    cloud.add_faults({"service": "cos", "kind": "error", "status": 503, "code": "ServiceUnavailable"})
    answer = call_back(signed(), provider="sendcloud", time_limit_s=1.3)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "trail_unavailable", True)
    assert int(answer.headers["Retry-After"]) > 0
    cloud.clear_faults()
    assert bucket() == {}


def test_a_claim_whose_acknowledgement_was_lost_is_no_replay(cloud: LocalCloud) -> None:
    cloud.add_faults({"service": "cos", "action": "PutObject", "kind": "drop_response", "times": 1})
    assert deliver(signed()).body == {"stored": 1}


def test_what_cannot_be_kept_is_not_refused_either(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay that quarantine did not take is asked for again: a 401 may be the last that is heard of it."""
    dispatch = cloud.cos.dispatch

    def no_quarantine(request: Any) -> Any:
        if request.path.startswith("/quarantine/"):
            return cloud.cos.error_response(request, "ServiceUnavailable", 503)
        return dispatch(request)

    deliver(signed())
    monkeypatch.setattr(cloud.cos, "dispatch", no_quarantine)
    assert call_back(signed(event="open"), provider="sendcloud", time_limit_s=1.3).status == 503
    assert bucket("state/webhook/refused/") == {}
    monkeypatch.setattr(cloud.cos, "dispatch", dispatch)
    assert deliver(signed(event="open")).status == 401
    assert len(records("quarantine/")) == 1


def test_what_is_nested_too_deep_for_a_claim_is_quarantined(cloud: LocalCloud) -> None:
    for depth in (200, 900, 990):
        text = json.dumps(signed(token=str(depth) * 10, x="NEST")).replace('"NEST"', "[" * depth + "]" * depth).encode()
        answer = call_back(text, provider="sendcloud")
        assert answer.status == 200
        assert answer.body["stored"] + answer.body.get("quarantined", 0) == 1


def test_no_token_is_remembered_of_what_is_not_signed_or_is_of_ses(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SENDCLOUD_APP_KEY")
    assert deliver(signed()).status == 200
    assert deliver(signed(event="open", timestamp=1426390015358)).status == 200
    assert call_back(signed(), provider="ses").status == 200
    assert calls == ["cos:PutObject"] * 3
    assert bucket("state/") == {}


def test_localclouds_own_repeats_are_accepted(cloud: LocalCloud) -> None:
    """Identical bytes, 31 minutes of them."""
    body = urlencode(signed()).encode()
    cloud.callbacks.enqueue(
        source="sendcloud", due_at=NOW, body=body, content_type="application/x-www-form-urlencoded",
        message_id="m", recipient="alice@example.com", event="deliver",
    )  # fmt: skip
    answers = []

    def lose_the_answer(callback: Any) -> tuple[int | None, str]:
        answers.append(call_back(callback.body, provider="sendcloud", content_type=callback.content_type))
        return None, "no answer"

    for wait_s in (0, 60, 120, 240, 480, 960):
        cloud.advance(wait_s)
        for due in cloud.callbacks.due():
            cloud.callbacks.settle(due.id, status=lose_the_answer(due)[0], answer="")
    assert [answer.status for answer in answers] == [200] * 6
    assert len(records("events/")) == 1


def test_without_an_app_key_events_are_kept_unverified(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret in the path has let them in; the signature proves nothing then."""
    monkeypatch.delenv("SENDCLOUD_APP_KEY")
    assert call_back({**signed(), "signature": "0" * 64}, provider="sendcloud").body == {"stored": 1}
    assert records("events/")[0]["verified"] is False


def test_an_app_key_that_is_being_rotated(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDCLOUD_APP_KEY", f"the-new-app-key,{defaults.SENDCLOUD_APP_KEY}")
    assert call_back(signed(), provider="sendcloud").body == {"stored": 1}


def test_a_body_that_is_neither_form_nor_json_is_quarantined(cloud: LocalCloud) -> None:
    answer = call_back(b"\xff\xfe", provider="sendcloud")
    assert answer.body == {"stored": 0, "quarantined": 1}
    assert records("quarantine/")[0]["provider"] == "sendcloud"
