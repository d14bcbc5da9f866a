"""Attachments as SES takes them: at most 10, 4 MB together, by name and type.

Sources: seed 002; 附件类型, https://cloud.tencent.com/document/product/1288/51951.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from functions.send.problems import Problems

MOST = 10
MOST_BYTES = 4 * 1024 * 1024
ALLOWED = frozenset(
    "xlsx xls ods docx docm doc csv pdf txt gif jpg jpeg png tif tiff rtf bmp cgm css shtml html htm zip xml ppt pptx"
    " tar ez ics mobi msg pub eps odt mp3 m4a".split()
)
_FORBIDDEN = re.compile(r'[?\\*|"<>:/\s\x00-\x1f]')


class Attachment(NamedTuple):
    """A file name and its content, still base64 as SES wants it."""

    filename: str
    content: str


def parse_attachments(value: Any, problems: Problems) -> list[Attachment]:
    """Return the attachments of a send, naming every problem by its field."""
    if value is None:
        return []
    if not isinstance(value, list):
        problems.add("attachments", "must be a list")
        return []
    if len(value) > MOST:
        problems.add("attachments", f"at most {MOST}, got {len(value)}")
    found = [_parse(item, f"attachments[{index}]", problems) for index, item in enumerate(value)]
    total_bytes = sum(size for _, size in found)
    if total_bytes > MOST_BYTES:
        problems.add("attachments", f"4 MB together at most, got {total_bytes} bytes", too_large=True)
    return [attachment for attachment, _ in found]


def _parse(item: Any, field: str, problems: Problems) -> tuple[Attachment, int]:
    if not isinstance(item, dict):
        problems.add(field, "must be an object with filename and content")
        return Attachment("", ""), 0
    problems.add_unknown(field, set(item) - {"filename", "content"})
    filename, content = item.get("filename"), item.get("content")
    if not isinstance(filename, str):
        problems.add(f"{field}.filename", "must be a string")
        filename = ""
    else:
        _check_name(filename, f"{field}.filename", problems)
    size_bytes = _check_content(content, f"{field}.content", problems)
    return Attachment(filename, content if isinstance(content, str) else ""), size_bytes


def _check_name(filename: str, field: str, problems: Problems) -> None:
    if not 0 < len(filename) <= 255:
        problems.add(field, "1 to 255 characters")
    if _FORBIDDEN.search(filename):
        problems.add(field, 'must not contain a space or any of ? \\ * | " < > : /')
    stem, _, extension = filename.rpartition(".")
    if not stem:
        problems.add(field, "needs a name and an extension")
    elif extension.lower() not in ALLOWED:
        problems.add(field, f"SES refuses the type {extension.lower()[:20]!r}")


def _check_content(content: Any, field: str, problems: Problems) -> int:
    if not isinstance(content, str) or not content:
        problems.add(field, "must be base64")
        return 0
    try:
        return len(base64.b64decode(content, validate=True))
    except (binascii.Error, ValueError):
        problems.add(field, "is not base64")
        return 0
