"""Security tokens: what must come with every request that a temporary key has signed.

Source: https://cloud.tencent.com/document/product/436/7730 (ExpiredToken). In S3's dialect the header is
``x-amz-security-token``, which has become ``x-cos-security-token`` before a request is performed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cos.address import Call
    from localcloud.credentials import Credentials

TOKEN = "x-cos-security-token"  # noqa: S105 - the name of a header
_SIGNER = re.compile(r"(?:q-ak=|Credential=)([^&/,\s]+)")


class IssuedKeys(Mapping[str, str]):
    """SecretId → SecretKey of whoever has ever been known, so that an expired key is told from a stranger's."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __getitem__(self, secret_id: str) -> str:
        secret_key = self._credentials.lookup(secret_id)
        if secret_key is None:
            raise KeyError(secret_id)
        return secret_key

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError("temporary keys are not listed")

    def __len__(self) -> int:
        raise NotImplementedError("temporary keys are not counted")


def check_token(call: Call, credentials: Credentials) -> None:
    """Refuse a temporary key without its token, or after its time. Call when the signature has been verified.

    Raises CosError ExpiredToken, AccessDenied.
    """
    secret_id = _signer_of(call)
    token = call.request.headers.get(TOKEN) or call.params.get(TOKEN) or call.params.get("X-Amz-Security-Token", "")
    if secret_id and not credentials.is_token_good(secret_id, token):
        raise CosError("ExpiredToken" if credentials.has_expired(secret_id) else "AccessDenied")


def _signer_of(call: Call) -> str:
    """Return the SecretId that signed, in either dialect, in header or query; empty when nobody did."""
    found = _SIGNER.search(call.request.headers.get("authorization", ""))
    if found:
        return found[1]
    return call.params.get("q-ak") or call.params.get("X-Amz-Credential", "").partition("/")[0]
