"""How large a mail may be: to SES as a mail and as a request, and to SCF as an event.

Sources: https://www.tencentcloud.com/document/api/1084/39387 (a mail of 4 MB, a request of 8 MB),
https://cloud.tencent.com/document/product/583/11637 (an event of 6 MB).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions.send.attachments import MOST_BYTES
from functions.send.payload import build_payload
from shared.edge.guard_modes import OFF, WARN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    return _tell(_too_large(mail, languages, body_bytes), mode, problems)


def check_sizes_of_many(
    mail: Mail,
    variables: Sequence[Mapping[str, Any]],
    languages: Mapping[str, str],
    body_bytes: int,
    mode: str,
    problems: Problems,
) -> list[str]:
    """Do the same for a batch: ``mail`` is common to all, ``variables[n]`` are those of ``recipients[n]``."""
    return _tell(_too_large_for_one(mail, variables, languages, body_bytes), mode, problems)


def _tell(too_large: Iterator[tuple[str, str]], mode: str, problems: Problems) -> list[str]:
    if mode == OFF:
        return []
    found = list(too_large)
    if mode == WARN:
        return [f"{field}: {problem}" for field, problem in found]
    for field, problem in found:
        problems.add(field, problem, too_large=True)
    return []


def _too_large(mail: Mail, languages: Mapping[str, str], body_bytes: int) -> Iterator[tuple[str, str]]:
    parts = {"html": len((mail.html or "").encode()), "text": len((mail.text or "").encode())}
    attached_bytes = sum(len(each.content) * 3 // 4 - each.content[-2:].count("=") for each in mail.attachments)
    # Attachments that are too large alone are told as such.
    if attached_bytes <= MOST_BYTES < attached_bytes + sum(parts.values()):
        total_bytes = attached_bytes + sum(parts.values())
        yield (
            max(parts, key=parts.__getitem__),
            f"a mail is 4 MB at most, attachments included, got {total_bytes} bytes",
        )
    if body_bytes > MOST_EVENT_BYTES:
        yield "body", f"6 MB at most, got {body_bytes} bytes"
    if _is_small(mail, languages, body_bytes):
        return
    size_bytes = _request_bytes(mail, languages)
    if size_bytes > MOST_REQUEST_BYTES:
        yield "body", f"makes a request to SES of {size_bytes} bytes, 8 MB at most"


def _too_large_for_one(
    mail: Mail, variables: Sequence[Mapping[str, Any]], languages: Mapping[str, str], body_bytes: int
) -> Iterator[tuple[str, str]]:
    if _is_small(mail, languages, body_bytes):
        return
    common_bytes = _request_bytes(mail._replace(template_data={}), languages)
    for number, own in enumerate(variables):
        data = json.dumps({**mail.template_data, **{name: str(value) for name, value in own.items()}})
        size_bytes = common_bytes + len(json.dumps(data))
        if own and size_bytes > MOST_REQUEST_BYTES:
            yield f"recipients[{number}].data", f"makes a request to SES of {size_bytes} bytes, 8 MB at most"


def _is_small(mail: Mail, languages: Mapping[str, str], body_bytes: int) -> bool:
    """Whether there is nothing to measure: no large request comes of a small body, and to write one costs time."""
    is_small = bool(body_bytes) and body_bytes * _GROWS + ROOM_FOR_OURS_BYTES <= MOST_REQUEST_BYTES
    return is_small or mail.unsubscribe not in (None, *languages)


def _request_bytes(mail: Mail, languages: Mapping[str, str]) -> int:
    return len(json.dumps(build_payload(mail, languages, {}))) + ROOM_FOR_OURS_BYTES
