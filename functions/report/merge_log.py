"""An hour's merge log: numbered lines without gaps, each telling which objects went into which merged one.

It is written after the merged object and before any deletion, each line created only if absent. So it tells without
LIST which objects are consumed, and where the content of one that is gone has come to lie.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

from functions.report.merging import is_single
from shared.trail.layout import merge_log_key
from shared.trail.records import VERSION, encode_line, epoch, iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.trail.store import Store

_DIGEST_BYTES = 32


class Names:
    """A set of names of objects, 32 bytes for each that is a hash: an hour may have consumed a million."""

    def __init__(self, names: Iterable[str]) -> None:
        names = list(names)
        self._packed = b"".join(sorted(bytes.fromhex(name[:64]) for name in names if is_single(name)))
        self._others = frozenset(name for name in names if not is_single(name))

    def __len__(self) -> int:
        return len(self._packed) // _DIGEST_BYTES + len(self._others)

    @property
    def last(self) -> str:
        """The greatest name of a single object, empty when there is none."""
        return f"{self._packed[-_DIGEST_BYTES:].hex()}.jsonl" if self._packed else ""

    def __contains__(self, name: str) -> bool:
        if not is_single(name):
            return name in self._others
        wanted, packed = bytes.fromhex(name[:64]), self._packed
        # Batches are stretches of a listing, so mostly the ends of a line tell that a name is not in it.
        if not packed[:_DIGEST_BYTES] <= wanted <= packed[-_DIGEST_BYTES:]:
            return False
        count = len(packed) // _DIGEST_BYTES
        place = bisect.bisect_left(range(count), wanted, key=self._digest)
        return place < count and self._digest(place) == wanted

    def _digest(self, place: int) -> bytes:
        return self._packed[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES]


class Line(NamedTuple):
    """What one merge made. ``at``: epoch seconds; ``merged``: empty when it only says what is left alone."""

    at: float
    merged: str
    objects: Names
    left: frozenset[str]


class MergeLog:
    """The log of one hour, as far as it was read: ``refresh`` reads on."""

    def __init__(self, store: Store, day: str, hour: str) -> None:
        self._store = store
        self._place = (day, hour)
        self._lines: list[Line] = []

    def refresh(self) -> bool:
        """Read the lines that were added since; whether there were any. Raises StoreError."""
        before = len(self._lines)
        while (body := self._store.get(self._key(len(self._lines)))) is not None:
            self._lines.append(_parse(body))
        return len(self._lines) > before

    def append(self, *, at: float, objects: Sequence[str], left: Sequence[str], made: tuple[str, bytes, int]) -> None:
        """Add a line. ``made``: the merged object's name (empty for none), bytes and lines. Raises StoreError."""
        name, body, lines = made
        told = {"sha256": hashlib.sha256(body).hexdigest(), "lines": lines, "bytes": len(body)} if name else {}
        line = {"v": VERSION, "at": iso(at), "merged": name or None, **told, "objects": objects, "left": left}
        # One who lost the number to a rival takes the next; both lines are true.
        while not self._store.create_if_absent(self._key(len(self._lines)), encode_line(line)):
            self.refresh()
        self._lines.append(Line(at, name, Names(objects), frozenset(left)))

    def line_of(self, name: str) -> Line | None:
        """Return the newest line that says what became of an object; None: it is in no merged one."""
        return next((line for line in reversed(self._lines) if name in line.objects), None)

    def is_left(self, name: str) -> bool:
        """Whether an object was looked at and is no matter of compaction: it has lines that are not JSON objects."""
        return any(name in line.left for line in self._lines)

    def holder(self, name: str) -> str | None:
        """Return the merged object that has the content of ``name`` in the end; None when the log does not know."""
        seen = set()
        while line := self.line_of(name):
            if name in seen:  # no merge of ours makes a circle
                return None
            seen.add(name)
            name = line.merged
        return name if seen else None

    def holders(self) -> list[str]:
        """Return every merged object that was not merged on: together they have all that the log tells of."""
        made = dict.fromkeys(line.merged for line in self._lines if line.merged)
        return [name for name in made if self.line_of(name) is None]

    def _key(self, number: int) -> str:
        return merge_log_key(*self._place, number)


def _parse(body: bytes) -> Line:
    told = json.loads(body)
    return Line(epoch(told["at"]), told["merged"] or "", Names(told["objects"]), frozenset(told["left"]))
