"""Unfinished multipart uploads and their parts: rows of the index, files of their own.

A part's file gets a new name at every upload of it, and the row follows, so a part is whole whenever the process dies.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, NamedTuple

from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from localcloud.cos.files import Staged
    from localcloud.cos.store import Store


class Upload(NamedTuple):
    """One unfinished upload. ``headers``: JSON object of what the object will keep."""

    bucket: str
    key: bytes
    upload_id: str
    initiated_at: float
    storage_class: str
    headers: str


class Part(NamedTuple):
    """One uploaded part; ``etag`` without quotes."""

    number: int
    file: str
    size: int
    etag: str
    crc64: str
    modified_at: float


_UPLOAD_COLUMNS = ", ".join(Upload._fields)
_PART_COLUMNS = ", ".join(Part._fields)


class Uploads:
    """The unfinished uploads of a store; shares its lock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._db = store.index.db

    def begin(self, bucket: str, key: bytes, *, headers: Mapping[str, str], now: float) -> Upload:
        """Start an upload. Raises CosError NoSuchBucket."""
        upload_id = f"{int(now)}{secrets.token_hex(24)}"
        storage_class = headers.get("x-cos-storage-class", "STANDARD")
        upload = Upload(bucket, key, upload_id, now, storage_class, json.dumps(dict(headers)))
        with self._store.lock:
            self._store.require_bucket(bucket)
            self._db.execute(f"INSERT INTO uploads ({_UPLOAD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", upload)
        return upload

    def get(self, bucket: str, key: bytes, *, upload_id: str) -> Upload:
        """Look an upload up. Raises CosError NoSuchBucket, NoSuchUpload."""
        query = f"SELECT {_UPLOAD_COLUMNS} FROM uploads WHERE bucket = ? AND key = ? AND upload_id = ?"
        with self._store.lock:
            self._store.require_bucket(bucket)
            row = self._db.execute(query, (bucket, key, upload_id)).fetchone()
        if row is None:
            raise CosError("NoSuchUpload")
        return Upload(*row)

    def require(self, upload: Upload) -> None:
        """Raise CosError NoSuchUpload when ``upload`` was completed or aborted meanwhile."""
        self.get(upload.bucket, upload.key, upload_id=upload.upload_id)

    def put_part(self, upload: Upload, number: int, *, staged: Staged, now: float) -> Part:
        """Add or replace a part. Raises CosError NoSuchUpload."""
        file = f"{number}-{staged.path.name}"
        part = Part(number, file, staged.size, staged.md5.hex(), str(staged.crc64), now)
        with self._store.lock:
            self.require(upload)
            replaced = [row for row in self.parts(upload) if row.number == number]
            self._store.files.promote(staged.path, self.path_of(upload, part))
            self._db.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", (upload.upload_id, *part))
            for row in replaced:
                self.path_of(upload, row).unlink(missing_ok=True)
        return part

    def path_of(self, upload: Upload, part: Part) -> Path:
        """Where a part's bytes lie."""
        return self._store.files.part_path(upload.bucket, upload.upload_id, part.file)

    def parts(self, upload: Upload) -> list[Part]:
        """Parts uploaded so far, by number."""
        query = f"SELECT {_PART_COLUMNS} FROM parts WHERE upload_id = ? ORDER BY number"
        with self._store.lock:
            return [Part(*row) for row in self._db.execute(query, (upload.upload_id,))]

    def end(self, upload: Upload) -> None:
        """Forget an upload and delete its parts. Raises CosError NoSuchUpload."""
        key = (upload.bucket, upload.key, upload.upload_id)
        with self._store.lock:
            self.require(upload)
            with self._store.index.transaction():
                self._db.execute("DELETE FROM parts WHERE upload_id = ?", (upload.upload_id,))
                self._db.execute("DELETE FROM uploads WHERE bucket = ? AND key = ? AND upload_id = ?", key)
            self._store.files.remove_tree(upload.bucket, "uploads", upload.upload_id)

    def iter_all(self, bucket: str) -> Iterator[Upload]:
        """Every unfinished upload of a bucket, by key and then id. Raises CosError NoSuchBucket."""
        query = f"SELECT {_UPLOAD_COLUMNS} FROM uploads WHERE bucket = ? ORDER BY key, upload_id"
        with self._store.lock:
            self._store.require_bucket(bucket)
            rows = self._db.execute(query, (bucket,)).fetchall()
        return (Upload(*row) for row in rows)
