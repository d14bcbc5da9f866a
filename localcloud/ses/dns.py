"""The DNS records that a sending domain needs. Pure.

Records as the console asks for them; shapes and selector from the vendor's example of CreateEmailIdentity
(examples.json of tencentcloud-cli). The DKIM key is a well-formed RSA public key made from the domain's name; nobody
has the private one, because nothing is ever signed here.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, NamedTuple

DKIM_BITS = {0: (1024,), 1: (2048,), 2: (1024, 2048)}
"""DKIMOption → lengths of the keys; 2 signs twice."""
_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")
_EXPONENT = bytes.fromhex("0203010001")


class Record(NamedTuple):
    """One record: type, name, and the value it must have."""

    type: str
    name: str
    value: str


def records_for(domain: str, dkim_option: int) -> list[Record]:
    """Return SPF, DKIM (one or two), MX and DMARC of ``domain``."""
    lengths = DKIM_BITS[dkim_option]
    selectors = ("mail", "mail2")
    return [
        Record("TXT", domain, "v=spf1 include:qcloudmail.com ~all"),
        *(
            Record("TXT", f"{selector}._domainkey.{domain}", f"k=rsa;p={_public_key(domain, bits)}")
            for selector, bits in zip(selectors, lengths, strict=False)
        ),
        Record("MX", domain, "mxbiz1.qq.com."),
        Record("TXT", f"_dmarc.{domain}", "v=DMARC1; p=none"),
    ]


def build_attributes(domain: str, dkim_option: int, *, is_published: bool) -> list[dict[str, Any]]:
    """Return the records as DNSAttributes: what is expected, and what is found."""
    return [
        {
            "Type": record.type,
            "SendDomain": record.name,
            "ExpectedValue": record.value,
            "CurrentValue": record.value if is_published else "",
            "Status": is_published,
        }
        for record in records_for(domain, dkim_option)
    ]


def _public_key(domain: str, bits: int) -> str:
    size = bits // 8
    stream = b"".join(hashlib.sha256(f"{domain}/{bits}/{n}".encode()).digest() for n in range(size // 32))
    modulus = bytes([stream[0] | 0x80, *stream[1:-1], stream[-1] | 1])
    key = _der(0x30, _der(0x02, b"\0" + modulus) + _EXPONENT)
    return base64.b64encode(_der(0x30, _ALGORITHM + _der(0x03, b"\0" + key))).decode()


def _der(tag: int, content: bytes) -> bytes:
    """Encode one DER value."""
    size = len(content)
    length = (
        bytes([size]) if size < 0x80 else bytes([0x81, size]) if size < 0x100 else b"\x82" + size.to_bytes(2, "big")
    )
    return bytes([tag]) + length + content
