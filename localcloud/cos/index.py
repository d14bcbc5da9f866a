"""What exists: an SQLite index of buckets and objects, keys as BLOB so that their order is byte order.

Every method is called with the store's lock held. One write is one transaction; WAL with ``synchronous=NORMAL``
survives the death of the process at any point.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -65536;
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, created_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, key BLOB NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    crc64 TEXT NOT NULL, modified_at REAL NOT NULL, first_written_at REAL NOT NULL, kind TEXT NOT NULL,
    storage_class TEXT NOT NULL, headers TEXT NOT NULL, staged TEXT NOT NULL, version_id TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    serial INTEGER PRIMARY KEY AUTOINCREMENT, is_marker INTEGER NOT NULL, archived_at REAL NOT NULL,
    bucket TEXT NOT NULL, key BLOB NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    crc64 TEXT NOT NULL, modified_at REAL NOT NULL, first_written_at REAL NOT NULL, kind TEXT NOT NULL,
    storage_class TEXT NOT NULL, headers TEXT NOT NULL, staged TEXT NOT NULL, version_id TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS versions_of_key ON versions (bucket, key, serial);
CREATE TABLE IF NOT EXISTS configurations (
    bucket TEXT NOT NULL, name TEXT NOT NULL, document BLOB NOT NULL, put_at REAL NOT NULL, PRIMARY KEY (bucket, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    bucket TEXT NOT NULL, key BLOB NOT NULL, upload_id TEXT NOT NULL, initiated_at REAL NOT NULL,
    storage_class TEXT NOT NULL, headers TEXT NOT NULL, PRIMARY KEY (bucket, key, upload_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    crc64 TEXT NOT NULL, modified_at REAL NOT NULL, PRIMARY KEY (upload_id, number)
) WITHOUT ROWID;
"""


class ObjectRow(NamedTuple):
    """One object.

    ``file``: where its bytes lie, relative to the bucket's objects. ``etag``: without quotes. ``crc64``: decimal.
    ``modified_at``, ``first_written_at``: seconds since the epoch; the second survives overwrites and is what a lagging
    LIST goes by. ``kind``: normal or appendable. ``headers``: JSON object of what to echo. ``staged``: name of the
    staging file the bytes came from; whoever finds that file after a crash finishes its rename. ``version_id``: empty
    for what was written before the bucket had versioning, "null" for what was written while that was suspended.
    """

    key: bytes
    file: str
    size: int
    etag: str
    crc64: str
    modified_at: float
    first_written_at: float
    kind: str
    storage_class: str
    headers: str
    staged: str
    version_id: str = ""


COLUMNS = ", ".join(ObjectRow._fields)


class Index:
    """The database of one COS; ``buckets`` maps names to creation times and is kept in memory too."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=256)
        self.db.executescript(_SCHEMA)
        self._add_missing_column()
        self.buckets: dict[str, float] = dict(self.db.execute("SELECT name, created_at FROM buckets"))

    def _add_missing_column(self) -> None:
        # Folders of before versions were kept: everything in them is unversioned.
        if "version_id" not in {row[1] for row in self.db.execute("PRAGMA table_info(objects)")}:
            self.db.execute("ALTER TABLE objects ADD COLUMN version_id TEXT NOT NULL DEFAULT ''")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside one step; undone when it raises."""
        self.db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def add_bucket(self, name: str, created_at: float) -> None:
        """Create a bucket."""
        self.db.execute("INSERT OR IGNORE INTO buckets VALUES (?, ?)", (name, created_at))
        self.buckets.setdefault(name, created_at)

    def remove_bucket(self, name: str) -> None:
        """Forget a bucket and its configurations; it is empty."""
        self.db.execute("DELETE FROM configurations WHERE bucket = ?", (name,))
        self.db.execute("DELETE FROM buckets WHERE name = ?", (name,))
        self.buckets.pop(name, None)

    def is_empty(self, bucket: str) -> bool:
        """Whether neither an object, a version, a marker nor an unfinished upload is left in ``bucket``."""
        found = (
            self.db.execute(f"SELECT 1 FROM {table} WHERE bucket = ? LIMIT 1", (bucket,)).fetchone()
            for table in ("objects", "versions", "uploads")
        )
        return not any(found)

    def get(self, bucket: str, key: bytes) -> ObjectRow | None:
        """Find one object."""
        query = f"SELECT {COLUMNS} FROM objects WHERE bucket = ? AND key = ?"
        row = self.db.execute(query, (bucket, key)).fetchone()
        return ObjectRow(*row) if row else None

    def put(self, bucket: str, row: ObjectRow) -> None:
        """Insert or replace one object."""
        self.db.execute(
            f"INSERT OR REPLACE INTO objects (bucket, {COLUMNS}) VALUES (?{', ?' * len(row)})", (bucket, *row)
        )

    def delete(self, bucket: str, key: bytes) -> None:
        """Forget one object."""
        self.db.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (bucket, key))

    def scan(self, bucket: str, start: bytes, end: bytes, *, limit: int, written_by: float) -> list[ObjectRow]:
        """Objects with ``start <= key < end`` first written at ``written_by`` or before, in byte order."""
        query = (
            f"SELECT {COLUMNS} FROM objects WHERE bucket = ? AND key >= ? AND key < ? AND first_written_at <= ?"
            " ORDER BY key LIMIT ?"
        )
        return [ObjectRow(*row) for row in self.db.execute(query, (bucket, start, end, written_by, limit))]

    def staged_as(self, name: str) -> tuple[str, str] | None:
        """Bucket and file of the object whose bytes were staged as ``name``."""
        row: tuple[str, str] | None = self.db.execute(
            "SELECT bucket, file FROM objects WHERE staged = ? UNION ALL"
            " SELECT bucket, file FROM versions WHERE staged = ?",
            (name, name),
        ).fetchone()
        return row

    def clear(self) -> None:
        """Forget everything."""
        with self.transaction():
            for table in ("objects", "versions", "parts", "uploads", "configurations", "buckets"):
                self.db.execute(f"DELETE FROM {table}")
        self.buckets.clear()

    def close(self) -> None:
        """Close the database."""
        self.db.close()
