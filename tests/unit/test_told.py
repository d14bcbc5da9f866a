"""The meter by itself: what counts as told, for every row and every set of events, in any order."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.report.event_reading import Head, Missed, iter_events, iter_heads
from functions.report.told import Heard, Meter
from shared.trail.records import encode_line
from shared.trail.store import Entry
from tests.unit.test_suppression import RECORD

if TYPE_CHECKING:
    from collections.abc import Iterable

FINAL = ("delivered", "bounced", "rejected", "failed")
OTHERS = ("accepted", "deferred", "unknown")
FLAGS = ("opened", "clicked", "complained", "unsubscribed")
REFUSED = {"rejected", "failed", "bounced"}
TELLS = {"delivered": {"delivered"}, "bounced": {"bounced"}, "rejected": REFUSED, "failed": REFUSED}


def row(kind: str = "delivered", *, to: str = "a@example.com", message_id: str = "m", **more: Any) -> dict[str, Any]:
    flags = dict.fromkeys(FLAGS, False)
    return {"type": kind, "message_id": message_id, "recipient": to, "send_status": 0, **flags, **more}


def event(kind: str, *, to: str | None = "a@example.com", source: str = "ses", message_id: str | None = "m") -> Head:
    return Head("ab" * 32, source, kind, message_id, to)


def measure(rows: list[dict[str, Any]], events: Iterable[Head], source: str = "status") -> dict[str, Any]:
    heard, meter = Heard(), Meter(source)
    for one in rows:
        heard.expect(one)
    for one_event in events:
        heard.hear(one_event)
    for one in rows:
        meter.add(one, heard.said_of(one))
    return meter.as_json()


@pytest.mark.parametrize("kind", FINAL)
@pytest.mark.parametrize("said", [*FINAL, *OTHERS, *FLAGS])
def test_which_event_tells_which_row(kind: str, said: str) -> None:
    assert measure([row(kind)], [event(said)])["lost"] == (said not in TELLS[kind])


@pytest.mark.parametrize("kind", OTHERS)
def test_a_row_without_a_final_state_expects_nothing(kind: str) -> None:
    told = measure([row(kind)], [])
    assert (told["expected"], told["lost"], told["rate"], told["unsettled"]) == (0, 0, None, 1)


def test_what_was_filled_in_tells_nothing() -> None:
    assert measure([row()], [event("delivered", source="status")])["lost"] == 1


def test_the_case_of_an_address_does_not_matter_and_a_message_is_a_message() -> None:
    assert measure([row(to="A@Example.com")], [event("delivered", to="a@eXample.com")])["lost"] == 0
    assert measure([row()], [event("delivered", message_id="n")])["lost"] == 1
    assert measure([row(message_id="m", to="xa@example.com")], [event("delivered", message_id="mx")])["lost"] == 1
    assert measure([row(message_id="", to="")], [event("delivered", message_id=None, to=None)])["lost"] == 0


def test_sendclouds_sub_status_is_no_refusal_of_ses() -> None:
    rows = [row("bounced", send_status=406), row("delivered", to="b@example.com", send_status=None)]
    assert measure(rows, [], "sendcloud")["expected"] == 2
    assert measure(rows[:1], [])["refusals_untold"] == 1


MESSAGES = st.sampled_from(["m1", "m2"])
PEOPLE = st.sampled_from(["a@example.com", "B@example.com", "ü@example.com"])
ROWS = st.builds(
    lambda message_id, to, kind, code, flags: row(kind, to=to, message_id=message_id, send_status=code, **flags),
    MESSAGES,
    PEOPLE,
    st.sampled_from([*FINAL, *OTHERS]),
    st.sampled_from([0, 0, 1007]),
    st.fixed_dictionaries({name: st.booleans() for name in FLAGS}),
)
EVENTS = st.builds(
    lambda kind, to, source, message_id: event(kind, to=to, source=source, message_id=message_id),
    st.sampled_from([*FINAL, *OTHERS, *FLAGS]),
    st.sampled_from(["A@example.com", "b@example.com", "ü@example.com", "c@example.com"]),
    st.sampled_from(["ses", "sendcloud", "status"]),
    MESSAGES,
)


@given(rows=st.lists(ROWS, unique_by=lambda one: (one["message_id"], one["recipient"])), events=st.lists(EVENTS))
def test_every_number_is_what_plain_counting_gives(rows: list[dict[str, Any]], events: list[Head]) -> None:
    said: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for one in events:
        if one.source != "status":
            said[one.message_id or "", (one.recipient or "").lower()].add(one.type)
    final = [one for one in rows if one["type"] in FINAL]
    words = {id(one): said[one["message_id"], one["recipient"].lower()] for one in rows}
    told = [one for one in final if words[id(one)] & TELLS[one["type"]]]
    counts_refusals = any(one["send_status"] for one in told)
    expected = [one for one in final if counts_refusals or not one["send_status"]]
    lost = [one for one in expected if one not in told]
    numbers = measure(rows, events)
    assert (numbers["rows"], numbers["unsettled"]) == (len(rows), len(rows) - len(final))
    assert (numbers["expected"], numbers["lost"]) == (len(expected), len(lost))
    assert numbers["filled_in"] == len(final) - len(told) == len(lost) + numbers["refusals_untold"]
    assert numbers["rate"] == (round(len(lost) / len(expected), 6) if expected else None)
    assert sum(one["lost"] for one in numbers["by_type"].values()) == len(lost)
    assert numbers["flags_untold"] == {
        kind: sum(bool(one[kind]) and kind not in words[id(one)] for one in rows) for kind in FLAGS
    }
    assert measure(rows, [*reversed(events), *events]) == numbers


def test_a_row_costs_about_a_hundred_bytes() -> None:
    """A million rows and a million events must fit into half a gigabyte."""
    heard = Heard()
    tracemalloc.start()
    for number in range(100_000):
        heard.expect({"message_id": f"m{number}", "recipient": "a@example.com"})
    for number in range(0, 200_000, 2):
        heard.hear(event("delivered", message_id=f"m{number}"))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 160 * 100_000


class _OneObject:
    """A bucket with one object of events."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def iterate(self, prefix: str) -> list[Entry]:
        """List it."""
        return [Entry(f"{prefix}hour=08/{'0' * 64}.jsonl", len(self._body), "", "")]

    def read_many(self, entries: Iterable[Entry]) -> list[tuple[Entry, bytes]]:
        """Read it."""
        return [(entry, self._body) for entry in entries]

    def get(self, key: str) -> None:
        """Find no merge log."""


TEXTS = st.one_of(
    st.none(), st.text(max_size=8), st.sampled_from(["a@b.example", 'q"uote', "back\\slash", "\ud800", ""])
)


@given(
    message_id=TEXTS,
    recipient=TEXTS,
    kind=st.sampled_from([*FINAL, "opened", "unknown", "x-y", ""]),
    reason=st.one_of(st.none(), st.sampled_from(["mailbox_full", "other"])),
    extra=st.one_of(st.just({}), st.just({"v": 2}), st.just({"event_id": "no"})),
    tail=st.sampled_from([b"", b"\n", b"\r\n", b"not json\n", b"{}\n"]),
)
def test_the_quick_way_of_reading_finds_what_the_whole_one_finds(
    message_id: str | None, recipient: str | None, kind: str, reason: str | None, extra: dict[str, Any], tail: bytes
) -> None:
    """No line of ours may be heard by one reader and not by the other."""
    whole = {"v": 1, **RECORD, "event_id": "cd" * 32, "verified": False, "raw": {}}
    members = ("v", "event_id", "source", "type", "class", "reason", "fault", "message_id", "recipient")
    record = {name: whole[name] for name in members} | whole
    record |= {"message_id": message_id, "recipient": recipient, "type": kind, "reason": reason, **extra}
    store: Any = _OneObject(encode_line(record) * 2 + tail)
    quick, whole_way = Missed(), Missed()
    heads = list(iter_heads(store, "2026-11-20", quick))
    events = list(iter_events(store, "2026-11-20", whole_way))
    assert sorted(heads, key=str) == sorted((Head(*(one[name] for name in Head._fields)) for one in events), key=str)
    assert quick.unreadable == whole_way.unreadable
