"""A day of the trail, read as a stream: status rows, sends, tasks. Only what the caller keeps is held."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.layout import manifest_key, quarantine_prefix, sends_prefix, task_changes_prefix, tasks_prefix
from shared.trail.records import decode_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.trail.store import Store


class BrokenPartError(Exception):
    """A part is missing or was changed: numbers from it would be wrong, so none are given."""


class Snapshot(NamedTuple):
    """A day's status rows as its manifest names them; an empty manifest when no snapshot was finished."""

    manifest: dict[str, Any]
    rows: Iterator[dict[str, Any]]


def iter_sends(store: Store, day: str) -> Iterator[dict[str, Any]]:
    """Yield the accepted sends of a day. Raises StoreError."""
    return _iter_lines(store, sends_prefix(day))


def read_snapshot(store: Store, source: str, day: str) -> Snapshot:
    """Return what the manifest of ``source`` (``status`` or ``sendcloud``) names. Raises StoreError."""
    manifest = json.loads(store.get(manifest_key(source, day)) or b"{}")
    return Snapshot(manifest, iter_rows(store, manifest))


def latest_tasks(store: Store, day: str) -> list[dict[str, Any]]:
    """Return the tasks of the day's last list. Raises StoreError."""
    keys = [entry.key for entry in store.iterate(tasks_prefix(day))]
    return list(decode_lines((store.get(keys[-1]) or b"").splitlines())) if keys else []


def read_task_changes(store: Store, day: str) -> list[dict[str, Any]]:
    """Return what changed in the task list on a day, in the order in which it was seen. Raises StoreError."""
    return list(_iter_lines(store, task_changes_prefix(day)))


def count_quarantined(store: Store, day: str) -> int:
    """Count the callbacks that were not understood. Raises StoreError."""
    return sum(1 for _ in store.iterate(quarantine_prefix(day)))


def iter_rows(store: Store, manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the parts that a manifest names, one part in memory. Raises StoreError and BrokenPartError."""
    for part in manifest.get("parts", ()):
        body = store.get(part["key"]) or b""
        if hashlib.sha256(body).hexdigest() != part["sha256"]:
            raise BrokenPartError(f"{part['key']} is not what its manifest says")
        yield from decode_lines(body.splitlines())


def _iter_lines(store: Store, prefix: str) -> Iterator[dict[str, Any]]:
    for _, body in store.read_many(store.iterate(prefix)):
        yield from decode_lines((body or b"").splitlines())
