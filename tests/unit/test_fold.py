"""The state of a message is a fold of its records that depends neither on their order nor on their repetition."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trail.fold import ENGAGEMENTS, NOTHING_SAID, State, fold, rank_of
from shared.trail.records import epoch, event_id, iso

DELIVERIES = [
    ("accepted", None, None),
    ("deferred", "soft", "greylisted"),
    ("bounced", "soft", "mailbox_full"),
    ("bounced", "block", "spam_block"),
    ("bounced", "undetermined", "other"),
    ("bounced", "hard", "invalid_recipient"),
    ("rejected", "admin", "rate_limited"),
    ("rejected", "admin", "suppressed"),
    ("delivered", None, None),
    ("failed", None, "template"),
    ("unknown", None, None),
]
START = 1795162200
TIMES = st.integers(0, 3).map(lambda step: START + step / 2)
"""Few, so that there are ties, and whole seconds beside halves."""


def event(
    kind: str, at: float = START, *, class_: str | None = None, reason: str | None = None, link: str | None = None
) -> dict[str, Any]:
    """Build an event as the webhook writes it; what the fold does not read is left out."""
    occurred_at = iso(at)
    return {
        "event_id": event_id("ses", "m", "r", kind, occurred_at, link),
        "type": kind,
        "class": class_,
        "reason": reason,
        "fault": None,
        "occurred_at": occurred_at,
    }


def status(kind: str, *, requested: float | None = START, delivered: float | None = None) -> dict[str, Any]:
    """Build a status row: no event id, other names for its times."""
    at = {"requested_at": requested and iso(requested), "delivered_at": delivered and iso(delivered)}
    return {"type": kind, "class": None, "reason": None, "fault": None, **at}


RECORDS = st.one_of(
    st.builds(lambda said, at: event(said[0], at, class_=said[1], reason=said[2]), st.sampled_from(DELIVERIES), TIMES),
    st.builds(
        lambda kind, at, link: event(kind, at, link=link),
        st.sampled_from(ENGAGEMENTS),
        TIMES,
        st.sampled_from([None, "a"]),
    ),
    st.builds(lambda kind, at: status(kind, delivered=at), st.sampled_from(["accepted", "delivered", "failed"]), TIMES),
)


@given(st.lists(RECORDS, max_size=8).flatmap(lambda said: st.tuples(st.just(said), st.permutations(said + said[:4]))))
def test_any_order_and_repetition_gives_the_same_state(drawn: tuple[list[Any], list[Any]]):
    """Up to 8 records of mixed types with ties in time, shuffled, half of them twice."""
    said, shuffled = drawn
    assert fold(shuffled).as_dict() == fold(said).as_dict()


@given(st.lists(RECORDS, max_size=4))
def test_every_order_of_four(said: list[dict[str, Any]]):
    """Exhaustive where that is possible."""
    expected = fold(said).as_dict()
    assert all(fold(order).as_dict() == expected for order in itertools.permutations(said))


@given(st.lists(RECORDS, max_size=8), st.integers(0, 8))
def test_a_state_can_be_built_in_parts(said: list[dict[str, Any]], cut: int):
    """Reading a day in two files is reading it in one."""
    state = fold(said[:cut])
    for record in said[cut:]:
        state.add(record)
    assert state.as_dict() == fold(said).as_dict()


@pytest.mark.parametrize(
    ("earlier", "later", "wins"),
    [
        (event("delivered", START), event("bounced", START + 60, class_="hard"), "bounced"),
        (event("bounced", START, class_="hard"), event("delivered", START + 60), "bounced"),
        (event("bounced", START, class_="soft"), event("delivered", START + 60), "delivered"),
        (event("delivered", START), event("bounced", START + 60, class_="soft"), "delivered"),
        (event("delivered", START), event("deferred", START + 60), "delivered"),
        (event("deferred", START), event("delivered", START + 60), "delivered"),
        (event("deferred", START), event("bounced", START + 60, class_="soft"), "bounced"),
        (event("accepted", START + 60), event("deferred", START), "deferred"),
        (event("rejected", START, reason="rate_limited"), event("delivered", START + 60), "delivered"),
        (event("rejected", START, reason="suppressed"), event("delivered", START + 60), "rejected"),
        (event("unknown", START + 60), event("accepted", START), "accepted"),
        (event("deferred", START), status("delivered", delivered=START + 1), "delivered"),
    ],
)
def test_what_outweighs_what(earlier: dict[str, Any], later: dict[str, Any], wins: str):
    """A hard bounce after a delivery wins, a delivery after a soft bounce wins, deferred never beats delivered."""
    assert fold([earlier, later]).delivery.type == wins
    assert fold([later, earlier]).delivery.type == wins


def test_of_two_equal_statements_the_later_one_stands():
    """With its reason; whole seconds and milliseconds compare as times, not as text."""
    first, second = event("deferred", START, reason="greylisted"), event("deferred", START + 0.5, reason="rate_limited")
    state = fold([first, second])
    assert (state.delivery.reason, state.as_dict()["at"]) == ("rate_limited", second["occurred_at"])
    assert epoch(state.as_dict()["at"]) == START + 0.5


@pytest.mark.parametrize(
    ("kind", "class_", "reason", "rank"),
    [
        ("accepted", None, None, 0),
        ("deferred", "soft", None, 1),
        ("bounced", "soft", None, 2),
        ("bounced", "block", None, 2),
        ("bounced", "undetermined", None, 2),
        ("rejected", "admin", "rate_limited", 2),
        ("rejected", "admin", "quota", 2),
        ("rejected", "admin", "reputation", 2),
        ("rejected", "soft", "greylisted", 2),
        ("delivered", None, None, 3),
        ("failed", None, "template", 4),
        ("rejected", "admin", "suppressed", 4),
        ("bounced", "hard", "invalid_recipient", 4),
        ("unknown", None, None, -1),
        ("opened", None, None, -1),
    ],
)
def test_ranks(kind: str, class_: str | None, reason: str | None, rank: int):
    """From accepted 0 < deferred 1 < soft or retryable 2 < delivered 3 < final 4."""
    assert rank_of(kind, class_, reason) == rank
    if kind not in ENGAGEMENTS:
        assert fold([event(kind, class_=class_, reason=reason)]).is_final == (rank >= 3)


def test_engagements_are_flags_beside_the_delivery():
    """Set and never unset, counted by event id, with their first and last time; delivery does not care."""
    opens = [event("opened", START + 1), event("opened", START + 0.5), event("opened", START), event("opened", START)]
    clicks = [event("clicked", START, link="a"), event("clicked", START, link="b")]
    state = fold([*opens, event("delivered", START), *clicks])
    assert state.delivery.type == "delivered"
    assert (state.count("opened"), state.count("clicked"), state.count("complained")) == (3, 2, 0)
    assert (state.has("opened"), state.has("complained")) == (True, False)
    assert state.first_and_last("opened") == (iso(START), iso(START + 1))
    assert state.first_and_last("complained") == ("", "")


def test_a_halfway_second_is_later_than_its_whole():
    """``…00Z`` sorts after ``…00.500Z`` as text, and is before it as a time."""
    state = fold([event("opened", START + 0.5), event("opened", START)])
    assert state.first_and_last("opened") == (iso(START), iso(START + 0.5))


def test_a_status_row_says_that_it_happened_not_when():
    """Its flags set ours without a count or a time, and take none away."""
    row = {**status("delivered", delivered=START + 5), "opened": True, "clicked": True, "complained": False}
    state = fold([event("clicked", START)])
    state.add(row)
    state.add_flags(row)
    told = state.as_dict()
    assert (told["opened"], told["opened_count"], told["opened_first_at"]) == (True, 0, None)
    assert (told["clicked"], told["clicked_count"], told["clicked_last_at"]) == (True, 1, iso(START))
    assert told["complained"] is False
    assert (told["type"], told["at"], told["final"]) == ("delivered", iso(START + 5), True)


def test_a_row_without_a_delivery_time_has_that_of_its_request():
    """And one without any has none."""
    assert fold([status("accepted")]).as_dict()["at"] == iso(START)
    assert fold([status("accepted", requested=None)]).as_dict()["at"] is None


def test_of_nothing_nothing_is_known():
    """The empty fold is a state too."""
    assert State().delivery == NOTHING_SAID
    assert fold([]).as_dict() == {
        "type": "unknown",
        "class": None,
        "reason": None,
        "fault": None,
        "at": None,
        "final": False,
        **dict.fromkeys(ENGAGEMENTS, False),
        **{f"{kind}_count": 0 for kind in ENGAGEMENTS},
        **{f"{kind}_{which}_at": None for kind in ENGAGEMENTS for which in ("first", "last")},
    }
