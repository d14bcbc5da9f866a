"""How far the pass over a day has come, written as its pages become durable; the next run goes on from there.

There is one for each source and day, and only while a pass is under way. What it names (``spills``) is in the bucket
before it is written.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

from shared.trail.layout import checkpoint_key, spill_key
from shared.trail.records import VERSION

if TYPE_CHECKING:
    from functions.snapshot.manifest import Part
    from shared.trail.store import Store


class Spill(TypedDict):
    """Rows of successive pages, sorted. ``first``: the key of its first line."""

    key: str
    rows: int
    bytes: int
    first: str


class MergeState(TypedDict):
    """How far the merge has come, after whole parts.

    ``old_parts`` of the manifest before are done, and ``old_lines`` of the next one; ``positions``: bytes of each
    spill that were taken.
    """

    parts: list[Part]
    number: int
    old_parts: int
    old_lines: int
    positions: list[int]
    gained: int
    missed: int
    changed: int
    first_at: str
    last_at: str


class Checkpoint(TypedDict):
    """A pass under way; ``is_kept``: this, or an earlier state of it, lies in the bucket.

    ``offset``: of the next page; ``ended``: the last page was seen. ``spills``: full ones; ``partial``: one that is
    written again with what follows. ``writes``: of either, so far.
    """

    v: int
    source: str
    day: str
    number: int
    started_at: str
    offset: int
    pages: int
    requests: int
    ended: bool
    writes: int
    spills: list[Spill]
    partial: Spill | None
    merge: MergeState | None
    is_kept: bool


def new_checkpoint(source: str, day: str, number: int, started_at: str) -> Checkpoint:
    """Return the checkpoint of a pass that has not begun."""
    return {
        "v": VERSION,
        "source": source,
        "day": day,
        "number": number,
        "started_at": started_at,
        "offset": 0,
        "pages": 0,
        "requests": 0,
        "ended": False,
        "writes": 0,
        "spills": [],
        "partial": None,
        "merge": None,
        "is_kept": False,
    }


def read_checkpoint(store: Store, source: str, day: str) -> Checkpoint | None:
    """Return the pass that is under way, or None. Raises StoreError."""
    body = store.get(checkpoint_key(source, day))
    checkpoint: Checkpoint | None = json.loads(body) if body else None
    return checkpoint


def write_checkpoint(store: Store, checkpoint: Checkpoint) -> None:
    """Keep how far the pass has come. Raises StoreError."""
    key = checkpoint_key(checkpoint["source"], checkpoint["day"])
    checkpoint["is_kept"] = True
    store.put(key, json.dumps(checkpoint).encode(), content_type="application/json")


def drop_checkpoint(store: Store, checkpoint: Checkpoint) -> None:
    """Forget a pass that is done, or that cannot go on, with its spills. Raises StoreError.

    The checkpoint goes last: until then whoever finds it does the same again.
    """
    if not checkpoint["is_kept"]:
        return
    place = (checkpoint["source"], checkpoint["day"])
    store.delete_many(spill_key(*place, checkpoint["number"], write) for write in range(checkpoint["writes"]))
    store.delete(checkpoint_key(*place))
