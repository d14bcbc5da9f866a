"""Rows of a day, written as numbered parts of a pass; the manifest, written last, makes them the day's.

A reader takes the parts that the manifest names and nothing else, so a pass that broke off is never seen as whole.
The parts of the pass before are kept for one pass more, for readers that hold the older manifest.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any, TypedDict

from shared.trail.layout import manifest_key, part_key, pass_claim_key
from shared.trail.records import VERSION, encode_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.trail.store import Store

ROWS_PER_PART = 5000
"""About 3 MB of lines: what a part costs in memory while it grows."""


class Part(TypedDict):
    """One part as its manifest names it."""

    key: str
    rows: int
    bytes: int
    sha256: str


class Manifest(TypedDict):
    """What a day's rows are: which parts, how many rows, whether the pass saw the last page."""

    v: int
    day: str
    source: str
    passes: int
    pages: int
    rows: int
    parts: list[Part]
    superseded: list[str]
    started_at: str
    finished_at: str
    complete: bool
    sealed: bool


def read_manifest(store: Store, source: str, day: str) -> Manifest | None:
    """Return a day's manifest, or None. Raises StoreError."""
    body = store.get(manifest_key(source, day))
    manifest: Manifest | None = json.loads(body) if body else None
    return manifest


class PassWriter:
    """One pass over the rows of one day: ``add`` each page, then ``finish``. Memory: one part."""

    def __init__(self, store: Store, source: str, day: str, started_at: str) -> None:
        self._store = store
        self._source = source
        self._day = day
        self._started_at = started_at
        self._before = read_manifest(store, source, day)
        self._number = self._take_number((self._before["passes"] if self._before else 0) + 1)
        self._parts: list[Part] = []
        self._lines: list[bytes] = []
        self._pages = 0

    def _take_number(self, number: int) -> int:
        """Take a pass number that no other run has: two runs at once must not write each other's parts."""
        claim = encode_line({"v": VERSION, "at": self._started_at, "nonce": secrets.token_hex(8)})
        while not self._store.create_if_absent(pass_claim_key(self._source, self._day, number), claim):
            number += 1
        return number

    def add(self, records: list[Mapping[str, Any]]) -> None:
        """Take one page of records in. Raises StoreError."""
        self._pages += 1
        self._lines += map(encode_line, records)
        if len(self._lines) >= ROWS_PER_PART:
            self._flush()

    def finish(self, finished_at: str) -> Manifest:
        """Write what is left and the manifest; then drop the parts that nobody can need. Raises StoreError."""
        self._flush()
        manifest: Manifest = {
            "v": VERSION,
            "day": self._day,
            "source": self._source,
            "passes": self._number,
            "pages": self._pages,
            "rows": sum(part["rows"] for part in self._parts),
            "parts": self._parts,
            "superseded": [part["key"] for part in self._before["parts"]] if self._before else [],
            "started_at": self._started_at,
            "finished_at": finished_at,
            "complete": True,
            "sealed": False,
        }
        body = json.dumps(manifest, indent=1).encode() + b"\n"
        self._store.put(manifest_key(self._source, self._day), body, content_type="application/json")
        for key in self._before["superseded"] if self._before else ():
            self._store.delete(key)
        return manifest

    def _flush(self) -> None:
        if not self._lines:
            return
        body = b"".join(self._lines)
        key = part_key(self._source, self._day, self._number, len(self._parts))
        self._store.put(key, body)
        self._parts.append(
            {"key": key, "rows": len(self._lines), "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        )
        self._lines = []
