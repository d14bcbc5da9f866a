"""The bucket's lines on this machine, for DuckDB: the lines of many objects in a few files, "packs".

A folder of packs mirrors a partition of the bucket (``events/dt=D/hour=H``) and has an index of the objects in it, key
and ETag. A later query reads what is new; when an object of the index is no longer in the bucket as it was (compaction,
erasure), the folder is made anew. So a cache holds what the bucket holds, never more.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import secrets
import shutil
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import click

from cli.query_lines import Repeats, readable_lines
from cli.trail import iter_days, iter_later_days, merged_instead
from functions.report.merging import is_merged
from shared.trail.layout import (
    SUPPRESSION_PREFIX,
    events_prefix,
    manifest_key,
    parse_event_key,
    quarantine_prefix,
    sends_prefix,
    task_changes_prefix,
    tasks_prefix,
)
from shared.trail.store import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from cli.moments import Window
    from shared.trail.store import Store

BY_DAY: dict[str, Callable[[str], str]] = {
    "events": events_prefix,
    "sends": sends_prefix,
    "tasks": tasks_prefix,
    "task_changes": task_changes_prefix,
    "quarantine": quarantine_prefix,
}
"""What is listed by day: kind of lines -> prefix of a day."""
BY_MANIFEST = ("status", "sendcloud")
KINDS = (*BY_DAY, *BY_MANIFEST, "suppression")
_ATTEMPTS = 3


class Copy(NamedTuple):
    """The packs of one kind, and what they came from. ``fetched``: objects that were not in the cache."""

    packs: list[Path]
    objects: int
    fetched: int


class _Index(NamedTuple):
    packs: list[str]
    objects: dict[str, str]


def copy_kind(store: Store, kind: str, window: Window, root: Path) -> Iterator[Copy]:
    """Copy one kind of lines of these days under ``root``, step by step. Raises StoreError and ClickException."""
    if kind == "suppression":  # what holds, not what happened: it has no days
        yield from _copy_listed(store, SUPPRESSION_PREFIX, root)
        return
    prefix_of = BY_DAY.get(kind) or functools.partial(_manifest_prefix, kind)
    later = list(iter_later_days(store, prefix_of, window.days[-1])) if window.and_later else []
    if kind in BY_MANIFEST:
        visited = {*window.days, *later}
        keys = {manifest_key(kind, day): day for day in sorted(visited)}
        for entry, manifest in store.read_many(Entry(key, 0, "", "") for key in keys):
            yield _copy_parts(store, kind, keys[entry.key], manifest, root)
    else:
        visited = set()
        for day in itertools.chain(iter_days(store, prefix_of, window.days), later):
            visited.add(day)
            yield from _copy_listed(store, prefix_of(day), root)
    for folder in (root / prefix_of(window.days[0])).parent.glob("dt=*"):
        if window.covers(day := folder.name.removeprefix("dt=")) and day not in visited:
            _forget(folder, keep=())


def _manifest_prefix(kind: str, day: str) -> str:
    return manifest_key(kind, day).rpartition("/")[0] + "/"


def _copy_listed(store: Store, prefix: str, root: Path) -> Iterator[Copy]:
    partitions: dict[str, list[Entry]] = {}
    for entry in store.iterate(prefix):
        if _is_ours(entry.key, prefix):
            partitions.setdefault(entry.key.rpartition("/")[0], []).append(entry)
    _forget(root / prefix, keep={root / partition for partition in partitions})
    for partition, entries in partitions.items():
        yield _copy_partition(store, partition, entries, root)


def _is_ours(key: str, prefix: str) -> bool:
    """Whether a key is of the shape of ours. Another has no partition, or one that leads out of the folder (``..``)."""
    if key.startswith(events_prefix()):
        return parse_event_key(key) is not None
    folder, _, name = key.rpartition("/")
    return f"{folder}/" == prefix and name != ""  # a console makes a "folder" as an object whose name is empty


def _forget(folder: Path, keep: Collection[Path]) -> None:
    """Remove what was copied of partitions that are no longer there."""
    for index in list(folder.rglob("index.json")):
        if index.parent not in keep:
            shutil.rmtree(index.parent)


def _copy_partition(store: Store, partition: str, entries: list[Entry], root: Path) -> Copy:
    """Copy a partition; for events that vanished meanwhile, what they were merged into."""
    wanted, folder = entries, root / partition
    while True:
        copy, gone = _refresh(store, folder, wanted)
        wanted = [entry for entry in wanted if entry.key not in gone]
        instead = merged_instead(store, gone, {entry.key for entry in entries})
        if not instead:
            return copy
        entries, wanted = entries + instead, wanted + instead


def _copy_parts(store: Store, kind: str, day: str, manifest: bytes | None, root: Path) -> Copy:
    """Copy the parts that a day's manifest names, and nothing else; with the manifest of now, when a part is gone."""
    for _ in range(_ATTEMPTS):
        parts = json.loads(manifest or b"{}").get("parts", ())
        entries = [Entry(part["key"], part["bytes"], part["sha256"], "") for part in parts]
        copy, gone = _refresh(store, root / f"{kind}/dt={day}", entries, is_whole=_has_its_hash)
        if not gone:
            return copy
        manifest = store.get(manifest_key(kind, day))
    raise click.ClickException(f"a part of {manifest_key(kind, day)} is missing or not what the manifest says")


def _has_its_hash(entry: Entry, body: bytes) -> bool:
    return hashlib.sha256(body).hexdigest() == entry.etag


def _always(_entry: Entry, _body: bytes) -> bool:
    return True


def _refresh(
    store: Store, folder: Path, entries: Sequence[Entry], is_whole: Callable[[Entry, bytes], bool] = _always
) -> tuple[Copy, set[str]]:
    """Bring a folder of packs up to date; also tell the keys that were gone, or were not whole."""
    index, wanted = _read_index(folder), {entry.key: entry.etag for entry in entries}
    if any(wanted.get(key) != etag for key, etag in index.objects.items()):
        for name in index.packs:
            (folder / name).unlink(missing_ok=True)
        index = _Index([], {})
    missing = [entry for entry in entries if entry.key not in index.objects]
    gone, before = set(), len(index.objects)
    if missing:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        repeats = Repeats(folder / name for name in index.packs) if _is_overlapping(entries) else None
        name = f"pack-{secrets.token_hex(8)}.jsonl"
        with _replacing(folder / name) as pack:
            for entry, body in store.read_many(missing):
                if body is None or not is_whole(entry, body):
                    gone.add(entry.key)
                    continue
                pack.writelines(readable_lines(body, repeats))
                index.objects[entry.key] = entry.etag
        index.packs.append(name)
        with _replacing(folder / "index.json") as out:
            out.write(json.dumps(index._asdict()).encode())
    packs = [folder / name for name in index.packs]
    return Copy(packs, len(index.objects), len(index.objects) - before), gone


def _is_overlapping(entries: Iterable[Entry]) -> bool:
    """Whether lines may be there twice on purpose: what was merged stays for a while beside what it was merged into."""
    return any(is_merged(entry.key.rpartition("/")[2]) for entry in entries)


def _read_index(folder: Path) -> _Index:
    try:
        told: dict[str, Any] = json.loads((folder / "index.json").read_bytes())
        index = _Index(list(told["packs"]), dict(told["objects"]))
    except (OSError, ValueError, KeyError, TypeError):
        return _Index([], {})
    return index if all((folder / name).is_file() for name in index.packs) else _Index([], {})


class _replacing:  # noqa: N801 - used as a function
    """Write a file that is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path, self._draft = path, path.with_name(f".{path.name}.{secrets.token_hex(4)}")

    def __enter__(self) -> IO[bytes]:
        self._file = self._draft.open("wb")
        return self._file

    def __exit__(self, kind: object, *_rest: object) -> None:
        self._file.close()
        if kind is None:
            self._draft.replace(self._path)
        else:
            self._draft.unlink(missing_ok=True)
