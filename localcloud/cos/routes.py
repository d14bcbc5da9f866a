"""Which handler answers which request: level, method and sub-resource.

Actions carry the names that CAM policies use: https://cloud.tencent.com/document/product/436/31923.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localcloud.cos import buckets, multipart, multipart_listing, objects
from localcloud.cos.append import append_object
from localcloud.cos.copying import put_object_copy
from localcloud.cos.errors import CosError
from localcloud.cos.listing import get_bucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState
    from localcloud.exchange import Response


class Route(NamedTuple):
    """An action and what performs it."""

    action: str
    handler: Callable[[CosState, Call], Response]


ROUTES: dict[tuple[str, str, str], Route] = {
    ("service", "GET", ""): Route("GetService", buckets.get_service),
    ("bucket", "GET", ""): Route("GetBucket", get_bucket),
    ("bucket", "PUT", ""): Route("PutBucket", buckets.put_bucket),
    ("bucket", "HEAD", ""): Route("HeadBucket", buckets.head_bucket),
    ("bucket", "DELETE", ""): Route("DeleteBucket", buckets.delete_bucket),
    ("bucket", "GET", "acl"): Route("GetBucketACL", buckets.get_bucket_acl),
    ("bucket", "GET", "location"): Route("GetBucketLocation", buckets.get_bucket_location),
    ("bucket", "GET", "versioning"): Route("GetBucketVersioning", buckets.get_bucket_versioning),
    ("bucket", "GET", "uploads"): Route("ListMultipartUploads", multipart_listing.list_multipart_uploads),
    ("bucket", "POST", "delete"): Route("DeleteMultipleObjects", objects.delete_multiple_objects),
    ("object", "PUT", ""): Route("PutObject", objects.put_object),
    ("object", "PUT", "copy"): Route("PutObjectCopy", put_object_copy),
    ("object", "GET", ""): Route("GetObject", objects.get_object),
    ("object", "HEAD", ""): Route("HeadObject", objects.head_object),
    ("object", "DELETE", ""): Route("DeleteObject", objects.delete_object),
    ("object", "GET", "acl"): Route("GetObjectACL", objects.get_object_acl),
    ("object", "POST", "append"): Route("AppendObject", append_object),
    ("object", "POST", "uploads"): Route("InitiateMultipartUpload", multipart.initiate_multipart_upload),
    ("object", "PUT", "uploadId"): Route("UploadPart", multipart.upload_part),
    ("object", "PUT", "uploadId+copy"): Route("UploadPartCopy", multipart.upload_part_copy),
    ("object", "GET", "uploadId"): Route("ListParts", multipart_listing.list_parts),
    ("object", "POST", "uploadId"): Route("CompleteMultipartUpload", multipart.complete_multipart_upload),
    ("object", "DELETE", "uploadId"): Route("AbortMultipartUpload", multipart.abort_multipart_upload),
}

_METHODS = {"GET", "PUT", "HEAD", "POST", "DELETE", "OPTIONS"}
# Parameters that may stand empty and name no sub-resource; any other that does names one we do not have.
_ORDINARY = {
    "prefix", "delimiter", "marker", "max-keys", "encoding-type", "key-marker", "upload-id-marker", "max-uploads",
    "part-number-marker", "max-parts", "region", "tagkey", "tagvalue", "create-time", "range", "partNumber", "position",
}  # fmt: skip
_SUBRESOURCES = {
    "accelerate", "acl", "append", "cors", "delete", "domain", "domaincertificate", "encryption", "intelligenttiering",
    "inventory", "legal-hold", "lifecycle", "list-type", "location", "logging", "notification", "object-lock", "origin",
    "policy", "referer", "replication", "restore", "retention", "select", "tagging", "torrent", "uploadId", "uploads",
    "versionId", "versioning", "versions", "website",
}  # fmt: skip


def subresource_of(call: Call) -> str:
    """Name the sub-resource of a request; empty when it is about the bucket or object itself."""
    found = next((name for name in call.params if _is_subresource(name, call.params[name])), "")
    if call.request.method == "PUT" and call.key and call.headers.get("x-cos-copy-source"):
        return f"{found}+copy" if found else "copy"
    return found


def _is_subresource(name: str, value: str) -> bool:
    if name in _SUBRESOURCES:
        return True
    return not value and name not in _ORDINARY and not name.startswith(("q-", "response-", "x-cos-"))


def route_for(call: Call) -> Route:
    """Find the handler. Raises CosError NotImplemented for what COS has and we have not, MethodNotAllowed otherwise."""
    level = "object" if call.key else "bucket" if call.bucket else "service"
    subresource = subresource_of(call)
    route = ROUTES.get((level, call.request.method, subresource))
    if route:
        return route
    if call.request.method in _METHODS and (subresource or call.request.method == "POST"):
        raise CosError("NotImplemented", f"{call.request.method} {level} {subresource} is not implemented.")
    raise CosError("MethodNotAllowed")
