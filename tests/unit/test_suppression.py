"""Entries of the suppression list: what suppresses, for how long, and that merging never depends on the order."""

from __future__ import annotations

import functools
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhook.adapt import adapt_sendcloud, adapt_ses
from shared.trail.bounce import diagnose, refine
from shared.trail.records import epoch, iso
from shared.trail.suppression import (
    REASONS,
    Cause,
    Entry,
    Removal,
    Selection,
    as_json,
    encode,
    entry,
    is_suppressed,
    merge,
    parse,
    standing,
    strongest,
)
from shared.trail.suppression_rules import entry_of
from shared.trail.vocabulary import SENDCLOUD_SUB_STATUS, SUPPRESSING, Meaning

AT = 1795161600.0
DAY_S = 86400
RECORD: dict[str, Any] = {
    "event_id": "e1", "source": "ses", "type": "bounced", "class": "hard", "reason": "invalid_recipient",
    "fault": "recipient", "message_id": "m1", "recipient": "Alice@Example.com", "occurred_at": iso(AT),
    "received_at": iso(AT + 5), "machine": None,
}  # fmt: skip

times = st.integers(0, 60).map(lambda day: iso(AT + day * DAY_S / 2))
optional = st.none() | st.sampled_from(["a", "b"])
causes = st.builds(
    Cause,
    since=times,
    reason=st.sampled_from(REASONS),
    until=st.none() | times,
    source=st.sampled_from(["ses", "cli"]),
    event_id=optional,
    message_id=optional,
    detail=optional,
    machine=st.sampled_from([None, "suspected"]),
    note=optional,
)
selections = st.builds(
    Selection,
    reason=st.none() | st.sampled_from(REASONS),
    source=st.none() | st.just("cli"),
    since=st.none() | times,
    until=st.none() | times,
    machine=st.booleans(),
)
removals = st.builds(Removal, at=times, by=st.just("cli"), selection=selections, restored_at=st.none() | times)
entries = st.builds(
    functools.partial(entry, "a@example.com"), st.lists(causes, max_size=8), st.lists(removals, max_size=4)
)


def caused(**given: Any) -> Cause | None:
    """Return what a record with these members causes; anything but one cause or none is a failure."""
    made = entry_of({**RECORD, **given})
    assert made is None or (made.address, len(made.causes), made.removals) == ("alice@example.com", 1, ())
    return made.causes[0] if made else None


@pytest.mark.parametrize(
    ("given", "reason", "days"),
    [
        ({}, "hard_bounce", None),
        ({"reason": "bad_domain"}, "hard_bounce", None),
        ({"reason": "inactive_mailbox"}, "hard_bounce", 90),
        ({"reason": "something new"}, "hard_bounce", 30),
        ({"type": "complained", "class": None, "reason": None, "fault": "content"}, "complaint", None),
        ({"type": "unsubscribed", "class": None, "reason": None, "fault": None}, "unsubscribe", None),
        ({"type": "rejected", "class": "admin", "reason": "unsubscribed"}, "unsubscribe", None),
        ({"type": "rejected", "class": "admin", "reason": "invalid_address"}, "hard_bounce", None),
        ({"source": "sendcloud", "class": "soft"}, "soft_bounce", 30),
        ({"source": "status", "class": "soft", "raw": {"emailId": "m1"}}, "soft_bounce", 30),  # filled in from its row
        ({"source": "status"}, "hard_bounce", None),
    ],
)
def test_what_is_the_recipients_own_suppresses_with_its_time(
    given: dict[str, Any], reason: str, days: int | None
) -> None:
    cause = caused(**given)
    assert cause is not None
    assert (cause.reason, cause.since, cause.source, cause.event_id, cause.message_id) == (
        reason, iso(AT), {**RECORD, **given}["source"], "e1", "m1",
    )  # fmt: skip
    assert cause.until == (None if days is None else iso(AT + days * DAY_S))
    assert cause.detail == {**RECORD, **given}["reason"]


@pytest.mark.parametrize(
    "given",
    [
        {"fault": "sender_reputation", "class": "block", "reason": "spam_block"},
        *({"fault": fault} for fault in (
            "sender_reputation", "sender_auth", "sender_config", "content", "recipient_system", "network", "provider",
            "unknown", None,
        )),
        {"class": "block"}, {"class": "soft"}, {"class": "undetermined"}, {"class": "admin", "reason": "suppressed"},
        {"class": "soft", "reason": "mailbox_full", "source": "sendcloud"},
        {"class": "soft", "source": "status", "raw": {"MessageId": "m1"}}, {"class": "soft", "source": "status"},
        {"type": "rejected", "class": "admin", "reason": "suppressed"},
        {"type": "rejected", "class": "admin", "reason": "invalid_address", "fault": "sender_config"},
        {"type": "deferred"}, {"type": "delivered"}, {"type": "opened"}, {"type": "failed"}, {"type": "unknown"},
        {"recipient": None}, {"recipient": ""}, {"recipient": "  "},
        {"type": "complained", "recipient": None},
    ],
)  # fmt: skip
def test_a_fault_of_ours_of_the_content_or_of_the_network_never_suppresses(given: dict[str, Any]) -> None:
    """hyvor/relay#258: an address of ours on a blocklist must not suppress everybody."""
    assert caused(**given) is None


@given(
    kind=st.sampled_from(["accepted", "deferred", "delivered", "bounced", "rejected", "failed", "opened", "clicked",
                          "complained", "unsubscribed", "unknown"]),
    class_=st.sampled_from([None, "hard", "soft", "block", "admin", "undetermined"]),
    reason=st.sampled_from([None, "invalid_recipient", "unsubscribed", "spam_block", "mailbox_full", "policy"]),
    fault=st.sampled_from([None, "recipient", "sender_reputation", "content", "network", "unknown"]),
    source=st.sampled_from(["ses", "sendcloud", "status"]),
)  # fmt: skip
def test_types_that_do_not_suppress_need_not_be_looked_at(
    kind: str, class_: str | None, reason: str | None, fault: str | None, source: str
) -> None:
    """The webhook looks at the type alone before it imports anything of this."""
    cause = caused(type=kind, **{"class": class_}, reason=reason, fault=fault, source=source)
    assert cause is None or kind in SUPPRESSING
    if kind in ("bounced", "rejected") and fault != "recipient":
        assert cause is None


@pytest.mark.parametrize(
    ("text", "suppresses"),
    [
        ("550 5.1.1 no such user", True),
        ("550 5.4.4 no mail server", True),
        ("554 Service unavailable; Client host [1.2.3.4] blocked using zen.spamhaus.org", False),
        ("550 5.7.1 user unknown; your IP 1.2.3.4 is blacklisted", False),
        ("550 DKIM check failed, user unknown", False),
        ("554 DT:SPM 163 smtp", False),
        ("552 5.2.2 mailbox full", False),
        ("421 connection timed out", False),
        ("", False),
        ("550 whatever", False),
    ],
)
def test_the_text_of_a_hard_bounce_decides_by_its_fault(text: str, *, suppresses: bool) -> None:
    refined = refine(Meaning("bounced", "hard"), text, diagnose(text))
    cause = caused(**{"class": refined.class_}, reason=refined.reason, fault=refined.fault)
    assert (cause is not None) is suppresses


def test_sub_statuses_of_sendcloud_as_its_table_says() -> None:
    """peers.md §3.5, column `suppress`; 401 and 403 are nothing to this list: its own list, and a network."""
    made = {}
    for code, meaning in SENDCLOUD_SUB_STATUS.items():
        words = {"type": meaning.type, "class": meaning.class_, "reason": meaning.reason, "fault": meaning.fault}
        if cause := caused(**words, source="sendcloud"):
            made[code] = (cause.reason, cause.until)
    month = iso(AT + 30 * DAY_S)
    assert made == {
        402: ("unsubscribe", None),
        404: ("hard_bounce", None),
        406: ("hard_bounce", None),
        506: ("soft_bounce", month),
    }


def test_a_time_to_come_counts_as_that_of_receipt() -> None:
    """A removal must be able to outlast it."""
    cause = caused(occurred_at="2999-01-01T00:00:00Z")
    assert cause is not None
    assert cause.since == RECORD["received_at"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(
    fields=st.dictionaries(
        st.sampled_from(["email", "recipient", "reason", "message", "bounceType", "bulkId", "emailId"]), json_values
    ),
    name=st.sampled_from(["bounce", "dropped", "spamreport", "unsubscribe", "invalid", "soft_bounce", "report_spam"]),
    at=st.floats(1, 3e10, allow_nan=False),
)
def test_every_event_that_can_be_kept_gives_an_entry_or_none(fields: dict[str, Any], name: str, at: float) -> None:
    """The webhook builds it beside its write: nothing that a stranger says may break it."""
    raw = {**fields, "event": name, "timestamp": at}
    for fact in (
        *adapt_ses(raw, received_s=AT, token_keys=()),
        *adapt_sendcloud(raw, received_s=AT, verified=False),
    ):
        made = entry_of(fact.record)
        assert made is None or parse(encode(made)) == made


@given(st.lists(entries, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_merging_is_commutative_associative_and_idempotent(parts: list[Entry], die: Any) -> None:
    """Any order, any grouping, any repetition: the same bytes."""
    whole = encode(functools.reduce(merge, parts))
    again = parts + die.choices(parts, k=3)
    die.shuffle(again)
    while len(again) > 1:
        first = again.pop(die.randrange(len(again)))
        place = die.randrange(len(again))
        again[place] = merge(again[place], first)
    assert encode(again[0]) == whole
    assert merge(again[0], again[0]) == again[0]


@given(entries)
def test_an_entry_is_read_back_as_it_was_written(known: Entry) -> None:
    assert parse(encode(known)) == known
    assert encode(parse(encode(known))) == encode(known)


@given(entries, st.integers(0, 80))
def test_the_top_level_says_what_all_causes_together_say(known: Entry, day: int) -> None:
    """One comparison at the time of sending is as good as looking at every cause."""
    now = AT + day * DAY_S / 2
    told = json.loads(encode(known))
    one_by_one = any(cause.until is None or now < epoch(cause.until) for cause in standing(known))
    if is_suppressed(told, now) != one_by_one:  # only where two soft bounces make it last
        assert (told["reason"], told["until"]) == ("soft_bounce", None)
    assert is_suppressed(told, now) == is_suppressed(strongest(known), now)
    assert (told["reason"] is None) == (not standing(known))


@given(entries, selections, times)
def test_what_was_taken_back_stays_so_whatever_is_learned_of_it_again(
    known: Entry, selection: Selection, at: str
) -> None:
    removed = merge(known, entry(known.address, removals=[Removal(at, "me", selection)]))
    assert not any(selection.covers(cause) for cause in standing(removed))
    assert standing(merge(removed, known)) == standing(removed)
    back = merge(removed, entry(known.address, removals=[Removal(at, "me", selection, restored_at=iso(AT + 99))]))
    assert standing(back) == standing(known)


def test_an_event_after_the_removal_counts_and_one_before_it_never() -> None:
    bounce = Cause(iso(AT), "hard_bounce", None, "ses", "e1")
    removed = entry("a@example.com", [bounce], [Removal(iso(AT + 10), "cli", Selection(until=iso(AT + 10)))])
    late = merge(removed, entry("a@example.com", [bounce._replace(since=iso(AT + 9), event_id="e2")]))
    assert strongest(late) is None
    again = merge(late, entry("a@example.com", [bounce._replace(since=iso(AT + 11), event_id="e3")]))
    assert strongest(again) == bounce._replace(since=iso(AT + 11), event_id="e3")


def test_milliseconds_sort_after_their_second() -> None:
    removed = Removal(iso(AT), "cli", Selection(until=iso(AT)))
    later = Cause(iso(AT + 0.5), "manual", None, "cli")
    assert strongest(entry("a@example.com", [later], [removed])) == later


def test_a_time_that_is_over_suppresses_no_more() -> None:
    known = entry("a@example.com", [Cause(iso(AT), "hard_bounce", iso(AT + DAY_S), "ses", "e1")])
    assert [is_suppressed(as_json(known), AT + after) for after in (0, DAY_S - 1, DAY_S, 2 * DAY_S)] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not is_suppressed(None, AT)


@pytest.mark.parametrize(
    ("days", "until"),
    [((0, 30), None), ((0, 31), 61), ((0, 40, 80, 100), None), ((0,), 30)],
)
def test_two_soft_bounces_for_want_of_the_address_within_30_days_hold_for_good(
    days: tuple[int, ...], until: int | None
) -> None:
    """peers.md §3.5, 506: ttl 30 days, then permanent."""
    told = [
        Cause(iso(AT + day * DAY_S), "soft_bounce", iso(AT + (day + 30) * DAY_S), "sendcloud", f"e{day}")
        for day in days
    ]
    holds = strongest(entry("a@example.com", told))
    assert holds is not None
    assert holds.until == (None if until is None else iso(AT + until * DAY_S))
    told_twice = [*told[:1], told[0]._replace(message_id="again")]
    once = strongest(entry("a@example.com", told_twice))
    assert once is not None
    assert once.until is not None  # one event, however often it is told


def test_a_bounce_that_was_filled_in_and_is_told_late_is_one_bounce() -> None:
    """It has two ids, one of the status row and one of the callback; another mail's bounce is another."""
    filled_in, late = (
        Cause(iso(AT + after_s), "soft_bounce", iso(AT + after_s + 30 * DAY_S), source, event_id, "m1")
        for after_s, source, event_id in ((0, "status", "e1"), (5, "sendcloud", "e2"))
    )
    for told, is_for_good in (
        ([filled_in, late], False),
        ([filled_in, late._replace(message_id="m2")], True),
        ([filled_in._replace(message_id=None), late._replace(message_id=None)], True),
        ([late, late._replace(since=iso(AT + 60), event_id="e3")], False),  # told again, at a later time
    ):
        holds = strongest(entry("a@example.com", told))
        assert holds is not None
        assert (holds.until is None) == is_for_good


def test_the_strongest_cause_is_named() -> None:
    """What holds longest, then the gravest, then the first."""
    ending = Cause(iso(AT), "complaint", iso(AT + DAY_S), "ses", "e1")
    bounced, later = (Cause(iso(AT + n), "hard_bounce", None, "ses", f"e{n}") for n in (2, 3))
    unsubscribed = Cause(iso(AT + 9), "unsubscribe", None, "ses", "e9")
    for order in itertools.permutations([ending, bounced, later]):
        assert strongest(entry("a@example.com", order)) == bounced
    assert strongest(entry("a@example.com", [ending, bounced, unsubscribed])) == unsubscribed


def test_an_entry_does_not_grow_with_every_bounce() -> None:
    told = [Cause(iso(AT + n), "hard_bounce", None, "ses", f"e{n}") for n in range(500)]
    known = functools.reduce(merge, (entry("a@example.com", [cause]) for cause in told))
    assert [cause.event_id for cause in known.causes] == ["e0", "e1", "e2", "e497", "e498", "e499"]
    assert len(encode(known)) < 3000


GOOD = as_json(entry("a@example.com", [Cause(iso(AT), "manual", None, "cli")], [Removal(iso(AT), "cli", Selection())]))


@pytest.mark.parametrize(
    "body",
    ["", "{}", "[]", "7", "null", '"x"', "{", json.dumps({**GOOD, "v": 2}), json.dumps({**GOOD, "causes": [7]}),
     json.dumps({**GOOD, "causes": [{"since": "x"}]}), json.dumps({**GOOD, "address": " "}),
     json.dumps({**GOOD, "address": None}), json.dumps({**GOOD, "causes": [{**GOOD["causes"][0], "reason": "hm"}]}),
     json.dumps({**GOOD, "causes": [{**GOOD["causes"][0], "since": "2026-11-20T08:00:00+00:00"}]}),
     json.dumps({**GOOD, "causes": [{**GOOD["causes"][0], "until": 7}]}),
     json.dumps({**GOOD, "causes": [{**GOOD["causes"][0], "note": []}]}),
     json.dumps({**GOOD, "removals": [{**GOOD["removals"][0], "at": "now"}]}),
     json.dumps({**GOOD, "removals": [{"at": iso(AT)}]}), "[" * 100_000],
)  # fmt: skip
def test_what_is_no_entry_is_refused(body: str) -> None:
    """Somebody's own file, or an entry of a later version: it must not be read as half of one, and overwritten."""
    assert parse(json.dumps(GOOD)) == parse(json.dumps(GOOD).encode())
    with pytest.raises(ValueError, match=r"."):
        parse(body)


def test_entries_of_two_addresses_do_not_merge() -> None:
    with pytest.raises(ValueError, match="two addresses"):
        merge(entry("a@example.com"), entry("b@example.com"))
    assert entry(" A@Example.COM ").address == "a@example.com"
