"""What the console's endpoints are told, parsed; every problem named at once (problems.Invalid)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.inputs import parse_whole_number
from localcloud.problems import Invalid, Problem
from localcloud.simulator import PROVOCATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE_DEFAULT, PAGE_MAX = 100, 1000
TEXT_LIMIT_CHARS = 2000

BOUNCES = {"hard_bounce": "hard-bounce", "soft_bounce": "soft-bounce"}
_ALIASES = {"deliver": "delivered", "defer": "deferred", "spamreport": "complaint", "drop": "dropped"}
"""Words of SES's callbacks and of the buttons → names of ``simulator.PROVOCATIONS``."""


class Simulated(NamedTuple):
    """Something that is to befall a mail. ``event``: a key of ``PROVOCATIONS``; "" for ``reason``, ``link``: usual."""

    message_id: str
    recipient: str
    event: str
    reason: str
    link: str


def parse_page(query: Mapping[str, str]) -> tuple[int | None, int]:
    """Read ``before`` (None: from the newest) and ``limit`` of the list of mails."""
    before = parse_whole_number(query["before"], "before") if query.get("before") else None
    return before, parse_count(query, "limit", default=PAGE_DEFAULT, most=PAGE_MAX)


def parse_count(query: Mapping[str, str], name: str, *, default: int, most: int, least: int = 1) -> int:
    """Read a number of the query that has a range."""
    count = parse_whole_number(query.get(name) or str(default), name)
    if not least <= count <= most:
        raise Invalid([Problem(name, f"must be from {least} to {most}")])
    return count


def parse_event(body: Any) -> Simulated:
    """``{"message_id", "recipient", "event"}``, and ``reason``, ``bounce_type``, ``link`` where they fit."""
    if not isinstance(body, dict):
        raise Invalid([Problem("", f"the body must be an object with {', '.join(_FIELDS)}")])
    found = [Problem(str(name), f"is not one of {', '.join(_FIELDS)}") for name in body if name not in _FIELDS]
    for name, is_needed in _FIELDS.items():
        value = body.get(name, None if is_needed else "")
        if not isinstance(value, str) or (is_needed and not value) or len(value) > TEXT_LIMIT_CHARS:
            found.append(Problem(name, f"must be text of at most {TEXT_LIMIT_CHARS} characters"))
    event = _event_of(body)
    if event not in PROVOCATIONS:
        found.append(Problem("event", f"must be one of {', '.join((*PROVOCATIONS, 'bounce'))}"))
    if found:
        raise Invalid(found)
    return Simulated(body["message_id"], body["recipient"], event, body.get("reason", ""), body.get("link", ""))


_FIELDS = {
    **dict.fromkeys(("message_id", "recipient", "event"), True),
    **dict.fromkeys(("reason", "bounce_type", "link"), False),
}
"""Member → whether it must be there."""


def _event_of(body: dict[str, Any]) -> str:
    event = str(body.get("event"))
    if event == "bounce":
        return BOUNCES.get(str(body.get("bounce_type") or "hard_bounce"), "")
    return _ALIASES.get(event, event)
