"""Configurations of a bucket: versioning, tags, encryption, lifecycle, and those that are kept but not acted on.

Acted on: versioning, tagging (GET Service filters by it), encryption (the default of every write), lifecycle
(localcloud.cos.expiry). Kept and answered only: CORS, because no browser comes here, and policy, because there is
one account and nobody to let in.

Sources: https://cloud.tencent.com/document/product/436/19889 (versioning), /34838 (tagging), /41902 (encryption),
/8280 (lifecycle), /8279 (CORS), /8282 (policy).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from localcloud.cos import tags
from localcloud.cos.documents import document, element, group, parse_document
from localcloud.cos.errors import CosError
from localcloud.cos.expiry import parse_rules
from localcloud.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState

    Handler = Callable[[CosState, Call], Response]


class Kind(NamedTuple):
    """One sub-resource. ``keep``: what is kept of a body; ``show``: what GET answers; ``absent``: its error code."""

    keep: Callable[[bytes], bytes]
    show: Callable[[bytes], bytes]
    absent: str
    put_status: int = 200
    content_type: str = "application/xml"


def _same(body: bytes) -> bytes:
    return body


def _keep_versioning(body: bytes) -> bytes:
    status = (parse_document(body, "VersioningConfiguration").findtext("Status") or "").strip()
    if status not in ("Enabled", "Suspended"):
        raise CosError("MalformedXML")
    return status.encode()


def _keep_encryption(body: bytes) -> bytes:
    tree = parse_document(body, "ServerSideEncryptionConfiguration")
    # The SDK's own documentation spells the element between Rule and SSEAlgorithm in two ways.
    algorithm = next((node.text for node in tree.iter("SSEAlgorithm")), "")
    if algorithm not in ("AES256", "KMS", "cos/kms"):
        raise CosError("InvalidArgument", "SSEAlgorithm must be AES256 or KMS.")
    return algorithm.replace("KMS", "cos/kms").encode() if algorithm == "KMS" else algorithm.encode()


def _show_encryption(kept: bytes) -> bytes:
    by_default = group("ApplyServerSideEncryptionByDefault", element("SSEAlgorithm", kept.decode()))
    return document("ServerSideEncryptionConfiguration", group("Rule", by_default))


def _keep_tagging(body: bytes) -> bytes:
    return tags.tagging_document(tags.parse_tagging(body, tags.BUCKET_LIMIT))


def _keep_lifecycle(body: bytes) -> bytes:
    parse_rules(body)
    return body


def _keep_cors(body: bytes) -> bytes:
    tree = parse_document(body, "CORSConfiguration")
    rules = tree.findall("CORSRule")
    if not 1 <= len(rules) <= 100:
        raise CosError("MalformedXML")
    if not all(rule.findtext("AllowedOrigin") and rule.findtext("AllowedMethod") for rule in rules):
        raise CosError("MalformedXML")
    return body


def _keep_policy(body: bytes) -> bytes:
    try:
        policy = json.loads(body)
    except ValueError as error:
        raise CosError("MalformedPolicy") from error
    if not isinstance(policy, dict) or not (policy.get("Statement") or policy.get("statement")):
        raise CosError("MalformedPolicy")
    return body


KINDS = {
    "versioning": Kind(_keep_versioning, _same, ""),
    "tagging": Kind(_keep_tagging, _same, "NoSuchTagSet", put_status=204),
    "encryption": Kind(_keep_encryption, _show_encryption, "NoSuchEncryptionConfiguration"),
    "lifecycle": Kind(_keep_lifecycle, _same, "NoSuchLifecycleConfiguration"),
    "cors": Kind(_keep_cors, _same, "NoSuchCORSConfiguration"),
    "policy": Kind(_keep_policy, _same, "NoSuchBucketPolicy", put_status=204, content_type="application/json"),
}


def get_versioning(cos: CosState, call: Call) -> Response:
    """GET Bucket versioning: no Status at all when it was never enabled. Raises CosError NoSuchBucket."""
    cos.store.require_bucket(call.bucket)
    status = cos.versioning_of(call.bucket)
    shown = [element("Status", status)] if status else []
    return Response(200, {"Content-Type": "application/xml"}, document("VersioningConfiguration", *shown))


def getter(name: str) -> Handler:
    """Make the handler of GET; it raises CosError NoSuchBucket and the kind's own code for none."""
    kind = KINDS[name]

    def get(cos: CosState, call: Call) -> Response:
        """GET."""
        cos.store.require_bucket(call.bucket)
        kept = cos.store.configurations.get(call.bucket, name)
        if kept is None:
            raise CosError(kind.absent)
        return Response(200, {"Content-Type": kind.content_type}, kind.show(kept.document))

    return get


def putter(name: str) -> Handler:
    """Make the handler of PUT; it raises CosError NoSuchBucket and what ``keep`` raises."""
    kind = KINDS[name]

    def put(cos: CosState, call: Call) -> Response:
        """PUT."""
        document_kept = kind.keep(call.request.body)
        with cos.store.lock:
            cos.store.require_bucket(call.bucket)
            cos.store.configurations.put(call.bucket, name, document_kept, now=cos.clock.now())
        return Response(kind.put_status)

    return put


def deleter(name: str) -> Handler:
    """Make the handler of DELETE; none is no error. It raises CosError NoSuchBucket."""

    def delete(cos: CosState, call: Call) -> Response:
        """DELETE."""
        with cos.store.lock:
            cos.store.require_bucket(call.bucket)
            cos.store.configurations.delete(call.bucket, name)
        return Response(204)

    return delete
