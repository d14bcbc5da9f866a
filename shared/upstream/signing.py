"""Signatures, as pure functions: bytes in, text out, time passed in.

TC3-HMAC-SHA256 (Tencent Cloud API 3.0) is a chain of small steps under the vendor's own names:

    canonical_request -> string_to_sign -> signing_key -> signature -> authorization header

Source: https://www.tencentcloud.com/document/api/1084/39391 (signature v3);
vectors for every stage: tests/vectors/tc3/.

SendCloud signs its webhooks with HMAC-SHA256 over timestamp and token only;
our own callback token binds a mail's reference, recipients and metadata.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ALGORITHM = "TC3-HMAC-SHA256"
SKEW_LIMIT_S = 300
"""Seconds between X-TC-Timestamp and the server's clock above which AuthFailure.SignatureExpire is answered."""


class Credential(NamedTuple):
    """A key pair, with the session token when it is a role's temporary one."""

    secret_id: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        """Name the key, never show it."""
        return f"Credential({self.secret_id[:8]}…)"


class Authorization(NamedTuple):
    """The parsed parts of a TC3 ``Authorization`` header."""

    secret_id: str
    date: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def sha256_hex(data: bytes) -> str:
    """Lower-case hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def hmac_sha256(key: bytes, message: str) -> bytes:
    """Raw HMAC-SHA256 of the UTF-8 bytes of ``message``."""
    return hmac.digest(key, message.encode(), "sha256")


def canonical_query(params: Iterable[tuple[str, str]]) -> str:
    """RFC 3986 encoding (upper-case hex, space as %20), sorted by name, for GET requests. Empty for POST."""
    return "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(params))


def canonical_headers(headers: Mapping[str, str], signed_headers: Sequence[str]) -> str:
    """``name:value`` lines, names and values trimmed and lower-cased, in the order of ``signed_headers``.

    ``headers``: names in any case. Raises KeyError when a signed header is absent.
    """
    present = {name.strip().lower(): value.strip().lower() for name, value in headers.items()}
    return "".join(f"{name}:{present[name]}\n" for name in signed_headers)


def canonical_request(
    method: str, headers: Mapping[str, str], signed_headers: Sequence[str], body: bytes, *, query: str = ""
) -> str:
    """Build the CanonicalRequest; the URI of API 3.0 is always ``/``.

    ``query``: what ``canonical_query`` returned for a GET, empty for a POST.
    A request with ``X-TC-Content-SHA256: UNSIGNED-PAYLOAD`` signs that literal instead of its body.
    """
    unsigned = any(k.lower() == "x-tc-content-sha256" and v.strip() == "UNSIGNED-PAYLOAD" for k, v in headers.items())
    payload_hash = sha256_hex(b"UNSIGNED-PAYLOAD" if unsigned else body)
    lines = (method, "/", query, canonical_headers(headers, signed_headers), ";".join(signed_headers), payload_hash)
    return "\n".join(lines)


def credential_scope(timestamp: int, service: str) -> str:
    """``Date/service/tc3_request``; the date is the UTC date of ``timestamp`` (seconds).

    Raises ValueError if ``timestamp`` looks like milliseconds.
    """
    if timestamp > 10**11:
        raise ValueError(f"timestamp must be in seconds, got {timestamp}")
    return f"{time.strftime('%Y-%m-%d', time.gmtime(timestamp))}/{service}/tc3_request"


def string_to_sign(timestamp: int, scope: str, canonical: str) -> str:
    """Build the StringToSign from the scope and the hash of the canonical request."""
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{sha256_hex(canonical.encode())}"


def signing_key(secret_key: str, date: str, service: str) -> bytes:
    """Derive kSigning: ``TC3<key>`` -> date -> service -> ``tc3_request``."""
    k_date = hmac_sha256(f"TC3{secret_key}".encode(), date)
    k_service = hmac_sha256(k_date, service)
    return hmac_sha256(k_service, "tc3_request")


def signature(key: bytes, to_sign: str) -> str:
    """Lower-case hex signature."""
    return hmac_sha256(key, to_sign).hex()


def sign_tc3(
    credential: Credential,
    headers: Mapping[str, str],
    body: bytes,
    *,
    service: str,
    timestamp: int,
    signed_headers: Sequence[str] = ("content-type", "host"),
    method: str = "POST",
    query: str = "",
) -> str:
    """Return the ``Authorization`` header that API 3.0 expects.

    ``headers``: at least every one named in ``signed_headers``; ``content-type`` and ``host`` must be signed.
    ``body``: the very bytes that are sent; encode once, sign, send.
    ``timestamp``: seconds since the epoch, UTC; also goes out as ``X-TC-Timestamp``. Take it per attempt.

    Raises ValueError for a millisecond timestamp, KeyError for a signed header that is absent.
    Source: https://www.tencentcloud.com/document/api/1084/39391.
    """
    names = tuple(sorted(name.lower() for name in signed_headers))
    scope = credential_scope(timestamp, service)
    to_sign = string_to_sign(timestamp, scope, canonical_request(method, headers, names, body, query=query))
    key = signing_key(credential.secret_key, scope[:10], service)
    return (
        f"{ALGORITHM} Credential={credential.secret_id}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature(key, to_sign)}"
    )


def parse_authorization(header: str) -> Authorization:
    """Take a TC3 ``Authorization`` header apart.

    Raises ValueError when it is not well formed (the cloud answers AuthFailure.InvalidAuthorization).
    """
    algorithm, _, rest = header.strip().partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    scope = fields.get("Credential", "").split("/")
    if algorithm != ALGORITHM or len(scope) != 4 or scope[3] != "tc3_request":
        raise ValueError("not a TC3-HMAC-SHA256 authorization")
    names = tuple(fields.get("SignedHeaders", "").split(";"))
    if not scope[0] or not all(names) or not fields.get("Signature"):
        raise ValueError("Credential, SignedHeaders or Signature is missing")
    return Authorization(scope[0], scope[1], scope[2], names, fields["Signature"])


def sendcloud_signature(app_key: str, timestamp: str, token: str) -> str:
    """Hex HMAC-SHA256 with the APP KEY over timestamp + token, both exactly as received.

    It covers neither the event nor the body; who relies on it keeps a window and remembers tokens.
    Source: https://www.sendcloud.net/doc/en_US/email_v2/webhook/.
    """
    return hmac.digest(app_key.encode(), _bytes(timestamp + token), "sha256").hex()


def verify_sendcloud(app_keys: Iterable[str], timestamp: str, token: str, given: str) -> bool:
    """Tell whether ``given`` is the signature under any live APP KEY; looks at all of them, in constant time."""
    return equals_any((sendcloud_signature(key, timestamp, token) for key in app_keys), given.lower())


def equals_any(candidates: Iterable[str], given: str) -> bool:
    """Constant-time comparison against every live secret (rotation keeps two or more)."""
    found = False
    for candidate in candidates:
        # No early exit: the time taken tells nothing about which secret matched.
        found |= hmac.compare_digest(_bytes(candidate), _bytes(given))
    return found


def _bytes(text: str) -> bytes:
    # What a stranger sends may hold half a surrogate pair, which has no UTF-8; it must compare unequal, not raise.
    return text.encode("utf-8", "surrogatepass")


MARK_BYTES = 4
"""Bytes kept of a recipient's hash in a callback token: 90 recipients must fit a header line of 998 octets."""


class CallbackToken(NamedTuple):
    """What travels in ``X-Tencentcloudses-Cb-Custom`` and comes back with every event of the mail."""

    reference: str
    recipients: frozenset[bytes]
    metadata: dict[str, str]

    def covers(self, recipient: str) -> bool:
        """Whether the mail that carried this token went to ``recipient``."""
        return _recipient_mark(recipient) in self.recipients


# json.dumps with options makes an encoder at each call.
_to_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def build_callback_token(
    key: str, reference: str, recipients: Iterable[str], metadata: Mapping[str, str] | None = None
) -> str:
    """Build ``<JSON of reference and metadata>.<recipient marks>.<HMAC of both>``, each part base64url.

    The recipients are 32-bit marks, not addresses: the header may reach people in copy.
    The metadata is readable by whoever sees the header; it is authenticated, not secret.
    """
    content = {"r": reference, "m": dict(metadata or {})}
    text = _to_text(content)
    marks = b"".join(sorted(_recipient_mark(address) for address in recipients))
    signed = f"{_base64url(_bytes(text))}.{_base64url(marks)}"
    return f"{signed}.{_token_mac(key, signed)}"


def parse_callback_token(keys: Iterable[str], token: str) -> CallbackToken:
    """Verify under any live key, then parse. Raises ValueError with one message for every failure."""
    signed, _, mac = token.rpartition(".")
    if not equals_any((_token_mac(key, signed) for key in keys), mac):
        raise ValueError("not a token of ours")
    content, marks = (_from_base64url(part) for part in signed.split("."))
    fields = json.loads(content)
    pieces = (marks[i : i + MARK_BYTES] for i in range(0, len(marks), MARK_BYTES))
    return CallbackToken(fields["r"], frozenset(pieces), fields["m"])


def callback_reference(token: str) -> str:
    """Return the reference in a token, unverified; empty when it has none. For what was verified when it came."""
    try:
        reference = json.loads(_from_base64url(token.partition(".")[0]))["r"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return reference if isinstance(reference, str) else ""


def is_callback_token(text: str) -> bool:
    """Whether ``text`` has the shape of a token, whoever signed it, or begins as ours do, however it goes on."""
    return text.startswith(_TOKEN_START) or _TOKEN_SHAPE.fullmatch(text) is not None


_TOKEN_START = "eyJtIjp7"  # noqa: S105 - base64 of {"m":{
_TOKEN_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{24}")


def _recipient_mark(address: str) -> bytes:
    return hashlib.sha256(_bytes(address.strip().lower())).digest()[:MARK_BYTES]


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _token_mac(key: str, signed: str) -> str:
    digest = hmac.digest(key.encode(), _bytes(f"mailtrail-callback\n{signed}"), "sha256")
    return base64.urlsafe_b64encode(digest[:18]).decode()
