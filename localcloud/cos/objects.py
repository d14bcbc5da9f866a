"""PUT, GET, HEAD, DELETE Object and DELETE Multiple Objects.

Sources: https://cloud.tencent.com/document/product/436/7749 (PUT), /7753 (GET), /7745 (HEAD), /7743 (DELETE), /8289
(DELETE Multiple).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.cos.conditions import is_not_modified, parse_range
from localcloud.cos.documents import document, element, group, iter_texts, key_text, parse_document
from localcloud.cos.errors import CosError
from localcloud.cos.integrity import check_content_md5, check_length
from localcloud.cos.metadata import check_key, kept_headers, read_headers, written_headers
from localcloud.cos.store import Content
from localcloud.exchange import Response

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState

DELETE_LIMIT = 1000


def put_object(cos: CosState, call: Call) -> Response:
    """PUT Object; ``x-cos-forbid-overwrite: true`` makes it create-if-absent.

    Raises CosError FileAlreadyExists, KeyTooLong, BadDigest, InvalidDigest, IncompleteBody, NoSuchBucket.
    """
    headers, body = call.headers, call.request.body
    check_key(call.key)
    check_length(headers, body)
    check_content_md5(headers, body)
    cos.store.require_bucket(call.bucket)
    kept = kept_headers(headers)
    with cos.store.files.stage([body]) as staged:
        content = Content(staged, staged.md5.hex(), kept)
        forbid = cos.forbids_overwrite(headers)
        row = cos.store.put(call.bucket, call.key, content, now=cos.clock.now(), forbid_overwrite=forbid)
    return Response(200, written_headers(row))


def get_object(cos: CosState, call: Call) -> Response:
    """GET Object: whole, a range (206), or 304. Raises CosError NoSuchKey, PreconditionFailed, InvalidRange."""
    headers = call.headers
    row, stream = cos.store.open(call.bucket, call.key)
    with stream:
        answer = read_headers(row, call.params)
        if is_not_modified(headers, row.etag, row.modified_at):
            return Response(304, answer)
        wanted = parse_range(headers.get("range", ""), row.size)
        if wanted is None:
            return Response(200, answer, stream.read(row.size))
        first, last = wanted
        stream.seek(first)
        answer["Content-Range"] = f"bytes {first}-{last}/{row.size}"
        return Response(206, answer, stream.read(last - first + 1))


def head_object(cos: CosState, call: Call) -> Response:
    """HEAD Object. Raises CosError NoSuchKey, PreconditionFailed."""
    row = cos.store.head(call.bucket, call.key)
    answer = read_headers(row, call.params)
    if is_not_modified(call.headers, row.etag, row.modified_at):
        return Response(304, answer)
    return Response(200, answer | {"Content-Length": str(row.size)})


def delete_object(cos: CosState, call: Call) -> Response:
    """DELETE Object: 204 whether it existed or not."""
    cos.store.delete(call.bucket, call.key)
    return Response(204)


def delete_multiple_objects(cos: CosState, call: Call) -> Response:
    """POST ?delete: at most 1000 keys; Quiet leaves out those that went well.

    Raises CosError InvalidRequest without Content-MD5, BadDigest, MalformedXML.
    """
    check_content_md5(call.headers, call.request.body, required=True)
    tree = parse_document(call.request.body, "Delete")
    keys = [key for (key,) in iter_texts(tree, "Object", "Key")]
    if not 1 <= len(keys) <= DELETE_LIMIT:
        raise CosError("MalformedXML")
    cos.store.require_bucket(call.bucket)
    quiet = (tree.findtext("Quiet") or "").strip().lower() == "true"
    results = []
    for key in keys:
        cos.store.delete(call.bucket, key.encode())
        if not quiet:
            results.append(group("Deleted", element("Key", key_text(key.encode()))))
    return Response(200, {"Content-Type": "application/xml"}, document("DeleteResult", *results))


def get_object_acl(cos: CosState, call: Call) -> Response:
    """GET Object acl: every object belongs to the one account there is. Raises CosError NoSuchKey."""
    cos.store.head(call.bucket, call.key)
    return Response(200, {"Content-Type": "application/xml"}, acl_document(cos))


def acl_document(cos: CosState) -> bytes:
    """AccessControlPolicy of something private."""
    identity = f"qcs::cam::uin/{cos.app_id}:uin/{cos.app_id}"
    owner = (element("ID", identity), element("DisplayName", identity))
    grant = group("Grant", group("Grantee", *owner), element("Permission", "FULL_CONTROL"))
    return document("AccessControlPolicy", group("Owner", *owner), group("AccessControlList", grant))
