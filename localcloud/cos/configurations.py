"""What buckets are configured with: one document for each sub-resource, as it was sent.

Kept in memory too, because every write asks for the versioning of its bucket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from localcloud.cos.index import Index


class Configuration(NamedTuple):
    """One document and when it was put, in seconds since the epoch."""

    document: bytes
    put_at: float


class Configurations:
    """The configurations of every bucket. Called with the store's lock held."""

    def __init__(self, index: Index) -> None:
        self._db = index.db
        self._kept: dict[tuple[str, str], Configuration] = {}
        for bucket, name, document, put_at in self._db.execute(
            "SELECT bucket, name, document, put_at FROM configurations"
        ):
            self._kept[bucket, name] = Configuration(document, put_at)

    def get(self, bucket: str, name: str) -> Configuration | None:
        """Find a document by its sub-resource: ``versioning``, ``tagging``, ``lifecycle``."""
        return self._kept.get((bucket, name))

    def put(self, bucket: str, name: str, document: bytes, *, now: float) -> None:
        """Set a document."""
        self._kept[bucket, name] = Configuration(document, now)
        self._db.execute("INSERT OR REPLACE INTO configurations VALUES (?, ?, ?, ?)", (bucket, name, document, now))

    def delete(self, bucket: str, name: str) -> None:
        """Remove a document; none is no error."""
        self._kept.pop((bucket, name), None)
        self._db.execute("DELETE FROM configurations WHERE bucket = ? AND name = ?", (bucket, name))

    def buckets_with(self, name: str) -> list[str]:
        """Buckets that have a document of this name."""
        return [bucket for bucket, kept in self._kept if kept == name]

    def forget(self, bucket: str | None = None) -> None:
        """Drop what memory holds of a bucket, or of all: their rows are gone."""
        self._kept = {} if bucket is None else {k: v for k, v in self._kept.items() if k[0] != bucket}

    def versioning(self, bucket: str) -> str:
        """Status of the bucket's versioning: ``Enabled``, ``Suspended``, or empty when it was never enabled."""
        kept = self._kept.get((bucket, "versioning"))
        return kept.document.decode() if kept else ""
