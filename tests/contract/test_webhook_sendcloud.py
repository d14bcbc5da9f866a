"""SendCloud callbacks: the HMAC, forms and JSON, every generation of names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from localcloud import defaults
from shared.upstream.signing import sendcloud_signature
from tests.event_files import load_event
from tests.handlers import ask, bucket, call_back, records

if TYPE_CHECKING:
    from localcloud import LocalCloud

TOKEN = "t" * 50


def signed(**fields: Any) -> dict[str, Any]:
    """Make a callback of ``fields`` with a signature that holds."""
    given = {"event": "deliver", "emailId": "id0$alice@example.com", "recipient": "alice@example.com",
             "timestamp": 1795161600712, "token": TOKEN, **fields}  # fmt: skip
    return {**given, "signature": sendcloud_signature(defaults.SENDCLOUD_APP_KEY, str(given["timestamp"]), TOKEN)}


@pytest.mark.parametrize("case", ["form-wrong-signature", "form-unsigned", "form-plain-sha256", "json-wrong-signature"])
def test_a_signature_that_does_not_hold_is_401_and_nothing_is_stored(case: str, calls: list[str]) -> None:
    answer = ask("webhook", load_event(f"webhook/function-url-sendcloud-{case}.json"))
    reference = ask("webhook", load_event("webhook/function-url-ses-wrong-secret.json"))
    assert answer == reference
    assert calls == []


@pytest.mark.parametrize("signature", ["", "0" * 64, "\ud800", "é" * 64, None, 1, [], {}])
def test_whatever_stands_for_a_signature_is_compared_and_refused(signature: Any, calls: list[str]) -> None:
    assert call_back({**signed(), "signature": signature}, provider="sendcloud").status == 401
    assert call_back({**signed(), "token": signature}, provider="sendcloud").status == 401
    assert calls == []


@pytest.mark.parametrize("element", [7, "x", None, [], {}, {"event": "deliver"}])
def test_one_unsigned_element_refuses_the_whole_array(element: Any, calls: list[str]) -> None:
    assert call_back([signed(), element], provider="sendcloud").status == 401
    assert calls == []


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
     "form-report-spam", "form-route", "form-bounce", "form-upper-signature", "form-stale", "form-seconds",
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
