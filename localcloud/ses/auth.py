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
    from localcloud.clock import Clock
    from localcloud.credentials import Credentials
    from localcloud.exchange import Request

SERVICE = "ses"
_MUST_BE_SIGNED = {"content-type", "host"}
_LOOPBACK_LABELS = ("127", "localhost")
_cached_signing_key = lru_cache(maxsize=64)(signing.signing_key)


def verify(request: Request, *, credentials: Credentials, clock: Clock) -> None:
    """Check the signature of ``request``, then its token; raises ApiError (AuthFailure.*) if they are wrong."""
    try:
        given = signing.parse_authorization(request.headers.get("authorization", ""))
    except ValueError as error:
        raise ApiError("AuthFailure.InvalidAuthorization") from error
    timestamp = _timestamp(request)
    secret_key = credentials.lookup(given.secret_id)
    if secret_key is None:
        raise ApiError("AuthFailure.SecretIdNotFound")
    if not clock.is_within(timestamp, signing.SKEW_LIMIT_S):
        raise ApiError("AuthFailure.SignatureExpire")
    if not _is_signed_by(secret_key, given, request, timestamp):
        raise ApiError("AuthFailure.SignatureFailure")
    if not credentials.is_token_good(given.secret_id, request.headers.get("x-tc-token", "")):
        raise ApiError("AuthFailure.TokenFailure")


def _timestamp(request: Request) -> int:
    text = request.headers.get("x-tc-timestamp", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise ApiError("AuthFailure.InvalidAuthorization", "X-TC-Timestamp must be in seconds.")
    return int(text)


def _is_signed_by(secret_key: str, given: signing.Authorization, request: Request, timestamp: int) -> bool:
    date = time.strftime("%Y-%m-%d", time.gmtime(timestamp))
    names, services = _hosts(request.host)
    if given.service not in services or given.date != date or not _MUST_BE_SIGNED.issubset(given.signed_headers):
        return False
    key = _cached_signing_key(secret_key, date, given.service)
    try:
        expected = [_signature(key, given, request, host, timestamp) for host in names]
    except (KeyError, ValueError):
        # A signed header that is not there, or bytes that are no text: nobody can have signed that.
        return False
    return signing.equals_any(expected, given.signature)


def _hosts(host: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what ``host`` may have been signed as, and which service names the scope may have.

    The Node SDK signs the host without its port, and takes the endpoint's first label for the service whatever that is:
    ``127`` for one on loopback. The real endpoints have no port and begin with ``ses``, so nothing is opened there.
    """
    bare, colon, port = host.rpartition(":")
    if not (colon and port.isdigit()):
        return (host,), (SERVICE,)
    label = bare.partition(".")[0]
    return (host, bare), (SERVICE, label) if label in _LOOPBACK_LABELS else (SERVICE,)


def _signature(key: bytes, given: signing.Authorization, request: Request, host: str, timestamp: int) -> str:
    is_get = request.method == "GET"
    canonical = signing.canonical_request(
        request.method,
        {**request.headers, "host": host},
        given.signed_headers,
        b"" if is_get else request.body,
        query=request.query if is_get else "",
    )
    scope = f"{given.date}/{given.service}/tc3_request"
    return signing.signature(key, signing.string_to_sign(timestamp, scope, canonical))
