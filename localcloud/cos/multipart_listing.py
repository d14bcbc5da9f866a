"""List Parts and List Multipart Uploads.

Sources: https://cloud.tencent.com/document/product/436/7747 (parts), /7736 (uploads).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localcloud.cos.documents import document, element, group, iso_time, key_text
from localcloud.cos.errors import CosError
from localcloud.cos.listing import parse_encoding, parse_limit, parse_selection, prefix_element
from localcloud.cos.uploads import Upload, Uploads
from localcloud.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.cos.address import Call
    from localcloud.cos.listing import Selection
    from localcloud.cos.state import CosState

_XML = {"Content-Type": "application/xml"}


class UploadPage(NamedTuple):
    """One page of unfinished uploads. ``next_key`` and ``next_upload_id`` are empty on the last one."""

    uploads: list[Upload]
    common_prefixes: list[bytes]
    next_key: bytes = b""
    next_upload_id: str = ""


def list_parts(cos: CosState, call: Call) -> Response:
    """GET ?uploadId: parts after ``part-number-marker``. Raises CosError NoSuchUpload, InvalidArgument."""
    params = call.params
    most = parse_limit(params, "max-parts")
    marker = params.get("part-number-marker") or "0"
    if not (marker.isascii() and marker.isdigit()):
        raise CosError("InvalidArgument", "part-number-marker must be an integer.")
    encoded = parse_encoding(params)
    uploads = Uploads(cos.store)
    upload = uploads.get(call.bucket, call.key, upload_id=params["uploadId"])
    found = [part for part in uploads.parts(upload) if part.number > int(marker)]
    page = found[:most]
    truncated = len(found) > len(page) > 0
    owner = (element("ID", cos.app_id), element("DisplayName", cos.app_id))
    parts = [
        group(
            "Part",
            element("PartNumber", part.number),
            element("LastModified", iso_time(part.modified_at)),
            element("ETag", f'"{part.etag}"'),
            element("Size", part.size),
        )
        for part in page
    ]
    body = document(
        "ListPartsResult",
        element("Bucket", call.bucket),
        *([element("EncodingType", "url")] if encoded else []),
        element("Key", key_text(call.key, encoded=encoded)),
        element("UploadId", upload.upload_id),
        group("Owner", *owner),
        element("PartNumberMarker", marker),
        group("Initiator", *owner),
        element("StorageClass", upload.storage_class),
        *([element("NextPartNumberMarker", page[-1].number)] if truncated else []),
        element("MaxParts", most),
        element("IsTruncated", "true" if truncated else "false"),
        *parts,
    )
    return Response(200, dict(_XML), body)


def list_multipart_uploads(cos: CosState, call: Call) -> Response:
    """GET ?uploads. Raises CosError NoSuchBucket, InvalidArgument, InvalidDelimiter."""
    params = call.params
    most = parse_limit(params, "max-uploads")
    encoded = parse_encoding(params)
    selection = parse_selection(params, "key-marker")
    upload_id_marker = params.get("upload-id-marker", "")
    page = upload_page(Uploads(cos.store).iter_all(call.bucket), selection, upload_id_marker, most)
    truncated = bool(page.next_key)
    following = (
        element("NextKeyMarker", key_text(page.next_key, encoded=encoded)),
        element("NextUploadIdMarker", page.next_upload_id),
    )
    body = document(
        "ListMultipartUploadsResult",
        element("Bucket", call.bucket),
        *([element("EncodingType", "url")] if encoded else []),
        element("KeyMarker", key_text(selection.marker, encoded=encoded)),
        element("UploadIdMarker", upload_id_marker),
        *(following if truncated else ()),
        element("MaxUploads", most),
        element("IsTruncated", "true" if truncated else "false"),
        element("Prefix", key_text(selection.prefix, encoded=encoded)),
        element("Delimiter", key_text(selection.delimiter, encoded=encoded)),
        *(_upload(cos, upload, encoded=encoded) for upload in page.uploads),
        *(prefix_element(prefix, encoded=encoded) for prefix in page.common_prefixes),
    )
    return Response(200, dict(_XML), body)


def _upload(cos: CosState, upload: Upload, *, encoded: bool) -> str:
    owner = (element("ID", cos.app_id), element("DisplayName", cos.app_id))
    return group(
        "Upload",
        element("Key", key_text(upload.key, encoded=encoded)),
        element("UploadId", upload.upload_id),
        element("StorageClass", upload.storage_class),
        group("Initiator", *owner),
        group("Owner", *owner),
        element("Initiated", iso_time(upload.initiated_at)),
    )


def upload_page(uploads: Iterable[Upload], selection: Selection, upload_id_marker: str, most: int) -> UploadPage:
    """Cut one page out of ``uploads``, which are ordered by key and id.

    Without an id marker, every upload of the marker's own key is skipped too.
    """
    chosen: list[Upload] = []
    prefixes: list[bytes] = []
    last_key, last_id = b"", ""
    for upload in uploads:
        if not upload.key.startswith(selection.prefix) or _is_before(upload, selection.marker, upload_id_marker):
            continue
        common = selection.common_prefix_of(upload.key)
        if common and (common == selection.marker or prefixes[-1:] == [common]):
            continue
        if len(chosen) + len(prefixes) >= most:
            return UploadPage(chosen, prefixes, last_key, last_id)
        if common:
            prefixes.append(common)
            last_key, last_id = common, ""
        else:
            chosen.append(upload)
            last_key, last_id = upload.key, upload.upload_id
    return UploadPage(chosen, prefixes)


def _is_before(upload: Upload, key_marker: bytes, upload_id_marker: str) -> bool:
    if upload.key != key_marker or not upload_id_marker:
        return upload.key <= key_marker and bool(key_marker)
    return upload.upload_id <= upload_id_marker
