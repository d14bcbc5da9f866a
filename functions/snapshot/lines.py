"""What is asked of a status record while it is a line of JSON: its identity, whether it says something new. Pure.

A day may have a million lines, and merging looks at each in every pass, so none is parsed: ``rows.py`` writes the
members in one order, and in JSON a quotation mark inside a text is never without its backslash, so the marks that are
looked for are members and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.trail.records import encode_line

if TYPE_CHECKING:
    from shared.trail.records import Status

_AFTER_KEY = b',"sender":'
_FETCHED = b',"fetched_at":'
_RAW = b',"raw":'
_REQUESTED = b',"requested_at":"'
_NOT_GIVEN = (b'":null', b'":""')
_TIME_BYTES = len("2026-11-20T08:10:00Z")


def line_of(record: Status) -> bytes:
    """Return a record as the line that this module knows to read."""
    return encode_line(record)


def key_of(line: bytes) -> bytes:
    """Return the part of a line that says which row it is: (message_id, recipient), and the day, which is one.

    A row that lacks either is itself alone: two that look alike are one row, two that differ are two.
    """
    key = line[: line.index(_AFTER_KEY)]
    if any(mark in key for mark in _NOT_GIVEN):
        before, after = _content(line)
        return before + after
    return key


def says_the_same(one: bytes, other: bytes) -> bool:
    """Whether two lines differ in nothing but when they were fetched."""
    return _content(one) == _content(other)


def requested_at(line: bytes) -> str:
    """Return when the mail was asked for, to the second; empty when the row does not tell."""
    start = line.find(_REQUESTED) + len(_REQUESTED)
    return line[start : start + _TIME_BYTES].decode() if start >= len(_REQUESTED) else ""


def _content(line: bytes) -> tuple[bytes, bytes]:
    fetched = line.index(_FETCHED)
    return line[:fetched], line[line.index(_RAW, fetched) :]
