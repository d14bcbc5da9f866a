"""Bodies of S3 requests: aws-chunked framing, signatures of its chunks, digests in headers and trailers.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and /sigv4-streaming-trailers.html.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from typing import TYPE_CHECKING, NamedTuple

import crcmod

from localcloud.cos.errors import CosError
from localcloud.cos.s3_signature import UNSIGNED, payload_hash, signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.cos.address import Call
    from localcloud.cos.s3_signature import Verified

STREAMING = "STREAMING-"
_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_EMPTY = hashlib.sha256(b"").hexdigest()
_CHECKSUM = "x-amz-checksum-"

_crc32c = crcmod.mkCrcFun(0x11EDC6F41, initCrc=0, rev=True, xorOut=0xFFFFFFFF)
_crc64nvme = crcmod.mkCrcFun(0x1AD93D23594C93659, initCrc=0, rev=True, xorOut=0xFFFFFFFFFFFFFFFF)
CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "crc32c": lambda body: int(_crc32c(body)).to_bytes(4, "big"),
    "crc64nvme": lambda body: int(_crc64nvme(body)).to_bytes(8, "big"),
    "sha1": lambda body: hashlib.sha1(body).digest(),
    "sha256": lambda body: hashlib.sha256(body).digest(),
}


class Payload(NamedTuple):
    """A body without its framing. ``is_digest_known``: it was compared with a digest."""

    body: bytes
    is_digest_known: bool


class _Chunk(NamedTuple):
    data: bytes
    signature: str


def decode(call: Call, verified: Verified) -> Payload:
    """Unpack and check the body of a request.

    Raises CosError IncompleteBody, InvalidRequest for broken framing, SignatureDoesNotMatch for a chunk,
    XAmzContentSHA256Mismatch, BadDigest for a checksum.
    """
    declared, body = payload_hash(call), call.request.body
    trailers: Mapping[str, str] = {}
    if declared.startswith(STREAMING):
        chunks, trailers = _unframe(body)
        if declared.startswith(_SIGNED):
            _check_signatures(verified, chunks, trailers)
        body = b"".join(chunk.data for chunk in chunks)
        length = call.request.headers.get("x-amz-decoded-content-length", "")
        if length.isdigit() and int(length) != len(body):
            raise CosError("IncompleteBody")
    elif declared != UNSIGNED and declared.lower() != hashlib.sha256(body).hexdigest():
        raise CosError("XAmzContentSHA256Mismatch")
    checked = _check_digests(body, {**call.request.headers, **trailers})
    return Payload(body, checked or declared not in (UNSIGNED, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"))


def _unframe(framed: bytes) -> tuple[list[_Chunk], dict[str, str]]:
    r"""Split ``<hex size>[;chunk-signature=<hex>]\r\n<data>\r\n`` until size 0; trailers follow as header lines."""
    chunks: list[_Chunk] = []
    at = 0
    while True:
        end = framed.find(b"\r\n", at)
        if end < 0:
            raise CosError("IncompleteBody")
        size_text, _, extension = framed[at:end].partition(b";")
        try:
            size = int(size_text, 16)
        except ValueError as error:
            raise CosError("InvalidRequest", "The framing of the aws-chunked body is broken.") from error
        at = end + 2
        data = framed[at : at + size]
        if len(data) < size:
            raise CosError("IncompleteBody")
        chunks.append(_Chunk(data, extension.decode("latin-1").partition("chunk-signature=")[2]))
        if size == 0:
            return chunks, _trailers(framed[at:])
        at += size + 2


def _trailers(text: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in text.decode("latin-1").splitlines() if line.strip())
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _check_signatures(verified: Verified, chunks: list[_Chunk], trailers: Mapping[str, str]) -> None:
    given, key = verified
    previous = given.signature
    for chunk in chunks:
        digest = hashlib.sha256(chunk.data).hexdigest()
        lines = ("AWS4-HMAC-SHA256-PAYLOAD", given.timestamp, given.scope, previous, _EMPTY, digest)
        previous = _require(signature(key, "\n".join(lines)), chunk.signature)
    sent = trailers.get("x-amz-trailer-signature")
    if sent is not None:
        text = "".join(f"{name}:{value}\n" for name, value in trailers.items() if name != "x-amz-trailer-signature")
        digest = hashlib.sha256(text.encode("latin-1")).hexdigest()
        lines_of_trailer = ("AWS4-HMAC-SHA256-TRAILER", given.timestamp, given.scope, previous, digest)
        _require(signature(key, "\n".join(lines_of_trailer)), sent)


def _require(expected: str, given: str) -> str:
    if not hmac.compare_digest(expected, given):
        raise CosError("SignatureDoesNotMatch", "The signature of a chunk does not match.")
    return expected


def _check_digests(body: bytes, headers: Mapping[str, str]) -> bool:
    """Compare every ``x-amz-checksum-…`` that was sent; whether there was one."""
    found = False
    for name, compute in CHECKSUMS.items():
        given = headers.get(f"{_CHECKSUM}{name}")
        if given is None:
            continue
        found = True
        if not hmac.compare_digest(base64.b64encode(compute(body)).decode(), given):
            raise CosError("BadDigest", f"The {name} you specified did not match what we received.")
    return found
