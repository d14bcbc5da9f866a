"""Whatever arrives is kept or refused, never lost and never a crash; 200 only after COS has acknowledged."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.webhook.ingest import DEEPEST, MOST_APART, MOST_HOURS
from functions.webhook.receive import MOST_BYTES
from localcloud import defaults
from shared.trail.records import content_hash
from shared.upstream.signing import sendcloud_signature
from tests.event_files import load_event
from tests.handlers import DAY, EVENT, ask, bucket, call_back, http_event, records

if TYPE_CHECKING:
    from localcloud import LocalCloud

SHORT_S = 1.3
PATH = f"/webhook/ses/{defaults.WEBHOOK_SECRET}"
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


@pytest.mark.parametrize("content", [base64.b64encode(json.dumps(EVENT).encode()).decode()[:-5], "e3 0=", "é"])
def test_a_body_that_only_claims_to_be_base64_is_kept_as_it_came(content: str, cloud: LocalCloud) -> None:
    """It was authenticated, and SES documents no repeat: a 400 would be the end of it."""
    event = {**http_event("POST", f"/webhook/ses/{defaults.WEBHOOK_SECRET}"), "body": content}
    answer = ask("webhook", event)
    assert (answer.status, answer.body) == (200, {"stored": 0, "quarantined": 1})
    assert kept_bodies() == [content.encode()]


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

_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12)
)
_json: st.SearchStrategy[Any] = st.deferred(
    lambda: _scalars | st.lists(_json, max_size=4) | st.dictionaries(st.text(max_size=8), _json, max_size=4)
)
_fields = st.fixed_dictionaries(
    {},
    optional={
        name: _json | st.sampled_from(["delivered", "bounce", 1795161600, "1795161600712", "hard_bounce"])
        for name in ("event", "email", "bulkId", "timestamp", "reason", "bounceType", "templateId", "taskId", "link",
                     "X-Tencentcloudses-Cb-Custom", "recipient", "emailId", "recipientArray", "emailIds", "userHeaders")
    },
)  # fmt: skip
_quiet = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


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
    if signed and isinstance(value, dict):
        token = content_hash(value)[:50]  # a token says one thing only
        value |= {"timestamp": 1795161600712, "token": token}
        value |= {"signature": sendcloud_signature(defaults.SENDCLOUD_APP_KEY, "1795161600712", token)}
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


# --- how many writes -------------------------------------------------------------------------------------------


def puts(calls: list[str]) -> int:
    return sum(call == "cos:PutObject" for call in calls)


@pytest.mark.parametrize(
    "event", [EVENT, {**EVENT, "event": "bounce", "bounceType": "hard_bounce", "reason": "550 5.1.1"}]
)
def test_500_events_of_one_hour_are_one_put(event: dict[str, Any], calls: list[str]) -> None:
    """And no other request, whatever the events say."""
    events = [{**event, "email": f"p{number}@example.com"} for number in range(500)]
    assert call_back(events).body == {"stored": 500}
    assert calls == ["cos:PutObject"]
    assert len(records("events/")) == 500


def test_an_array_over_three_hours_is_three_puts(calls: list[str]) -> None:
    """Hours are split, nothing else is: not by recipient, not by type."""
    kinds = ("delivered", "open", "bounce", "processed")
    events = [
        {**EVENT, "timestamp": EVENT["timestamp"] + 3600 * (n % 3), "event": kinds[n % 4], "email": f"p{n}@example.com"}
        for n in range(60)
    ]
    assert call_back(events).body == {"stored": 60}
    assert (puts(calls), len(calls)) == (3, 3)
    assert len(bucket("events/")) == 3


def test_a_callback_of_more_hours_than_can_be_written_is_kept_whole(calls: list[str]) -> None:
    """Thousands of writes take longer than the function lives; then nobody would ever have it."""
    events = [{"event": "open", "timestamp": 1795161600 - 3600 * number} for number in range(MOST_HOURS + 1)]
    assert call_back(events).body == {"stored": 0, "quarantined": 1}
    assert calls == ["cos:PutObject"]
    assert json.loads(kept_bodies()[0]) == events


# --- size ------------------------------------------------------------------------------------------------------


def sized(size: int) -> str:
    empty = json.dumps({**EVENT, "x": ""}, separators=(",", ":"))
    return json.dumps({**EVENT, "x": "x" * (size - len(empty))}, separators=(",", ":"))


@pytest.mark.parametrize("shape", ["base64", "text", "clb", "clb-base64"])
@pytest.mark.parametrize("more", [0, 1])
def test_the_cap_is_on_the_bytes_of_the_body_however_it_is_handed_over(shape: str, more: int, calls: list[str]) -> None:
    """256 KB exactly are taken, one byte more is not, and costs no request."""
    text = sized(MOST_BYTES + more)
    event = load_event("webhook/clb-ses-delivered.json") if "clb" in shape else http_event("POST", PATH)
    encoded = "base64" in shape
    content = base64.b64encode(text.encode()).decode() if encoded else text
    if shape == "clb":  # what CLB has parsed is measured as it is written again, with blanks
        blanks = len(json.dumps(json.loads(text), ensure_ascii=False)) - len(text)
        content = json.loads(sized(MOST_BYTES + more - blanks))
    said = str(encoded).lower() if "clb" in shape else encoded
    answer = ask("webhook", event | {"payload" if "clb" in shape else "body": content, "isBase64Encoded": said})
    assert (answer.status, puts(calls)) == ((413, 0) if more else (200, 1))
    if not more:
        assert records("events/")[0]["raw"] == json.loads(content if isinstance(content, str) and not encoded else text
                                                          if isinstance(content, str) else json.dumps(content))  # fmt: skip


# --- bodies that are nearly right --------------------------------------------------------------------------------


@pytest.mark.usefixtures("cloud")
def test_a_body_that_is_cut_anywhere_is_kept_verbatim() -> None:
    """A connection that breaks; the rest may never come."""
    whole = json.dumps({**EVENT, "reason": "用户 \u2028"}, ensure_ascii=False).encode()
    for length in range(len(whole)):
        assert call_back(whole[:length]).body == {"stored": 0, "quarantined": 1}, length
    assert sorted(kept_bodies()) == sorted(whole[:length] for length in range(len(whole)))


@pytest.mark.usefixtures("cloud")
def test_json_lines_that_are_cut_keep_the_lines_before() -> None:
    line = json.dumps(EVENT).encode()
    other = json.dumps({**EVENT, "email": "bob@example.com"}).encode()
    for length in (1, 20, len(other) - 1):
        assert call_back(line + b"\n" + other[:length]).body == {"stored": 1, "quarantined": 1}
    assert sorted(kept_bodies()) == sorted(other[:length] for length in (1, 20, len(other) - 1))
    assert len(bucket("events/")) == 1


ENCODED = {
    "gzip": (gzip.compress(json.dumps(EVENT).encode(), mtime=0), 0),
    "deflate": (zlib.compress(json.dumps(EVENT).encode()), 0),
    "utf-8-sig": (json.dumps(EVENT).encode("utf-8-sig"), 1),
    "utf-16": (json.dumps(EVENT).encode("utf-16"), 0),
    "utf-16-le": (json.dumps(EVENT).encode("utf-16-le"), 0),
    "utf-16-be": (json.dumps(EVENT).encode("utf-16-be"), 0),
    "utf-32": (json.dumps(EVENT).encode("utf-32"), 0),
    "latin-1": (json.dumps({**EVENT, "x": "é"}, ensure_ascii=False).encode("latin-1"), 0),
}


@pytest.mark.parametrize("said", ["", "gzip", "deflate", "br"])
@pytest.mark.parametrize("encoding", ENCODED)
def test_an_encoding_is_taken_as_it_is_whatever_the_header_says(encoding: str, said: str, cloud: LocalCloud) -> None:
    """Nothing is unpacked: no document knows it, and a small body could become a huge one. The header is kept."""
    body, stored = ENCODED[encoding]
    headers = {"content-type": "application/json"} | ({"content-encoding": said} if said else {})
    answer = ask("webhook", http_event("POST", PATH, body, headers))
    assert (answer.status, answer.body["stored"]) == (200, stored)
    if not stored:
        assert kept_bodies() == [body]
        assert records("quarantine/")[0]["headers"].get("content-encoding", "") == said


@pytest.mark.parametrize("depth", [DEEPEST + 3, 900, 10_000, 40_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["arrays", "objects"])
def test_what_is_nested_too_deeply_is_kept_verbatim(
    opening: bytes, closing: bytes, depth: int, cloud: LocalCloud
) -> None:
    """Inside a good event as well: who reads the trail would stumble over it. Its neighbours are stored if they can be."""
    deep = opening * depth + b"1" + closing * depth
    event = json.dumps({**EVENT, "x": "NEST"}).encode().replace(b'"NEST"', deep)
    for body in (deep, event, b"[%b,%b]" % (event, json.dumps(EVENT).encode())):
        answer = call_back(body[:MOST_BYTES])
        assert answer.status == 200
        assert answer.body["quarantined"] == 1
    assert set(kept_bodies()) >= {deep[:MOST_BYTES], event[:MOST_BYTES]}
    assert all(json.loads(line) for line in bucket("events/").values())
    if depth < 100:
        assert len(records("events/")) == 1


@pytest.mark.usefixtures("cloud")
def test_a_deep_event_beside_good_ones_leaves_them_alone() -> None:
    deep = {**EVENT, "x": json.loads("[" * 80 + "]" * 80)}
    assert call_back([EVENT, deep, {**EVENT, "email": "bob@example.com"}]).body == {"stored": 2, "quarantined": 1}
    assert [json.loads(body) for body in kept_bodies()] == [deep]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("5000 digits", '{"event": "open", "timestamp": 1795161600, "x": ' + "9" * 5000 + "}"),
        ("1e999", '{"event": "open", "timestamp": 1795161600, "x": 1e999}'),
        ("-Infinity", '{"event": "open", "timestamp": 1795161600, "x": [-Infinity]}'),
    ],
)
def test_a_number_that_no_reader_has_a_type_for_is_kept_verbatim(name: str, text: str, cloud: LocalCloud) -> None:
    assert call_back(text.encode()).body == {"stored": 0, "quarantined": 1}
    assert kept_bodies() == [text.encode()]


@pytest.mark.parametrize(
    ("given", "kept"),
    [(2**63 - 1, 2**63 - 1), (2**63, None), (10**400, None), ("9" * 4000, None), (-1, -1), (1e300, None)],
)
def test_a_template_id_is_a_number_of_64_bits_or_none(given: Any, kept: int | None, cloud: LocalCloud) -> None:
    """A column of numbers that one line makes a column of text is nobody's table any more; raw has it as it came."""
    assert call_back({**EVENT, "templateId": given}).body == {"stored": 1}
    (record,) = records("events/")
    assert (record["template_id"], record["raw"]["templateId"]) == (kept, given)


@pytest.mark.parametrize(
    ("timestamp", "occurred_at"),
    [(1795161600, "2026-11-20T08:00:00Z"), ("1795161600", "2026-11-20T08:00:00Z"), (1795161600.25, "2026-11-20T08:00:00.250Z"),
     (1795161600712, "2026-11-20T08:00:00.712Z"), ("1795161600712", "2026-11-20T08:00:00.712Z"), (1, "1970-01-01T00:00:01Z"),
     (32503679999, "2999-12-31T23:59:59Z"), (0, None), (-1, None), (253402300800, "1978-01-11T21:31:40.800Z"), (True, None), (None, None),
     ("", None), ("0x10", None), (1e300, None), ("inf", None), ([], None), ({}, None), ("2026-11-20T08:00:00Z", None)],
)  # fmt: skip
def test_a_time_is_read_or_the_event_is_quarantined(timestamp: Any, occurred_at: str | None, cloud: LocalCloud) -> None:
    """Seconds or milliseconds, as a number or as digits; up to the year 3000."""
    answer = call_back({**EVENT, "timestamp": timestamp})
    assert answer.body == ({"stored": 0, "quarantined": 1} if occurred_at is None else {"stored": 1})
    assert [record["occurred_at"] for record in records("events/")] == ([] if occurred_at is None else [occurred_at])


@pytest.mark.usefixtures("cloud")
def test_names_that_differ_in_case_mean_the_same_in_any_order() -> None:
    """Two deliveries of one object may order it differently; a name that is there twice counts as JSON has it, the last."""
    odd = {**EVENT, "bulkid": "lower", "TIMESTAMP": 1, "Email": "eve@example.com"}
    assert call_back(odd).body == {"stored": 1}
    first = bucket()
    assert call_back(dict(reversed(odd.items()))).body == {"stored": 1}
    assert bucket() == first
    (record,) = records("events/")
    assert (record["message_id"], record["recipient"], record["occurred_at"]) == (
        "lower", "alice@example.com", "2026-11-20T08:00:00Z",
    )  # fmt: skip
    assert record["raw"] == odd
    twice = json.dumps(EVENT).encode()[:-1] + b', "email": "last@example.com"}'
    assert call_back(twice).body == {"stored": 1}
    assert {record["recipient"] for record in records("events/")} == {"alice@example.com", "last@example.com"}


@pytest.mark.usefixtures("cloud")
def test_one_event_is_one_line_whatever_its_strings_hold() -> None:
    """Line breaks of every alphabet, NULs, and half a surrogate pair."""
    odd = {**EVENT, "reason": "a\nb\r\nc\u2028d\u2029e\x85f\x0bg\x00h\ud83d"}
    assert call_back([odd, EVENT]).body == {"stored": 2}
    (body,) = bucket("events/").values()
    assert len(body.split(b"\n")) == 3
    assert odd in [json.loads(line)["raw"] for line in body.splitlines()]


@pytest.mark.parametrize("body", [b"[]", b"[ ]\n"])
def test_an_empty_array_holds_nothing_to_keep(body: bytes, calls: list[str]) -> None:
    assert call_back(body).body == {"stored": 0}
    assert calls == []


# --- SendCloud ---------------------------------------------------------------------------------------------------


def signed(content: dict[str, Any], token: str) -> dict[str, Any]:
    signature = sendcloud_signature(defaults.SENDCLOUD_APP_KEY, "1795161608000", token)
    return {**content, "timestamp": "1795161608000", "token": token, "signature": signature}


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    "lists", ["[NaN]", "[1e999]", "[Infinity, 1]", "[" * 3000, "{}", "not JSON", "[" + "9" * 5000 + "]"]
)
def test_lists_that_a_form_carries_as_text_may_be_anything(lists: str) -> None:
    """NaN was read there once, and could not be written."""
    body = urlencode(signed({"event": "request", "recipientArray": lists, "emailIds": lists}, "t" * 50)).encode()
    assert call_back(body, provider="sendcloud").body == {"stored": 1}
    (record,) = records("events/")
    assert record["raw"]["recipientArray"] == lists


@pytest.mark.usefixtures("cloud")
def test_bytes_of_a_form_that_are_not_utf_8_stay_legible() -> None:
    """Mail servers answer in GBK, and SendCloud passes it on."""
    content = signed({"event": "invalid", "recipient": "a@example.com", "emailId": "1"}, "t" * 50)
    body = urlencode(content).encode() + b"&message=550+%D3%C3%BB%A7"
    assert call_back(body, provider="sendcloud").body == {"stored": 1}
    (record,) = records("events/")
    assert record["raw"]["message"] == "550 \\xd3û\\xa7"


def test_a_request_to_thousands_that_each_would_carry_much_is_kept_whole(calls: list[str]) -> None:
    """100 KB for each of 9000 recipients would be a gigabyte."""
    content = {"event": "request", "recipientArray": ["a"] * 9000, "emailIds": ["b"] * 9000, "x": "x" * 100_000}
    body = json.dumps(signed(content, "t" * 50), separators=(",", ":")).encode()
    assert call_back(body, provider="sendcloud").body == {"stored": 0, "quarantined": 1}
    assert kept_bodies() == [body]


# --- time ----------------------------------------------------------------------------------------------------------


def full(unit: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    return before + unit * ((MOST_BYTES - len(before) - len(after)) // len(unit)) + after


REASON = json.dumps({**EVENT, "event": "bounce"}).encode()[:-1] + b', "reason": "'
SLOW = {
    "a reason of blocks": full(b"your server ip ", REASON, b'"}'),
    "a reason of senders": full(b"sender address ", REASON, b'"}'),
    "an agent of bots": full(
        b"Mozilla/5.0 ", json.dumps({**EVENT, "event": "open"}).encode()[:-1] + b', "useragent": "', b'"}'
    ),
    "objects without end": full(b"{\n"),
    "lines that are no events": full(b"{}\n"),
    "lines that are not JSON": full(b"{a}\n"),
    "an array of empty objects": full(b"{},", b"[", b"{}]"),
    "an array of numbers": full(b"7,", b"[", b"7]"),
    "an array of events": full(json.dumps(EVENT).encode() + b",", b"[", b"{}]"),
    "a form of nothing": full(b"a&", b"event=a&"),
    "percent signs": full(b"%", b"event=a&x="),
    "brackets": full(b"["),
    "long digits": full(b"9", b'{"event": "open", "timestamp": "', b'"}'),
    "huge numbers": full(b"9" * 4300 + b",", b'{"event": "open", "timestamp": 1795161600, "x": [', b"1]}"),
    "many names": b"{%b}" % b",".join(b'"k%d":1' % n for n in range(20_000)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", SLOW)
def test_no_body_of_256_kb_takes_long(name: str, cloud: LocalCloud) -> None:
    """What is quadratic takes minutes, and ends at the time-out; these take a quarter of a second."""
    assert len(SLOW[name]) <= MOST_BYTES
    assert call_back(SLOW[name]).status == 200
