"""What a pass has read so far: sorted runs in the bucket, and in memory the rows that are not in one yet.

Pages come in an order that nobody documents, and a day may be larger than memory; so it is sorted as tapes were: runs
of what fits (Knuth, TAOCP vol. 3 §5.4), merged when the last page is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.snapshot.checkpoint import Spill, write_checkpoint
from functions.snapshot.lines import key_of, line_of
from shared.trail.layout import spill_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.snapshot.checkpoint import Checkpoint
    from shared.trail.records import Status
    from shared.trail.store import Store

SPILL_ROWS = 5000
"""Rows that are held in memory at most: about 5 MB."""
KEPT_EVERY_S = 20.0
"""Seconds of reading that may be lost when an instance dies: at one page a second a run of ``SPILL_ROWS`` takes 50."""


class LostSpillError(Exception):
    """A spill that the checkpoint names is not there, or not whole: the pass has to begin again."""


class Spills:
    """The rows of a pass under way, as ``checkpoint`` tells of them; ``keep`` makes what was added durable."""

    def __init__(self, store: Store, checkpoint: Checkpoint, *, now: float) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._kept_at = now
        self._is_kept = True
        self._lines: dict[bytes, bytes] = {}
        if (partial := checkpoint["partial"]) is not None:
            body = store.get(partial["key"]) or b""
            if len(body) != partial["bytes"]:
                raise LostSpillError(partial["key"])
            self._lines = {key_of(line): line for line in body.splitlines(keepends=True)}

    @property
    def in_memory(self) -> list[bytes]:
        """Return the lines that no full spill has, sorted."""
        return [self._lines[key] for key in sorted(self._lines)]

    def add(self, records: Iterable[Status]) -> None:
        """Take one page in; of a row that came before in this run, the later one stands."""
        for record in records:
            line = line_of(record)
            self._lines[key_of(line)] = line
        self._is_kept = False

    def wants_keeping(self, now: float) -> bool:
        """Whether it is time to make durable what was added."""
        return len(self._lines) >= SPILL_ROWS or not 0 <= now - self._kept_at < KEPT_EVERY_S

    def keep(self, now: float, *, last: bool = False) -> None:
        """Write what is in memory, then the checkpoint that names it; ``last``: nothing follows. Raises StoreError."""
        replaced = None
        if self._lines and (last or not self._is_kept):
            replaced, spill = self._checkpoint["partial"], self._put()
            self._checkpoint["partial"], self._is_kept = spill, True
            if last or len(self._lines) >= SPILL_ROWS:
                self._checkpoint["spills"].append(spill)
                self._checkpoint["partial"], self._lines = None, {}
        write_checkpoint(self._store, self._checkpoint)
        self._kept_at = now
        if replaced is not None:
            self._store.delete(replaced["key"])

    def _put(self) -> Spill:
        place, lines = self._checkpoint, self.in_memory
        body = b"".join(lines)
        # Counted by the checkpoint: who dies before naming it leaves the key to the next, and nothing behind.
        key = spill_key(place["source"], place["day"], place["number"], place["writes"])
        self._store.put(key, body)
        place["writes"] += 1
        return {"key": key, "rows": len(lines), "bytes": len(body), "first": key_of(lines[0]).decode()}
