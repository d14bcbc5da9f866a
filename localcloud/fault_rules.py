"""Fault rules as values: what one may say, and every problem of those that say something else.

At the services: ``error`` and ``throttle`` answer an error; ``drop_request`` closes the connection before the service
acts, ``drop_response`` after it acted; ``lose`` leaves the client without an answer for ``seconds`` of real time and
closes then, before the service acts; ``delay`` waits ``seconds`` of real time first, ``reorder`` a random part of them,
so that what comes later overtakes; ``duplicate`` has the service act ``copies`` times and answers once, as a relay does
that repeats what it saw no answer to. At COS also ``list_lag``: LIST shows an object ``seconds`` of simulated time
after its write.

On callbacks: ``lose`` and ``drop_request`` never reach the receiver; ``drop_response`` does, and its answer gets lost;
``error`` and ``throttle`` are answered on the way, with ``status``; ``duplicate`` delivers ``copies`` times;
``delay`` and ``reorder`` hold back for ``seconds``, or for a random part of them, of simulated time.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from localcloud.problems import Invalid, Problem

EVERYWHERE = (
    "error",
    "drop_request",
    "drop_response",
    "delay",
    "duplicate",
    "reorder",
    "lose",
    "throttle",
)
KINDS = {"ses": EVERYWHERE, "cos": (*EVERYWHERE, "list_lag"), "sendcloud": EVERYWHERE, "callback": EVERYWHERE}
"""Service → the kinds of fault that may befall it."""
NEEDS_SECONDS = ("delay", "list_lag")
COPIES_MAX = 50
COPIES_DEFAULT = 3
LISTING = "GetBucket"
"""What ``list_lag`` is about when its rule names no action."""


@dataclass
class Rule:
    """One fault. ``action``: None means every action. ``times``: how often at most; None means always.

    ``copies``: how often a duplicated request or callback arrives in all, 1 to 50; None means 3.
    ``fired``: how often the rule has done what it says.
    """

    service: str
    kind: str
    action: str | None = None
    probability: float = 1.0
    code: str | None = None
    status: int | None = None
    seconds: float | None = None
    times: int | None = None
    copies: int | None = None
    fired: int = 0

    def is_about(self, service: str, actions: tuple[str, ...]) -> bool:
        """Whether the rule looks at this service and action, and has not been used up."""
        if self.service != service or (self.times is not None and self.fired >= self.times):
            return False
        if self.kind == "list_lag" and LISTING not in actions:
            return False
        return self.action is None or self.action in actions

    def as_json(self) -> dict[str, Any]:
        """Return every member, as it was given or by default."""
        return asdict(self)


def parse_rules(raw: object) -> list[Rule]:
    """Turn JSON into rules. Raises Invalid naming every problem of every rule."""
    entries: list[Any] = raw if isinstance(raw, list) else [raw]
    problems = [
        Problem(f"[{index}]{'.' if name else ''}{name}", text)
        for index, entry in enumerate(entries)
        for name, text in _problems_of(entry)
    ]
    if problems:
        raise Invalid(problems)
    return [Rule(**entry) for entry in entries]


def _problems_of(entry: object) -> list[Problem]:
    if not isinstance(entry, dict):
        return [Problem("", "must be an object")]
    known = {field.name for field in fields(Rule)} - {"fired"}
    found = [Problem(str(name), "is not a member of a fault rule") for name in entry if name not in known]
    found += _problems_of_target(entry)
    for name, (is_right, text) in _CHECKS.items():
        value = entry.get(name)
        if value is not None and not is_right(value):
            found.append(Problem(name, text))
    if entry.get("probability", 1.0) is None:
        found.append(Problem("probability", "must be a number from 0 to 1"))
    if entry.get("kind") in NEEDS_SECONDS and entry.get("seconds") is None:
        found.append(Problem("seconds", f"is needed by {entry['kind']}"))
    if entry.get("copies") is not None and entry.get("kind") != "duplicate":
        found.append(Problem("copies", "belongs to duplicate only"))
    return found


def _problems_of_target(entry: dict[str, Any]) -> list[Problem]:
    service, kind = entry.get("service"), entry.get("kind")
    every_kind = sorted({kind for kinds in KINDS.values() for kind in kinds})
    if not isinstance(service, str) or service not in KINDS:
        found = [Problem("service", f"must be one of {', '.join(KINDS)}")]
        return found if kind in every_kind else [*found, Problem("kind", f"must be one of {', '.join(every_kind)}")]
    if kind not in KINDS[service]:
        return [Problem("kind", f"must be one of {', '.join(KINDS[service])} at {service}")]
    return []


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_int(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


_CHECKS: dict[str, tuple[Any, str]] = {
    "action": (lambda v: isinstance(v, str) and bool(v), "must be the name of an action"),
    "probability": (lambda v: _is_number(v) and 0 <= v <= 1, "must be a number from 0 to 1"),
    "code": (lambda v: isinstance(v, str) and bool(v), "must be an error code, as text"),
    "status": (lambda v: _is_int(v, 200, 599), "must be an HTTP status from 200 to 599"),
    "seconds": (lambda v: _is_number(v) and v >= 0, "must be a number of seconds, 0 or more"),
    "times": (lambda v: _is_int(v, 1, 2**53), "must be a whole number, 1 or more, or null"),
    "copies": (lambda v: _is_int(v, 1, COPIES_MAX), f"must be a whole number from 1 to {COPIES_MAX}"),
}
