"""TC3-HMAC-SHA256 from the server's side: who may call. Answers the vendor's code for each way to get it wrong.

Source: https://www.tencentcloud.com/document/api/1084/39391.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

from localcloud.ses.errors import ApiError
from shared.upstream import signing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.clock import Clock
    from localcloud.exchange import Request

SERVICE = "ses"
_MUST_BE_SIGNED = {"content-type", "host"}
_cached_signing_key = lru_cache(maxsize=64)(signing.signing_key)


def verify(request: Request, *, keys: Mapping[str, str], tokens: Mapping[str, float], clock: Clock) -> None:
    """Check the signature of ``request``; raises ApiError (AuthFailure.*) and returns nothing otherwise.

    ``keys``: SecretId → SecretKey. ``tokens``: X-TC-Token → when it expires (simulated epoch seconds); tokens that
    are not listed are accepted, so that a test need only name those that must fail.
    """
    try:
        given = signing.parse_authorization(request.headers.get("authorization", ""))
    except ValueError as error:
        raise ApiError("AuthFailure.InvalidAuthorization") from error
    timestamp = _timestamp(request)
    secret_key = keys.get(given.secret_id)
    if secret_key is None:
        raise ApiError("AuthFailure.SecretIdNotFound")
    if not clock.is_within(timestamp, signing.SKEW_LIMIT_S):
        raise ApiError("AuthFailure.SignatureExpire")
    if not _is_signed_by(secret_key, given, request, timestamp):
        raise ApiError("AuthFailure.SignatureFailure")
    expires_at = tokens.get(request.headers.get("x-tc-token", ""))
    if expires_at is not None and expires_at <= clock.now():
        raise ApiError("AuthFailure.TokenFailure")


def _timestamp(request: Request) -> int:
    text = request.headers.get("x-tc-timestamp", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise ApiError("AuthFailure.InvalidAuthorization", "X-TC-Timestamp must be in seconds.")
    return int(text)


def _is_signed_by(secret_key: str, given: signing.Authorization, request: Request, timestamp: int) -> bool:
    date = time.strftime("%Y-%m-%d", time.gmtime(timestamp))
    if given.service != SERVICE or given.date != date or not _MUST_BE_SIGNED.issubset(given.signed_headers):
        return False
    is_get = request.method == "GET"
    headers = {**request.headers, "host": request.host}
    try:
        canonical = signing.canonical_request(
            request.method,
            headers,
            given.signed_headers,
            b"" if is_get else request.body,
            query=request.query if is_get else "",
        )
        to_sign = signing.string_to_sign(timestamp, f"{date}/{SERVICE}/tc3_request", canonical)
        expected = signing.signature(_cached_signing_key(secret_key, date, SERVICE), to_sign)
        return signing.equals_any([expected], given.signature)
    except (KeyError, ValueError):
        # A signed header that is not there, or bytes that are no text: nobody can have signed that.
        return False
