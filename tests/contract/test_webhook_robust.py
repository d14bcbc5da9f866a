"""Whatever arrives is kept or refused, never lost and never a crash; 200 only after COS has acknowledged."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.webhook.ingest import MOST_APART
from localcloud import defaults
from shared.upstream.signing import sendcloud_signature
from tests.event_files import load_event
from tests.handlers import DAY, EVENT, ask, bucket, call_back, http_event, records

if TYPE_CHECKING:
    from localcloud import LocalCloud

SHORT_S = 1.3
NO_COS = {"service": "cos", "kind": "error", "status": 503, "code": "ServiceUnavailable"}


def kept_bodies() -> list[bytes]:
    """Read the bodies in quarantine, as they came."""
    lines = records("quarantine/")
    return [base64.b64decode(line["body_base64"]) if "body_base64" in line else line["body"].encode() for line in lines]


UNREADABLE = {
    "nothing": b"",
    "blanks": b" \r\n\t",
    "text": b"hello",
    "a number": b"7",
    "a JSON text": b'"delivered"',
    "null": b"null",
    "cut short": json.dumps(EVENT).encode()[:-5],
    "an array cut short": f"[{json.dumps(EVENT)},".encode(),
    "a form without event": b"a=b&c=d",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",
    "latin-1": json.dumps({**EVENT, "reason": "refus\xe9"}, ensure_ascii=False).encode("latin-1"),
    "gbk": json.dumps({**EVENT, "reason": "用户不存在"}, ensure_ascii=False).encode("gbk"),
    "utf-16": json.dumps(EVENT).encode("utf-16"),
    "NaN": json.dumps({**EVENT, "x": float("nan")}).encode(),
    "a number beyond a double": b'{"event": "open", "timestamp": 1e999}',
    "an integer of 5000 digits": b'{"event": "open", "timestamp": ' + b"9" * 5000 + b"}",
    "100 000 brackets": b"[" * 100_000,
    "100 000 braces": b'{"a":' * 40_000,
    "closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "XML": b"<?xml version='1.0'?><event>delivered</event>",
    "a NUL": b"\x00",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_body_that_nobody_can_read_is_kept_verbatim_and_answered_200(name: str, cloud: LocalCloud) -> None:
    body = UNREADABLE[name]
    answer = call_back(body, content_type="application/octet-stream")
    assert (answer.status, answer.body) == (200, {"stored": 0, "quarantined": 1})
    assert kept_bodies() == [body]
    (line,) = records(f"quarantine/dt={DAY}/")
    assert (line["v"], line["provider"], line["method"]) == (1, "ses", "POST")
    assert line["headers"] == {"content-type": "application/octet-stream"}
    assert line["why"]
    assert line["received_at"].startswith("2026-11-20T08:10:0")
    first = bucket()
    assert call_back(body, content_type="application/octet-stream").status == 200
    assert bucket() == first


@pytest.mark.parametrize(
    "element",
    [7, "delivered", None, [], {}, {"event": 1, "timestamp": 1795161600}, {"event": "open"}, {**EVENT, "event": ""},
     {**EVENT, "timestamp": None}, {**EVENT, "timestamp": "yesterday"}, {**EVENT, "timestamp": True},
     {**EVENT, "timestamp": -1}, {**EVENT, "timestamp": 0}, {**EVENT, "timestamp": 10**18},
     {**EVENT, "timestamp": [1795161600]}, {**EVENT, "timestamp": "nan"}],
)  # fmt: skip
def test_an_element_that_is_no_event_is_quarantined_while_its_neighbours_are_stored(
    element: Any, cloud: LocalCloud
) -> None:
    answer = call_back([EVENT, element, {**EVENT, "email": "bob@example.com"}])
    assert (answer.status, answer.body) == (200, {"stored": 2, "quarantined": 1})
    assert len(records("events/")) == 2
    assert [json.loads(body) for body in kept_bodies()] == [element]


def test_one_bad_member_of_the_event_file(cloud: LocalCloud) -> None:
    answer = ask("webhook", load_event("webhook/function-url-ses-array-one-bad.json"))
    assert answer.status == 200
    assert answer.body["stored"] >= 1
    assert answer.body["quarantined"] == 1


def test_known_fields_of_wrong_types_do_not_lose_the_event(cloud: LocalCloud) -> None:
    """What cannot be used is None; the raw object has it all."""
    odd = {**EVENT, "email": ["a"], "bulkId": {}, "reason": 5, "templateId": "x", "link": False, "taskId": 1.5}
    assert call_back(odd).body == {"stored": 1}
    (record,) = records("events/")
    assert (record["recipient"], record["message_id"], record["template_id"], record["task_id"]) == (None,) * 4
    assert record["raw"] == odd


def test_halves_of_surrogate_pairs_are_kept(cloud: LocalCloud) -> None:
    """JSON may escape one alone; UTF-8 has none, so the line is written in ASCII."""
    odd = {**EVENT, "reason": "\ud83d", "email": "\udc00@example.com", "\ud800": 1}
    assert call_back(odd).body == {"stored": 1}
    (record,) = records("events/")
    assert (record["raw"], record["recipient"]) == (odd, "\udc00@example.com")


def test_every_depth_of_nesting_is_stored_or_quarantined(cloud: LocalCloud) -> None:
    """What can just be read may be too deep to write again; then the body is kept as it came."""
    for depth in range(880, 1010, 2):
        text = json.dumps({**EVENT, "x": "NEST"}).replace('"NEST"', "[" * depth + "]" * depth).encode()
        answer = call_back(text)
        assert answer.status == 200, depth
        assert answer.body["stored"] + answer.body.get("quarantined", 0) == 1


def test_256_kb_is_the_most(calls: list[str]) -> None:
    body = json.dumps({**EVENT, "x": ""}).encode()
    exact = json.dumps({**EVENT, "x": "x" * (256 * 1024 - len(body))}).encode()
    assert len(exact) == 256 * 1024
    assert call_back(exact).body == {"stored": 1}
    calls.clear()
    answer = call_back(exact + b" ")
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (413, "too_large", False)
    assert calls == []


def test_a_flood_of_elements_that_are_no_events_costs_one_write(calls: list[str]) -> None:
    """The body is kept whole instead of a hundred thousand pieces."""
    body = json.dumps([7] * 100_000, separators=(",", ":")).encode()
    assert call_back(body).body == {"stored": 0, "quarantined": 1}
    assert len(calls) == 1
    assert kept_bodies() == [body]
    calls.clear()
    few = [*range(MOST_APART), EVENT]
    assert call_back(few).body == {"stored": 1, "quarantined": MOST_APART}
    assert len(calls) == MOST_APART + 1


# --- COS down --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [json.dumps(EVENT).encode(), b"not an event"], ids=["event", "unreadable"])
@pytest.mark.parametrize("kind", ["error", "drop_request"])
def test_nothing_is_acknowledged_that_cos_did_not_take(kind: str, body: bytes, cloud: LocalCloud) -> None:
    """503 with Retry-After once the time is up; nothing is there; the redelivery is stored."""
    fault = {**NO_COS, "kind": kind}
    cloud.add_faults(fault)
    answer = call_back(body, time_limit_s=SHORT_S)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "trail_unavailable", True)
    assert int(answer.headers["Retry-After"]) > 0
    cloud.clear_faults()
    assert bucket() == {}
    assert call_back(body).status == 200
    assert len(bucket()) == 1


def test_half_a_callback_is_not_acknowledged_either(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hours, two objects: the second write fails, so the whole callback is asked for again, and is then whole."""
    dispatch = cloud.cos.dispatch
    written: list[Any] = []

    def only_one(request: Any) -> Any:
        if request.method == "PUT" and written:
            return cloud.cos.error_response(request, "ServiceUnavailable", 503)
        written.append(request)
        return dispatch(request)

    events = [EVENT, {**EVENT, "timestamp": EVENT["timestamp"] - 3600}]
    monkeypatch.setattr(cloud.cos, "dispatch", only_one)
    assert call_back(events, time_limit_s=SHORT_S).status == 503
    monkeypatch.setattr(cloud.cos, "dispatch", dispatch)
    assert len(bucket("events/")) == 1
    assert call_back(events).body == {"stored": 2}
    assert len(bucket("events/")) == 2


def test_a_stutter_of_cos_is_overcome(cloud: LocalCloud) -> None:
    cloud.add_faults({**NO_COS, "times": 2})
    assert call_back(EVENT).body == {"stored": 1}


def test_an_acknowledgement_that_was_lost_is_not_a_second_object(cloud: LocalCloud) -> None:
    cloud.add_faults({"service": "cos", "action": "PutObject", "kind": "drop_response", "times": 1})
    assert call_back(EVENT).body == {"stored": 1}
    assert len(bucket()) == 1


def test_a_credential_that_cos_refuses_is_503_at_once(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retrying cannot help this instance; the sender keeps the callback."""
    monkeypatch.setenv("TENCENTCLOUD_SECRETKEY", "another-key")
    assert call_back(EVENT).status == 503


def test_missing_settings_are_503_so_that_the_sender_keeps_the_callback(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAILTRAIL_BUCKET")
    answer = call_back(EVENT)
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "misconfigured", "60")
    assert calls == []


# --- anything --------------------------------------------------------------------------------------------------

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
_fields = st.fixed_dictionaries(
    {},
    optional={
        name: _json | st.sampled_from(["delivered", "bounce", 1795161600, "1795161600712", "hard_bounce"])
        for name in ("event", "email", "bulkId", "timestamp", "reason", "bounceType", "templateId", "taskId", "link",
                     "X-Tencentcloudses-Cb-Custom", "recipient", "emailId", "recipientArray", "emailIds", "userHeaders")
    },
)  # fmt: skip
_quiet = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check_kept(cloud: LocalCloud, body: bytes) -> None:
    """Deliver; whatever was acknowledged lies in the bucket, as events or in quarantine."""
    cloud.cos.reset()
    answer = call_back(body)
    assert answer.status in (200, 413)
    if answer.status == 413:
        assert len(body) > 256 * 1024
        return
    assert len(records("events/")) == answer.body["stored"]
    assert bool(bucket("quarantine/")) is bool(answer.body.get("quarantined"))
    try:
        is_empty_array = json.loads(body) == []
    except (ValueError, RecursionError):
        is_empty_array = False
    assert bucket() or is_empty_array


@_quiet
@given(body=st.binary(max_size=400))
def test_any_bytes_are_answered_and_kept(cloud: LocalCloud, body: bytes) -> None:
    check_kept(cloud, body)


@_quiet
@given(value=_fields | st.lists(_fields, max_size=3) | _json)
def test_any_json_is_answered_and_kept(cloud: LocalCloud, value: Any) -> None:
    check_kept(cloud, json.dumps(value).encode())


@_quiet
@given(value=_fields | _json, signed=st.booleans())
def test_any_json_of_sendcloud_is_answered(cloud: LocalCloud, value: Any, signed: bool) -> None:  # noqa: FBT001 - hypothesis
    """Unsigned it is refused, signed or unreadable it is kept; never an exception."""
    from shared.upstream.signing import sendcloud_signature  # noqa: PLC0415 - beside its one use

    if signed and isinstance(value, dict):
        value |= {"timestamp": 1795161600712, "token": "t" * 50}
        value |= {"signature": sendcloud_signature(defaults.SENDCLOUD_APP_KEY, "1795161600712", "t" * 50)}
    answer = call_back(value, provider="sendcloud")
    assert answer.status in (200, 401)
    if signed and isinstance(value, dict):
        assert answer.status == 200


@_quiet
@given(path=st.text(max_size=60), method=st.sampled_from(["GET", "POST", "PUT", "HEAD", ""]), body=st.text(max_size=30))
def test_any_path_is_answered(cloud: LocalCloud, path: str, method: str, body: str) -> None:
    for function in ("webhook", "send"):
        event = {**http_event(method, path), "isBase64Encoded": False, "body": body}
        assert ask(function, event).status in (401, 404)


@pytest.mark.usefixtures("cloud")
def test_what_is_no_event_is_kept_to_the_letter() -> None:
    """Order, escapes and number forms as they came: what is written again from parsed JSON is something else."""
    body = b'{"z": 1, "a": "\\u00e9", "a2": 1.10, "a2": 2}'
    assert call_back(body).body == {"stored": 0, "quarantined": 1}
    assert kept_bodies() == [body]


@pytest.mark.usefixtures("cloud")
def test_an_array_over_hundreds_of_hours_is_stored_at_once() -> None:
    """One object an hour, written side by side."""
    events = [{**EVENT, "timestamp": 1795161608 + 3600 * number} for number in range(300)]
    assert call_back(events).body == {"stored": 300}
    assert len(records("events/")) == 300


@pytest.mark.usefixtures("cloud")
def test_a_request_to_thousands_does_not_grow_with_their_square() -> None:
    """Each record holds its own recipient of SendCloud's `request`, not all of them."""
    people = [f"p{number}@e.com" for number in range(2000)]
    signed = {"timestamp": "1795161608000", "token": "t" * 50}
    signature = sendcloud_signature(defaults.SENDCLOUD_APP_KEY, signed["timestamp"], signed["token"])
    content = {"event": "request", "recipientArray": people, "emailIds": [f"id{number}" for number in range(2000)]}
    answer = call_back({**content, **signed, "signature": signature}, provider="sendcloud")
    assert answer.body == {"stored": 2000}
    assert sum(map(len, bucket("events/").values())) < 3_000_000
    assert {record["raw"]["recipientArray"][0] for record in records("events/")} == set(people)
