"""The token in an unsubscribe link: who gets no more mail, and by whose mail the link came. Pure.

    base64url( version, tag, ciphertext )      plaintext: issued at (5 bytes), sender domain, NUL, address

A URL lands in the logs of gateways and proxies, so the address in it is encrypted, not only encoded; and the function
must get it back, so it is no hash. The construction is SIV of RFC 5297 (https://www.rfc-editor.org/rfc/rfc5297, after
Rogaway and Shrimpton): the tag is a MAC of the plaintext and the nonce of the key stream. Both are HMAC-SHA256 here,
because ``send`` is deployed without a cipher: AES would bring 0.8 MB to every cold start of it. Only the length of an
address can be told. Nothing expires: people click in old mail. A key that is no longer live ends its links.
"""

from __future__ import annotations

import base64
import functools
import hmac
from typing import TYPE_CHECKING, NamedTuple

from shared.upstream.signing import hmac_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSION = b"\x01"
_TAG_BYTES = 16
_TIME_BYTES = 5
_HEAD_BYTES = len(_VERSION) + _TAG_BYTES
_BLOCK_BYTES = 32
_LONGEST = 1000
"""Characters of a token: with the longest address and domain there are 705; nobody need decrypt more."""


class Unsubscribe(NamedTuple):
    """Who asks for no more mail. ``issued_at_s``: epoch seconds of the mail that carried the link."""

    address: str
    sender_domain: str
    issued_at_s: int

    def __repr__(self) -> str:
        """Name the sender, never the person."""
        return f"Unsubscribe(from {self.sender_domain})"


def build_unsubscribe_token(key: str, wish: Unsubscribe) -> str:
    """Return the token for a link: letters, digits, ``-`` and ``_``; the same for the same wish."""
    issued_at = wish.issued_at_s.to_bytes(_TIME_BYTES, "big")
    plain = issued_at + f"{wish.sender_domain.lower()}\0{wish.address.strip().lower()}".encode()
    mac_key, cipher_key = _keys(key)
    tag = _tag(mac_key, plain)
    return _base64url(_VERSION + tag + _encrypted(cipher_key, tag, plain))


def parse_unsubscribe_token(keys: Iterable[str], token: str) -> Unsubscribe:
    """Verify under any live key, then parse. Raises ValueError with one message for every failure."""
    sealed = _from_base64url(token) if len(token) <= _LONGEST else b""
    tag, ciphertext = sealed[len(_VERSION) : _HEAD_BYTES], sealed[_HEAD_BYTES:]
    found = None
    for mac_key, cipher_key in map(_keys, keys):  # all of them: the time taken tells nothing about which one it was
        plain = _encrypted(cipher_key, tag, ciphertext)
        if hmac.compare_digest(_tag(mac_key, plain), tag):
            found = plain
    # One text for one token: base64 has several for the same bytes.
    if found is None or sealed[: len(_VERSION)] != _VERSION or _base64url(sealed) != token:
        raise ValueError("not a token of ours")
    sender_domain, _, address = found[_TIME_BYTES:].decode().partition("\0")
    return Unsubscribe(address, sender_domain, int.from_bytes(found[:_TIME_BYTES], "big"))


@functools.lru_cache(maxsize=16)  # the same few for as long as an instance lives, and half the work of a token
def _keys(key: str) -> tuple[bytes, bytes]:
    """Derive one key for the tag and one for the stream; the labels keep them apart from what else the key makes."""
    return (
        hmac_sha256(key.encode(), "mailtrail unsubscribe, tag, 1"),
        hmac_sha256(key.encode(), "mailtrail unsubscribe, stream, 1"),
    )


def _tag(mac_key: bytes, plain: bytes) -> bytes:
    return hmac.digest(mac_key, _VERSION + plain, "sha256")[:_TAG_BYTES]


def _encrypted(cipher_key: bytes, tag: bytes, text: bytes) -> bytes:
    """Add the key stream of ``tag``: encrypts and decrypts."""
    blocks = range(-(-len(text) // _BLOCK_BYTES))
    stream = b"".join(hmac.digest(cipher_key, tag + n.to_bytes(4, "big"), "sha256") for n in blocks)
    mask = int.from_bytes(stream[: len(text)], "big")
    return (int.from_bytes(text, "big") ^ mask).to_bytes(len(text), "big")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:  # binascii's, and that of a text with other characters
        return b""
