"""Objects: the index and the files together, under one lock.

A write stages its bytes first, outside the lock. Then, in one critical section: condition, index row, rename. The row
names its staging file, so a process that dies between row and rename leaves enough to finish the rename at the next
start; before the row, the old object stands. Either way an object is whole.
"""

from __future__ import annotations

import hashlib
import json
import threading
from typing import IO, TYPE_CHECKING, NamedTuple

from localcloud.cos.errors import CosError
from localcloud.cos.files import Files, Staged
from localcloud.cos.index import Index, ObjectRow
from localcloud.cos.integrity import crc64

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

APPENDABLE_LIMIT_BYTES = 5 << 30
_END_OF_TIME = float("inf")


class Content(NamedTuple):
    """What a write stores: bytes on disk, their ETag (no quotes) and the headers to echo."""

    staged: Staged
    etag: str
    headers: Mapping[str, str]


class Store:
    """Thread-safe. Every method that names a bucket raises CosError NoSuchBucket when there is none."""

    def __init__(self, root: Path) -> None:
        self.lock = threading.RLock()
        self.files = Files(root)
        self.index = Index(root / "index.sqlite3")
        self._recover()

    def _recover(self) -> None:
        for leftover in self.files.staging.iterdir():
            found = self.index.staged_as(leftover.name)
            if found:
                self.files.promote(leftover, self.files.path_of(*found))
            else:
                leftover.unlink()

    def require_bucket(self, bucket: str) -> None:
        """Raise CosError NoSuchBucket unless ``bucket`` exists."""
        if bucket not in self.index.buckets:
            raise CosError("NoSuchBucket")

    def find(self, bucket: str, key: bytes) -> ObjectRow | None:
        """Look an object up."""
        with self.lock:
            self.require_bucket(bucket)
            return self.index.get(bucket, key)

    def head(self, bucket: str, key: bytes) -> ObjectRow:
        """Look an object up. Raises CosError NoSuchKey."""
        row = self.find(bucket, key)
        if row is None:
            raise CosError("NoSuchKey")
        return row

    def open(self, bucket: str, key: bytes) -> tuple[ObjectRow, IO[bytes]]:
        """Row and stream of one and the same version; the caller reads and closes it without the lock.

        Only the first ``row.size`` bytes are the object: an append may be adding to the file.
        Raises CosError NoSuchKey.
        """
        with self.lock:
            row = self.head(bucket, key)
            return row, self.files.path_of(bucket, row.file).open("rb", buffering=0)

    def put(
        self, bucket: str, key: bytes, content: Content, *, now: float, forbid_overwrite: bool = False
    ) -> ObjectRow:
        """Create or replace an object. Raises CosError FileAlreadyExists when ``forbid_overwrite`` and it exists."""
        with self.lock:
            self.require_bucket(bucket)
            old = self.index.get(bucket, key)
            if old and forbid_overwrite:
                raise CosError("FileAlreadyExists")
            return self._commit(bucket, key, content, old=old, now=now)

    def _commit(
        self,
        bucket: str,
        key: bytes,
        content: Content,
        *,
        old: ObjectRow | None,
        now: float,
        kind: str = "normal",
    ) -> ObjectRow:
        file = old.file if old else self.files.place(bucket, key)
        row = ObjectRow(
            key=key,
            file=file,
            size=content.staged.size,
            etag=content.etag,
            crc64=str(content.staged.crc64),
            modified_at=now,
            first_written_at=old.first_written_at if old else now,
            kind=kind,
            storage_class=content.headers.get("x-cos-storage-class", "STANDARD"),
            headers=json.dumps(dict(content.headers)),
            staged=content.staged.path.name,
        )
        self.index.put(bucket, row)
        try:
            self.files.promote(content.staged.path, self.files.path_of(bucket, file))
        except BaseException:  # a full disk, an interrupt: what stood before stands again
            self.index.put(bucket, old) if old else self.index.delete(bucket, key)
            raise
        return row

    def append(self, bucket: str, key: bytes, content: Content, *, position: int, now: float) -> ObjectRow:
        """Add to an appendable object, creating it at position 0.

        Raises CosError ObjectNotAppendable for an object made otherwise, AppendPositionErr when ``position`` is not its
        length, EntityTooLarge above 5 GB.
        """
        with self.lock:
            self.require_bucket(bucket)
            old = self.index.get(bucket, key)
            if old and old.kind != "appendable":
                raise CosError("ObjectNotAppendable")
            if position != (old.size if old else 0):
                raise CosError("AppendPositionErr")
            if position + content.staged.size > APPENDABLE_LIMIT_BYTES:
                raise CosError("EntityTooLarge")
            if old is None:
                return self._commit(bucket, key, content, old=None, now=now, kind="appendable")
            return self._extend(bucket, old, content.staged.path.read_bytes(), now=now)

    def _extend(self, bucket: str, old: ObjectRow, data: bytes, *, now: float) -> ObjectRow:
        # Bytes first, row second: a death in between leaves bytes beyond the recorded size, which nobody reads and the
        # next append writes over.
        with self.files.path_of(bucket, old.file).open("r+b") as stream:
            stream.seek(old.size)
            stream.write(data)
            stream.truncate()
        row = old._replace(
            size=old.size + len(data),
            # Not an MD5 of the content, as on the real service's appendable objects; it changes with every append.
            etag=hashlib.md5(old.etag.encode() + hashlib.md5(data).digest()).hexdigest(),
            crc64=str(crc64(data, int(old.crc64))),
            modified_at=now,
        )
        self.index.put(bucket, row)
        return row

    def delete(self, bucket: str, key: bytes) -> None:
        """Delete an object; none is no error."""
        with self.lock:
            row = self.find(bucket, key)
            if row:
                self.index.delete(bucket, key)
                self.files.remove(bucket, row.file)

    def scan(
        self, bucket: str, start: bytes, end: bytes, *, limit: int, written_by: float = _END_OF_TIME
    ) -> list[ObjectRow]:
        """Objects from ``start`` to before ``end`` in byte order; see ``Index.scan``."""
        with self.lock:
            self.require_bucket(bucket)
            return self.index.scan(bucket, start, end, limit=limit, written_by=written_by)

    def iter_buckets(self) -> Iterator[tuple[str, float]]:
        """Names and creation times, by name."""
        with self.lock:
            return iter(sorted(self.index.buckets.items()))

    def clear(self) -> None:
        """Remove every bucket and object. Bytes being staged meanwhile stay whole; their writes find no bucket."""
        with self.lock:
            names = list(self.index.buckets)
            self.index.clear()
            for name in names:
                self.files.remove_tree(name)

    def close(self) -> None:
        """Close the index."""
        with self.lock:
            self.index.close()
