"""What may be attached. Pure.

Limits: https://www.tencentcloud.com/document/api/1084/39502 (4 MB in all, 10 files, 255 characters) and
https://cloud.tencent.com/document/product/1288/51951 (names and types).
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from localcloud.ses.errors import ApiError

if TYPE_CHECKING:
    from localcloud.ses.params import Params

TOTAL_LIMIT_BYTES = 4 * 1024 * 1024
COUNT_LIMIT = 10
NAME_LIMIT_CHARS = 255
FORBIDDEN_IN_NAMES = frozenset('?\\*|"<>:/ \r\n\t')
EXTENSIONS = frozenset(
    "xlsx xls ods docx docm doc csv pdf txt gif jpg jpeg png tif tiff rtf bmp cgm css shtml html htm zip xml ppt pptx "
    "tar ez ics mobi msg pub eps odt mp3 m4a".split()
)


def check_attachments(params: Params) -> None:
    """Check number, names, base64 and raw size of Attachments. Raises ApiError."""
    attachments = params.structures("Attachments")
    if len(attachments) > COUNT_LIMIT:
        raise ApiError("FailedOperation.TooManyAttachments")
    if sum(_checked_size_bytes(attachment) for attachment in attachments) > TOTAL_LIMIT_BYTES:
        raise ApiError("FailedOperation.AttachContentToolarge")


def _checked_size_bytes(attachment: Params) -> int:
    attachment.allow("FileName", "Content", "FileURL")
    name = attachment.text("FileName")
    stem, _, extension = name.rpartition(".")
    if (
        not stem
        or len(name) > NAME_LIMIT_CHARS
        or FORBIDDEN_IN_NAMES & set(name)
        or extension.lower() not in EXTENSIONS
    ):
        raise ApiError("FailedOperation.InvalidAttachName", f"`{name[:100]}`")
    if attachment.has("FileURL"):
        # The field exists, the feature "is not open".
        raise ApiError("FailedOperation.FileURLNotExist")
    try:
        return len(base64.b64decode(attachment.text("Content"), validate=True))
    except (binascii.Error, ValueError) as error:
        raise ApiError("InvalidParameterValue.AttachContentIsWrong", f"`{name[:100]}`") from error
