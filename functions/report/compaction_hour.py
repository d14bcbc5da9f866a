"""Compaction of one hour: what is deleted, what is merged, what is left alone.

    read -> merge -> put the merged object -> log what went into it -> after GRACE_S, verify it and delete what went in

Each step may be the last before the function dies, and any of it may be done twice or by two at once: a merge is a join
(merging.py), the merged object's name is its hash, the log (merge_log.py) is written between put and delete. Where a
run stopped is told by nothing but the log and the objects.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

from functions.report.merge_log import MergeLog
from functions.report.merging import (
    FULL_BYTES,
    MOST_OBJECTS,
    SEALED_BYTES,
    Merge,
    is_merged,
    is_single,
    is_whole,
)
from shared.edge.log import log
from shared.trail.layout import events_prefix, merged_name

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from functions.report.maintenance import Work
    from shared.trail.store import Entry

GRACE_S = 1800
"""Seconds that what was merged stays beside the merged object: readers that listed before finish, LIST catches up."""
TIME_TO_BEGIN_S = 12.0
"""Seconds that must be left to begin a merge."""
TIME_TO_FINISH_S = 6.0
"""Seconds that are kept to write what was read."""
LONG_STRETCH = 1000
"""Names in a line of the merge log from which on they are passed over at once: as many as LIST tells in a request."""
_DELETED_AT_ONCE = 1000


class HourCompaction:
    """Compaction of one ``(day, hour)``; adds to ``counts`` what it did."""

    def __init__(self, work: Work, place: tuple[str, str], counts: Counter[str]) -> None:
        self._work = work
        self._store = work.store
        self._place = place
        self._counts = counts
        self._log = MergeLog(work.store, *place)
        self._made: set[str] = set()
        self._whole: dict[str, bool] = {}
        self._doomed: list[str] = []

    def compact(self) -> bool:
        """Walk over the hour in stream: delete what is consumed for long, merge what is not. Raises StoreError.

        Returns whether it came to the end in time.
        """
        self._log.refresh()
        prefix = events_prefix(*self._place)
        batch: list[Entry] = []
        batch_bytes = 0
        for entry in self._walk(prefix):
            if self._work.time_left_s() < TIME_TO_FINISH_S:
                break
            if not self._is_input(entry, entry.key.removeprefix(prefix)):
                continue
            if batch_bytes + entry.size_bytes > FULL_BYTES or len(batch) == MOST_OBJECTS:
                self._merge(batch)
                batch, batch_bytes = [], 0
                if self._work.time_left_s() < TIME_TO_BEGIN_S:
                    break
            batch.append(entry)
            batch_bytes += entry.size_bytes
        self._delete_doomed()
        if self._work.time_left_s() < TIME_TO_BEGIN_S:
            return False
        return self._merge(batch)

    def _walk(self, prefix: str) -> Iterator[Entry]:
        """List the hour, less the stretches that were merged within the grace.

        So a run that goes on is at once where the last one stopped. What came late into a stretch waits until it goes.
        """
        after: str | None = ""
        while after is not None:
            start, after = after, None
            for entry in self._store.iterate(prefix, after=start):
                line = self._log.line_of(entry.key.removeprefix(prefix))
                if line and len(line.objects) > LONG_STRETCH and self._work.clock() - line.at < GRACE_S:
                    after = max(entry.key, prefix + line.objects.last)
                    break
                yield entry

    def _is_input(self, entry: Entry, name: str) -> bool:
        if entry.size_bytes >= SEALED_BYTES or not (is_single(name) or is_merged(name)):
            return False
        if name in self._made or self._log.is_left(name):
            return False
        line, holder = self._log.line_of(name), self._log.holder(name)
        if line is None or holder is None:
            return True
        if self._work.clock() - line.at < GRACE_S:
            return False
        if not self._has_whole(holder):
            return True
        # Also one that a redelivery put back after it was deleted: its name says that the merged object has its events.
        self._doomed.append(entry.key)
        if len(self._doomed) == _DELETED_AT_ONCE:
            self._delete_doomed()
        return False

    def _has_whole(self, name: str) -> bool:
        """Whether the merged object is there, byte for byte: only then may what went into it be deleted."""
        if name not in self._whole:
            body = self._store.get(events_prefix(*self._place) + name)
            self._whole[name] = body is not None and is_whole(name, body)
            if not self._whole[name]:
                self._say_damaged(name, is_there=body is not None)
        return self._whole[name]

    def _say_damaged(self, name: str, *, is_there: bool) -> None:
        day, hour = self._place
        self._counts["damaged"] += 1
        log("ERROR", "merged object damaged", day=day, hour=hour, object=name, is_there=is_there)

    def _delete_doomed(self) -> None:
        self._store.delete_many(self._doomed)
        self._counts["deleted"] += len(self._doomed)
        self._doomed = []

    def _merge(self, batch: list[Entry]) -> bool:
        """Merge a batch, or as much of it as the time allows; returns whether that was all of it."""
        if len(batch) < 2:
            return True
        merge, used, left = self._read(batch)
        # A rival may have been faster; its merge stands, and ours would be the same work again.
        if self._log.refresh() and any(self._log.line_of(name) for name in used):
            return True
        name, body = "", b""
        if len(used) > 1:
            body = merge.encode()
            name = merged_name(hashlib.sha256(body).hexdigest())
            self._store.put(events_prefix(*self._place) + name, body)
            self._made.add(name)
        objects = [one for one in used if name and one != name]
        if objects or left:
            # The grace counts from when the merged object was there.
            self._log.append(at=self._work.clock(), objects=objects, left=left, made=(name, body, len(merge)))
        self._counts.update(merged=len(objects), made=int(bool(name)), left_alone=len(left))
        return self._work.time_left_s() >= TIME_TO_FINISH_S

    def _read(self, batch: list[Entry]) -> tuple[Merge, list[str], list[str]]:
        """Read as much of a batch as the time allows; return it joined, with the names in it and of what is none."""
        merge, used, left = Merge(), [], []
        prefix = events_prefix(*self._place)
        with closing(self._store.read_many(batch)) as read:
            for entry, body in read:
                name = entry.key.removeprefix(prefix)
                if body is not None and not is_whole(name, body):
                    self._say_damaged(name, is_there=True)
                elif body is not None:
                    try:
                        merge.add(body)
                        used.append(name)
                    except ValueError:
                        left.append(name)
                        log("WARNING", "object left alone", day=self._place[0], hour=self._place[1], object=name)
                if self._work.time_left_s() < TIME_TO_FINISH_S:
                    break
        return merge, used, left
