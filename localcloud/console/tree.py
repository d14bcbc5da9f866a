"""The buckets as folders and objects, for looking at: through the store, so that no fault rule gets in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.cos.errors import CosError
from localcloud.cos.listing import Selection, list_page
from localcloud.defaults import BUCKET
from localcloud.when import iso_utc

if TYPE_CHECKING:
    from localcloud.cos.index import ObjectRow
    from localcloud.cos.store import Store

LINES_BYTES_LIMIT = 512 * 1024
"""How much of an object one answer of ``lines`` may hold, a single longer line apart."""
LINE_CHARS_LIMIT = 256 * 1024
"""Longer lines are cut; a download has all of them."""


class Opened(NamedTuple):
    """An object, read whole."""

    row: ObjectRow
    content: bytes


class Tree:
    """Read-only. Every method raises LookupError for a bucket or key that is not there."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def browse(self, bucket: str, prefix: str, after: str, limit: int) -> dict[str, Any]:
        """Return, as JSON, what lies directly below ``prefix``: ``folders`` and ``objects``, and ``next`` or null.

        ``after``: continue after that key or folder. At most ``limit`` entries, in byte order.
        """
        bucket = bucket or BUCKET
        selection = Selection(prefix.encode(), b"/", after.encode())
        try:
            page = list_page(
                lambda start, end, count: self._store.scan(bucket, start, end, limit=count), selection, limit
            )
        except CosError as error:
            raise LookupError(f"There is no bucket {bucket}") from error
        return {
            "bucket": bucket,
            "buckets": [name for name, _ in self._store.iter_buckets()],
            "prefix": prefix,
            "folders": [_text(folder) for folder in page.common_prefixes],
            "objects": [_describe(row) for row in page.contents],
            "next": _text(page.next_marker) or None,
        }

    def lines(self, bucket: str, key: str, offset: int, limit: int) -> dict[str, Any]:
        """Return, as JSON, ``lines`` (text, from byte ``offset`` on, at most ``limit``), ``size`` and ``next`` or null.

        ``next``: the offset to go on from. ``lines`` is null when the object is not UTF-8 text.
        """
        opened = self.read(bucket, key)
        answer: dict[str, Any] = {**_describe(opened.row), "lines": None, "next": None}
        try:
            opened.content.decode()
        except UnicodeDecodeError:
            return answer
        lines: list[str] = []
        at, taken = offset, 0
        while at < len(opened.content) and len(lines) < limit and taken < LINES_BYTES_LIMIT:
            end = opened.content.find(b"\n", at)
            end = len(opened.content) if end < 0 else end
            lines.append(opened.content[at:end].decode("utf-8", "replace")[:LINE_CHARS_LIMIT])
            taken += end - at
            at = end + 1
        return answer | {"lines": lines, "next": at if at < len(opened.content) else None}

    def read(self, bucket: str, key: str) -> Opened:
        """Read an object."""
        try:
            row, stream = self._store.open(bucket or BUCKET, key.encode("utf-8", "surrogateescape"))
        except CosError as error:
            raise LookupError(f"There is no object {key} in {bucket or BUCKET}") from error
        with stream:
            return Opened(row, _read(stream, row.size))


def _read(stream: Any, size: int) -> bytes:
    content = bytearray()
    while len(content) < size and (chunk := stream.read(size - len(content))):
        content += chunk
    return bytes(content)


def _describe(row: ObjectRow) -> dict[str, Any]:
    return {
        "key": _text(row.key),
        "size_bytes": row.size,
        "modified_at": iso_utc(row.modified_at),
        "kind": row.kind,
        "etag": row.etag,
    }


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape")
