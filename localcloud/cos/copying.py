"""PUT Object - Copy, and where its source is.

Source: https://cloud.tencent.com/document/product/436/10881.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from localcloud.cos.address import resolve
from localcloud.cos.conditions import is_not_modified
from localcloud.cos.documents import document, element, iso_time
from localcloud.cos.errors import CosError
from localcloud.cos.files import iter_chunks
from localcloud.cos.metadata import check_key, kept_headers, load_headers, written_headers
from localcloud.cos.store import Content
from localcloud.exchange import Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cos.address import Call
    from localcloud.cos.index import ObjectRow
    from localcloud.cos.state import CosState

_PREFIX = "x-cos-copy-source-"


def parse_source(header: str) -> tuple[str, bytes]:
    """Bucket and key of ``x-cos-copy-source``: ``<bucket>.<endpoint>/<encoded key>``, or ``/<bucket>/<encoded key>``.

    Raises CosError InvalidCopySource, NotImplemented for a version.
    """
    host, _, rest = header.partition("://")[-1 if "://" in header else 0].partition("/")
    path, _, query = rest.partition("?")
    source = resolve(Request("GET", host, f"/{path}"))
    if query:
        raise CosError("NotImplemented", "Versions are not kept.")
    if not source.bucket or not source.key:
        raise CosError("InvalidCopySource")
    return source.bucket, source.key


@contextmanager
def open_source(cos: CosState, call: Call) -> Iterator[tuple[ObjectRow, IO[bytes]]]:
    """Open the source of a copy when its conditions hold.

    Raises CosError NoSuchBucket, NoSuchKey, PreconditionFailed, InvalidRequest for an appendable object (that it cannot
    be copied is documented, the code is not: https://cloud.tencent.com/document/product/436/7741).
    """
    row, stream = cos.store.open(*parse_source(call.headers["x-cos-copy-source"]))
    with stream:
        if row.kind == "appendable":
            raise CosError("InvalidRequest", "An appendable object cannot be copied.")
        if is_not_modified(call.headers, row.etag, row.modified_at, prefix=_PREFIX):
            raise CosError("PreconditionFailed")
        yield row, stream


def put_object_copy(cos: CosState, call: Call) -> Response:
    """PUT with ``x-cos-copy-source``; ``x-cos-metadata-directive: Replaced`` takes this request's headers.

    Raises CosError as ``open_source`` does, FileAlreadyExists, KeyTooLong, InvalidArgument, InvalidRequest.
    """
    headers = call.headers
    check_key(call.key)
    directive = headers.get("x-cos-metadata-directive", "Copy")
    if directive not in ("Copy", "Replaced"):
        raise CosError("InvalidArgument", "x-cos-metadata-directive must be Copy or Replaced.")
    to_itself = parse_source(headers["x-cos-copy-source"]) == (call.bucket, call.key)
    if to_itself and directive == "Copy":
        raise CosError("InvalidRequest", "A copy of an object to itself must replace its metadata.")
    with open_source(cos, call) as (source, stream):
        kept = kept_headers(headers) if directive == "Replaced" else load_headers(source)
        with cos.store.files.stage(iter_chunks(stream, source.size)) as staged:
            content = Content(staged, staged.md5.hex(), kept)
            forbid = cos.forbids_overwrite(headers)
            row = cos.store.put(call.bucket, call.key, content, now=cos.clock.now(), forbid_overwrite=forbid)
    result = copy_result("CopyObjectResult", row.etag, row.crc64, row.modified_at)
    return Response(200, written_headers(row) | {"Content-Type": "application/xml"}, result)


def copy_result(name: str, etag: str, crc64: str, modified_at: float) -> bytes:
    """Body of an answer to a copy."""
    times = element("LastModified", iso_time(modified_at))
    return document(name, element("ETag", f'"{etag}"'), element("CRC64", crc64), times)
