"""A callback as text that may stand in a log: compressed, encrypted, cut into parts that fit a log line.

    mtr1.<key id>.<text id>.<part>-<parts>.<base64url of a piece of nonce, ciphertext and tag>

AES-256-GCM, so that what can be read was written by us and is whole. The key is derived from a secret of ours, which
the key id names without telling it. Never imported at a cold start: it brings pycryptodome.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

from functions.webhook.receive import Callback
from shared.upstream.signing import hmac_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_CHARACTERS = 7000
"""Longest payload of one part: with its fields the log line stays below 8 KB.

No page tells what SCF makes of a long line (https://cloud.tencent.com/document/product/583/60336 names the fields
only). CLS takes 1 MB a value (https://cloud.tencent.com/document/product/614/87660), searches 10 000 characters of a
word and computes with 32 766 bytes of a field (https://www.tencentcloud.com/document/product/614/67232).
"""
_VERSION = "mtr1"
_TEXT = re.compile(_VERSION + r"\.([0-9a-f]{8})\.([0-9a-f]{16})\.([0-9]{1,4})-([0-9]{1,4})\.([A-Za-z0-9_-]+)")
_NONCE_BYTES = 12
_TAG_BYTES = 16


class UnsealError(ValueError):
    """The text cannot be read; the message says whether a key, a part or a piece of it is missing."""


class Part(NamedTuple):
    """One part of a sealed callback as found in a log: ``number`` of ``parts``, counted from 1."""

    key_id: str
    text_id: str
    number: int
    parts: int
    payload: str


def seal(callback: Callback, secret: str) -> list[str]:
    """Return the parts of ``callback`` as text, encrypted by a key made of ``secret``.

    Raises ImportError where pycryptodome was not packaged.
    """
    from Crypto.Cipher import AES  # noqa: PLC0415 - needed when COS fails, not at every start

    key, nonce = _key(secret), os.urandom(_NONCE_BYTES)
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
    cipher.update(_associated(key))
    sealed = b"".join((nonce, *cipher.encrypt_and_digest(zlib.compress(_encode(callback), 9))))
    text = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    pieces = [text[at : at + MOST_CHARACTERS] for at in range(0, len(text), MOST_CHARACTERS)]
    text_id = hashlib.sha256(sealed).hexdigest()[:16]
    return [
        f"{_VERSION}.{_key_id(key)}.{text_id}.{number}-{len(pieces)}.{piece}" for number, piece in enumerate(pieces, 1)
    ]


def find_parts(line: str) -> Iterator[Part]:
    """Yield every part that stands anywhere in ``line``, whatever is around it."""
    for key_id, text_id, number, parts, payload in _TEXT.findall(line):
        yield Part(key_id, text_id, int(number), int(parts), payload)


def unseal(parts: Iterable[Part], secrets: Sequence[str]) -> Callback:
    """Return the callback that ``parts`` of one text id hold, in any order, repeated or not. Raises UnsealError."""
    from Crypto.Cipher import AES  # noqa: PLC0415 - as above

    found = {part.number: part for part in parts}
    one = next(iter(found.values()))
    missing = [number for number in range(1, one.parts + 1) if number not in found]
    if missing:
        raise UnsealError(f"part {', '.join(map(str, missing))} of {one.parts} is missing")
    key = next((key for key in map(_key, secrets) if _key_id(key) == one.key_id), None)
    if key is None:
        raise UnsealError(f"encrypted by a key that is none of ours here (key id {one.key_id})")
    try:
        sealed = _decode_base64("".join(found[number].payload for number in range(1, one.parts + 1)))
        cipher = AES.new(key, AES.MODE_GCM, nonce=sealed[:_NONCE_BYTES], mac_len=_TAG_BYTES)
        cipher.update(_associated(key))
        content = cipher.decrypt_and_verify(sealed[_NONCE_BYTES:-_TAG_BYTES], sealed[-_TAG_BYTES:])
    except ValueError as error:
        raise UnsealError("damaged: cut short, or changed") from error
    return _decode(zlib.decompress(content))


def _key(secret: str) -> bytes:
    """Derive the 256-bit key; the label keeps it apart from what else is made of the same secret."""
    return hmac_sha256(secret.encode(), "mailtrail replay, AES-256-GCM, 1")


def _key_id(key: bytes) -> str:
    return hmac_sha256(key, "key id").hex()[:8]


def _associated(key: bytes) -> bytes:
    return f"{_VERSION}.{_key_id(key)}".encode()


def _decode_base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encode(callback: Callback) -> bytes:
    try:
        body = {"body": callback.body.decode()}
    except UnicodeDecodeError:
        body = {"body_base64": base64.b64encode(callback.body).decode()}
    content = {**callback._asdict(), "headers": dict(callback.headers), **body}
    if "body_base64" in body:
        del content["body"]
    return json.dumps(content).encode()


def _decode(content: bytes) -> Callback:
    fields = json.loads(content)
    if "body_base64" in fields:
        fields["body"] = base64.b64decode(fields.pop("body_base64"))
    else:
        fields["body"] = fields["body"].encode()
    return Callback(**fields)
