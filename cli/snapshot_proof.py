"""Whether a day's manifest and its parts are, to the byte, what the snapshot function wrote.

The manifest has a digest of itself and a hash of each part, so a byte that changed anywhere is found. The lines are
read besides: hashes prove that nothing was changed, not that it was right.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.snapshot_proof_lines import Lines
from functions.snapshot.checkpoint import read_checkpoint
from functions.snapshot.manifest import digest_of, encode_manifest
from shared.trail.layout import manifest_key
from shared.trail.store import Entry, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.snapshot.manifest import Manifest, Part
    from shared.trail.store import Store

_ATTEMPTS = 3


class Finding(NamedTuple):
    """One thing that is wrong with an object, or only odd about it."""

    key: str
    text: str


class Proof(NamedTuple):
    """What was found of one source's day, and how much was read for it. ``is_there``: it has a manifest."""

    problems: list[Finding]
    notes: list[Finding]
    is_there: bool
    parts: int
    rows: int
    bytes: int


def prove_day(store: Store, source: str, day: str, tell: Callable[[str], None]) -> Proof:
    """Check one day of one source. ``tell`` hears how far it is. Raises StoreError.

    A pass that ends meanwhile replaces the manifest, and after a while its parts: then the newer one is checked.
    """
    key = manifest_key(source, day)
    body = store.get(key)
    for _ in range(_ATTEMPTS):
        check = _Check(source, day, body)
        check.read_parts(store, tell)
        newer = store.get(key) if check.problems else body
        if newer == body:
            break
        body = newer
    notes = list(_strays(store, check))
    return Proof(check.problems, notes, body is not None, check.parts, check.lines.rows, check.bytes)


class _Check:
    """One manifest, what it names, and what there is to say against both."""

    def __init__(self, source: str, day: str, body: bytes | None) -> None:
        self.source, self.day = source, day
        self.key = manifest_key(source, day)
        self.folder = self.key.rpartition("/")[0] + "/"
        self.problems: list[Finding] = []
        self.lines = Lines(day)
        self.parts = self.bytes = 0
        self.manifest = None if body is None else self._read_manifest(body)
        self.knows_its_objects = body is None or self.manifest is not None

    def read_parts(self, store: Store, tell: Callable[[str], None]) -> None:
        """Read what the manifest names, and what it says of all of that together."""
        if self.manifest is None:
            return
        parts = self._parts_to_read(self.manifest["parts"])
        for entry, body in store.read_many(Entry(part["key"], part["bytes"], "", "") for part in parts.values()):
            self.parts += 1
            tell(f"part {self.parts} of {len(parts)}")
            if body is None:
                self._say(entry.key, "is missing")
                continue
            self.bytes += len(body)
            for problem in self.lines.read(parts[entry.key], body):
                self._say(entry.key, problem)
        if not self.problems:  # otherwise it would only say the same once more
            self._compare_times(self.manifest)

    def _read_manifest(self, body: bytes) -> Manifest | None:
        """Return the manifest when its members are what they should be, and say what is wrong with it."""
        try:
            found: Any = json.loads(body)
            if encode_manifest(found) != body:
                self._say(self.key, "its bytes are not those that were written")
            if digest_of(found) != found.get("digest"):
                self._say(self.key, "its digest is not that of its content")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            found = None
        if not _is_manifest(found):
            self._say(self.key, "is no manifest")
            return None
        manifest: Manifest = found
        if (manifest["source"], manifest["day"]) != (self.source, self.day):
            self._say(self.key, f"says that it is of {manifest['source']} {manifest['day']}")
        if not manifest["complete"]:
            self._say(self.key, "says that the day is not complete")
        if manifest["rows"] != (rows := sum(part["rows"] for part in manifest["parts"])):
            self._say(self.key, f"says {manifest['rows']} rows, its parts have {rows}")
        return manifest

    def _parts_to_read(self, named: list[Part]) -> dict[str, Part]:
        parts: dict[str, Part] = {}
        for part in named:
            key = part["key"]
            if key in parts or not (key.startswith(self.folder) and key.isascii() and key.isprintable()):
                self._say(self.key, f"names {key}, which is no part of its own, or a second time")
            else:
                parts[key] = part
        return parts

    def _compare_times(self, manifest: Manifest) -> None:
        for name, at in (("first_at", self.lines.first_at), ("last_at", self.lines.last_at)):
            if (manifest[name] or "") != at:  # type: ignore[literal-required]
                self._say(self.key, f"says {name} {manifest[name]}, its rows say {at or None}")  # type: ignore[literal-required]

    def _say(self, key: str, text: str) -> None:
        self.problems.append(Finding(key, text))


def _is_manifest(found: Any) -> bool:
    """Whether what is read of a manifest here is there, and of the right kind."""
    try:
        kinds: list[tuple[Any, Any]] = [(found[name], str | None) for name in ("first_at", "last_at")]
        kinds += [(found[name], str) for name in ("source", "day")]
        kinds += [(key, str) for key in found["superseded"]]
        kinds += [(part[name], str) for part in found["parts"] for name in ("key", "sha256")]
        kinds += [(part[name], int) for part in found["parts"] for name in ("rows", "bytes")]
        kinds += [(found["rows"], int), (found["complete"], bool), (found["parts"], list), (found["superseded"], list)]
    except (LookupError, TypeError):
        return False
    return all(isinstance(value, kind) for value, kind in kinds)


def _strays(store: Store, check: _Check) -> Iterator[Finding]:
    """Yield the objects beside the manifest that it does not name."""
    if not check.knows_its_objects:
        return
    manifest = check.manifest
    named = {part["key"] for part in manifest["parts"]} | {*manifest["superseded"]} if manifest else set()
    try:
        strays = [entry.key for entry in store.iterate(check.folder) if entry.key not in named | {check.key}]
    except StoreError as error:
        if error.code != "AccessDenied":  # the function's role may not list, and what it names can be read without
            raise
        yield Finding(check.folder, "may not be listed; whether other objects lie there is not known")
        return
    checkpoint = read_checkpoint(store, check.source, check.day) if strays else None
    under_way = f"{check.folder}pass={checkpoint['number']}/" if checkpoint else None
    for key in strays:
        is_under_way = under_way is not None and key.startswith(under_way)
        yield Finding(key, "of the pass under way" if is_under_way else "no manifest names it")
