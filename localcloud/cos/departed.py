"""Objects that were deleted and that a lagging LIST still shows. In memory: after a restart LIST knows better."""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from localcloud.cos.index import ObjectRow


class _Gone(NamedTuple):
    row: ObjectRow
    at: float


class Departed:
    """What was deleted lately, by bucket and key. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gone: dict[str, dict[bytes, _Gone]] = {}

    def add(self, bucket: str, row: ObjectRow, *, at: float) -> None:
        """Remember an object that was deleted at ``at``, seconds since the epoch."""
        with self._lock:
            self._gone.setdefault(bucket, {})[row.key] = _Gone(row, at)

    def between(self, bucket: str, start: bytes, end: bytes, *, after: float) -> list[ObjectRow]:
        """Objects with ``start <= key < end`` deleted after ``after``, in byte order; forgets what was before."""
        with self._lock:
            kept = {key: gone for key, gone in self._gone.get(bucket, {}).items() if gone.at > after}
            self._gone[bucket] = kept
        return [kept[key].row for key in sorted(kept) if start <= key < end]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._gone.clear()


def merge_rows(rows: list[ObjectRow], departed: list[ObjectRow], limit: int) -> list[ObjectRow]:
    """Put ``departed`` among ``rows``, the first ``limit`` of theirs or all of them; each key once.

    Beyond the last of a full page of rows nothing is known yet.
    """
    if len(rows) == limit:
        departed = departed[: bisect_left([row.key for row in departed], rows[-1].key)]
    there = {row.key for row in rows}
    return sorted([*rows, *(row for row in departed if row.key not in there)], key=lambda row: row.key)[:limit]
