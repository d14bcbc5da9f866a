"""The rows of a pass joined with what was known of the day: nothing known is lost, what changed is replaced.

The day's parts are sorted and do not overlap, so they are gone through one after the other; one in which nothing
changed stays as it is, under its old key. So a pass that brings nothing new writes no row, and whoever repeats a merge,
or doubles a timer, leaves the same bytes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from functions.snapshot.lines import key_of, requested_at, says_the_same
from shared.edge.log import log
from shared.trail.layout import part_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from functions.snapshot.checkpoint import Checkpoint, MergeState
    from functions.snapshot.manifest import Part
    from functions.snapshot.runs import Fresh
    from shared.trail.store import Store

ROWS_PER_PART = 5000
"""About 4 MB of lines: what a part costs in memory while it is made."""
_STRETCHED = 1.5
"""A part between others may grow by so much before it is cut: rows that came late must not leave crumbs."""


class Merge:
    """One merge; ``state`` tells at any time how far it has come, after whole parts."""

    def __init__(self, store: Store, checkpoint: Checkpoint, known: Sequence[Part]) -> None:
        self._store = store
        self._place = (checkpoint["source"], checkpoint["day"], checkpoint["number"])
        self._known = known
        self.state = checkpoint["merge"] or new_merge_state()

    def run(self, fresh: Fresh, between_parts: Callable[[], None]) -> None:
        """Merge to the end. ``between_parts`` is called where it can be left and gone on with, and may raise.

        Raises StoreError, LostSpillError.
        """
        state = self.state
        units = max(1, len(self._known))
        while state["old_parts"] < units:
            is_last = state["old_parts"] == units - 1
            part = self._known[state["old_parts"]] if self._known else None
            self._merge_unit(part, fresh, between_parts, is_last=is_last)
            state["old_parts"] += 1
            state["old_lines"] = 0
            state["positions"] = fresh.positions()
            between_parts()

    def _merge_unit(self, part: Part | None, fresh: Fresh, between_parts: Callable[[], None], *, is_last: bool) -> None:
        """Merge one known part with the rows that belong to it; behind the last one all rows do."""
        state, out = self.state, _Output()
        most = ROWS_PER_PART if is_last else int(ROWS_PER_PART * _STRETCHED)
        body, is_whole = self._read(part)
        is_new = not is_whole or state["old_lines"] > 0
        known = _Known(body, skip=state["old_lines"])
        for joined in _join(known, fresh, is_last=is_last):
            state["gained"] += joined.is_gained
            state["missed"] += joined.is_missed
            state["changed"] += joined.is_changed
            is_new = is_new or joined.is_gained or joined.is_changed
            out.add(joined.line)
            # Before the end of a part that may yet stay as it is, nothing is written.
            if is_new and len(out.lines) >= most:
                self._write(out)
                out = _Output()
                state["old_lines"], state["positions"] = known.taken, fresh.positions()
                between_parts()
        if is_new and out.lines:
            self._write(out)
        elif part is not None and not is_new:
            state["parts"].append(part)
            self._note_times(out)

    def _read(self, part: Part | None) -> tuple[bytes, bool]:
        """Return a known part and whether it is whole; nothing of one that was damaged.

        No line of it can be told from one that was changed. Its rows come with this pass and the next ones: as long as
        there is a pass, the upstream knows the day.
        """
        if part is None:
            return b"", True
        body = self._store.get(part["key"])
        if body is not None and hashlib.sha256(body).hexdigest() == part["sha256"]:
            return body, True
        log("ERROR", "part damaged", part=part["key"], is_there=body is not None)
        return b"", False

    def _write(self, out: _Output) -> None:
        rows, body = len(out.lines), b"".join(out.lines)
        out.lines.clear()  # or they would be in memory twice for as long as COS takes, and thrice beside a comparison
        while True:
            key = part_key(*self._place, self.state["number"])
            self.state["number"] += 1
            # One who died here wrote the same bytes: a merge has one result. Other bytes are not ours to replace.
            if self._store.put_once(key, body) or self._store.get(key) == body:
                break
        sha256 = hashlib.sha256(body).hexdigest()
        self.state["parts"].append({"key": key, "rows": rows, "bytes": len(body), "sha256": sha256})
        self._note_times(out)

    def _note_times(self, out: _Output) -> None:
        state = self.state
        state["first_at"] = min(filter(None, (state["first_at"], out.first_at)), default="")
        state["last_at"] = max(state["last_at"], out.last_at)


def new_merge_state() -> MergeState:
    """Return the state of a merge that has not begun."""
    return {
        "parts": [],
        "number": 0,
        "old_parts": 0,
        "old_lines": 0,
        "positions": [],
        "gained": 0,
        "missed": 0,
        "changed": 0,
        "first_at": "",
        "last_at": "",
    }


class _Output:
    """Lines of a part that is being made."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.first_at = self.last_at = ""

    def add(self, line: bytes) -> None:
        self.lines.append(line)
        if at := requested_at(line):
            self.first_at = min(at, self.first_at or at)
            self.last_at = max(at, self.last_at)


class _Known:
    """The lines of a known part, one after the other; ``taken`` of them were."""

    def __init__(self, body: bytes, *, skip: int) -> None:
        self._body = body
        self._at = 0
        self.taken = 0
        for _ in range(skip):
            self.take()

    def peek(self) -> bytes | None:
        end = self._body.find(b"\n", self._at) + 1
        return self._body[self._at : end] if end else None

    def take(self) -> None:
        self._at = self._body.find(b"\n", self._at) + 1
        self.taken += 1


class _Joined(NamedTuple):
    line: bytes
    is_gained: bool
    is_missed: bool
    is_changed: bool


def _join(known: _Known, fresh: Fresh, *, is_last: bool) -> Iterator[_Joined]:
    """Yield the lines of both in order. What was taken of either is in what was yielded, and nothing else."""
    while (line := known.peek()) is not None:
        key = key_of(line)
        while (next_key := fresh.key) is not None and next_key < key:
            yield _Joined(fresh.take(), is_gained=True, is_missed=False, is_changed=False)
        known.take()
        if next_key != key:
            yield _Joined(line, is_gained=False, is_missed=True, is_changed=False)
            continue
        newer = fresh.take()
        is_changed = not says_the_same(line, newer)
        yield _Joined(newer if is_changed else line, is_gained=False, is_missed=False, is_changed=is_changed)
    while is_last and fresh.key is not None:
        yield _Joined(fresh.take(), is_gained=True, is_missed=False, is_changed=False)
