"""Checksums of COS: CRC-64 of every object, Content-MD5 of a request.

Sources: https://cloud.tencent.com/document/product/436/40334 (CRC64), .../436/36427 (Content-MD5).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

import crcmod

from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from collections.abc import Mapping

_POLYNOMIAL = 0x142F0E1EBA9EA3693
_ALL_ONES = 0xFFFFFFFFFFFFFFFF
# CRC-64/XZ: reflected, register and output inverted. crcmod wants the initial *output*, which is then zero.
_crc64 = crcmod.mkCrcFun(_POLYNOMIAL, initCrc=0, rev=True, xorOut=_ALL_ONES)


def crc64(data: bytes, previous: int = 0) -> int:
    """CRC-64 of ``data``, going on from the CRC of what came before. check("123456789") is 11051210869376104954."""
    return int(_crc64(data, previous))


def check_content_md5(headers: Mapping[str, str], body: bytes, *, required: bool = False) -> None:
    """Compare ``Content-MD5`` with the body.

    Raises CosError InvalidDigest when it is not base64 of 16 bytes, BadDigest when it is another body's, InvalidRequest
    when it is ``required`` and absent.
    """
    given = headers.get("content-md5", "")
    if not given:
        if required:
            raise CosError("InvalidRequest", "Missing required header for this request: Content-MD5.")
        return
    try:
        digest = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CosError("InvalidDigest") from error
    if len(digest) != 16:
        raise CosError("InvalidDigest")
    if digest != hashlib.md5(body).digest():
        raise CosError("BadDigest")


def check_length(headers: Mapping[str, str], body: bytes) -> None:
    """Refuse a body shorter than its Content-Length (a torn upload). Raises CosError IncompleteBody."""
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > len(body):
        raise CosError("IncompleteBody")
