"""ACLs of buckets and objects, and what they open to people without a signature.

Everything belongs to the one account there is. Canned ACLs are acted on: ``public-read`` lets anybody GET and HEAD.
Explicit grants are kept and shown; there is nobody else here whom they could let in.

Sources: https://cloud.tencent.com/document/product/436/7733, /7737 (bucket), /7744, /7748 (object), /30583 (ACL).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.cos.documents import document, element, group, parse_document
from localcloud.cos.errors import CosError
from localcloud.cos.metadata import ACL, load_headers
from localcloud.exchange import Response

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState

CANNED = ("private", "public-read", "public-read-write", "authenticated-read", "default")
_ANYBODY = "http://cam.qcloud.com/groups/global/AllUsers"
_INSTANCE = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_OPEN = {
    "GetObject": ("public-read", "public-read-write"),
    "HeadObject": ("public-read", "public-read-write"),
    "GetBucket": ("public-read", "public-read-write"),
    "HeadBucket": ("public-read", "public-read-write"),
    "PutObject": ("public-read-write",),
}


def check_canned(name: str) -> None:
    """Refuse what is no canned ACL. Raises CosError InvalidArgument."""
    if name not in CANNED:
        raise CosError("InvalidArgument", f"x-cos-acl must be one of {', '.join(CANNED)}.")


def is_public(cos: CosState, call: Call, action: str) -> bool:
    """Whether ``action`` needs no signature here. An object's own ACL comes before its bucket's."""
    allowed = _OPEN.get(action, ())
    if not allowed or call.bucket not in cos.store.index.buckets:
        return False
    row = cos.store.find(call.bucket, call.key) if call.key and action != "PutObject" else None
    own = load_headers(row).get(ACL, "default") if row else "default"
    return (_bucket_acl(cos, call.bucket) if own == "default" else own) in allowed


def get_bucket_acl(cos: CosState, call: Call) -> Response:
    """GET Bucket acl. Raises CosError NoSuchBucket."""
    cos.store.require_bucket(call.bucket)
    return _show(cos, _bucket_acl(cos, call.bucket))


def put_bucket_acl(cos: CosState, call: Call) -> Response:
    """PUT Bucket acl: canned, by grant headers or as a document. Raises CosError NoSuchBucket, InvalidArgument."""
    cos.store.require_bucket(call.bucket)
    wanted = _wanted(cos, call)
    with cos.store.lock:
        cos.store.configurations.put(call.bucket, "acl", wanted.encode(), now=cos.clock.now())
    return Response(200)


def get_object_acl(cos: CosState, call: Call) -> Response:
    """GET Object acl. Raises CosError NoSuchKey, NoSuchVersion."""
    row = cos.store.head(call.bucket, call.key, version_id=call.params.get("versionId", ""))
    return _show(cos, load_headers(row).get(ACL, "default"))


def put_object_acl(cos: CosState, call: Call) -> Response:
    """PUT Object acl. Raises CosError NoSuchKey, NoSuchVersion, InvalidArgument."""
    with cos.store.lock:
        row = cos.store.head(call.bucket, call.key, version_id=call.params.get("versionId", ""))
        cos.store.replace_headers(call.bucket, row, load_headers(row) | {ACL: _wanted(cos, call)})
    return Response(200)


def _bucket_acl(cos: CosState, bucket: str) -> str:
    kept = cos.store.configurations.get(bucket, "acl")
    return kept.document.decode() if kept else "private"


def _wanted(cos: CosState, call: Call) -> str:
    """Name of a canned ACL, or a whole document."""
    headers, body = call.headers, call.request.body
    grants = {name: value for name, value in headers.items() if name.startswith("x-cos-grant-")}
    if sum(map(bool, (headers.get(ACL), grants, body))) > 1:
        raise CosError("InvalidRequest", "An ACL is given by x-cos-acl, by grants or by a document, not by several.")
    if body:
        tree = parse_document(body, "AccessControlPolicy")
        found = [(grant.findtext("Grantee/ID"), grant.findtext("Permission")) for grant in tree.iter("Grant")]
        return _document(cos, [(who or "", what or "") for who, what in found])
    if grants:
        return _document(cos, [_grant(name, value) for name, value in grants.items()])
    canned = headers.get(ACL, "private")
    check_canned(canned)
    return canned


def _grant(name: str, value: str) -> tuple[str, str]:
    uin = value.partition("=")[2].strip('"')
    return f"qcs::cam::uin/{uin}:uin/{uin}", name.removeprefix("x-cos-grant-").replace("-", "_").upper()


def _show(cos: CosState, acl: str) -> Response:
    grants = [(_ANYBODY, "READ")] if acl.startswith("public-read") else []
    grants += [(_ANYBODY, "WRITE")] if acl == "public-read-write" else []
    text = acl if acl.startswith("<") else _document(cos, [(_identity(cos), "FULL_CONTROL"), *grants])
    canned = {} if acl.startswith("<") else {"x-cos-acl": acl}
    return Response(200, {"Content-Type": "application/xml"} | canned, text.encode())


def _identity(cos: CosState) -> str:
    return f"qcs::cam::uin/{cos.app_id}:uin/{cos.app_id}"


def _document(cos: CosState, grants: list[tuple[str, str]]) -> str:
    permissions = ("READ", "WRITE", "FULL_CONTROL", "READ_ACP", "WRITE_ACP")
    if not all(who and what in permissions for who, what in grants):
        raise CosError("InvalidArgument", "A grant needs the ID of a grantee and a permission.")
    owner = (element("ID", _identity(cos)), element("DisplayName", _identity(cos)))
    listed = (group("Grant", _grantee(who), element("Permission", what)) for who, what in grants)
    return document("AccessControlPolicy", group("Owner", *owner), group("AccessControlList", *listed)).decode()


def _grantee(who: str) -> str:
    if who == _ANYBODY:
        return f'<Grantee {_INSTANCE} xsi:type="Group">{element("URI", who)}</Grantee>'
    identity = element("ID", who) + element("DisplayName", who)
    return f'<Grantee {_INSTANCE} xsi:type="CanonicalUser">{identity}</Grantee>'
