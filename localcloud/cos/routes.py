"""Which handler answers which request: level, method and sub-resource.

Actions carry the names that CAM policies use: https://cloud.tencent.com/document/product/436/31923.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localcloud.cos import access, bucket_documents, buckets, multipart, multipart_listing, object_tagging, objects
from localcloud.cos.append import append_object
from localcloud.cos.copying import put_object_copy
from localcloud.cos.errors import CosError
from localcloud.cos.listing import get_bucket
from localcloud.cos.restoring import restore_object
from localcloud.cos.s3_listing import list_objects_v2
from localcloud.cos.version_listing import list_object_versions

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
    ("bucket", "GET", "list-type"): Route("ListObjectsV2", list_objects_v2),
    ("bucket", "GET", "versions"): Route("GetBucketObjectVersions", list_object_versions),
    ("bucket", "GET", "acl"): Route("GetBucketACL", access.get_bucket_acl),
    ("bucket", "PUT", "acl"): Route("PutBucketACL", access.put_bucket_acl),
    ("bucket", "GET", "location"): Route("GetBucketLocation", buckets.get_bucket_location),
    ("bucket", "GET", "versioning"): Route("GetBucketVersioning", bucket_documents.get_versioning),
    ("bucket", "GET", "uploads"): Route("ListMultipartUploads", multipart_listing.list_multipart_uploads),
    ("bucket", "POST", "delete"): Route("DeleteMultipleObjects", objects.delete_multiple_objects),
    ("object", "PUT", ""): Route("PutObject", objects.put_object),
    ("object", "PUT", "copy"): Route("PutObjectCopy", put_object_copy),
    ("object", "GET", ""): Route("GetObject", objects.get_object),
    ("object", "HEAD", ""): Route("HeadObject", objects.head_object),
    ("object", "DELETE", ""): Route("DeleteObject", objects.delete_object),
    ("object", "GET", "acl"): Route("GetObjectACL", access.get_object_acl),
    ("object", "PUT", "acl"): Route("PutObjectACL", access.put_object_acl),
    ("object", "GET", "tagging"): Route("GetObjectTagging", object_tagging.get_object_tagging),
    ("object", "PUT", "tagging"): Route("PutObjectTagging", object_tagging.put_object_tagging),
    ("object", "DELETE", "tagging"): Route("DeleteObjectTagging", object_tagging.delete_object_tagging),
    ("object", "POST", "restore"): Route("PostObjectRestore", restore_object),
    ("object", "POST", "append"): Route("AppendObject", append_object),
    ("object", "POST", "uploads"): Route("InitiateMultipartUpload", multipart.initiate_multipart_upload),
    ("object", "PUT", "uploadId"): Route("UploadPart", multipart.upload_part),
    ("object", "PUT", "uploadId+copy"): Route("UploadPartCopy", multipart.upload_part_copy),
    ("object", "GET", "uploadId"): Route("ListParts", multipart_listing.list_parts),
    ("object", "POST", "uploadId"): Route("CompleteMultipartUpload", multipart.complete_multipart_upload),
    ("object", "DELETE", "uploadId"): Route("AbortMultipartUpload", multipart.abort_multipart_upload),
}

_DOCUMENT_NAMES = {
    "tagging": "BucketTagging", "encryption": "BucketEncryption", "lifecycle": "BucketLifecycle", "cors": "BucketCORS",
    "policy": "BucketPolicy",
}  # fmt: skip
ROUTES["bucket", "PUT", "versioning"] = Route("PutBucketVersioning", bucket_documents.putter("versioning"))
for _name, _words in _DOCUMENT_NAMES.items():
    ROUTES["bucket", "GET", _name] = Route(f"Get{_words}", bucket_documents.getter(_name))
    ROUTES["bucket", "PUT", _name] = Route(f"Put{_words}", bucket_documents.putter(_name))
    ROUTES["bucket", "DELETE", _name] = Route(f"Delete{_words}", bucket_documents.deleter(_name))

_METHODS = {"GET", "PUT", "HEAD", "POST", "DELETE", "OPTIONS"}
# Parameters that may stand empty and name no sub-resource; any other that does names one we do not have.
_ORDINARY = {
    "prefix", "delimiter", "marker", "max-keys", "encoding-type", "key-marker", "upload-id-marker", "max-uploads",
    "part-number-marker", "max-parts", "region", "tagkey", "tagvalue", "create-time", "range", "partNumber", "position",
    "start-after", "continuation-token", "fetch-owner", "versionId", "version-id-marker",
}  # fmt: skip
_SUBRESOURCES = {
    "accelerate", "acl", "append", "cors", "delete", "domain", "domaincertificate", "encryption", "intelligenttiering",
    "inventory", "legal-hold", "lifecycle", "list-type", "location", "logging", "notification", "object-lock", "origin",
    "policy", "referer", "replication", "restore", "retention", "select", "tagging", "torrent", "uploadId", "uploads",
    "versioning", "versions", "website",
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
    return (
        not value
        and name not in _ORDINARY
        and not name.lower().startswith(("q-", "response-", "x-cos-", "x-amz-", "x-id"))
    )


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
