"""Faults on purpose: rules that say what goes wrong where, how often, and a seeded die that decides each time.

At the services: ``error`` and ``throttle`` answer an error, ``drop_request`` closes the connection before the service
acts, ``drop_response`` after it acted, ``delay`` waits ``seconds`` of real time first. At COS also ``list_lag``.
On callbacks: ``lose`` an attempt, ``duplicate`` it, ``delay`` or ``reorder`` it (held back for ``seconds``, or for
a random part of them, of simulated time), ``error``: the receiver is not reached and ``status`` counts as its answer.
"""

from __future__ import annotations

import math
import random
import threading
from dataclasses import asdict, dataclass, fields
from typing import Any

from localcloud.problems import Invalid, Problem

SERVICE_KINDS = ("error", "drop_request", "drop_response", "delay", "throttle")
KINDS = {
    "ses": SERVICE_KINDS,
    "cos": (*SERVICE_KINDS, "list_lag"),
    "sendcloud": SERVICE_KINDS,
    "callback": ("duplicate", "reorder", "lose", "delay", "error"),
}
NEEDS_SECONDS = ("delay", "list_lag")
REORDER_WITHIN_S = 2.0
"""Longest hold, in seconds of simulated time, of a reordered callback whose rule names none."""


@dataclass
class Rule:
    """One fault. ``action``: None means every action. ``times``: how often at most; None means always."""

    service: str
    kind: str
    action: str | None = None
    probability: float = 1.0
    code: str | None = None
    status: int | None = None
    seconds: float | None = None
    times: int | None = None
    fired: int = 0

    def is_about(self, service: str, actions: tuple[str, ...]) -> bool:
        """Whether the rule looks at this service and action, and has not been used up."""
        if self.service != service or self.kind == "list_lag":
            return False
        return (self.action is None or self.action in actions) and (self.times is None or self.fired < self.times)


class Faults:
    """The rules in force. Thread-safe; the same seed, rules and calls give the same faults."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a die that must be repeatable
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    @property
    def rules(self) -> list[dict[str, Any]]:
        """Every rule as JSON, with ``fired``: how often it did."""
        with self._lock:
            return [asdict(rule) for rule in self._rules]

    @property
    def list_lag_s(self) -> float:
        """Seconds after which LIST shows an object, by the rules in force."""
        return max((rule.seconds or 0.0 for rule in self._rules if rule.kind == "list_lag"), default=0.0)

    def reseed(self, seed: int) -> None:
        """Start the die again from ``seed``."""
        with self._lock:
            self._random.seed(seed)

    def add(self, raw: object) -> list[dict[str, Any]]:
        """Add one rule or a list of them (DESIGN §7). Raises Invalid naming every problem; then none is added."""
        rules = parse_rules(raw)
        with self._lock:
            self._rules.extend(rules)
        return [asdict(rule) for rule in rules]

    def clear(self) -> None:
        """Forget every rule."""
        with self._lock:
            self._rules.clear()

    def is_quiet(self, service: str) -> bool:
        """Whether no rule names ``service``, so that nothing need be decided."""
        return not any(rule.service == service for rule in self._rules)

    def decide(self, service: str, *actions: str) -> list[Rule]:
        """Throw the die for each rule about this action (which may go by several names); return those that fired.

        Delays come first to fire alone or before something else; after an ending (error, drop, lose) no rule is asked.
        """
        fired: list[Rule] = []
        with self._lock:
            for rule in self._rules:
                if not rule.is_about(service, actions) or self._random.random() >= rule.probability:
                    continue
                rule.fired += 1
                fired.append(rule)
                if rule.kind not in ("delay", "duplicate", "reorder"):
                    break
        return fired

    def hold_s(self, rule: Rule) -> float:
        """Seconds of simulated time for which ``rule`` holds a callback back."""
        if rule.kind == "delay":
            return rule.seconds or 0.0
        with self._lock:
            return self._random.uniform(0.0, REORDER_WITHIN_S if rule.seconds is None else rule.seconds)


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
}
