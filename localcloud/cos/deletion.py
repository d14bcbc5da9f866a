"""Deleting an object: for good, behind a delete marker, or one version of it.

Source: https://cloud.tencent.com/document/product/436/7743 (what each status of versioning does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localcloud.cos.index import ObjectRow
from localcloud.cos.versions import NULL, new_version_id, shown_id

if TYPE_CHECKING:
    from localcloud.cos.store import Store


class Deleted(NamedTuple):
    """What a deletion did. ``version_id``: what it deleted or, for a new marker, the marker's; empty when unversioned.

    ``is_marker``: a delete marker was made or deleted.
    """

    version_id: str = ""
    is_marker: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer to DELETE."""
        version = {"x-cos-version-id": self.version_id} if self.version_id else {}
        return version | ({"x-cos-delete-marker": "true"} if self.is_marker else {})


def delete(store: Store, bucket: str, key: bytes, *, now: float, version_id: str = "") -> Deleted:
    """Delete an object; none is no error. With ``version_id`` exactly that version or marker, for good.

    Without: for good in a bucket that never had versioning, otherwise behind a delete marker.
    Raises CosError NoSuchBucket.
    """
    with store.lock:
        row = store.find(bucket, key)
        if version_id:
            return _delete_version(store, bucket, key, row=row, version_id=version_id)
        status = store.configurations.versioning(bucket)
        if status:
            return _mark(
                store, bucket, key, row=row, marker_id=NULL if status == "Suspended" else new_version_id(), now=now
            )
        if row:
            store.index.delete(bucket, key)
            store.files.remove(bucket, row.file)
        return Deleted()


def _mark(store: Store, bucket: str, key: bytes, *, row: ObjectRow | None, marker_id: str, now: float) -> Deleted:
    is_lost = row is not None and marker_id == NULL == shown_id(row)
    with store.index.transaction():
        if row:
            store.index.delete(bucket, key)
            if not is_lost:
                store.versions.add(bucket, row, is_marker=False, now=now)
        if marker_id == NULL:
            store.drop_null_version(bucket, key)
        marker = ObjectRow(key, "", 0, "", "0", now, now, "normal", "STANDARD", "{}", "", marker_id)
        store.versions.add(bucket, marker, is_marker=True, now=now)
    if row and is_lost:
        store.files.remove(bucket, row.file)
    return Deleted(marker_id, is_marker=True)


def _delete_version(store: Store, bucket: str, key: bytes, *, row: ObjectRow | None, version_id: str) -> Deleted:
    found = None
    with store.index.transaction():
        if row and shown_id(row) == version_id:
            store.index.delete(bucket, key)
            file = row.file
        else:
            found = store.versions.find(bucket, key, version_id=version_id)
            if found is None:
                return Deleted(version_id)
            store.versions.drop(found.serial)
            file = found.row.file
        _restore_newest(store, bucket, key)
    if file:
        store.files.remove(bucket, file)
    return Deleted(version_id, is_marker=found is not None and found.is_marker)


def _restore_newest(store: Store, bucket: str, key: bytes) -> None:
    """Make the newest version current again when nothing is and no marker stands before it."""
    newest = None if store.index.get(bucket, key) else store.versions.newest(bucket, key)
    if newest and not newest.is_marker:
        store.index.put(bucket, newest.row)
        store.versions.drop(newest.serial)
