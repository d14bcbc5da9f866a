"""Signature version 4 of S3 requests, in a header or in a pre-signed query, and its verification.

    canonical_request -> string_to_sign -> signature, with signing_key(secret, date, region)

The keys are the account's own: SecretId as access key, SecretKey as secret, a token as session token; any region.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html. That COS takes it:
https://cloud.tencent.com/document/product/436/37421.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus, unquote_to_bytes

from localcloud.cos.auth import SKEW_LIMIT_S, url_encode, wire_bytes
from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.clock import Clock
    from localcloud.cos.address import Call

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_PRESIGNED_LIMIT_S = 7 * 86_400


class Authorization(NamedTuple):
    """What a client says of its signature. ``timestamp``: ``20261121T000000Z``; ``expires_s``: None in a header."""

    access_key: str
    scope: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    expires_s: int | None

    @property
    def date(self) -> str:
        """Day of the scope."""
        return self.scope.split("/")[0]


class Verified(NamedTuple):
    """A signature that held: what the signatures of a body's chunks go on from."""

    authorization: Authorization
    key: bytes


def is_presigned(call: Call) -> bool:
    """Whether the signature stands in the query."""
    return call.params.get("X-Amz-Algorithm") == ALGORITHM


def parse_authorization(call: Call) -> Authorization:
    """Read header or query. Raises CosError AccessDenied when a part of it is absent or malformed."""
    try:
        found = _from_query(call.params) if is_presigned(call) else _from_header(call.request.headers)
    except (KeyError, ValueError) as error:
        raise CosError("AccessDenied", f"The signature is not complete: {error}.") from error
    if found.scope.split("/")[2:] != ["s3", "aws4_request"] or found.date != found.timestamp[:8]:
        raise CosError("AccessDenied", "The credential must be scoped <date>/<region>/s3/aws4_request.")
    return found


def _from_header(headers: Mapping[str, str]) -> Authorization:
    parts = headers["authorization"].removeprefix(ALGORITHM).split(",")
    fields = {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in parts)}
    access_key, _, scope = fields["Credential"].partition("/")
    names = tuple(fields["SignedHeaders"].split(";"))
    return Authorization(access_key, scope, names, fields["Signature"], headers["x-amz-date"], None)


def _from_query(params: Mapping[str, str]) -> Authorization:
    access_key, _, scope = params["X-Amz-Credential"].partition("/")
    names = tuple(params["X-Amz-SignedHeaders"].split(";"))
    expires_s = int(params["X-Amz-Expires"])
    if not 0 < expires_s <= _PRESIGNED_LIMIT_S:
        raise ValueError("X-Amz-Expires must be from 1 to 604800")
    return Authorization(access_key, scope, names, params["X-Amz-Signature"], params["X-Amz-Date"], expires_s)


def verify(call: Call, keys: Mapping[str, str], clock: Clock) -> Verified:
    """Let the request pass or refuse it; the body is not looked at (s3_payload).

    Raises CosError AccessDenied, InvalidAccessKeyId, RequestTimeTooSkewed, SignatureDoesNotMatch.
    """
    given = parse_authorization(call)
    if given.access_key not in keys:
        raise CosError("InvalidAccessKeyId")
    _check_time(given, clock)
    key = signing_key(keys[given.access_key], given.scope)
    request = canonical_request(call, given)
    if not hmac.compare_digest(signature(key, string_to_sign(given, request)), given.signature):
        raise CosError("SignatureDoesNotMatch", details={"CanonicalRequest": request})
    return Verified(given, key)


def payload_hash(call: Call) -> str:
    """Return what the request says of its body: a hex digest, UNSIGNED-PAYLOAD or a STREAMING- name."""
    return call.request.headers.get("x-amz-content-sha256", UNSIGNED)


def canonical_request(call: Call, given: Authorization) -> str:
    """Build the canonical request. Raises CosError SignatureDoesNotMatch when a signed header was not sent."""
    request = call.request
    headers = {**request.headers, "host": request.host}
    try:
        listed = "".join(f"{name}:{_value(headers[name])}\n" for name in given.signed_headers)
    except KeyError as error:
        raise CosError("SignatureDoesNotMatch", f"The signed header {error} was not sent.") from error
    path = "/".join(url_encode(segment) for segment in unquote_to_bytes(request.path or "/").split(b"/"))
    names = ";".join(given.signed_headers)
    return "\n".join((request.method, path, _canonical_query(request.query), listed, names, payload_hash(call)))


def string_to_sign(given: Authorization, request: str) -> str:
    """Build the string to sign of a canonical request."""
    digest = hashlib.sha256(request.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{given.timestamp}\n{given.scope}\n{digest}"


def signing_key(secret: str, scope: str) -> bytes:
    """Derive the key of a day, region and service. ``scope``: ``<date>/<region>/<service>/aws4_request``."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def signature(key: bytes, to_sign: str) -> str:
    """Lower-case hex signature."""
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def _value(value: str) -> str:
    return " ".join(wire_bytes(value).decode("utf-8", "surrogateescape").split())


def _canonical_query(raw: str) -> str:
    pairs = []
    for part in filter(None, raw.split("&")):
        name, _, value = (unquote_plus(text, errors="surrogateescape") for text in part.partition("="))
        if name != "X-Amz-Signature":
            pairs.append((url_encode(name), url_encode(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _check_time(given: Authorization, clock: Clock) -> None:
    try:
        moment = datetime.strptime(given.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError as error:
        raise CosError("AccessDenied", "X-Amz-Date must look like 20261121T000000Z.") from error
    if given.expires_s is None:
        if not clock.is_within(moment, SKEW_LIMIT_S):
            raise CosError("RequestTimeTooSkewed")
        return
    simulated = clock.now()
    times = (simulated, simulated - clock.offset_s)
    if all(now < moment - SKEW_LIMIT_S for now in times):
        raise CosError("RequestTimeTooSkewed")
    if not any(moment - SKEW_LIMIT_S <= now <= moment + given.expires_s for now in times):
        raise CosError("AccessDenied", "Request has expired")
