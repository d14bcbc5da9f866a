"""Multipart upload: initiate, parts, complete, abort. What lists them: multipart_listing.

Sources: https://cloud.tencent.com/document/product/436/7746 (Initiate), /7750 (Upload Part), /8287 (Part - Copy), /7742
(Complete), /7740 (Abort).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from localcloud.cos import customer_keys
from localcloud.cos.conditions import parse_range
from localcloud.cos.copying import copy_result, open_source
from localcloud.cos.documents import document, element, iter_texts, key_text, parse_document
from localcloud.cos.errors import CosError
from localcloud.cos.files import iter_chunks
from localcloud.cos.integrity import check_content_md5, check_length
from localcloud.cos.metadata import check_key, written_headers
from localcloud.cos.store import Content
from localcloud.cos.uploads import Part, Uploads
from localcloud.cos.writing import headers_to_keep
from localcloud.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState

MIN_PART_BYTES = 1 << 20
"""Every part but the last is at least this long."""
MAX_PARTS = 10_000

_XML = {"Content-Type": "application/xml"}


def initiate_multipart_upload(cos: CosState, call: Call) -> Response:
    """POST ?uploads. Raises CosError FileAlreadyExists when overwriting is forbidden, KeyTooLong."""
    check_key(call.key)
    if cos.forbids_overwrite(call) and cos.store.find(call.bucket, call.key):
        raise CosError("FileAlreadyExists")
    headers = headers_to_keep(cos, call)
    upload = Uploads(cos.store).begin(call.bucket, call.key, headers=headers, now=cos.clock.now())
    names = (element("Bucket", call.bucket), element("Key", key_text(call.key)), element("UploadId", upload.upload_id))
    encryption = {name: value for name, value in headers.items() if name.startswith("x-cos-server-side-encryption")}
    return Response(200, encryption | _XML, document("InitiateMultipartUploadResult", *names))


def upload_part(cos: CosState, call: Call) -> Response:
    """PUT ?partNumber&uploadId. Raises CosError NoSuchUpload, InvalidArgument, BadDigest, InvalidDigest."""
    headers, body = call.headers, call.request.body
    check_length(headers, body)
    check_content_md5(headers, body)
    part = _store_part(cos, call, iter((body,)))
    answer = {"ETag": f'"{part.etag}"', "x-cos-hash-crc64ecma": part.crc64}
    return Response(200, answer | customer_keys.parse_key(headers))


def upload_part_copy(cos: CosState, call: Call) -> Response:
    """PUT ?partNumber&uploadId with ``x-cos-copy-source`` and, if need be, ``x-cos-copy-source-range``."""
    with open_source(cos, call) as (source, stream):
        wanted = parse_range(call.headers.get("x-cos-copy-source-range", ""), source.size)
        first, last = wanted or (0, source.size - 1)
        stream.seek(first)
        part = _store_part(cos, call, iter_chunks(stream, last - first + 1))
    result = copy_result("CopyPartResult", part.etag, part.crc64, part.modified_at)
    return Response(200, _XML | customer_keys.parse_key(call.headers), result)


def _store_part(cos: CosState, call: Call, chunks: Iterator[bytes]) -> Part:
    number = call.params.get("partNumber", "")
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= MAX_PARTS):
        raise CosError("InvalidArgument", f"partNumber must be an integer from 1 to {MAX_PARTS}.")
    uploads = Uploads(cos.store)
    upload = uploads.get(call.bucket, call.key, upload_id=call.params["uploadId"])
    customer_keys.require_key(json.loads(upload.headers), call.headers)
    with cos.store.files.stage(chunks) as staged:
        return uploads.put_part(upload, int(number), staged=staged, now=cos.clock.now())


def complete_multipart_upload(cos: CosState, call: Call) -> Response:
    """POST ?uploadId: put the named parts together into the object.

    ``x-cos-forbid-overwrite`` counts here too, whatever Initiate said. Of two that race, the second finds NoSuchUpload.
    Raises CosError NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, MalformedXML, FileAlreadyExists.
    """
    check_content_md5(call.headers, call.request.body)
    tree = parse_document(call.request.body, "CompleteMultipartUpload")
    named = list(iter_texts(tree, "Part", "PartNumber", "ETag"))
    uploads = Uploads(cos.store)
    upload = uploads.get(call.bucket, call.key, upload_id=call.params["uploadId"])
    parts = choose_parts(named, uploads.parts(upload))
    etag = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts)).hexdigest()
    with (
        cos.store.files.stage(_iter_bytes([uploads.path_of(upload, part) for part in parts])) as staged,
        cos.store.lock,
    ):
        uploads.require(upload)
        content = Content(staged, f"{etag}-{len(parts)}", json.loads(upload.headers))
        forbid = cos.forbids_overwrite(call)
        row = cos.store.put(call.bucket, call.key, content, now=cos.clock.now(), forbid_overwrite=forbid)
        uploads.end(upload)
    body = document(
        "CompleteMultipartUploadResult",
        element("Location", f"{call.request.scheme}://{call.resource}"),
        element("Bucket", call.bucket),
        element("Key", key_text(call.key)),
        element("ETag", f'"{row.etag}"'),
    )
    return Response(200, written_headers(row) | _XML, body)


def choose_parts(named: list[tuple[str, ...]], uploaded: list[Part]) -> list[Part]:
    """Match the parts a client names with those it uploaded. ``named``: part number and ETag, as in the XML.

    Raises CosError MalformedXML for none, InvalidPartOrder, InvalidPart, EntityTooSmall.
    """
    if not named or not all(number.isascii() and number.isdigit() for number, _ in named):
        raise CosError("MalformedXML")
    numbers = [int(number) for number, _ in named]
    if numbers != sorted(set(numbers)):
        raise CosError("InvalidPartOrder")
    by_number = {part.number: part for part in uploaded}
    for number, etag in zip(numbers, (etag for _, etag in named), strict=True):
        if number not in by_number or by_number[number].etag != etag.strip().strip('"').lower():
            raise CosError("InvalidPart")
    parts = [by_number[number] for number in numbers]
    if any(part.size < MIN_PART_BYTES for part in parts[:-1]):
        raise CosError("EntityTooSmall")
    return parts


def _iter_bytes(paths: list[Path]) -> Iterator[bytes]:
    try:
        for path in paths:
            with path.open("rb", buffering=0) as stream:
                yield from iter_chunks(stream, path.stat().st_size)
    except FileNotFoundError as error:  # aborted, completed or uploaded again meanwhile
        raise CosError("NoSuchUpload") from error


def abort_multipart_upload(cos: CosState, call: Call) -> Response:
    """DELETE ?uploadId. Raises CosError NoSuchUpload."""
    uploads = Uploads(cos.store)
    uploads.end(uploads.get(call.bucket, call.key, upload_id=call.params["uploadId"]))
    return Response(204)
