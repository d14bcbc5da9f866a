"""How large a mail may be: to SES as a mail and as a request, and to SCF as an event.

Sources: https://www.tencentcloud.com/document/api/1084/39387 (a mail of 4 MB, a request of 8 MB),
https://cloud.tencent.com/document/product/583/11637 (an event of 6 MB).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from functions.send.attachments import MOST_BYTES
from functions.send.payload import build_payload
from shared.edge.guard_modes import OFF, WARN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.send.problems import Problems
    from functions.send.request import Mail

MOST_REQUEST_BYTES = 8 * 1024 * 1024
MOST_EVENT_BYTES = 6 * 1024 * 1024
ROOM_FOR_OURS_BYTES = 4096
"""Headers of ours, and the names of the parameters."""
_GROWS = 3
"""Times that a byte of the body may take in the request: é has two bytes, and is written as six."""


def check_sizes(mail: Mail, languages: Mapping[str, str], body_bytes: int, mode: str, problems: Problems) -> list[str]:
    """Add what is too large to ``problems``, or return it as warnings when ``mode`` says so.

    ``body_bytes``: of the request's body, 0 when that is not known.
    """
    if mode == OFF:
        return []
    found = list(_too_large(mail, languages, body_bytes))
    if mode == WARN:
        return [f"{field}: {problem}" for field, problem in found]
    for field, problem in found:
        problems.add(field, problem, too_large=True)
    return []


def _too_large(mail: Mail, languages: Mapping[str, str], body_bytes: int) -> Iterator[tuple[str, str]]:
    parts = {"html": len((mail.html or "").encode()), "text": len((mail.text or "").encode())}
    attached_bytes = sum(len(each.content) * 3 // 4 for each in mail.attachments)
    # Attachments that are too large alone are told as such.
    if attached_bytes <= MOST_BYTES < attached_bytes + sum(parts.values()):
        total_bytes = attached_bytes + sum(parts.values())
        yield (
            max(parts, key=parts.__getitem__),
            f"a mail is 4 MB at most, attachments included, got {total_bytes} bytes",
        )
    if body_bytes > MOST_EVENT_BYTES:
        yield "body", f"6 MB at most, got {body_bytes} bytes"
    # A small body makes no large request; to write one only to measure it would cost every mail.
    if body_bytes and body_bytes * _GROWS + ROOM_FOR_OURS_BYTES <= MOST_REQUEST_BYTES:
        return
    if mail.unsubscribe in (None, *languages):
        size_bytes = len(json.dumps(build_payload(mail, languages, {}))) + ROOM_FOR_OURS_BYTES
        if size_bytes > MOST_REQUEST_BYTES:
            yield "body", f"makes a request to SES of {size_bytes} bytes, 8 MB at most"
