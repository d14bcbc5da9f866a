"""Lines of JSON lose nothing, times come back, days and hours are those of the account's zone."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trail import records

TEXT = st.text(st.characters(exclude_categories=()))
"""Any code point, halves of surrogate pairs too: JSON can say them."""
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.dictionaries(TEXT, JSON_VALUES, max_size=5)
SECONDS = st.integers(1, 32_503_679_999)
EAST_S = 8 * 3600


@given(st.lists(RECORDS, max_size=5))
def test_lines_come_back_as_they_were_written(written: list[dict[str, Any]]):
    """Whatever JSON can say, one line a record, blank lines skipped."""
    lines = records.encode_lines(written)
    assert lines.count(b"\n") == len(written)
    assert list(records.decode_lines(lines.splitlines())) == written
    assert list(records.decode_lines(b"\n".join(lines.splitlines(keepends=True)).split(b"\n"))) == written


def test_a_line_is_utf8_that_people_can_read_except_where_there_is_none():
    """Half a surrogate pair has no UTF-8; such a line is written with escapes instead."""
    assert records.encode_line({"subject": "验证码"}) == '{"subject":"验证码"}\n'.encode()
    assert records.encode_line({"subject": "验\ud83d"}) == b'{"subject":"\\u9a8c\\ud83d"}\n'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("beside", ["", "\ud83d"])
def test_what_json_does_not_have_is_refused(value: float, beside: str):
    """NaN in the bucket would break every reader but Python."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.encode_line({"value": value, "text": beside})


def test_a_broken_line_is_an_error():
    """What we wrote is never broken, so it is not skipped in silence."""
    with pytest.raises(ValueError, match="Expecting"):
        list(records.decode_lines([b'{"v":1}', b'{"v":']))


@given(JSON_VALUES)
def test_the_same_content_has_the_same_bytes_and_hash(value: Any):
    """Whatever the order of keys and the escapes it came with."""
    again = json.loads(json.dumps(_reversed(value)))
    assert records.canonical_json(value) == records.canonical_json(again)
    assert records.content_hash(value) == records.content_hash(again)
    assert records.canonical_json(value).isascii()


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(inner) for key, inner in reversed(value.items())}
    return [_reversed(inner) for inner in value] if isinstance(value, list) else value


@given(st.lists(st.tuples(TEXT, JSON_VALUES), min_size=1, max_size=5))
def test_an_object_of_events_is_named_by_the_canonical_json_of_what_was_said(said: list[tuple[str, Any]]):
    """Without writing all of it anew: source and raw are there as bytes already."""
    pieces = ((records.canonical_json(source), records.canonical_json(raw)) for source, raw in said)
    assert records.events_hash(pieces) == records.content_hash([list(one) for one in said])


PARTS = st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT, TEXT)


@given(PARTS, PARTS)
def test_an_event_id_is_the_event_and_nothing_else(first: tuple[str, ...], second: tuple[str, ...]):
    """Equal for equal parts, different for others, whatever characters stand in them."""
    assert (records.event_id(*first) == records.event_id(*second)) == (first == second)
    assert len(bytes.fromhex(records.event_id(*first))) == 32


def test_an_event_id_is_not_fooled_by_line_breaks_and_takes_none_for_empty():
    """Both may come from outside."""
    assert records.event_id("ses", "a\nb", "", "opened", "t", "") != records.event_id(
        "ses", "a", "b", "opened", "t", ""
    )
    assert records.event_id("ses", None, None, "opened", "t", None) == records.event_id(
        "ses", "", "", "opened", "t", ""
    )


@given(SECONDS)
def test_whole_seconds_round_trip(seconds: int):
    """From 1970 to 2999, without a fraction in the text."""
    text = records.iso(seconds)
    assert records.epoch(text) == seconds
    assert len(text) == len("2026-11-20T08:10:00Z")
    assert text.endswith("Z")


@given(st.integers(1, 4_102_444_800_000))
def test_milliseconds_round_trip(milliseconds: int):
    """What SendCloud sends, to the millisecond."""
    seconds = records.plausible_epoch(milliseconds + 10**11)
    assert seconds is not None
    assert round(records.epoch(records.iso(seconds)) * 1000) == milliseconds + 10**11


def test_iso_samples():
    """Less than a millisecond is no fraction."""
    assert records.iso(1795162200) == "2026-11-20T08:10:00Z"
    assert records.iso(1795162200.25) == "2026-11-20T08:10:00.250Z"
    assert records.iso(1795162200.0004) == "2026-11-20T08:10:00Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-20", "2026-11-20T08:10:00", "2026-13-01T00:00:00Z"])
def test_a_time_without_a_zone_or_sense_is_refused(text: str):
    """Else the machine's own zone would be taken for UTC."""
    with pytest.raises(ValueError, match=r"."):
        records.epoch(text)


@pytest.mark.parametrize(
    ("utc", "offset_s", "day", "hour"),
    [
        ("2026-11-20T15:59:59Z", EAST_S, "2026-11-20", "23"),
        ("2026-11-20T15:59:59.999Z", EAST_S, "2026-11-20", "23"),
        ("2026-11-20T16:00:00Z", EAST_S, "2026-11-21", "00"),
        ("2026-11-20T00:00:00Z", 0, "2026-11-20", "00"),
        ("2026-12-31T16:00:00Z", EAST_S, "2027-01-01", "00"),
        ("2028-02-28T16:00:00Z", EAST_S, "2028-02-29", "00"),
        ("2026-11-20T03:29:59Z", -(3 * 3600 + 1800), "2026-11-19", "23"),
        ("2026-11-20T18:29:59Z", 5 * 3600 + 1800, "2026-11-20", "23"),
        ("2026-11-20T18:30:00Z", 5 * 3600 + 1800, "2026-11-21", "00"),
    ],
)
def test_days_and_hours_turn_at_the_accounts_midnight(utc: str, offset_s: int, day: str, hour: str):
    """Not at UTC's, nor at the machine's; half hours too."""
    assert records.day_and_hour(records.epoch(utc), offset_s) == (day, hour)
    assert records.day_of(records.epoch(utc), offset_s) == day


@given(SECONDS, st.integers(-12 * 60, 14 * 60).map(lambda minutes: minutes * 60))
def test_a_vendor_time_without_a_zone_is_the_accounts(seconds: int, offset_s: int):
    """``2021-09-09 10:10:10`` on the account's clock."""
    text = records.iso(seconds + offset_s)[:19].replace("T", " ")
    if seconds + offset_s > 0:
        assert records.local_time_epoch(text, offset_s) == seconds


@pytest.mark.parametrize("text", ["", "-", "2021-09-09", "2021-09-09T10:10:10", "2021-09-31 10:10:10", "None"])
def test_a_vendor_time_of_another_shape_is_refused(text: str):
    """Rather than guessed."""
    with pytest.raises(ValueError, match=r"."):
        records.local_time_epoch(text, EAST_S)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1795162200, 1795162200.0),
        (1795162200.5, 1795162200.5),
        ("1795162200", 1795162200.0),
        (1795162200123, 1795162200.123),
        ("1795162200123", 1795162200.123),
        (" 1795162200 ", 1795162200.0),
    ],
)
def test_seconds_and_milliseconds_are_told_apart(value: Any, seconds: float):
    """SES documents seconds; SendCloud's samples show milliseconds; both as numbers or digits."""
    assert records.plausible_epoch(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -1,
        "",
        "soon",
        "nan",
        "inf",
        math.nan,
        math.inf,
        1e300,
        10**400,
        [],
        {},
        [1],
        1795162200123456,
    ],
)
def test_what_is_no_time_is_none(value: Any):
    """Never an exception, never the year 58000."""
    assert records.plausible_epoch(value) is None


@given(JSON_VALUES)
def test_any_json_is_a_plausible_time_or_none(value: Any):
    """And a plausible one has a day."""
    seconds = records.plausible_epoch(value)
    if seconds is not None:
        assert records.day_of(seconds, EAST_S) >= "1970-01-01"
        assert records.iso(seconds)
