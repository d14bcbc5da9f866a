"""The members of ``POST /send``, one function each: what it may be, and what is said when it is not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from functions.send.addresses import is_address, sender_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.given import Given

RECIPIENT_LIMITS = {"to": 50, "cc": 20, "bcc": 20}
MOST_METADATA_BYTES = 512
MOST_TEMPLATE_ID = 2**63 - 1
"""TemplateID is an integer of 64 bits at SES."""
_MORE_THAN_A_LINE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ID = r"[!-;=?A-~]+@[!-;=?A-~]+"  # printable ASCII without < > @
_MESSAGE_ID = re.compile(f"<{_ID}>|{_ID}")
_HTML = re.compile(r"<\s*[/!?A-Za-z]")
_OWN_HEADERS = frozenset("from to cc bcc subject reply-to message-id date mime-version content-type".split())
_OWN_PREFIX = "x-tencentcloudses-cb-"


def sender(given: Given, name: str, *, required: bool) -> str | None:
    """Return a sender (``from``, ``header_from``), or None."""
    value = given.required_text(name) if required else given.text(name)
    problem = sender_problem(value) if value is not None else None
    if problem:
        given.problems.add(name, problem)
    return value


def address(given: Given, name: str) -> str | None:
    """Return a bare address, or None."""
    value = given.text(name)
    if value is not None and not is_address(value):
        given.problems.add(name, "is not an address")
    return value


def recipients(given: Given) -> dict[str, list[str]]:
    """Return to, cc and bcc; nobody may be named twice."""
    seen: dict[str, str] = {}
    lists = {name: _addresses(given, name, seen) for name in RECIPIENT_LIMITS}
    if not any(given.body.get(name) for name in RECIPIENT_LIMITS):
        given.problems.add("to", "at least one recipient is required in to, cc or bcc")
    return lists


def _addresses(given: Given, name: str, seen: dict[str, str]) -> list[str]:
    value = given.body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        given.problems.add(name, "must be a list of addresses")
        return []
    if len(value) > RECIPIENT_LIMITS[name]:
        given.problems.add(name, f"at most {RECIPIENT_LIMITS[name]} addresses, got {len(value)}")
    for index, item in enumerate(value):
        field = f"{name}[{index}]"
        if not isinstance(item, str) or not is_address(item):
            given.problems.add(field, "is not an address")
        elif (first := seen.setdefault(item.lower(), field)) != field:
            given.problems.add(field, f"repeats {first}")
    return [item for item in value if isinstance(item, str)]


def subject(given: Given) -> str:
    """Return the subject."""
    value = given.required_text("subject") or ""
    if len(value) > 998:
        given.problems.add("subject", f"at most 998 characters, got {len(value)}")
    if _MORE_THAN_A_LINE.search(value):
        given.problems.add("subject", "must be one line, without control characters")
    return value


def template(given: Given) -> tuple[int | None, dict[str, str]]:
    """Return template id and variables; None without a template."""
    value = given.body.get("template")
    if value is None:
        return None, {}
    if not isinstance(value, dict):
        given.problems.add("template", "must be an object with id and data")
        return None, {}
    given.problems.add_unknown("template", set(value) - {"id", "data"})
    template_id = value.get("id")
    if not isinstance(template_id, int) or isinstance(template_id, bool) or not 0 < template_id <= MOST_TEMPLATE_ID:
        given.problems.add("template.id", "must be a whole number above 0, of 64 bits")
        template_id = 0
    return template_id, variables(given, "template.data", value.get("data"))


def variables(given: Given, field: str, value: Any) -> dict[str, str]:
    """Return variables of a template; ``field``: what their problems are named beneath."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        given.problems.add(field, "must be an object of variables")
        return {}
    for name, item in value.items():
        if not name.strip():
            given.problems.add(f"{field}.{name[:60]}", "a variable needs a name")
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            given.problems.add(f"{field}.{name[:60]}", "must be a string or a number")
        elif _HTML.search(str(item)):
            given.problems.add(f"{field}.{name[:60]}", "SES refuses HTML in a variable")
    return {name: str(item) for name, item in value.items() if isinstance(item, str | int | float)}


def language(given: Given, languages: Mapping[str, str]) -> str | None:
    """Return the unsubscribe language, by name, or None."""
    value = given.text("unsubscribe")
    if value is not None and value not in languages:
        given.problems.add("unsubscribe", f"must be one of {', '.join(sorted(languages))}")
    return value


def headers(given: Given) -> dict[str, str]:
    """Return further headers of the mail."""
    headers = given.texts("headers")
    for name, value in headers.items():
        field = f"headers.{name[:60]}"
        if not _HEADER_NAME.fullmatch(name):
            given.problems.add(field, "is not a header name")
        elif name.lower() in _OWN_HEADERS or name.lower().startswith(_OWN_PREFIX):
            given.problems.add(field, "is set by SES or by mailtrail")
        if len(name) + len(value) > 990 or _MORE_THAN_A_LINE.search(value):
            given.problems.add(field, "must be one line of under 990 characters, without control characters")
    return headers


def message_id(given: Given) -> str | None:
    """Return the Message-ID that the mail is to carry, or None."""
    value = given.text("message_id")
    if value is not None and (len(value) > 250 or not _MESSAGE_ID.fullmatch(value)):
        given.problems.add("message_id", "must look like <something@domain>")
    return value


def metadata(given: Given) -> dict[str, str]:
    """Return the metadata that comes back with every event."""
    metadata = given.texts("metadata")
    size_bytes = len(json.dumps(metadata, ensure_ascii=False).encode("utf-8", "surrogatepass")) if metadata else 0
    if size_bytes > MOST_METADATA_BYTES:
        given.problems.add("metadata", f"at most {MOST_METADATA_BYTES} bytes of JSON, got {size_bytes}")
    return metadata
