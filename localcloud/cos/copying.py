"""PUT Object - Copy, and where its source is.

Source: https://cloud.tencent.com/document/product/436/10881.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple

from localcloud.cos import customer_keys
from localcloud.cos.address import is_hosted, parse_query, resolve
from localcloud.cos.conditions import is_not_modified
from localcloud.cos.documents import document, element, iso_time
from localcloud.cos.errors import CosError
from localcloud.cos.files import iter_chunks
from localcloud.cos.metadata import ACL, RESTORE, TAGS, check_key, load_headers, written_headers
from localcloud.cos.restoring import require_readable
from localcloud.cos.store import Content
from localcloud.cos.writing import headers_to_keep
from localcloud.exchange import Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cos.address import Call
    from localcloud.cos.index import ObjectRow
    from localcloud.cos.state import CosState

_PREFIX = "x-cos-copy-source-"


class Source(NamedTuple):
    """Where a copy comes from; ``version_id`` is empty for the current version."""

    bucket: str
    key: bytes
    version_id: str


def parse_source(header: str) -> Source:
    """Read ``x-cos-copy-source``: ``<bucket>.<endpoint>/<key>`` or ``/<bucket>/<key>``, encoded, with ``?versionId=``.

    Raises CosError InvalidCopySource.
    """
    host, _, rest = header.partition("://")[-1 if "://" in header else 0].partition("/")
    path, _, query = rest.partition("?")
    # S3 clients may leave the first slash out: <bucket>/<encoded key>
    is_host = not host or "://" in header or is_hosted(host)
    found = resolve(Request("GET", host if is_host else "", f"/{path}" if is_host else f"/{host}/{path}"))
    if not found.bucket or not found.key:
        raise CosError("InvalidCopySource")
    return Source(found.bucket, found.key, parse_query(query).get("versionId", ""))


@contextmanager
def open_source(cos: CosState, call: Call) -> Iterator[tuple[ObjectRow, IO[bytes]]]:
    """Open the source of a copy when its conditions hold.

    Raises CosError NoSuchBucket, NoSuchKey, NoSuchVersion, PreconditionFailed, InvalidObjectState, AccessDenied,
    InvalidRequest for an appendable object (that it cannot be copied is documented, the code is not:
    https://cloud.tencent.com/document/product/436/7741).
    """
    source = parse_source(call.headers["x-cos-copy-source"])
    row, stream = cos.store.open(source.bucket, source.key, version_id=source.version_id)
    with stream:
        if row.kind == "appendable":
            raise CosError("InvalidRequest", "An appendable object cannot be copied.")
        if is_not_modified(call.headers, row.etag, row.modified_at, prefix=_PREFIX):
            raise CosError("PreconditionFailed")
        customer_keys.require_key(load_headers(row), call.headers, customer_keys.SOURCE_PREFIX)
        require_readable(cos, row)
        yield row, stream


def put_object_copy(cos: CosState, call: Call) -> Response:
    """PUT with ``x-cos-copy-source``; ``x-cos-metadata-directive: Replaced`` takes this request's headers.

    Raises CosError as ``open_source`` does, FileAlreadyExists, KeyTooLong, InvalidArgument, InvalidRequest.
    """
    headers = call.headers
    check_key(call.key)
    is_replaced = _is_replaced(headers, "x-cos-metadata-directive")
    source = parse_source(headers["x-cos-copy-source"])
    to_itself = source == (call.bucket, call.key, "")
    with open_source(cos, call) as (row, stream):
        kept = _headers_of_copy(cos, call, row, is_replaced=is_replaced)
        if to_itself and kept == load_headers(row):
            raise CosError("InvalidRequest", "A copy of an object to itself must change something.")
        with cos.store.files.stage(iter_chunks(stream, row.size)) as staged:
            content = Content(staged, staged.md5.hex(), kept)
            forbid = cos.forbids_overwrite(call)
            written = cos.store.put(call.bucket, call.key, content, now=cos.clock.now(), forbid_overwrite=forbid)
    result = copy_result("CopyObjectResult", written.etag, written.crc64, written.modified_at)
    from_version = {"x-cos-copy-source-version-id": row.version_id} if row.version_id else {}
    return Response(200, written_headers(written) | from_version | {"Content-Type": "application/xml"}, result)


def _is_replaced(headers: dict[str, str], name: str) -> bool:
    directive = headers.get(name, "Copy")
    if directive not in ("Copy", "Replaced"):
        raise CosError("InvalidArgument", f"{name} must be Copy or Replaced.")
    return directive == "Replaced"


def _headers_of_copy(cos: CosState, call: Call, source: ObjectRow, *, is_replaced: bool) -> dict[str, str]:
    given = headers_to_keep(cos, call)
    of_source = load_headers(source)
    # Storage class, ACL and encryption are always the request's; metadata and tags as their directives say.
    own = {name: value for name, value in given.items() if _is_own(name)}
    described = given if is_replaced else of_source
    kept = {name: value for name, value in described.items() if not _is_own(name) and name != TAGS} | own
    tagging = given if _is_replaced(call.headers, "x-cos-tagging-directive") else of_source
    return kept | ({TAGS: tagging[TAGS]} if tagging.get(TAGS) else {})


def _is_own(name: str) -> bool:
    return name in ("x-cos-storage-class", ACL, RESTORE) or name.startswith("x-cos-server-side-encryption")


def copy_result(name: str, etag: str, crc64: str, modified_at: float) -> bytes:
    """Body of an answer to a copy."""
    times = element("LastModified", iso_time(modified_at))
    return document(name, element("ETag", f'"{etag}"'), element("CRC64", crc64), times)
