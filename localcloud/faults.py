"""Faults on purpose: the rules in force (localcloud/fault_rules.py) and, for each, a seeded die that decides."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.fault_rules import COPIES_DEFAULT, KINDS, Rule, parse_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ENDINGS", "KINDS", "Fault", "Faults", "Rule", "copies", "ending", "hold_s", "list_lag_s", "parse_rules"]

REORDER_WITHIN_S = 2.0
"""Longest hold, in seconds, of what is reordered by a rule that names none."""
LOST_FOR_S = 1.0
"""Real seconds of silence after a request that is lost by a rule that names none."""
ENDINGS = ("error", "throttle", "drop_request", "drop_response", "lose")
"""Kinds after which nothing else can befall the same request."""


class Fault(NamedTuple):
    """What a rule does to one request or callback. ``seconds``: as long as it was decided to be."""

    kind: str
    code: str | None
    status: int | None
    seconds: float
    copies: int


class Faults:
    """The rules in force. Thread-safe.

    Every rule has a die of its own, made of the seed and of the rule's place in the list, and thrown once for each
    request that the rule is about. So the same seed, rules and sequence of requests at a service give the same faults
    there, whatever goes on meanwhile at the others and on callbacks.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._rules: list[tuple[Rule, random.Random]] = []
        self._lock = threading.Lock()

    @property
    def rules(self) -> list[dict[str, Any]]:
        """Every rule as JSON, with ``fired``: how often it did."""
        with self._lock:
            return [rule.as_json() for rule, _ in self._rules]

    def reseed(self, seed: int) -> None:
        """Start every die again, from ``seed``."""
        with self._lock:
            self._seed = seed
            for place, (_, die) in enumerate(self._rules):
                die.seed(f"{seed}/{place}")

    def add(self, raw: object) -> list[dict[str, Any]]:
        """Add one rule or a list of them (DESIGN §7). Raises Invalid naming every problem; then none is added."""
        rules = parse_rules(raw)
        with self._lock:
            for rule in rules:
                # A die must be repeatable, and has nothing to do with secrets.
                self._rules.append((rule, random.Random(f"{self._seed}/{len(self._rules)}")))  # noqa: S311
        return [rule.as_json() for rule in rules]

    def clear(self) -> None:
        """Forget every rule."""
        with self._lock:
            self._rules.clear()

    def is_quiet(self, service: str) -> bool:
        """Whether no rule names ``service``, so that nothing need be decided."""
        return not any(rule.service == service for rule, _ in self._rules)

    def decide(self, service: str, *actions: str) -> list[Fault]:
        """Throw the die of each rule about this action (which may go by several names); return what is to happen.

        In the order of the rules; after an ending (error, throttle, drop, lose) no rule is asked.
        """
        happening: list[Fault] = []
        with self._lock:
            for rule, die in self._rules:
                if not rule.is_about(service, actions) or die.random() >= rule.probability:
                    continue
                rule.fired += 1
                happening.append(_fault_of(rule, die))
                if rule.kind in ENDINGS:
                    break
        return happening


def hold_s(faults: Sequence[Fault]) -> float:
    """Seconds for which ``faults`` hold a request or callback back."""
    return sum(fault.seconds for fault in faults if fault.kind in ("delay", "reorder"))


def copies(faults: Sequence[Fault]) -> int:
    """How often a request or callback arrives, where ``faults`` let it."""
    return max((fault.copies for fault in faults if fault.kind == "duplicate"), default=1)


def ending(faults: Sequence[Fault]) -> Fault | None:
    """Return the fault that keeps the answer from coming, if there is one; it is the last."""
    return faults[-1] if faults and faults[-1].kind in ENDINGS else None


def list_lag_s(faults: Sequence[Fault]) -> float:
    """Seconds after which this LIST shows an object."""
    return max((fault.seconds for fault in faults if fault.kind == "list_lag"), default=0.0)


def _fault_of(rule: Rule, die: random.Random) -> Fault:
    by_default = {"reorder": REORDER_WITHIN_S, "lose": LOST_FOR_S}
    seconds = by_default.get(rule.kind, 0.0) if rule.seconds is None else rule.seconds
    if rule.kind == "reorder":
        seconds = die.uniform(0.0, seconds)
    return Fault(rule.kind, rule.code, rule.status, seconds, rule.copies or COPIES_DEFAULT)
