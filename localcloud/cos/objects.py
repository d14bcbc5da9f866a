"""PUT, GET, HEAD, DELETE Object and DELETE Multiple Objects.

Sources: https://cloud.tencent.com/document/product/436/7749 (PUT), /7753 (GET), /7745 (HEAD), /7743 (DELETE), /8289
(DELETE Multiple).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.cos import customer_keys
from localcloud.cos.conditions import is_not_modified, parse_range
from localcloud.cos.deletion import Deleted, delete
from localcloud.cos.documents import document, element, group, key_text, parse_document
from localcloud.cos.errors import CosError
from localcloud.cos.integrity import check_content_md5
from localcloud.cos.metadata import load_headers, read_headers, written_headers
from localcloud.cos.restoring import require_readable, restore_header
from localcloud.cos.store import Content
from localcloud.cos.writing import check_upload, headers_to_keep
from localcloud.exchange import Response

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.index import ObjectRow
    from localcloud.cos.state import CosState

DELETE_LIMIT = 1000


def put_object(cos: CosState, call: Call) -> Response:
    """PUT Object; ``x-cos-forbid-overwrite: true`` makes it create-if-absent.

    Raises CosError FileAlreadyExists and what ``check_upload`` and ``headers_to_keep`` raise.
    """
    check_upload(cos, call)
    kept = headers_to_keep(cos, call)
    forbid = cos.forbids_overwrite(call)
    if forbid and cos.store.find(call.bucket, call.key):  # looked at again below; most are told before bytes are staged
        raise CosError("FileAlreadyExists")
    with cos.store.files.stage([call.request.body]) as staged:
        content = Content(staged, staged.md5.hex(), kept)
        row = cos.store.put(call.bucket, call.key, content, now=cos.clock.now(), forbid_overwrite=forbid)
    return Response(200, written_headers(row))


def get_object(cos: CosState, call: Call) -> Response:
    """GET Object: whole, a range (206), or 304; ``versionId`` names a version.

    Raises CosError NoSuchKey, NoSuchVersion, PreconditionFailed, InvalidRange, InvalidObjectState, AccessDenied.
    """
    row, stream = cos.store.open(call.bucket, call.key, version_id=call.params.get("versionId", ""))
    with stream:
        answer = _read_headers(cos, call, row)
        if is_not_modified(call.headers, row.etag, row.modified_at):
            return Response(304, answer)
        require_readable(cos, row)
        wanted = parse_range(call.headers.get("range", ""), row.size)
        if wanted is None:
            return Response(200, answer, stream.read(row.size))
        first, last = wanted
        stream.seek(first)
        answer["Content-Range"] = f"bytes {first}-{last}/{row.size}"
        return Response(206, answer, stream.read(last - first + 1))


def head_object(cos: CosState, call: Call) -> Response:
    """HEAD Object. Raises CosError NoSuchKey, NoSuchVersion, PreconditionFailed, AccessDenied."""
    row = cos.store.head(call.bucket, call.key, version_id=call.params.get("versionId", ""))
    answer = _read_headers(cos, call, row)
    if is_not_modified(call.headers, row.etag, row.modified_at):
        return Response(304, answer)
    return Response(200, answer | {"Content-Length": str(row.size)})


def _read_headers(cos: CosState, call: Call, row: ObjectRow) -> dict[str, str]:
    customer_keys.require_key(load_headers(row), call.headers)
    return read_headers(row, call.params) | restore_header(cos, row)


def delete_object(cos: CosState, call: Call) -> Response:
    """DELETE Object: 204 whether it existed or not."""
    version_id = call.params.get("versionId", "")
    return Response(204, _delete(cos, call.bucket, call.key, version_id).headers)


def _delete(cos: CosState, bucket: str, key: bytes, version_id: str) -> Deleted:
    now = cos.clock.now()
    row = cos.store.find(bucket, key) if cos.switches.list_lag_deleted and not version_id else None
    deleted = delete(cos.store, bucket, key, now=now, version_id=version_id)
    if row is not None:
        cos.departed.add(bucket, row, at=now)
    return deleted


def delete_multiple_objects(cos: CosState, call: Call) -> Response:
    """POST ?delete: at most 1000 keys or versions; Quiet leaves out those that went well.

    Raises CosError InvalidRequest without Content-MD5, BadDigest, MalformedXML.
    """
    check_content_md5(call.headers, call.request.body, required=not call.is_digest_known)
    tree = parse_document(call.request.body, "Delete")
    named = [(node.findtext("Key") or "", node.findtext("VersionId") or "") for node in tree.iterfind("Object")]
    if not 1 <= len(named) <= DELETE_LIMIT or not all(key for key, _ in named):
        raise CosError("MalformedXML")
    cos.store.require_bucket(call.bucket)
    quiet = (tree.findtext("Quiet") or "").strip().lower() == "true"
    results = [_delete_one(cos, call, key.encode(), version_id) for key, version_id in named]
    shown = () if quiet else results
    return Response(200, {"Content-Type": "application/xml"}, document("DeleteResult", *shown))


def _delete_one(cos: CosState, call: Call, key: bytes, version_id: str) -> str:
    deleted = _delete(cos, call.bucket, key, version_id)
    parts = [element("Key", key_text(key)), *([element("VersionId", version_id)] if version_id else [])]
    if deleted.is_marker:
        parts += [element("DeleteMarker", "true"), element("DeleteMarkerVersionId", deleted.version_id)]
    return group("Deleted", *parts)
