"""Conditional requests and ranges (RFC 9110 §13, §14), as GET, HEAD and the source of a copy honour them."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from collections.abc import Mapping

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def is_not_modified(headers: Mapping[str, str], etag: str, modified_at: float, *, prefix: str = "") -> bool:
    """Evaluate the ``if-*`` headers; True means 304 (412 for a copy, which is its caller's to say).

    ``etag``: without quotes. ``prefix``: ``x-cos-copy-source-`` for the conditions on the source of a copy.
    Raises CosError PreconditionFailed for If-Match and If-Unmodified-Since.
    """
    if_match = headers.get(f"{prefix}if-match")
    unmodified_since = _seconds(headers.get(f"{prefix}if-unmodified-since"))
    if if_match is not None:
        if not _names(if_match, etag):
            raise CosError("PreconditionFailed")
    elif unmodified_since is not None and int(modified_at) > unmodified_since:
        raise CosError("PreconditionFailed")
    if_none_match = headers.get(f"{prefix}if-none-match")
    if if_none_match is not None:
        return _names(if_none_match, etag)
    modified_since = _seconds(headers.get(f"{prefix}if-modified-since"))
    return modified_since is not None and int(modified_at) <= modified_since


def parse_range(value: str, size: int) -> tuple[int, int] | None:
    """First and last byte (inclusive) that ``Range`` asks for; None when it is absent, of another unit or a list.

    Raises CosError InvalidRange (416, with ``Content-Range: bytes */size``) when no byte of it exists.
    """
    match = _RANGE.fullmatch(value.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        first, last = int(match[1]), int(match[2] or size - 1)
        if match[2] and last < first:
            return None
    else:
        first, last = max(0, size - int(match[2])), size - 1
    if first >= size:
        raise CosError("InvalidRange", headers={"Content-Range": f"bytes */{size}"})
    return first, min(last, size - 1)


def _names(header: str, etag: str) -> bool:
    candidates = (part.strip().removeprefix("W/").strip('"') for part in header.split(","))
    return any(candidate in ("*", etag) for candidate in candidates)


def _seconds(date: str | None) -> float | None:
    if not date:
        return None
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None  # RFC 9110: a date that cannot be read is ignored
