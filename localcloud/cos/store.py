"""Objects: the index and the files together, under one lock.

A write stages its bytes first, outside the lock. Then, in one critical section: condition, index row, rename. The row
names its staging file, so a process that dies between row and rename leaves enough to finish the rename at the next
start; before the row, the old object stands. Either way an object is whole.
"""

from __future__ import annotations

import json
import threading
from typing import IO, TYPE_CHECKING, NamedTuple

from localcloud.cos.configurations import Configurations
from localcloud.cos.errors import CosError
from localcloud.cos.files import Files, Staged
from localcloud.cos.index import Index, ObjectRow
from localcloud.cos.versions import NULL, Version, VersionIndex, new_version_id, shown_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

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
        self.versions = VersionIndex(self.index)
        self.configurations = Configurations(self.index)
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
        """Look an object up: its current version."""
        with self.lock:
            self.require_bucket(bucket)
            return self.index.get(bucket, key)

    def head(self, bucket: str, key: bytes, *, version_id: str = "") -> ObjectRow:
        """Look an object or one version of it up.

        Raises CosError NoSuchKey, NoSuchVersion, MethodNotAllowed when ``version_id`` is a delete marker's.
        """
        row = self.find(bucket, key)
        if version_id:
            return row if row and shown_id(row) == version_id else self.archived(bucket, key, version_id).row
        if row is None:
            with self.lock:
                newest = self.versions.newest(bucket, key)
            raise CosError("NoSuchKey", headers=_marker_headers(newest))
        return row

    def archived(self, bucket: str, key: bytes, version_id: str) -> Version:
        """Look a version up that is not current. Raises CosError NoSuchVersion, MethodNotAllowed for a marker."""
        with self.lock:
            found = self.versions.find(bucket, key, version_id=version_id)
        if found is None:
            raise CosError("NoSuchVersion")
        if found.is_marker:
            raise CosError("MethodNotAllowed", headers=_marker_headers(found))
        return found

    def open(self, bucket: str, key: bytes, *, version_id: str = "") -> tuple[ObjectRow, IO[bytes]]:
        """Row and stream of one and the same version; the caller reads and closes it without the lock.

        Only the first ``row.size`` bytes are the object: an append may be adding to the file. Raises as ``head`` does.
        """
        with self.lock:
            row = self.head(bucket, key, version_id=version_id)
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
            return self.commit(bucket, key, content, old=old, now=now)

    def commit(
        self,
        bucket: str,
        key: bytes,
        content: Content,
        *,
        old: ObjectRow | None,
        now: float,
        kind: str = "normal",
    ) -> ObjectRow:
        """Make ``content`` current, in place of ``old`` or beside it as versioning has it. With the lock held."""
        version_id = self._next_version_id(bucket, kind)
        # What has the same id is written over; another version keeps its file, and this one gets its own.
        is_replaced = old is not None and (not version_id or version_id == shown_id(old))
        file = old.file if old and is_replaced else self.files.place(bucket, key, version_id)
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
            version_id=version_id,
        )
        serial = self._put_row(bucket, row, old=None if is_replaced else old, now=now)
        try:
            self.files.promote(content.staged.path, self.files.path_of(bucket, file))
        except BaseException:  # a full disk, an interrupt: what stood before stands again
            self.index.put(bucket, old) if old else self.index.delete(bucket, key)
            self.versions.drop(serial)
            raise
        if version_id == NULL:
            self.drop_null_version(bucket, key)
        return row

    def _next_version_id(self, bucket: str, kind: str) -> str:
        status = self.configurations.versioning(bucket)
        if not status:
            return ""
        # Appendable objects take no part in versioning: https://cloud.tencent.com/document/product/436/7741
        return new_version_id() if status == "Enabled" and kind == "normal" else NULL

    def _put_row(self, bucket: str, row: ObjectRow, *, old: ObjectRow | None, now: float) -> int:
        """Make ``row`` current and, when there is an ``old`` one to keep, archive that; returns its serial."""
        if old is None:
            self.index.put(bucket, row)
            return 0
        with self.index.transaction():
            serial = self.versions.add(bucket, old, is_marker=False, now=now)
            self.index.put(bucket, row)
        return serial

    def drop_null_version(self, bucket: str, key: bytes) -> None:
        """Forget the archived ``null`` version or marker of a key, if there is one."""
        found = self.versions.find(bucket, key, version_id=NULL)
        if found:
            self.versions.drop(found.serial)
            if not found.is_marker:
                self.files.remove(bucket, found.row.file)

    def replace_headers(self, bucket: str, row: ObjectRow, headers: Mapping[str, str]) -> None:
        """Set what a version echoes; ``row`` is what ``head`` answered."""
        with self.lock:
            text = json.dumps(dict(headers))
            current = self.index.get(bucket, row.key)
            if current and current.version_id == row.version_id:
                storage_class = headers.get("x-cos-storage-class", "STANDARD")
                self.index.put(bucket, current._replace(headers=text, storage_class=storage_class))
            else:
                self.versions.replace_headers(self.archived(bucket, row.key, shown_id(row)).serial, text)

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
            self.configurations.forget()
            for name in names:
                self.files.remove_tree(name)

    def close(self) -> None:
        """Close the index."""
        with self.lock:
            self.index.close()


def _marker_headers(version: Version | None) -> dict[str, str]:
    if version is None or not version.is_marker:
        return {}
    return {"x-cos-delete-marker": "true", "x-cos-version-id": shown_id(version.row)}
