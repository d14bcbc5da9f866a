"""What callbacks told of the rows of a day, and what they did not: the meter itself. Pure.

A row with a final type is told when an event of the same message and recipient says so. A refusal of SES's own, or a
failure, may come as any of refused, failed and bounced: the two sides have different words for it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from shared.trail.fold import ENGAGEMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.report.event_reading import Head

FILLED_IN = "status"
"""The ``source`` of an event that was made of a status row. It tells nothing: nobody called back."""
_DELIVERED, _BOUNCED, _REFUSED = 1, 2, 4
_FLAGS = {kind: 8 << number for number, kind in enumerate(ENGAGEMENTS)}
_SAYS = {"delivered": _DELIVERED, "bounced": _BOUNCED, "rejected": _REFUSED, "failed": _REFUSED, **_FLAGS}
_ENOUGH = {
    "delivered": _DELIVERED,
    "bounced": _BOUNCED,
    "rejected": _REFUSED | _BOUNCED,
    "failed": _REFUSED | _BOUNCED,
}
FINAL = tuple(_ENOUGH)
"""Types of a row that a callback ought to have told."""


class Heard:
    """What the events say of the messages and recipients that are expected; about 100 bytes for each.

    Sixteen bytes of a hash stand for each: of a thousand million, no two are likely to be alike.
    """

    def __init__(self) -> None:
        self._said: dict[bytes, int] = {}  # numbers below 256 are one object each
        self._filled: set[bytes] = set()

    def expect(self, row: Mapping[str, Any]) -> None:
        """Listen for a row's message and recipient. All rows come before the first event."""
        self._said.setdefault(_key(row["message_id"], row["recipient"]), 0)

    def hear(self, event: Head) -> None:
        """Take one event in; a repeat changes nothing."""
        key = _key(event.message_id, event.recipient)
        said = self._said.get(key)
        if said is None:
            return
        if event.source == FILLED_IN:
            self._filled.add(_short(event.event_id))
        else:
            self._said[key] = said | _SAYS.get(event.type, 0)

    def said_of(self, row: Mapping[str, Any]) -> int:
        """Return what was said of an expected row: for ``Meter.add``."""
        return self._said[_key(row["message_id"], row["recipient"])]

    def is_filled_in(self, event_id: str) -> bool:
        """Whether the event that a row was made into was among the events."""
        return _short(event_id) in self._filled


class Meter:
    """The loss of one day at one source, row by row."""

    def __init__(self, source: str) -> None:
        self._has_refusals = source == "status"
        self._counts: Counter[tuple[bool, str, bool]] = Counter()  # (by SES itself, type, told) -> rows
        self._flags: Counter[str] = Counter()
        self._rows = 0

    def add(self, row: Mapping[str, Any], said: int) -> bool:
        """Count a row, of which events said that much; returns whether its final state was never told."""
        self._rows += 1
        self._flags.update(kind for kind, bit in _FLAGS.items() if row.get(kind) and not said & bit)
        if row["type"] not in _ENOUGH:
            return False
        is_told = bool(said & _ENOUGH[row["type"]])
        # What SendCloud keeps there is its sub-status, and its callbacks name those of its own refusals.
        is_refusal = self._has_refusals and row["send_status"] != 0
        self._counts[is_refusal, row["type"], is_told] += 1
        return not is_told

    def as_json(self) -> dict[str, Any]:
        """Return the numbers.

        ``rate``: the part of the rows with a final type that no callback told; None without any. What SES refused
        itself counts only on a day on which a callback told of such a refusal: whether it calls back for these is
        documented nowhere. When none did, they are ``refusals_untold``.
        """
        does_tell_refusals = any(is_refusal and is_told for is_refusal, _, is_told in self._counts)
        expected, lost = Counter[str](), Counter[str]()
        for (is_refusal, kind, is_told), rows in self._counts.items():
            if does_tell_refusals or not is_refusal:
                expected[kind] += rows
                lost[kind] += 0 if is_told else rows
        untold = sum(rows for (_, _, is_told), rows in self._counts.items() if not is_told)
        return {
            "rows": self._rows,
            "unsettled": self._rows - self._counts.total(),
            **_rated(expected.total(), lost.total()),
            "by_type": {kind: _rated(expected[kind], lost[kind]) for kind in FINAL if expected[kind]},
            "refusals_untold": untold - lost.total(),
            "filled_in": untold,
            "flags_untold": {kind: self._flags[kind] for kind in ENGAGEMENTS},
        }


def _rated(expected: int, lost: int) -> dict[str, Any]:
    return {"expected": expected, "lost": lost, "rate": round(lost / expected, 6) if expected else None}


def _key(message_id: str | None, recipient: str | None) -> bytes:
    # A length, not a separator: strangers choose what stands in both.
    text = f"{len(message_id or '')} {message_id or ''}{(recipient or '').lower()}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _short(event_id: str) -> bytes:
    return bytes.fromhex(event_id[:32])
