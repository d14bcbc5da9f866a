"""GET Bucket Object versions: every version and delete marker, by key and newest first.

Source: https://cloud.tencent.com/document/product/436/35521.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localcloud.cos.documents import document, element, group, iso_time, key_text
from localcloud.cos.errors import CosError
from localcloud.cos.listing import after_prefix, parse_encoding, parse_limit, parse_selection, prefix_element
from localcloud.cos.versions import CURRENT, Version, shown_id
from localcloud.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cos.address import Call
    from localcloud.cos.listing import Selection
    from localcloud.cos.state import CosState

_BATCH = 200


def list_object_versions(cos: CosState, call: Call) -> Response:
    """GET ?versions. Raises CosError NoSuchBucket, InvalidArgument, InvalidDelimiter."""
    params = call.params
    most, encoded = parse_limit(params, "max-keys"), parse_encoding(params)
    selection = parse_selection(params, "key-marker")
    marker = params.get("version-id-marker", "")
    with cos.store.lock:
        cos.store.require_bucket(call.bucket)
        entries = _iter_entries(cos, call.bucket, selection, _start(cos, call.bucket, selection.marker, marker))
        page, rest = _cut(entries, most)
    head = [
        element("Name", call.bucket),
        element("Prefix", key_text(selection.prefix, encoded=encoded)),
        element("KeyMarker", key_text(selection.marker, encoded=encoded)),
        element("VersionIdMarker", marker),
        element("MaxKeys", most),
        *([element("Delimiter", key_text(selection.delimiter, encoded=encoded))] if selection.delimiter else []),
        *([element("EncodingType", "url")] if encoded else []),
        element("IsTruncated", "true" if rest else "false"),
        *(_following(page[-1], encoded=encoded) if rest else []),
    ]
    shown = [_shown(cos, entry, encoded=encoded) for entry in page]
    body = document("ListVersionsResult", *head, *shown)
    return Response(200, {"Content-Type": "application/xml"}, body)


def _start(cos: CosState, bucket: str, key: bytes, version_id: str) -> tuple[bytes, int]:
    """Key and serial after which to go on; a key alone skips all its versions."""
    if not key or not version_id:
        return key, -1 if key else CURRENT + 1
    current = cos.store.find(bucket, key)
    if current and shown_id(current) == version_id:
        return key, CURRENT
    found = cos.store.versions.find(bucket, key, version_id=version_id)
    if found is None:
        raise CosError("InvalidArgument", "version-id-marker names no version of key-marker.")
    return key, found.serial


class Entry(NamedTuple):
    """A version, or a common prefix in its place. ``is_latest``: the first of its key."""

    version: Version
    is_latest: bool
    prefix: bytes = b""


def _iter_entries(cos: CosState, bucket: str, selection: Selection, after: tuple[bytes, int]) -> Iterator[Entry]:
    rolled = selection.marker if selection.common_prefix_of(selection.marker) == selection.marker else b""
    seen = after[0] if after[1] >= 0 else b""
    start = max(selection.prefix, after_prefix(rolled) if rolled else b"")
    end = after_prefix(selection.prefix)
    while rows := cos.store.versions.scan(bucket, start, end, after=after, limit=_BATCH):
        for version in rows:
            key = version.row.key
            prefix = selection.common_prefix_of(key)
            if not prefix or prefix != rolled:
                yield Entry(version, key != seen, prefix)
            rolled, seen = prefix or rolled, key
            after = (key, version.serial)


def _cut(entries: Iterator[Entry], most: int) -> tuple[list[Entry], bool]:
    page: list[Entry] = []
    for entry in entries:
        if len(page) >= most:
            return page, bool(page)
        page.append(entry)
    return page, False


def _following(last: Entry, *, encoded: bool) -> list[str]:
    version_id = "" if last.prefix else shown_id(last.version.row)
    return [
        element("NextKeyMarker", key_text(last.prefix or last.version.row.key, encoded=encoded)),
        element("NextVersionIdMarker", version_id),
    ]


def _shown(cos: CosState, entry: Entry, *, encoded: bool) -> str:
    if entry.prefix:
        return prefix_element(entry.prefix, encoded=encoded)
    row = entry.version.row
    body = () if entry.version.is_marker else (
        element("ETag", f'"{row.etag}"'),
        element("Size", row.size),
        element("StorageClass", row.storage_class),
    )  # fmt: skip
    return group(
        "DeleteMarker" if entry.version.is_marker else "Version",
        element("Key", key_text(row.key, encoded=encoded)),
        element("VersionId", shown_id(row)),
        element("IsLatest", "true" if entry.is_latest else "false"),
        element("LastModified", iso_time(row.modified_at)),
        *body,
        group("Owner", element("ID", cos.app_id), element("DisplayName", cos.app_id)),
    )
