"""What every write looks at before it writes: the key, the digest, the length, and what the object will keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.cos import customer_keys, tags
from localcloud.cos.access import check_canned
from localcloud.cos.integrity import check_content_md5, check_length
from localcloud.cos.metadata import ACL, TAGS, check_key, kept_headers

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState

_ENCRYPTION = "x-cos-server-side-encryption"


def check_upload(cos: CosState, call: Call) -> None:
    """Refuse a body that did not arrive whole, and a bucket that is not there.

    Raises CosError KeyTooLong, IncompleteBody, BadDigest, InvalidDigest, NoSuchBucket.
    """
    check_key(call.key)
    check_length(call.headers, call.request.body)
    check_content_md5(call.headers, call.request.body)
    cos.store.require_bucket(call.bucket)


def headers_to_keep(cos: CosState, call: Call) -> dict[str, str]:
    """Headers, tags, ACL and encryption of the object that ``call`` writes; the bucket's encryption by default.

    Raises CosError InvalidArgument, InvalidTag.
    """
    headers = call.headers
    kept = kept_headers(headers) | customer_keys.parse_key(headers)
    if TAGS in kept:
        kept[TAGS] = tags.header_text(tags.parse_header(kept[TAGS]))
    if ACL in kept:
        check_canned(kept[ACL])
    default = cos.store.configurations.get(call.bucket, "encryption")
    if default and not any(name.startswith(_ENCRYPTION) for name in kept):
        kept[_ENCRYPTION] = default.document.decode()
    return {name: value for name, value in kept.items() if value}
