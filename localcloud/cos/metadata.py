"""Headers of an object: which of a write's are kept, and how they come back on GET and HEAD."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import TYPE_CHECKING

from localcloud.cos.address import to_bytes
from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from localcloud.cos.index import ObjectRow

KEY_LIMIT_BYTES = 850
META_LIMIT_BYTES = 4096
"""All x-cos-meta-* names and values together; 2 KB each: https://cloud.tencent.com/document/product/436/7749."""

_META_EACH_BYTES = 2048
_KEPT = {
    name.lower(): name
    for name in (
        "Content-Type",
        "Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Expires",
    )
}
_KEPT_AS_SENT = ("x-cos-storage-class", "x-cos-server-side-encryption", "x-cos-tagging", "x-cos-acl")
TAGS, ACL, RESTORE = "x-cos-tagging", "x-cos-acl", "x-localcloud-restore"
_NOT_ECHOED = (TAGS, ACL, RESTORE)
"""Kept beside the headers that are echoed: what other requests ask for."""
_ENCRYPTION = "x-cos-server-side-encryption"
_OVERRIDES = {f"response-{name}": header for name, header in _KEPT.items()}


def check_key(key: bytes) -> None:
    """Refuse a key above 850 bytes. Raises CosError KeyTooLong."""
    if len(key) > KEY_LIMIT_BYTES:
        raise CosError("KeyTooLong")


def kept_headers(headers: dict[str, str]) -> dict[str, str]:
    """Pick what an object keeps of the headers of its write. Raises CosError InvalidArgument for too much metadata."""
    kept = {_KEPT[name]: value for name, value in headers.items() if name in _KEPT}
    kept |= {name: headers[name] for name in _KEPT_AS_SENT if headers.get(name, "STANDARD") != "STANDARD"}
    meta = {name: value for name, value in headers.items() if name.startswith("x-cos-meta-")}
    sizes = [len(name.removeprefix("x-cos-meta-")) + len(value.encode()) for name, value in meta.items()]
    if sum(sizes) > META_LIMIT_BYTES or any(size > _META_EACH_BYTES for size in sizes):
        raise CosError("InvalidArgument", "Custom metadata may have 2 KB each and 4 KB in all.")
    kept.setdefault("Content-Type", "application/octet-stream")
    return kept | meta


def load_headers(row: ObjectRow) -> dict[str, str]:
    """Return what ``kept_headers`` picked when the object was written."""
    headers: dict[str, str] = json.loads(row.headers)
    return headers


def written_headers(row: ObjectRow) -> dict[str, str]:
    """Headers of the answer to a write."""
    headers = {"ETag": f'"{row.etag}"', "x-cos-hash-crc64ecma": row.crc64}
    encryption = {name: value for name, value in load_headers(row).items() if name.startswith(_ENCRYPTION)}
    return headers | encryption | _version_header(row)


def read_headers(row: ObjectRow, params: dict[str, str]) -> dict[str, str]:
    """Headers of the answer to GET and HEAD. ``params``: the query, for its ``response-*`` overrides."""
    kept = load_headers(row)
    tags = kept.get(TAGS, "")
    return {
        "Accept-Ranges": "bytes",
        "ETag": f'"{row.etag}"',
        "Last-Modified": formatdate(row.modified_at, usegmt=True),
        "x-cos-hash-crc64ecma": row.crc64,
        "x-cos-object-type": row.kind,
        **{name: value for name, value in kept.items() if name not in _NOT_ECHOED},
        **_version_header(row),
        **({"x-cos-tagging-count": str(tags.count("&") + 1)} if tags else {}),
        **{header: _wire_text(params[name]) for name, header in _OVERRIDES.items() if params.get(name)},
    }


def _version_header(row: ObjectRow) -> dict[str, str]:
    return {"x-cos-version-id": row.version_id} if row.version_id else {}


def _wire_text(value: str) -> str:
    """Write a parameter as header text, ISO-8859-1 whatever it stands for. Raises CosError InvalidArgument."""
    if any(ord(character) < 0x20 for character in value):
        raise CosError("InvalidArgument", "A response-* parameter holds a control character.")
    return to_bytes(value).decode("latin-1")
