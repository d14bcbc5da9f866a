"""One pass over a day's rows, or the rest of one that an earlier run began: pages, merge, manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.snapshot.agreement import have_agreed, unseen_after
from functions.snapshot.checkpoint import drop_checkpoint, new_checkpoint, read_checkpoint, write_checkpoint
from functions.snapshot.desk import TIME_TO_FINISH_S, OutOfTimeError
from functions.snapshot.due import MOST_PASSES, SETTLED, is_old, phase_at
from functions.snapshot.manifest import read_manifest, write_manifest
from functions.snapshot.merging import Merge
from functions.snapshot.pace import GaveUpError
from functions.snapshot.paging import Pages
from functions.snapshot.runs import Fresh
from functions.snapshot.spills import LostSpillError, Spills
from shared.edge.log import log
from shared.trail.records import VERSION, epoch
from shared.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.snapshot.checkpoint import Checkpoint, MergeState
    from functions.snapshot.desk import Desk, Source
    from functions.snapshot.manifest import Manifest

_KEPT_FROM_PAGES = 10
"""A pass of fewer pages that fit into memory is merged at once: to read them again costs less than to keep them."""
_MERGE_KEPT_EVERY_S = 5.0
"""Seconds of merging that may be lost."""
GRACE_S = 1800.0
"""Seconds that parts which no manifest names any more are left to readers of an older one."""


def take_pass(desk: Desk, source: Source, day: str, keep_on: Callable[[], None]) -> Manifest:
    """Page ``day`` to its last page, or go on with that, and make it the day's; returns the manifest.

    ``keep_on`` is called between two steps, and raises when the work is somebody else's by now. Raises OutOfTimeError,
    UpstreamError and StoreError after what was read is durable; the next call goes on from there.
    """
    desk.check_time()
    before = read_manifest(desk.store, source.name, day)
    number = (before["passes"] if before else 0) + 1
    checkpoint = read_checkpoint(desk.store, source.name, day)
    if checkpoint is not None and checkpoint["number"] != number:  # its manifest is written, or was by somebody else
        drop_checkpoint(desk.store, checkpoint)
        checkpoint = None
    checkpoint = checkpoint or new_checkpoint(source.name, day, number, desk.now())
    try:
        lines = [] if checkpoint["ended"] else _read_pages(desk, source, checkpoint, keep_on)
        merge = _merge(desk, checkpoint, before, lines, keep_on)
    except LostSpillError:
        log("ERROR", "checkpoint damaged", source=source.name, day=day)
        drop_checkpoint(desk.store, checkpoint)
        return take_pass(desk, source, day, keep_on)
    return _finish(desk, checkpoint, before, merge)


def _read_pages(desk: Desk, source: Source, checkpoint: Checkpoint, keep_on: Callable[[], None]) -> list[bytes]:
    """Read the pages that are left; return the rows that are not in a spill, when they are few."""
    day, asked_before = checkpoint["day"], source.pace.requests - checkpoint["requests"]
    spills = Spills(desk.store, checkpoint, now=desk.clock())
    pages = Pages(
        lambda at: source.fetch(day, at), source.pace, offset=checkpoint["offset"], page_rows=source.page_rows
    )
    try:
        with pages:
            for rows in pages:
                spills.add([source.record(row, day, desk.now()) for row in rows])
                checkpoint["offset"] += len(rows)
                checkpoint["pages"] += 1
                checkpoint["requests"] = source.pace.requests - asked_before
                checkpoint["ended"] = len(rows) < source.page_rows
                if not checkpoint["ended"]:
                    if spills.wants_keeping(desk.clock()):
                        spills.keep(desk.clock())
                    keep_on()
                    desk.check_time()
    except (OutOfTimeError, GaveUpError, UpstreamError):
        checkpoint["requests"] = source.pace.requests - asked_before
        spills.keep(desk.clock())
        raise
    if not checkpoint["spills"] and checkpoint["pages"] < _KEPT_FROM_PAGES:
        return spills.in_memory
    spills.keep(desk.clock(), last=True)
    return []


def _merge(
    desk: Desk, checkpoint: Checkpoint, before: Manifest | None, lines: list[bytes], keep_on: Callable[[], None]
) -> MergeState:
    merge = Merge(desk.store, checkpoint, before["parts"] if before else [])
    fresh = Fresh(desk.store, checkpoint["spills"], lines, merge.state["positions"])
    kept_at = desk.clock()

    def between_parts() -> None:
        nonlocal kept_at
        keep_on()
        if lines:  # few rows, which nothing could go on with
            return
        is_late = desk.time_left_s() < 2 * TIME_TO_FINISH_S
        if is_late or not 0 <= desk.clock() - kept_at < _MERGE_KEPT_EVERY_S:
            checkpoint["merge"] = merge.state
            write_checkpoint(desk.store, checkpoint)
            kept_at = desk.clock()
        desk.check_time()

    merge.run(fresh, between_parts)
    return merge.state


def _finish(desk: Desk, checkpoint: Checkpoint, before: Manifest | None, merge: MergeState) -> Manifest:
    """Write the manifest; then forget the pass, and the parts that no reader can need any more."""
    manifest = _manifest(desk, checkpoint, before, merge)
    named = {part["key"] for part in manifest["parts"]}
    replaced = [part["key"] for part in before["parts"] if part["key"] not in named] if before else []
    earlier = before["superseded"] if before else []
    is_grace_over = before is None or desk.clock() - epoch(before["finished_at"]) > GRACE_S
    manifest["superseded"] = replaced if is_grace_over else earlier + replaced
    write_manifest(desk.store, manifest)
    drop_checkpoint(desk.store, checkpoint)
    if is_grace_over:
        desk.store.delete_many(earlier)
    return manifest


def _manifest(desk: Desk, checkpoint: Checkpoint, before: Manifest | None, merge: MergeState) -> Manifest:
    day, counts = checkpoint["day"], (merge["gained"], merge["missed"])
    unseen = None
    if before is not None:
        unseen = unseen_after(before.get("unseen"), known=before["rows"], gained=counts[0], missed=counts[1])
    agreed = have_agreed(unseen, gained=counts[0])
    phase = phase_at(desk, day, epoch(checkpoint["started_at"]))
    phase_passes = before["phase_passes"] + 1 if before and before.get("phase") == phase else 1
    # The last days before SES forgets are sealed as they are, and say so: there will be nothing better.
    is_last_chance = is_old(desk, day) and phase_passes >= MOST_PASSES
    sealed = phase == SETTLED and (agreed or is_last_chance or bool(before and before["sealed"]))
    return {
        "v": VERSION,
        "day": day,
        "source": checkpoint["source"],
        "passes": checkpoint["number"],
        "phase": phase,
        "phase_passes": phase_passes,
        "pages": checkpoint["pages"],
        "requests": (before.get("requests", 0) if before else 0) + checkpoint["requests"],
        "rows": sum(part["rows"] for part in merge["parts"]),
        "gained": merge["gained"],
        "missed": merge["missed"],
        "changed": merge["changed"],
        "unseen": unseen,
        "first_at": merge["first_at"] or None,
        "last_at": merge["last_at"] or None,
        "started_at": checkpoint["started_at"],
        "finished_at": desk.now(),
        "complete": True,
        "agreed": agreed,
        "sealed": sealed,
        "sealed_at": (before["sealed_at"] if before and before["sealed"] else desk.now()) if sealed else None,
        "parts": merge["parts"],
        "superseded": [],
        "digest": "",
    }
