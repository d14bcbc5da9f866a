"""GET Bucket (List Objects): one page of keys in byte order, with prefix, delimiter and marker.

Source: https://cloud.tencent.com/document/product/436/7734.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localcloud.cos.address import to_bytes
from localcloud.cos.departed import merge_rows
from localcloud.cos.documents import document, element, group, iso_time, key_text
from localcloud.cos.errors import CosError
from localcloud.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.cos.address import Call
    from localcloud.cos.index import ObjectRow
    from localcloud.cos.state import CosState

MAX_KEYS = 1000
_FIRST_BATCH = 16
_AFTER_ALL = b"\xff" * 1024  # no key is longer than 850 bytes


class Page(NamedTuple):
    """One page. ``next_marker`` is empty on the last one."""

    contents: list[ObjectRow]
    common_prefixes: list[bytes]
    next_marker: bytes


class Selection(NamedTuple):
    """Which keys to list. ``delimiter`` may be empty; ``marker`` is exclusive."""

    prefix: bytes
    delimiter: bytes
    marker: bytes

    def common_prefix_of(self, key: bytes) -> bytes:
        """Roll ``key`` up to its first delimiter after the prefix; empty when it has none."""
        if not self.delimiter or not key.startswith(self.prefix):
            return b""
        at = key.find(self.delimiter, len(self.prefix))
        return key[: at + len(self.delimiter)] if at >= 0 else b""


def after_prefix(prefix: bytes) -> bytes:
    """Return the first possible key that no longer begins with ``prefix``."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else _AFTER_ALL


def list_page(fetch: Callable[[bytes, bytes, int], list[ObjectRow]], selection: Selection, max_keys: int) -> Page:
    """Collect at most ``max_keys`` entries, objects and common prefixes together.

    ``fetch(start, end, limit)``: rows with ``start <= key < end`` in byte order. Reads little more than a page of rows,
    however many objects lie before, behind or below a common prefix.
    """
    contents: list[ObjectRow] = []
    common_prefixes: list[bytes] = []
    last = b""
    for entry in _iter_entries(fetch, selection, max_keys):
        if len(contents) + len(common_prefixes) >= max_keys:
            return Page(contents, common_prefixes, last)
        if isinstance(entry, bytes):
            common_prefixes.append(entry)
            last = entry
        else:
            contents.append(entry)
            last = entry.key
    return Page(contents, common_prefixes, b"")


def _iter_entries(
    fetch: Callable[[bytes, bytes, int], list[ObjectRow]], selection: Selection, max_keys: int
) -> Iterator[ObjectRow | bytes]:
    prefix, _, marker = selection
    # A marker that is a common prefix has already been answered, with all that lies below it.
    rolled = marker if marker and selection.common_prefix_of(marker) == marker else b""
    start = max(prefix, after_prefix(rolled) if rolled else marker + b"\0" if marker else b"")
    end = after_prefix(prefix)
    limit = _FIRST_BATCH if selection.delimiter else max_keys + 1
    while rows := fetch(start, end, limit):
        for row in rows:
            if rolled and row.key.startswith(rolled):
                continue
            rolled = selection.common_prefix_of(row.key)
            yield rolled or row
        if len(rows) < limit:
            return
        # Jump over the rest of a common prefix; otherwise go on with the key after, in larger steps.
        start = after_prefix(rolled) if rolled else rows[-1].key + b"\0"
        limit = _FIRST_BATCH if rolled else min(limit * 4, MAX_KEYS + 1)


def find_page(cos: CosState, call: Call, selection: Selection, max_keys: int) -> Page:
    """Read one page of a bucket as a lagging LIST sees it. Raises CosError NoSuchBucket."""
    bucket, lag_s = call.bucket, max(cos.list_lag_s, call.request.list_lag_s)
    written_by = cos.clock.now() - lag_s if lag_s > 0 else float("inf")
    shows_deleted = lag_s > 0 and cos.switches.list_lag_deleted

    def fetch(start: bytes, end: bytes, limit: int) -> list[ObjectRow]:
        rows = cos.store.scan(bucket, start, end, limit=limit, written_by=written_by)
        if not shows_deleted:
            return rows
        # What came and went within the lag was never shown.
        departed = cos.departed.between(bucket, start, end, after=written_by)
        return merge_rows(rows, [row for row in departed if row.first_written_at <= written_by], limit)

    cos.store.require_bucket(bucket)
    return list_page(fetch, selection, max_keys) if max_keys else Page([], [], b"")


def get_bucket(cos: CosState, call: Call) -> Response:
    """GET Bucket. Raises CosError NoSuchBucket, InvalidArgument, InvalidDelimiter."""
    params = call.params
    max_keys = parse_limit(params, "max-keys")
    encoded = parse_encoding(params)
    selection = parse_selection(params, "marker")
    page = find_page(cos, call, selection, max_keys)
    head = [
        element("Name", call.bucket),
        element("Prefix", key_text(selection.prefix, encoded=encoded)),
        element("Marker", key_text(selection.marker, encoded=encoded)),
        element("MaxKeys", max_keys),
        *([element("Delimiter", key_text(selection.delimiter, encoded=encoded))] if selection.delimiter else []),
        *([element("EncodingType", "url")] if encoded else []),
        element("IsTruncated", "true" if page.next_marker else "false"),
        *([element("NextMarker", key_text(page.next_marker, encoded=encoded))] if page.next_marker else []),
    ]
    body = document("ListBucketResult", *head, *page_elements(cos, page, encoded=encoded))
    return Response(200, {"Content-Type": "application/xml"}, body)


def page_elements(cos: CosState, page: Page, *, encoded: bool, with_owner: bool = True) -> list[str]:
    """Contents and CommonPrefixes of a page."""
    owner = group("Owner", element("ID", cos.app_id), element("DisplayName", cos.app_id)) if with_owner else ""
    contents = [_contents(row, owner, encoded=encoded) for row in page.contents]
    return contents + [prefix_element(prefix, encoded=encoded) for prefix in page.common_prefixes]


def prefix_element(prefix: bytes, *, encoded: bool) -> str:
    """One CommonPrefixes."""
    return group("CommonPrefixes", element("Prefix", key_text(prefix, encoded=encoded)))


def _contents(row: ObjectRow, owner: str, *, encoded: bool) -> str:
    return group(
        "Contents",
        element("Key", key_text(row.key, encoded=encoded)),
        element("LastModified", iso_time(row.modified_at)),
        element("ETag", f'"{row.etag}"'),
        element("Size", row.size),
        owner,
        element("StorageClass", row.storage_class),
    )


def parse_selection(params: dict[str, str], marker: str) -> Selection:
    """Read prefix, delimiter and the parameter named ``marker``. Raises CosError InvalidDelimiter."""
    if len(params.get("delimiter", "")) > 1:
        raise CosError("InvalidDelimiter")
    return Selection(*(to_bytes(params.get(name, "")) for name in ("prefix", "delimiter", marker)))


def parse_limit(params: dict[str, str], name: str, most: int = MAX_KEYS) -> int:
    """Read a page size; the default and the largest effective value is ``most``. Raises CosError InvalidArgument."""
    text = params.get(name) or str(most)
    if not (text.isascii() and text.isdigit()):
        raise CosError("InvalidArgument", f"{name} must be an integer from 0 to {most}.")
    return min(int(text), most)


def parse_encoding(params: dict[str, str]) -> bool:
    """Whether ``encoding-type=url``. Raises CosError InvalidArgument for any other value."""
    kind = params.get("encoding-type", "")
    if kind not in ("", "url"):
        raise CosError("InvalidArgument", "encoding-type must be url.")
    return kind == "url"
