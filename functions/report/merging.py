"""Many objects of events into one: every content once, in an order that depends on the contents alone. Pure.

Merging is a join: associative, commutative, idempotent. Whatever was merged with what, in whichever order and however
often, the same contents give the same bytes, and the name of the result is their hash.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NamedTuple

from shared.trail.records import canonical_json

FULL_BYTES = 8 * 1024 * 1024
"""What is merged at once at most; it is held in memory."""
SEALED_BYTES = FULL_BYTES // 2
"""What has so much is not merged again. Two that have less fit into one, so an hour ends at about one for so much."""
MOST_OBJECTS = 10_000
"""Objects that are merged at once at most: their names are a line of the merge log."""

_SINGLE = re.compile(r"[0-9a-f]{64}\.jsonl")
_MERGED = re.compile(r"merged-([0-9a-f]{64})\.jsonl")


def is_single(name: str) -> bool:
    """Whether an object of this name holds the events of one callback. Other names are somebody else's files."""
    return _SINGLE.fullmatch(name) is not None


def is_merged(name: str) -> bool:
    """Whether an object of this name was made by compaction."""
    return _MERGED.fullmatch(name) is not None


def is_whole(name: str, body: bytes) -> bool:
    """Whether ``body`` is what its name says; any body is, under a name that says nothing of its bytes."""
    match = _MERGED.fullmatch(name)
    return match is None or match[1] == hashlib.sha256(body).hexdigest()


class _Copy(NamedTuple):
    """One line; the least of those of one content is kept: a verified one, then the earliest, then by its bytes."""

    unverified: bool
    received_at: str
    line: bytes


class Merge:
    """Lines of several objects, each content once.

    Lines that differ in ``received_at`` and ``verified`` alone are of one content: deliveries of one event. Any other
    difference is kept, be it in what the provider said or in what was made of it: the fold decides, not compaction.
    """

    def __init__(self) -> None:
        self._copies: dict[tuple[str, bytes], _Copy] = {}

    def __len__(self) -> int:
        return len(self._copies)

    def add(self, body: bytes) -> None:
        """Take an object's lines in. Raises ValueError when one is no JSON object; then none of them is."""
        lines = (line.strip(b" \t\r") for line in body.split(b"\n"))
        for content, copy in [_parse(line) for line in lines if line]:
            known = self._copies.get(content)
            if known is None or copy < known:
                self._copies[content] = copy

    def encode(self) -> bytes:
        """Return the lines, by the time of their event."""
        # Joined without a second copy of every line: this is the most memory that a merge takes.
        lines = [self._copies[content].line for content in sorted(self._copies)]
        return b"\n".join([*lines, b""])


def _parse(line: bytes) -> tuple[tuple[str, bytes], _Copy]:
    try:
        record = json.loads(line.decode(), parse_constant=_refuse)
        if not isinstance(record, dict):
            raise ValueError("a line that is no JSON object")  # noqa: TRY004 - it is a value, and callers know one error
        verified, received_at = record.pop("verified", None), record.pop("received_at", None)
        content = hashlib.sha256(canonical_json(record)).digest()
    except RecursionError as error:
        raise ValueError("a line that is nested too deeply") from error
    # Without the Z, a whole second comes before its own milliseconds.
    copy = _Copy(verified is not True, str(received_at).removesuffix("Z"), line)
    return (str(record.get("occurred_at")), content), copy


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
