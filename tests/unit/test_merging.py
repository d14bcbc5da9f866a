"""Merging is a join: whatever was merged with what, in whichever order and however often, the bytes are the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.report.merge_log import Names
from functions.report.merging import Merge, is_merged, is_single, is_whole
from shared.trail.fold import fold
from shared.trail.layout import merged_name
from shared.trail.records import canonical_json, encode_line

TIMES = ["2026-11-20T07:10:00Z", "2026-11-20T07:10:00.500Z", "2026-11-20T07:10:01Z"]


def record(number: int, kind: str, machine: str | None, received_at: str, verified: bool) -> dict[str, Any]:  # noqa: FBT001 - drawn
    """Build an event; few values, so that many are of one content."""
    said = {"event_id": f"{number:064x}", "source": "ses", "type": kind, "class": None, "reason": None, "fault": None}
    said |= {"message_id": "m", "recipient": "a@example.com", "occurred_at": TIMES[number % 3], "machine": machine}
    return {**said, "received_at": received_at, "verified": verified, "raw": {"n": number, "event": kind}}


RECORDS = st.builds(
    record,
    st.integers(0, 3),
    st.sampled_from(["delivered", "opened"]),
    st.sampled_from([None, "likely"]),
    st.sampled_from(TIMES),
    st.booleans(),
)
OBJECTS = st.lists(st.lists(RECORDS, max_size=4), max_size=6)


def merged(*bodies: bytes) -> bytes:
    """Merge objects."""
    merge = Merge()
    for body in bodies:
        merge.add(body)
    return merge.encode()


def body_of(records: list[dict[str, Any]]) -> bytes:
    """Write an object."""
    return b"".join(map(encode_line, records))


def read(body: bytes) -> list[dict[str, Any]]:
    """Read an object."""
    return [json.loads(line) for line in body.splitlines()]


@given(OBJECTS, st.randoms(use_true_random=False), st.integers(0, 6))
def test_order_grouping_and_repetition_do_not_matter(objects: list[Any], random: Any, cut: int) -> None:
    bodies = [body_of(records) for records in objects]
    whole = merged(*bodies)
    shuffled = [*bodies, *bodies[:cut]]
    random.shuffle(shuffled)
    assert merged(merged(*shuffled[:cut]), *shuffled[cut:], whole) == whole
    assert merged(whole) == whole


@given(OBJECTS)
def test_nothing_that_was_said_is_lost_and_no_more_is_said(objects: list[Any]) -> None:
    """Every event with every raw, every label, and the state that they fold to; each content in one line."""
    records = [one for some in objects for one in some]
    kept = read(merged(*map(body_of, objects)))

    def contents(some: list[dict[str, Any]]) -> list[bytes]:
        told = [{name: one[name] for name in one if name not in ("received_at", "verified")} for one in some]
        return sorted(map(canonical_json, told))

    assert contents(kept) == sorted(set(contents(records)))
    assert all(one in records for one in kept)
    assert fold(kept).as_dict() == fold(records).as_dict()


def test_of_copies_a_verified_one_is_kept_then_the_earliest() -> None:
    copies = [record(1, "opened", None, at, verified) for verified in (False, True) for at in reversed(TIMES)]
    (kept,) = read(merged(body_of(copies)))
    assert (kept["verified"], kept["received_at"]) == (True, TIMES[0])
    (kept,) = read(merged(body_of(copies[:3])))
    assert (kept["verified"], kept["received_at"]) == (False, TIMES[0])


def test_lines_stay_as_they_were_written() -> None:
    """The order of members, escapes, text in any language; only what ends a line is made the same."""
    line = '{"event_id":"1", "raw":{"b":1,"a":"\\u7528户"} ,"n":1.0}'.encode()
    assert merged(b"\r\n" + line + b"\r\n\n", b"") == line + b"\n"
    assert merged(line) == line + b"\n"


@pytest.mark.parametrize(
    "broken", [b"{", b"[]", b"1", b'{"a": NaN}', b"\xff{}", b'\xef\xbb\xbf{"a": 1}', b'{"a":' + b"[" * 100_000, b"null"]
)
def test_an_object_with_a_line_that_is_no_json_object_is_not_taken_in(broken: bytes) -> None:
    """Nor is any other of its lines: it stays where it is, as a whole."""
    merge = Merge()
    merge.add(b'{"event_id":"1"}\n')
    with pytest.raises(ValueError):  # noqa: PT011 - of several libraries' words
        merge.add(b'{"event_id":"2"}\n' + broken + b"\n")
    assert merge.encode() == b'{"event_id":"1"}\n'
    assert len(merge) == 1


def test_a_merged_objects_name_says_its_bytes() -> None:
    body = b'{"event_id":"1"}\n'
    name = merged_name("3b0c9a01c2ee2a5b3a05c5d1a2f5a3e5e6a2b1c7c0f4b1e3d9d1b5a7f3c2e1d0")
    assert is_merged(name)
    assert not is_whole(name, body)
    assert not is_single(name)
    assert is_single("0" * 64 + ".jsonl")
    assert not any(map(is_single, ("0" * 63 + ".jsonl", "A" * 64 + ".jsonl", "by-hand.jsonl", "0" * 64 + ".jsonl\n")))
    assert is_whole("0" * 64 + ".jsonl", body)


@given(st.sets(st.integers(0, 50)), st.booleans())
def test_a_packed_set_of_names_is_a_set(numbers: set[int], with_merged: bool) -> None:  # noqa: FBT001 - drawn
    def name(number: int) -> str:
        return f"{'merged-' if with_merged and number % 2 else ''}{number * 7**20:064x}.jsonl"

    names = Names(map(name, numbers))
    assert {number for number in range(52) if name(number) in names} == numbers
    assert "by-hand.jsonl" not in names
    assert "by-hand.jsonl" in Names(["by-hand.jsonl"])
