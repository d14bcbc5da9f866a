"""SSE-C: keys that the client holds. They are checked at every door an object has; bytes on disk stay readable.

Source: https://cloud.tencent.com/document/product/436/18145.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "x-cos-server-side-encryption-customer-"
SOURCE_PREFIX = "x-cos-copy-source-server-side-encryption-customer-"
_ALGORITHM, _DIGEST = f"{PREFIX}algorithm", f"{PREFIX}key-MD5"


def parse_key(headers: Mapping[str, str], prefix: str = PREFIX) -> dict[str, str]:
    """Read algorithm, key and its MD5 of a request; what an object keeps of them, empty when none was sent.

    Raises CosError InvalidArgument when they are incomplete or do not fit together.
    """
    algorithm, key, digest = (headers.get(f"{prefix}{name}", "") for name in ("algorithm", "key", "key-md5"))
    if not (algorithm or key or digest):
        return {}
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CosError("InvalidArgument", "The key of SSE-C must be base64.") from error
    if algorithm != "AES256" or len(raw) != 32:
        raise CosError("InvalidArgument", "SSE-C needs the algorithm AES256 and a key of 32 bytes.")
    if not hmac.compare_digest(base64.b64encode(hashlib.md5(raw).digest()).decode(), digest):
        raise CosError("InvalidArgument", "The MD5 of the key of SSE-C is another key's.")
    return {_ALGORITHM: algorithm, _DIGEST: digest}


def require_key(kept: Mapping[str, str], headers: Mapping[str, str], prefix: str = PREFIX) -> None:
    """Compare the key of a request with that of an object, whose headers are ``kept``.

    Raises CosError InvalidRequest when one has a key and the other has none, AccessDenied for another key.
    """
    given = parse_key(headers, prefix).get(_DIGEST)
    wanted = kept.get(_DIGEST)
    if (given is None) != (wanted is None):
        raise CosError("InvalidRequest", "The object was stored with SSE-C, or was not: the keys sent do not fit.")
    if given != wanted:
        raise CosError("AccessDenied")
