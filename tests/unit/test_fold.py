"""The state of a message is a fold of its records that depends neither on their order nor on their repetition.

Shown for every order and every repetition, however long, of each history below and of those that hypothesis draws: by
the steps between the subsets of its records (``assert_order_and_repetition_are_void``). For some the 40 320 orders of
8 records are walked one by one besides, and compared by what the fold says in the end.
"""

from __future__ import annotations

import functools
import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhook.adapt import adapt_ses
from localcloud.storm_histories import HISTORIES, Mails
from shared.trail.fold import ENGAGEMENTS, NOTHING_SAID, State, Tally, fold, rank_of
from shared.trail.machine import JUDGED, VERDICTS
from shared.trail.records import epoch, event_id, iso

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    kind: str,
    at: float = START,
    *,
    class_: str | None = None,
    reason: str | None = None,
    link: str | None = None,
    machine: str | None = None,
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
        "link": link,
        "machine": machine,
    }


def status(kind: str, *, requested: float | None = START, delivered: float | None = None) -> dict[str, Any]:
    """Build a status row: no event id, other names for its times."""
    at = {"requested_at": requested and iso(requested), "delivered_at": delivered and iso(delivered)}
    return {"type": kind, "class": None, "reason": None, "fault": None, **at}


RECORDS = st.one_of(
    st.builds(lambda said, at: event(said[0], at, class_=said[1], reason=said[2]), st.sampled_from(DELIVERIES), TIMES),
    st.builds(
        lambda kind, at, link, machine: event(kind, at, link=link, machine=machine),
        st.sampled_from(ENGAGEMENTS),
        TIMES,
        st.sampled_from([None, "a", "b"]),
        st.sampled_from(VERDICTS),  # drawn apart from the rest: copies of one event disagree
    ),
    st.builds(lambda kind, at: status(kind, delivered=at), st.sampled_from(["accepted", "delivered", "failed"]), TIMES),
)


@given(st.lists(RECORDS, max_size=8).flatmap(lambda said: st.tuples(st.just(said), st.permutations(said + said[:4]))))
def test_any_order_and_repetition_gives_the_same_state(drawn: tuple[list[Any], list[Any]]):
    """Up to 8 records of mixed types with ties in time, shuffled, half of them twice."""
    said, shuffled = drawn
    assert fold(shuffled).as_dict() == fold(said).as_dict()


def take(state: State, record: dict[str, Any]) -> State:
    """Return a state that has taken ``record`` in as the report does; ``state`` itself stays as it was."""
    grown = State()
    grown.delivery, grown.delivered_at = state.delivery, state.delivered_at
    grown._seen = state._seen and {kind: dict(events) for kind, events in state._seen.items()}
    grown.add(record)
    if "event_id" not in record:
        grown.add_flags(record)
    return grown


def inner(state: State) -> tuple[Any, ...]:
    """Return all that a state holds."""
    assert State.__slots__ == ("_seen", "delivered_at", "delivery")
    return state.delivery, state.delivered_at, state._seen


def assert_order_and_repetition_are_void(records: Sequence[dict[str, Any]]) -> None:
    """Check every step from every subset of ``records``: to add one of it changes nothing, one more leads to one state.

    What comes of a sequence is then decided by the set of what is in it: by induction over its length, since the next
    state depends on the last one and the record alone. So all orders and repetitions are covered, of any length.
    """
    states = {0: State()}
    for subset in range(1, 1 << len(records)):
        last = subset.bit_length() - 1
        states[subset] = take(states[subset ^ (1 << last)], records[last])
    for subset, state in states.items():
        for number, record in enumerate(records):
            assert inner(take(state, record)) == inner(states[subset | 1 << number])


def walk_every_order(records: Sequence[dict[str, Any]]) -> int:
    """Fold every order of ``records``, sharing what begins alike; return how many there are."""
    expected, orders = functools.reduce(take, records, State()).as_dict(), 0
    stack = [(State(), (1 << len(records)) - 1)]
    while stack:
        state, left = stack.pop()
        if not left:
            assert state.as_dict() == expected
            orders += 1
        stack.extend(
            (take(state, record), left ^ 1 << number) for number, record in enumerate(records) if left >> number & 1
        )
    return orders


def tell(history: int) -> list[dict[str, Any]]:
    """Return the records that the webhook makes of one of localcloud's histories."""
    mails = Mails()
    mails.sent_at.append(START)
    mails.add_pair(0, 0, history, 99)
    bodies = [json.loads(mails.event(number, b"k").body) for number in range(len(mails.times))]
    return [dict(fact.record) for body in bodies for fact in adapt_ses(body, received_s=START, token_keys=())]


NASTY = {
    "all at once": [event(kind, class_=class_, reason=reason) for kind, class_, reason in DELIVERIES[:8]],
    "copies that were labelled again": [
        *(event("opened", machine=verdict) for verdict in VERDICTS),
        *(event("clicked", START + 5, link="a", machine=verdict) for verdict in VERDICTS),
        event("delivered", START - 60),
        {**status("delivered", delivered=START), "opened": True, "clicked": True},
    ],
    "a sweep and a person": [
        event("delivered", START),
        event("opened", START),
        *(event("clicked", START + 30, link=link) for link in ("a", "b", "https://example.com/unsubscribe")),
        event("unsubscribed", START + 30.5),
        event("opened", START + 600),
        event("clicked", START + 630, link="a"),
    ],
    "deliveries, half seconds and flags": [
        event("delivered", START + 0.5),
        event("delivered", START),
        {**event("delivered", START - 9), "source": "status"},
        status("delivered", delivered=START + 9),
        {**status("accepted"), "unsubscribed": True, "complained": True},
        event("unsubscribed", START + 119.5),
        event("bounced", START + 9, class_="hard", reason="inactive_mailbox"),
        event("bounced", START + 9, class_="hard", reason="invalid_recipient"),
    ],
    "a grey day": [
        event("deferred", START, reason="greylisted"),
        event("deferred", START + 0.5, reason="greylisted"),
        event("bounced", START + 1, class_="soft", reason="expired"),
        event("rejected", START, reason="rate_limited"),
        event("unknown", START + 99),
        event("complained", START),
        event("complained", START + 0.5),
        status("failed", requested=None),
    ],
}
"""Eight records each: ties, copies that disagree, events that are judged by their neighbours, rows beside events."""


@pytest.mark.parametrize("history", range(len(HISTORIES)))
def test_every_order_and_repetition_of_a_history_as_it_happens(history: int):
    """With the status row that comes of it; all of localcloud's, machines among them."""
    records = tell(history)
    row = {**status("delivered", delivered=START + 2), "opened": True, "unsubscribed": True}
    assert_order_and_repetition_are_void([*records, row][:8])


@pytest.mark.parametrize("name", NASTY)
def test_every_order_and_repetition_of_a_nasty_history(name: str):
    assert len(NASTY[name]) == 8
    assert_order_and_repetition_are_void(NASTY[name])


@given(st.lists(RECORDS, max_size=8))
def test_every_order_and_repetition_of_any_history(said: list[dict[str, Any]]):
    """Up to 8 records, copies of one event that disagree among them."""
    assert_order_and_repetition_are_void(said)


@pytest.mark.parametrize("name", ["copies that were labelled again", "a sweep and a person"])
def test_all_40320_orders_of_eight_records_one_by_one(name: str):
    """Without the argument about subsets, down to what the fold says in the end."""
    assert walk_every_order(NASTY[name]) == 40_320


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
        **{f"{kind}_human": False for kind in JUDGED},
        **{f"{kind}_human_count": 0 for kind in JUDGED},
        **{f"{kind}_{which}_at": None for kind in ENGAGEMENTS for which in ("first", "last")},
    }


# --- who did it -----------------------------------------------------------------------------------------------


def test_events_are_counted_in_all_and_as_likely_human():
    """Flagged, never left out."""
    state = fold(
        [
            event("delivered", START),
            event("opened", START + 5, machine="likely"),
            event("opened", START + 6, machine="suspected"),
            event("opened", START + 600),
            event("clicked", START + 7, link="a", machine="likely"),
        ]
    )
    told = state.as_dict()
    assert (told["opened"], told["opened_count"]) == (True, 3)
    assert (told["opened_human"], told["opened_human_count"]) == (True, 1)
    assert (told["clicked"], told["clicked_count"]) == (True, 1)
    assert (told["clicked_human"], told["clicked_human_count"]) == (False, 0)
    assert (state.tally("opened"), state.tally("clicked")) == (Tally(1, 1, 1), Tally(0, 0, 1))
    assert "complained_human" not in told


@pytest.mark.parametrize("order", list(itertools.permutations([None, "suspected", "likely"])))
def test_of_copies_that_disagree_the_heavier_verdict_stands(order: tuple[str | None, ...]):
    """One event, labelled anew; whichever copy is read first."""
    assert fold([event("opened", machine=verdict) for verdict in order]).tally("opened") == Tally(0, 0, 1)
    assert fold([event("opened", machine=verdict) for verdict in order if verdict != "likely"]).tally("opened") == (
        Tally(0, 1, 0)
    )


def test_a_sweep_over_the_links_is_suspected_and_a_later_click_is_not():
    """https://github.com/MillionSend/millionsend/pull/22: gateways with a browser's name fetch every link at once."""
    sweep = [event("clicked", START + 30, link="a"), event("clicked", START + 31, link="b")]
    assert fold(sweep).tally("clicked") == Tally(0, 2, 0)
    assert fold([*sweep, event("unsubscribed", START + 30)]).tally("unsubscribed") == Tally(0, 1, 0)
    assert fold([*sweep, event("clicked", START + 33, link="a")]).tally("clicked") == Tally(1, 2, 0)
    assert fold([event("clicked", START, link="a"), event("clicked", START + 2, link="b")]).tally("clicked").human == 2


def test_an_open_beside_a_click_is_what_people_do():
    """https://github.com/warmbly/warmbly/pull/412: not a sign of a machine."""
    state = fold([event("delivered", START), event("opened", START + 9), event("clicked", START + 9, link="a")])
    assert (state.tally("opened").human, state.tally("clicked").human) == (1, 1)


def test_what_happens_before_the_delivery_is_suspected_by_the_first_delivery():
    """Of two that were told; an answer of a status query is none, its times have no zone."""
    early = event("opened", START + 5)
    assert fold([early]).tally("opened") == Tally(1, 0, 0)
    assert fold([early, event("delivered", START + 60)]).tally("opened") == Tally(0, 1, 0)
    assert fold([early, event("delivered", START + 60), event("delivered", START)]).tally("opened") == Tally(1, 0, 0)
    assert fold([early, status("delivered", delivered=START + 60)]).tally("opened") == Tally(1, 0, 0)
    filled_in = {**event("delivered", START + 60), "source": "status"}
    assert fold([early, filled_in]).tally("opened") == Tally(1, 0, 0)


def test_an_unsubscribe_within_two_minutes_of_a_late_delivery_is_suspected():
    """A mail that was deferred for half an hour: the time of sending says nothing."""
    late = [event("deferred", START), event("delivered", START + 1800)]
    assert fold([*late, event("unsubscribed", START + 1919)]).tally("unsubscribed") == Tally(0, 1, 0)
    assert fold([*late, event("unsubscribed", START + 1920)]).tally("unsubscribed") == Tally(1, 0, 0)


def test_a_flag_alone_is_no_sign_of_a_person():
    """And none of a machine: it is counted in all, and its count tells that no event is known."""
    state = State()
    state.add_flags({"opened": True})
    told = state.as_dict()
    assert (told["opened"], told["opened_count"], told["opened_human"], told["opened_human_count"]) == (
        True, 0, False, 0,
    )  # fmt: skip
    assert state.tally("opened") == Tally(0, 0, 0)


def test_records_from_before_the_labels_are_folded():
    """Without ``machine`` and ``link`` they are taken for a person's."""
    old = event("opened")
    del old["machine"], old["link"]
    assert fold([old]).tally("opened") == Tally(1, 0, 0)


@pytest.mark.parametrize("history", range(len(HISTORIES)))
def test_the_fold_of_what_the_webhook_writes_is_the_truth(history: int):
    """Two derivations: localcloud knows who did what because it made it up, the product has to tell from the events."""
    mails = Mails()
    mails.sent_at.append(START)
    mails.add_pair(0, 0, history, 99)
    truth, state = mails.truth_of(0, b"k"), fold(tell(history))
    assert state.delivery.type == truth.type
    assert [state.count(kind) for kind in ENGAGEMENTS] == [getattr(truth, kind) for kind in ENGAGEMENTS]
    assert [state.tally(kind).human for kind in JUDGED] == [getattr(truth, f"{kind}_human") for kind in JUDGED]


def test_a_state_that_nobody_engaged_with_is_small():
    """A day has millions: no dictionary for those that were merely delivered."""
    state = fold([event("delivered")])
    assert not state.is_engaged
    assert not hasattr(state, "__dict__")
    assert sys.getsizeof(state) + sys.getsizeof(state.delivery) <= 200
    assert fold([event("opened")]).is_engaged
