"""Versions that are no longer current, and delete markers.

``objects`` holds what a plain GET answers; ``versions`` holds everything else of a key, in the order in which it
stopped being current. A key whose newest entry is a delete marker has no row in ``objects``. A version's file keeps its
place when it stops being current: nothing is moved, so a death in between tears nothing.

Source: https://cloud.tencent.com/document/product/436/19883.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.cos.index import COLUMNS, ObjectRow

if TYPE_CHECKING:
    import sqlite3

    from localcloud.cos.index import Index

NULL = "null"
CURRENT = 1 << 62
"""The serial of a current version in ``scan``: newer than any that is kept here."""

_ALL = f"serial, is_marker, {COLUMNS}"


class Version(NamedTuple):
    """One version or delete marker. ``serial``: larger is newer."""

    serial: int
    is_marker: bool
    row: ObjectRow


def new_version_id() -> str:
    """Make an id of the shape of the real ones: base64 text, newest first in no particular order."""
    return f"MTg0NDUxNT{secrets.token_urlsafe(27)}"


def shown_id(row: ObjectRow) -> str:
    """Name a version as answers do: ``null`` for one without an id."""
    return row.version_id or NULL


def _version(values: Any) -> Version:
    return Version(values[0], bool(values[1]), ObjectRow(*values[2:]))


class VersionIndex:
    """The table ``versions``. Every method is called with the store's lock held."""

    def __init__(self, index: Index) -> None:
        self._db: sqlite3.Connection = index.db

    def add(self, bucket: str, row: ObjectRow, *, is_marker: bool, now: float) -> int:
        """Add ``row`` as the newest of its key; returns its serial."""
        cursor = self._db.execute(
            f"INSERT INTO versions (is_marker, archived_at, bucket, {COLUMNS}) VALUES (?, ?, ?{', ?' * len(row)})",
            (is_marker, now, bucket, *row),
        )
        return int(cursor.lastrowid or 0)

    def drop(self, serial: int) -> None:
        """Forget one."""
        self._db.execute("DELETE FROM versions WHERE serial = ?", (serial,))

    def newest(self, bucket: str, key: bytes) -> Version | None:
        """Find the newest of a key."""
        query = f"SELECT {_ALL} FROM versions WHERE bucket = ? AND key = ? ORDER BY serial DESC LIMIT 1"
        values = self._db.execute(query, (bucket, key)).fetchone()
        return _version(values) if values else None

    def find(self, bucket: str, key: bytes, *, version_id: str) -> Version | None:
        """Find one by its id, ``null`` included."""
        ids = (NULL, "") if version_id == NULL else (version_id, version_id)
        query = f"SELECT {_ALL} FROM versions WHERE bucket = ? AND key = ? AND version_id IN (?, ?)"
        values = self._db.execute(query, (bucket, key, *ids)).fetchone()
        return _version(values) if values else None

    def replace_headers(self, serial: int, headers: str) -> None:
        """Set what a version echoes (its tags, for one)."""
        self._db.execute("UPDATE versions SET headers = ? WHERE serial = ?", (headers, serial))

    def archived_by(self, bucket: str, archived_by: float) -> list[Version]:
        """Versions that stopped being current at ``archived_by`` or before; no markers."""
        query = f"SELECT {_ALL} FROM versions WHERE bucket = ? AND is_marker = 0 AND archived_at <= ?"
        return [_version(values) for values in self._db.execute(query, (bucket, archived_by))]

    def scan(self, bucket: str, start: bytes, end: bytes, *, after: tuple[bytes, int], limit: int) -> list[Version]:
        """Everything with ``start <= key < end`` by key and newest first, behind the key and serial ``after``."""
        key, serial = after
        span = (bucket, max(start, key), end)
        # Each half is read in the order of its own index, and no further than the page.
        query = (
            f"SELECT * FROM (SELECT {CURRENT} AS serial, 0 AS is_marker, {COLUMNS} FROM objects"
            " WHERE bucket = ? AND key >= ? AND key < ? AND (key > ? OR ?) ORDER BY key LIMIT ?)"
            f" UNION ALL SELECT * FROM (SELECT {_ALL} FROM versions"
            " WHERE bucket = ? AND key >= ? AND key < ? AND (key > ? OR serial < ?)"
            " ORDER BY key, serial DESC LIMIT ?) ORDER BY key, serial DESC LIMIT ?"
        )
        values = (*span, key, serial > CURRENT, limit, *span, key, serial, limit, limit)
        return [_version(found) for found in self._db.execute(query, values)]
