"""Sorted runs read side by side: the lines of a pass in the order of their keys, the latest of each."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple, Protocol

from functions.snapshot.lines import key_of
from functions.snapshot.spills import LostSpillError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.snapshot.checkpoint import Spill
    from shared.trail.store import Store

READ_AHEAD_BYTES = 4 * 1024 * 1024
"""What all runs that are open hold together, and the smallest piece and a line for each beyond that."""
LARGEST_READ_BYTES, SMALLEST_READ_BYTES = 512 * 1024, 16 * 1024


class Run(Protocol):
    """One sorted run. ``position``: bytes of it that were taken; ``head``: the next line, None at its end.

    ``held_bytes``: of what it has read, and gives back.
    """

    position: int
    head: bytes | None

    @property
    def held_bytes(self) -> int:
        """Bytes in memory."""

    def advance(self) -> None:
        """Take the head."""


class MemoryRun:
    """A run of lines that are at hand."""

    held_bytes = 0

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.position = 0
        self._lines = iter(lines)
        self.head = next(self._lines, None)

    def advance(self) -> None:
        """Take the head."""
        self.position += len(self.head or b"")
        self.head = next(self._lines, None)


class SpillRun:
    """A run that lies in the bucket, read from ``position`` on, piece by piece. Raises StoreError, LostSpillError."""

    def __init__(self, store: Store, spill: Spill, position: int, piece_bytes: Callable[[], int]) -> None:
        self.position = position
        self._store = store
        self._spill = spill
        self._piece_bytes = piece_bytes
        self._read_to = position
        self._buffer = b""
        self._at = 0
        self.head = self._next()

    @property
    def held_bytes(self) -> int:
        """Bytes of the piece that was read last."""
        return len(self._buffer)

    def advance(self) -> None:
        """Take the head."""
        self.position += len(self.head or b"")
        self.head = self._next()

    def _next(self) -> bytes | None:
        while (end := self._buffer.find(b"\n", self._at) + 1) == 0:
            if self._read_to >= self._spill["bytes"]:
                return None
            piece = self._store.get_range(self._spill["key"], self._read_to, self._piece_bytes())
            if not piece:
                raise LostSpillError(self._spill["key"])
            self._read_to += len(piece)
            self._buffer, self._at = self._buffer[self._at :] + piece, 0
        line, self._at = self._buffer[self._at : end], end
        return line


class _Waiting(NamedTuple):
    """A run that is not opened before its first key comes up."""

    first: bytes
    number: int


class Fresh:
    """The rows of a pass, each once: of a key in several runs, the line of the last run stands."""

    def __init__(self, store: Store, spills: Sequence[Spill], lines: Sequence[bytes], positions: Sequence[int]) -> None:
        self._store = store
        self._spills = spills
        self._begun = positions
        self._runs: dict[int, Run] = {}
        self._heap: list[tuple[bytes, int]] = []  # key, -index of the run: the last run's comes first
        # Pages mostly come in some order of time, as keys do: few runs overlap, so few are open at once.
        self._waiting = sorted((_Waiting(spill["first"].encode(), n) for n, spill in enumerate(spills)), reverse=True)
        if lines:
            self._open(len(spills), MemoryRun(lines))

    @property
    def key(self) -> bytes | None:
        """The key of the next row, None when there is none."""
        while self._waiting and (not self._heap or self._waiting[-1].first <= self._heap[0][0]):
            index = self._waiting.pop().number
            position = self._begun[index] if index < len(self._begun) else 0
            self._open(index, SpillRun(self._store, self._spills[index], position, self._piece_bytes))
        return self._heap[0][0] if self._heap else None

    def take(self) -> bytes:
        """Return the next row's line and pass over it in every run."""
        key = self.key
        assert key is not None  # noqa: S101 - the caller looked at it
        line = self._runs[-self._heap[0][1]].head or b""
        while self.key == key:
            index = -heapq.heappop(self._heap)[1]
            run = self._runs[index]
            run.advance()
            self._push(index, run)
        return line

    def positions(self) -> list[int]:
        """Return how many bytes of each spill were taken."""
        begun = [*self._begun, *[0] * (len(self._spills) - len(self._begun))]
        opened = {index: run.position for index, run in self._runs.items()}
        done = set(range(len(self._spills))) - {waiting.number for waiting in self._waiting}
        return [opened.get(n, spill["bytes"] if n in done else begun[n]) for n, spill in enumerate(self._spills)]

    def _open(self, index: int, run: Run) -> None:
        self._runs[index] = run
        self._push(index, run)

    def _push(self, index: int, run: Run) -> None:
        if run.head is None:
            del self._runs[index]
        else:
            heapq.heappush(self._heap, (key_of(run.head), -index))

    def _piece_bytes(self) -> int:
        # Half of what is left: few runs read large pieces, and the more are open, the smaller those of the next become.
        left = READ_AHEAD_BYTES - sum(run.held_bytes for run in self._runs.values())
        return max(SMALLEST_READ_BYTES, min(LARGEST_READ_BYTES, left // 2))
