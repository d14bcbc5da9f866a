"""GET Service and the bucket operations.

Sources: https://cloud.tencent.com/document/product/436/8291 (GET Service), /7738 (PUT Bucket), /7735 (HEAD), /7732
(DELETE), /8275 (location), /19888 (versioning), /7733 (acl).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.cos.documents import document, element, group, iso_time
from localcloud.cos.errors import CosError
from localcloud.cos.listing import parse_limit
from localcloud.cos.objects import acl_document
from localcloud.exchange import Response

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState

_XML = {"Content-Type": "application/xml"}
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9]+")
_NAME_LIMIT = 60
_SERVICE_PAGE = 2000


def get_service(cos: CosState, call: Call) -> Response:
    """List the account's buckets; ``marker`` is exclusive, ``region`` filters."""
    params = call.params
    max_keys = parse_limit(params, "max-keys", _SERVICE_PAGE)
    elsewhere = params.get("region", cos.region) not in ("", cos.region)
    found = [] if elsewhere else [item for item in cos.store.iter_buckets() if item[0] > params.get("marker", "")]
    page = found[:max_keys]
    truncated = len(found) > len(page) > 0
    buckets = [
        group(
            "Bucket",
            element("Name", name),
            element("Location", cos.region),
            element("CreationDate", iso_time(created_at)),
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


def put_bucket(cos: CosState, call: Call) -> Response:
    """Create a bucket. Raises CosError InvalidBucketName, BucketAlreadyOwnedByYou.

    A name must end with the account's app id: https://cloud.tencent.com/document/product/436/13312.
    """
    name = call.bucket
    if not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT or not name.endswith(f"-{cos.app_id}"):
        raise CosError("InvalidBucketName")
    with cos.store.lock:
        if name in cos.store.index.buckets:
            raise CosError("BucketAlreadyOwnedByYou")
        cos.store.index.add_bucket(name, cos.clock.now())
    return Response(200)


def head_bucket(cos: CosState, call: Call) -> Response:
    """Tell that a bucket exists, and whether it is multi-AZ. Raises CosError NoSuchBucket."""
    cos.store.require_bucket(call.bucket)
    return Response(
        200, {"x-cos-bucket-region": cos.region} | ({"x-cos-bucket-az-type": "MAZ"} if cos.multi_az else {})
    )


def delete_bucket(cos: CosState, call: Call) -> Response:
    """Delete an empty bucket. Raises CosError NoSuchBucket, BucketNotEmpty (unfinished uploads count)."""
    with cos.store.lock:
        cos.store.require_bucket(call.bucket)
        if not cos.store.index.is_empty(call.bucket):
            raise CosError("BucketNotEmpty")
        cos.store.index.remove_bucket(call.bucket)
        cos.store.files.remove_tree(call.bucket)
    return Response(204)


def get_bucket_acl(cos: CosState, call: Call) -> Response:
    """GET Bucket acl: private. Raises CosError NoSuchBucket."""
    cos.store.require_bucket(call.bucket)
    return Response(200, dict(_XML), acl_document(cos))


def get_bucket_location(cos: CosState, call: Call) -> Response:
    """GET Bucket location. Raises CosError NoSuchBucket."""
    cos.store.require_bucket(call.bucket)
    return Response(200, dict(_XML), document("LocationConstraint", cos.region))


def get_bucket_versioning(cos: CosState, call: Call) -> Response:
    """GET Bucket versioning: no Status at all when it was never enabled. Raises CosError NoSuchBucket."""
    cos.store.require_bucket(call.bucket)
    status = [element("Status", "Enabled")] if cos.versioned else []
    return Response(200, dict(_XML), document("VersioningConfiguration", *status))
