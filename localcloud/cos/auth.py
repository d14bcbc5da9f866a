"""The signature of COS requests, as a chain of small steps under the vendor's own names, and its verification.

    sign_key -> http_string -> string_to_sign -> signature

The ``q-*`` fields stand in the ``Authorization`` header or, in a pre-signed URL, in the query. Any header or parameter
may be listed; what is listed is verified, whatever it is.

Source: https://cloud.tencent.com/document/product/436/7778; vectors for every stage: tests/vectors/cos/.
"""

from __future__ import annotations

import hashlib
import hmac
from itertools import product
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from localcloud.clock import Clock
    from localcloud.cos.address import Call

SKEW_LIMIT_S = 900
"""Seconds a signature may begin in the future before RequestTimeTooSkewed is answered."""


class Authorization(NamedTuple):
    """The ``q-*`` fields. ``sign_time`` and ``key_time``: ``start;end`` in seconds since the epoch."""

    algorithm: str
    secret_id: str
    sign_time: str
    key_time: str
    header_list: tuple[str, ...]
    param_list: tuple[str, ...]
    signature: str


def url_encode(value: str | bytes) -> str:
    """Percent-encode all but ``A-Za-z0-9-_.~``, upper-case hex. ``value``: text with surrogateescape, or bytes."""
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return quote(data, safe="-_.~")


def sign_key(secret_key: str, key_time: str) -> str:
    """Derive SignKey; its lower-case hex text is the next key."""
    return hmac.new(secret_key.encode(), key_time.encode(), hashlib.sha1).hexdigest()


def canonical_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """HttpParameters or HttpHeaders: ``k=v`` sorted by name. ``pairs``: encoded already, names in lower case."""
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def http_string(
    method: str, path: bytes, params: Iterable[tuple[str, str]], headers: Iterable[tuple[str, str]]
) -> bytes:
    """Build HttpString. ``path``: UriPathname, decoded. The other two as for ``canonical_pairs``."""
    lines = (method.lower().encode(), path, canonical_pairs(params).encode(), canonical_pairs(headers).encode(), b"")
    return b"\n".join(lines)


def string_to_sign(sign_time: str, http: bytes) -> str:
    """Build StringToSign from the window and HttpString."""
    return f"sha1\n{sign_time}\n{hashlib.sha1(http).hexdigest()}\n"


def signature(key: str, to_sign: str) -> str:
    """Lower-case hex signature. ``key``: SignKey."""
    return hmac.new(key.encode(), to_sign.encode(), hashlib.sha1).hexdigest()


def parse_authorization(fields: Mapping[str, str]) -> Authorization:
    """Read the ``q-*`` fields of a header or a query. Raises CosError AccessDenied when one is absent."""
    try:
        return Authorization(
            fields["q-sign-algorithm"],
            fields["q-ak"],
            fields["q-sign-time"],
            fields["q-key-time"],
            _names(fields["q-header-list"]),
            _names(fields["q-url-param-list"]),
            fields["q-signature"],
        )
    except KeyError as error:
        raise CosError("AccessDenied", f"Authorization lacks {error.args[0]}.") from error


def find_authorization(call: Call) -> Authorization:
    """Take the signature from the header or else from the query.

    Raises CosError AccessDenied when there is none, NotImplemented for S3's version 2 (version 4: s3_signature).
    """
    header = call.request.headers.get("authorization", "").strip()
    if header.startswith("AWS"):
        raise CosError("NotImplemented", "Of the S3 signatures only version 4 (AWS4-HMAC-SHA256) is implemented.")
    if header:
        return parse_authorization(dict(part.partition("=")[::2] for part in header.split("&")))
    if "q-sign-algorithm" in call.params:
        return parse_authorization(call.params)
    raise CosError("AccessDenied")


def is_signed(call: Call) -> bool:
    """Whether a request carries any signature."""
    return bool(call.request.headers.get("authorization")) or "q-sign-algorithm" in call.params


def verify(call: Call, keys: Mapping[str, str], clock: Clock) -> None:
    """Let the request pass or refuse it. ``keys``: secret id -> secret key; security tokens are accepted unread.

    Raises CosError AccessDenied, InvalidAccessKeyId, RequestTimeTooSkewed or SignatureDoesNotMatch; the last carries
    StringToSign and FormatString as the real service shows them.
    """
    given = find_authorization(call)
    if given.algorithm != "sha1":
        raise CosError("AccessDenied", "q-sign-algorithm must be sha1.")
    if given.secret_id not in keys:
        raise CosError("InvalidAccessKeyId")
    for window in {given.sign_time, given.key_time}:
        check_window(window, clock)
    key = sign_key(keys[given.secret_id], given.key_time)
    candidates = list(_iter_http_strings(call, given))
    for http in candidates:
        if hmac.compare_digest(signature(key, string_to_sign(given.sign_time, http)), given.signature):
            return
    shown = candidates[0] if candidates else b"a signed header or parameter was not sent"
    details = {"StringToSign": string_to_sign(given.sign_time, shown), "FormatString": shown.decode("utf-8", "replace")}
    raise CosError("SignatureDoesNotMatch", details=details)


def check_window(window: str, clock: Clock) -> None:
    """Refuse a ``start;end`` that holds under neither the simulated nor the machine's time (see ``Clock.is_within``).

    Raises CosError AccessDenied "Request has expired", RequestTimeTooSkewed for a start too far ahead.
    """
    first, _, last = window.partition(";")
    if not (first.isdigit() and last.isdigit()):
        raise CosError("AccessDenied", "q-sign-time and q-key-time must be start;end in seconds.")
    start, end = int(first), int(last)
    simulated = clock.now()
    times = (simulated, simulated - clock.offset_s)
    if any(start - SKEW_LIMIT_S <= now <= end for now in times):
        return
    if all(now < start - SKEW_LIMIT_S for now in times):
        raise CosError("RequestTimeTooSkewed")
    raise CosError("AccessDenied", "Request has expired")


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name for name in listed.lower().split(";") if name)


def _iter_http_strings(call: Call, given: Authorization) -> Iterator[bytes]:
    """Every HttpString the client may have signed; none when something listed was not sent."""
    params = _listed(given.param_list, {url_encode(name).lower(): value for name, value in call.params.items()})
    headers = {url_encode(name).lower(): wire_bytes(value) for name, value in call.request.headers.items()}
    # The Python SDK signs Host without its port, the Node SDK with it.
    hosts = dict.fromkeys((call.request.host, call.request.host.rpartition(":")[0] or call.request.host))
    for path, host in product(dict.fromkeys(call.signed_paths), hosts):
        signed = _listed(given.header_list, {**headers, "host": host.encode()})
        if params is None or signed is None:
            return
        yield http_string(call.request.method, path, params, signed)


def _listed(names: Iterable[str], sent: Mapping[str, str | bytes]) -> list[tuple[str, str]] | None:
    try:
        return [(name, url_encode(sent[name])) for name in names]
    except KeyError:
        return None


def wire_bytes(value: str) -> bytes:
    """Return the bytes of a header as they stood on the wire."""
    # Doors decode header bytes as ISO-8859-1, which is how HTTP/1.1 libraries do it.
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape")
