"""GET Service and the bucket operations.

Sources: https://cloud.tencent.com/document/product/436/8291 (GET Service), /7738 (PUT Bucket), /7735 (HEAD), /7732
(DELETE), /8275 (location). ACLs: localcloud.cos.access. Other configurations: localcloud.cos.bucket_documents.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.cos import tags
from localcloud.cos.access import check_canned
from localcloud.cos.documents import document, element, group, iso_time, parse_document
from localcloud.cos.errors import CosError
from localcloud.cos.listing import parse_limit
from localcloud.exchange import Response

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState

_XML = {"Content-Type": "application/xml"}
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9]+")
_NAME_LIMIT = 60
_REGION = re.compile(r"\.cos(?:-internal)?\.([a-z0-9-]+)\.")
_SERVICE_PAGE = 2000


def get_service(cos: CosState, call: Call) -> Response:
    """List the account's buckets; ``marker`` is exclusive; ``region``, a tag, and ``create-time`` filter."""
    params = call.params
    max_keys = parse_limit(params, "max-keys", _SERVICE_PAGE)
    found = [item for item in cos.store.iter_buckets() if _is_wanted(cos, params, item)]
    page = found[:max_keys]
    truncated = len(found) > len(page) > 0
    buckets = [
        group(
            "Bucket",
            element("Name", name),
            element("Location", cos.region_of(name)),
            element("CreationDate", iso_time(created_at).replace(".000Z", "Z")),
            element("BucketType", "cos"),
        )
        for name, created_at in page
    ]
    identity = f"qcs::cam::uin/{cos.app_id}:uin/{cos.app_id}"
    body = document(
        "ListAllMyBucketsResult",
        group("Owner", element("ID", identity), element("DisplayName", cos.app_id)),
        element("Marker", params.get("marker", "")),
        *([element("NextMarker", page[-1][0])] if truncated else []),
        element("IsTruncated", "true" if truncated else "false"),
        group("Buckets", *buckets),
    )
    return Response(200, dict(_XML), body)


def _is_wanted(cos: CosState, params: dict[str, str], bucket: tuple[str, float]) -> bool:
    name, created_at = bucket
    if name <= params.get("marker", "") or params.get("region", "") not in ("", cos.region_of(name)):
        return False
    if params.get("tagkey"):
        kept = cos.store.configurations.get(name, "tagging")
        has = tags.parse_tagging(kept.document, tags.BUCKET_LIMIT) if kept else {}
        if has.get(params["tagkey"]) != params.get("tagvalue", ""):
            return False
    return _compare(params.get("range", ""), created_at, params.get("create-time", ""))


def _compare(relation: str, created_at: float, limit: str) -> bool:
    """``gt``, ``gte``, ``lt`` or ``lte``; no relation or no limit lets everything pass."""
    if not relation or not (limit.isascii() and limit.isdigit()):
        return True
    if relation.endswith("e") and int(created_at) == int(limit):
        return True
    return created_at > int(limit) if relation.startswith("gt") else created_at < int(limit)


def put_bucket(cos: CosState, call: Call) -> Response:
    """Create a bucket. Raises CosError InvalidBucketName, BucketAlreadyOwnedByYou.

    A name must end with the account's app id: https://cloud.tencent.com/document/product/436/13312.
    """
    name = call.bucket
    if not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT or not name.endswith(f"-{cos.app_id}"):
        raise CosError("InvalidBucketName")
    configuration = _creation(call)
    with cos.store.lock:
        if name in cos.store.index.buckets:
            raise CosError("BucketAlreadyOwnedByYou")
        cos.store.index.add_bucket(name, cos.clock.now())
        for kind, text in configuration.items():
            cos.store.configurations.put(name, kind, text, now=cos.clock.now())
    return Response(200, {"Location": f"/{name}"})


def _creation(call: Call) -> dict[str, bytes]:
    """Read what the request says of the bucket to come: region, ACL, tags, multi-AZ, OFS."""
    configuration: dict[str, bytes] = {}
    region = _REGION.search(call.request.host)
    if region:
        configuration["region"] = region[1].encode()
    headers, body = call.headers, call.request.body
    if headers.get("x-cos-acl"):
        check_canned(headers["x-cos-acl"])
        configuration["acl"] = headers["x-cos-acl"].encode()
    if headers.get("x-cos-tagging"):
        found = tags.parse_header(headers["x-cos-tagging"], tags.BUCKET_LIMIT)
        configuration["tagging"] = tags.tagging_document(found)
    if body:
        tree = parse_document(body, "CreateBucketConfiguration")
        if tree.findtext("BucketAZConfig") == "MAZ":
            configuration["az"] = b"MAZ"
        if tree.findtext("BucketArchConfig") == "OFS":
            configuration["arch"] = b"OFS"
    return configuration


def head_bucket(cos: CosState, call: Call) -> Response:
    """Tell that a bucket exists, and whether it is multi-AZ or OFS. Raises CosError NoSuchBucket."""
    cos.store.require_bucket(call.bucket)
    az = {"x-cos-bucket-az-type": "MAZ"} if cos.is_multi_az(call.bucket) else {}
    arch = {"x-cos-bucket-arch": "OFS"} if cos.store.configurations.get(call.bucket, "arch") else {}
    return Response(200, {"x-cos-bucket-region": cos.region_of(call.bucket)} | az | arch)


def delete_bucket(cos: CosState, call: Call) -> Response:
    """Delete an empty bucket. Raises CosError NoSuchBucket, BucketNotEmpty (unfinished uploads count)."""
    with cos.store.lock:
        cos.store.require_bucket(call.bucket)
        if not cos.store.index.is_empty(call.bucket):
            raise CosError("BucketNotEmpty")
        cos.store.index.remove_bucket(call.bucket)
        cos.store.configurations.forget(call.bucket)
        cos.store.files.remove_tree(call.bucket)
    return Response(204)


def get_bucket_location(cos: CosState, call: Call) -> Response:
    """GET Bucket location. Raises CosError NoSuchBucket."""
    cos.store.require_bucket(call.bucket)
    return Response(200, dict(_XML), document("LocationConstraint", cos.region_of(call.bucket)))
