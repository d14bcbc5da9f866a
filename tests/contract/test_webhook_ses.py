"""SES callbacks: who may call, what is stored of each event, and that a redelivery changes nothing."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud import defaults
from shared.upstream.signing import build_callback_token
from tests.event_files import load_event
from tests.handlers import DAY, EVENT, ask, bucket, call_back, http_event, kept, records

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud import LocalCloud

SAMPLE_2024 = {
    "v": 1,
    "source": "ses",
    "type": "bounced",
    "class": "hard",
    "reason": "invalid_recipient",
    "fault": "recipient",
    "message_id": "qcloudses-30-251200670-date-20220601142439-8jolHvR2XcXC1",
    "recipient": "example@example.com",
    "occurred_at": "2022-06-01T06:24:43Z",
    "verified": False,
    "machine": None,
    "smtp": "551",
    "enhanced": "5.1.1",
    "link": None,
    "template_id": 123456,
    "task_id": None,
    "metadata": None,
}


def load(case: str, shape: str = "function-url") -> dict[str, Any]:
    """Read the event file of ``case``."""
    return load_event(f"webhook/{shape}-{case}.json")


def stored(case: str) -> dict[str, Any]:
    """Deliver the case, which holds one event, and read the record."""
    answer = ask("webhook", load(case))
    assert (answer.status, answer.body) == (200, {"stored": 1})
    (record,) = records("events/")
    return record


# --- what is stored -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["ses-sample-2024", "ses-sample-2025"])
def test_the_vendors_samples_become_exactly_this_record(case: str, cloud: LocalCloud) -> None:
    """Every member; in the partition of the event's own hour, 14 o'clock of UTC+8, whenever it arrived."""
    record = stored(case)
    raw, event_id, received_at = (record.pop(name) for name in ("raw", "event_id", "received_at"))
    assert record == SAMPLE_2024
    assert raw == json.loads(load(case)["body"])
    assert received_at.startswith("2026-11-20T08:10:0")
    parts = ["ses", record["message_id"], record["recipient"], "bounced", record["occurred_at"], ""]
    assert event_id == hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
    (key,) = bucket("events/")
    content = json.dumps([["ses", raw]], sort_keys=True, separators=(",", ":")).encode()
    assert key == f"events/dt=2022-06-01/hour=14/{hashlib.sha256(content).hexdigest()}.jsonl"


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("delivered", ("delivered", None, None, None)),
        ("processed", ("accepted", None, None, None)),
        ("deferred", ("deferred", "soft", "greylisted", "recipient_system")),
        ("dropped", ("rejected", "admin", "suppressed", "recipient")),
        ("open", ("opened", None, None, None)),
        ("click", ("clicked", None, None, None)),
        ("spamreport", ("complained", None, None, "content")),
        ("unsubscribe", ("unsubscribed", None, None, None)),
        ("bounce-hard", ("bounced", "hard", "invalid_recipient", "recipient")),
        ("bounce-hard-old-word", ("bounced", "hard", "invalid_recipient", "recipient")),
        ("bounce-soft", ("bounced", "soft", "mailbox_full", "recipient")),
        ("bounce-soft-old-word", ("bounced", "soft", "mailbox_full", "recipient")),
        ("bounce-blocked", ("bounced", "block", "spam_content", "content")),
        ("unknown-type", ("unknown", None, None, None)),
    ],
)
def test_every_event_type_in_our_words(case: str, expected: tuple[Any, ...], cloud: LocalCloud) -> None:
    record = stored(f"ses-{case}")
    assert (record["type"], record["class"], record["reason"], record["fault"]) == expected
    assert record["raw"] == json.loads(load(f"ses-{case}")["body"])


def test_a_click_keeps_its_link_and_a_batch_its_task(cloud: LocalCloud) -> None:
    assert stored("ses-click")["link"] == json.loads(load("ses-click")["body"])["link"]
    assert ask("webhook", load("ses-batch-task")).status == 200
    task_ids = [record["task_id"] for record in records("events/") if record["task_id"]]
    assert task_ids == [str(json.loads(load("ses-batch-task")["body"])["taskId"])]


@pytest.mark.parametrize("name", ["bulkId", "bulkid", "BulkID", "BULKID"])
def test_the_message_id_is_read_in_any_spelling(name: str, cloud: LocalCloud) -> None:
    """The field table says bulkid, every sample says bulkId."""
    event = {name if key == "bulkId" else key: value for key, value in EVENT.items()}
    assert call_back(event).body == {"stored": 1}
    assert records("events/")[0]["message_id"] == EVENT["bulkId"]


def test_both_spellings_of_the_event_files(cloud: LocalCloud) -> None:
    assert stored("ses-bulkid-lower")["message_id"]


def test_an_event_without_message_id_is_kept(cloud: LocalCloud) -> None:
    record = stored("ses-no-bulkid")
    assert (record["message_id"], record["type"], bool(record["recipient"])) == (None, "delivered", True)


def test_the_oldest_sample_is_stored(cloud: LocalCloud) -> None:
    assert stored("ses-sample-2021")["message_id"]


# --- how many at once ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["ses-array", "ses-json-lines"])
def test_three_at_once_are_one_object_of_three_lines(case: str, cloud: LocalCloud) -> None:
    assert ask("webhook", load(case)).body == {"stored": 3}
    (body,) = bucket("events/").values()
    assert body.count(b"\n") == 3


def test_json_lines_may_hold_line_separators_and_blank_lines(cloud: LocalCloud) -> None:
    """U+2028 and U+0085 may stand in a JSON string as they are."""
    lines = [json.dumps({**EVENT, "reason": text}, ensure_ascii=False) for text in ("a\u2028b", "c\u0085d", "e")]
    assert call_back(("\r\n\r\n".join(lines) + "\r\n").encode()).body == {"stored": 3}


def test_an_array_that_spans_two_hours_is_two_objects(cloud: LocalCloud) -> None:
    assert ask("webhook", load("ses-array-two-hours")).body == {"stored": 2}
    assert [key.split("/")[1:3] for key in bucket("events/")] == [
        ["dt=2026-11-20", "hour=15"],
        ["dt=2026-11-20", "hour=16"],
    ]


def test_an_array_that_spans_midnight_of_the_account_is_two_days(cloud: LocalCloud) -> None:
    assert ask("webhook", load("ses-array-two-days")).body == {"stored": 2}
    assert len({key.split("/")[1] for key in bucket("events/")}) == 2


def test_an_empty_array_stores_nothing_and_is_fine(cloud: LocalCloud) -> None:
    assert ask("webhook", load("ses-array-empty")).body == {"stored": 0}
    assert bucket() == {}


# --- again and in another order --------------------------------------------------------------------------------


def test_the_same_callback_again_writes_the_same_key_and_changes_no_byte(cloud: LocalCloud) -> None:
    assert ask("webhook", load("ses-bounce-hard")).body == {"stored": 1}
    first = bucket()
    cloud.advance(3600)
    assert ask("webhook", load("ses-bounce-hard")).body == {"stored": 1}
    assert ask("webhook", load("ses-bounce-hard-redelivered")).body == {"stored": 1}
    assert bucket() == first


def test_a_reordered_array_is_the_same_object(cloud: LocalCloud) -> None:
    events = [{**EVENT, "email": f"p{n}@example.com", "timestamp": 1795161600 + n} for n in range(5)]
    call_back(events)
    first = bucket()
    assert len(first) == 1
    call_back(list(reversed(events)))
    call_back("\n".join(json.dumps(dict(reversed(event.items()))) for event in events[2:] + events[:2]).encode())
    assert bucket() == first


def test_the_same_event_alone_and_in_an_array_has_one_identity(cloud: LocalCloud) -> None:
    other = {**EVENT, "email": "bob@example.com"}
    call_back(EVENT)
    call_back([other, EVENT])
    found = records("events/")
    assert len(found) == 3
    assert len({record["event_id"] for record in found}) == 2


def test_two_different_events_never_share_an_identity(cloud: LocalCloud) -> None:
    variants = [
        EVENT, {**EVENT, "email": "bob@example.com"}, {**EVENT, "timestamp": 1795161601}, {**EVENT, "event": "open"},
        {**EVENT, "event": "click", "link": "https://a.example/1"}, {**EVENT, "event": "click", "link": "https://a.example/2"},
        {**EVENT, "bulkId": "another"}, {**EVENT, "event": "new-word"}, {**EVENT, "event": "newer-word"},
    ]  # fmt: skip
    call_back(variants)
    assert len({record["event_id"] for record in records("events/")}) == len(variants)


# --- who may call ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/webhook/ses/wrong", "/webhook/ses/", "/webhook/ses", "/webhook/ses/local-webhook-secre", "/webhook/ses/\u00e9",
     "/webhook/ses/local-webhook-secret2", "/webhook/ses/LOCAL-WEBHOOK-SECRET", "/webhook/sendcloud/wrong"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_a_wrong_or_missing_secret_gets_one_answer(path: str, method: str, cloud: LocalCloud) -> None:
    answer = ask("webhook", http_event(method, path, json.dumps(EVENT).encode()))
    reference = ask("webhook", http_event("POST", "/webhook/ses/nonsense", b"{"))
    assert answer == reference
    assert (answer.status, answer.body["code"], answer.body["detail"]) == (401, "unauthorized", "not authenticated")
    assert kept() == {}


def test_the_event_files_of_those_who_may_not(cloud: LocalCloud) -> None:
    answers = [ask("webhook", load(case)) for case in ("ses-wrong-secret", "ses-no-secret", "ses-probe-wrong-secret")]
    answers.append(ask("webhook", load("sendcloud-form-wrong-secret")))
    assert {answer.status for answer in answers} == {401}
    assert len({json.dumps(answer.body) for answer in answers}) == 1
    assert kept() == {}


def test_two_secrets_are_live_while_they_are_rotated(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRETS", "the-old-secret,the-new-secret")
    assert call_back(EVENT, secret="the-old-secret").status == 200
    assert call_back(EVENT, secret="the-new-secret").status == 200
    assert call_back(EVENT).status == 401


def test_a_probe_is_answered_and_stores_nothing(calls: list[str]) -> None:
    for method in ("GET", "HEAD"):
        answer = ask("webhook", http_event(method, f"/webhook/ses/{defaults.WEBHOOK_SECRET}"))
        assert (answer.status, answer.body) == (200, {"status": "ok"})
    assert ask("webhook", load("ses-probe")).status == 200
    assert calls == []


def test_what_is_not_here(calls: list[str]) -> None:
    assert ask("webhook", load("ses-unknown-source")).status == 404
    assert ask("webhook", load("ses-wrong-method")).status == 405
    assert calls == []


def test_the_secret_is_neither_logged_nor_kept(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor an address; quarantine keeps the body and four harmless headers."""
    headers = {
        "cookie": "a=secret",
        "authorization": "Bearer secret",
        "user-agent": "ses",
        "content-type": "text/plain",
    }
    path = f"/webhook/ses/{defaults.WEBHOOK_SECRET}"
    assert ask("webhook", http_event("POST", path, b"not an event", headers)).status == 200
    assert call_back(EVENT).status == 200
    (line,) = records("quarantine/")
    assert line["headers"] == {"user-agent": "ses", "content-type": "text/plain"}
    logged = capsys.readouterr().out
    assert "secret" not in json.dumps(line) + logged
    assert "alice@" not in logged


# --- the callback token ---------------------------------------------------------------------------------------


def test_a_token_of_ours_verifies_the_event_and_brings_the_metadata_back(cloud: LocalCloud) -> None:
    record = stored("ses-token")
    assert (record["verified"], record["metadata"]) == (True, {"order": "42"})


@pytest.mark.parametrize("case", ["ses-token-forged", "ses-token-other-recipient"])
def test_a_token_that_is_forged_or_of_another_recipient_goes_to_quarantine(case: str, cloud: LocalCloud) -> None:
    answer = ask("webhook", load(case))
    assert (answer.status, answer.body) == (200, {"stored": 0, "quarantined": 1})
    assert records("events/") == []
    (line,) = records(f"quarantine/dt={DAY}/")
    assert "token" in line["why"]
    assert json.loads(line["body"]) == json.loads(load(case)["body"])


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t[:20], lambda t: t + "A", lambda t: "f" + t[1:]])
def test_a_token_of_ours_that_was_cut_or_changed_goes_to_quarantine(
    change: Callable[[str], str], cloud: LocalCloud
) -> None:
    """Also where that costs it its shape: it is not somebody else's data for that."""
    token = build_callback_token(defaults.TOKEN_KEY, "ref", [EVENT["email"]], {"a": "b"})
    assert call_back({**EVENT, "X-Tencentcloudses-Cb-Custom": token}).body == {"stored": 1}
    answer = call_back({**EVENT, "bulkId": "another", "X-Tencentcloudses-Cb-Custom": change(token)})
    assert answer.body == {"stored": 0, "quarantined": 1}
    (line,) = records(f"quarantine/dt={DAY}/")
    assert line["why"] == "a callback token that is not ours"


def test_without_a_token_the_event_is_kept_unverified(cloud: LocalCloud) -> None:
    record = stored("ses-delivered")
    assert (record["verified"], record["metadata"]) == (False, None)


@pytest.mark.parametrize(
    "value",
    ["ses callback", "order-42", "eyJ", "eyJhIjoxfQ", "a.b", "a.b.c", "eyJ..", 42, None, {"order": "42"}, "\ud800"],
)
def test_somebody_elses_data_in_the_header_proves_nothing_and_loses_nothing(value: Any, cloud: LocalCloud) -> None:
    answer = call_back({**EVENT, "X-Tencentcloudses-Cb-Custom": value})
    assert answer.body == {"stored": 1}
    (record,) = records("events/")
    assert (record["verified"], record["metadata"]) == (False, None)
    assert record["raw"]["X-Tencentcloudses-Cb-Custom"] == value


def test_tokens_of_a_rotated_key_still_verify(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    token = build_callback_token("the-old-token-key", "ref", ["Alice@Example.com"], {"a": "b"})
    monkeypatch.setenv("TOKEN_KEY", "the-new-token-key,the-old-token-key")
    call_back({**EVENT, "x-tencentcloudses-cb-custom": token})
    (record,) = records("events/")
    assert (record["verified"], record["metadata"]) == (True, {"a": "b"})
    monkeypatch.setenv("TOKEN_KEY", "the-new-token-key")
    assert call_back({**EVENT, "x-tencentcloudses-cb-custom": token}).body == {"stored": 0, "quarantined": 1}


def test_a_compressed_copy_of_an_event_is_quarantined_not_guessed_at(cloud: LocalCloud) -> None:
    body = gzip.compress(json.dumps(EVENT).encode(), mtime=0)
    assert call_back(body).body == {"stored": 0, "quarantined": 1}
    assert "body_base64" in records("quarantine/")[0]
