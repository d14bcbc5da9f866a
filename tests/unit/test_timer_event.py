"""The timer's message is the operator's own words: days, or nothing, or a clear refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.edge.timer_event import TimerMessageError, parse_timer_days
from shared.trail.records import day_of

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["day", "days", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("message", [None, "", "  \n", "{}", '{"other": 1}', {}, '{"days": null}'])
def test_no_message_names_no_day(message: Any):
    """The function then decides by the clock."""
    assert parse_timer_days({"Type": "Timer", "Message": message}) is None
    assert parse_timer_days({}) is None


@pytest.mark.parametrize(
    ("message", "days"),
    [
        ('{"day": "2026-11-20"}', ["2026-11-20"]),
        ('{"days": ["2026-11-20", "2028-02-29"]}', ["2026-11-20", "2028-02-29"]),
        ('{"days": []}', []),
        ({"day": "2026-11-20"}, ["2026-11-20"]),
    ],
)
def test_days_are_taken_as_they_are_named(message: Any, days: list[str]):
    """As JSON text, and as the object itself from an invocation by hand."""
    assert parse_timer_days({"Message": message}) == days


@pytest.mark.parametrize(
    "message",
    [
        "2026-11-20",
        "yesterday",
        "[]x",
        "[1]",
        '"2026-11-20"',
        '{"day": 20261120}',
        '{"day": null}',
        '{"day": "20261120"}',
        '{"day": "2026-W01-1"}',
        '{"day": "2026-11-31"}',
        '{"day": "2027-02-29"}',
        '{"day": "2026-11-20\\n"}',
        '{"day": "0000-01-01"}',
        '{"day": "../../x"}',
        '{"days": "2026-11-20"}',
        '{"days": ["2026-11-20", ""]}',
        "[" * 4000,
    ],
)
def test_anything_else_is_refused(message: str):
    """A day that does not exist, another spelling, another shape: nothing is guessed."""
    with pytest.raises(TimerMessageError):
        parse_timer_days({"Message": message})


@given(JSON_VALUES, st.booleans())
def test_any_message_is_days_none_or_refused(message: Any, as_text: bool):  # noqa: FBT001
    """Nothing else escapes, and every day that comes back is one."""
    try:
        days = parse_timer_days({"Message": json.dumps(message) if as_text else message})
    except TimerMessageError:
        return
    assert days is None or all(len(day) == len(day_of(0, 0)) for day in days)
