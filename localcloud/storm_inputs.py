"""What ``POST /_local/storm`` is told, parsed; every problem named at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.problems import Invalid, Problem
from localcloud.ses.days import format_local, parse_day
from localcloud.storm import DAY, ORDERS, Storm

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS_MAX = 2_000_000
COPIES_MAX = 50
CONNECTIONS_MAX = 32


class Asked(NamedTuple):
    """A storm as it was asked for. ``redeliveries``: rounds in which what was never answered 2xx is told again.

    ``rate_per_s``: deliveries a second of real time; None is as many as the receiver takes. ``connections``: how many
    are under way at once; with 1 they arrive in exactly the order of the storm.
    """

    events: int
    seed: int = 0
    min_copies: int = 1
    max_copies: int = COPIES_MAX
    deliveries: int | None = None
    order: str = "random"
    day: str = DAY
    rate_per_s: float | None = None
    connections: int = 4
    redeliveries: int = 0

    def build(self) -> Storm:
        """Return the storm. Raises ValueError for numbers that cannot be met together."""
        return Storm(
            self.events,
            self.seed,
            min_copies=self.min_copies,
            max_copies=self.max_copies,
            deliveries=self.deliveries,
            order=self.order,
            day=self.day,
        )


_RANGES = {
    "events": (1, EVENTS_MAX),
    "seed": (-(2**63), 2**63),
    "min_copies": (1, COPIES_MAX),
    "max_copies": (1, COPIES_MAX),
    "deliveries": (1, EVENTS_MAX * COPIES_MAX),
    "connections": (1, CONNECTIONS_MAX),
    "redeliveries": (0, 100),
}


def parse_storm(body: Any, now: float) -> Asked:
    """Turn ``{"events": 50000, …}`` into what was asked; only ``events`` is needed, ``day`` is today by default.

    ``now``: simulated epoch seconds. Raises problems.Invalid naming every problem.
    """
    if not isinstance(body, dict):
        raise Invalid([Problem("", f"the body must be an object with {', '.join(Asked._fields)}")])
    found = [Problem(str(n), f"is not one of {', '.join(Asked._fields)}") for n in body if n not in Asked._fields]
    given = {name: value for name, value in body.items() if value is not None and name in Asked._fields}
    found += [Problem(name, text) for name, text in _problems_of(given).items()]
    if found:
        raise Invalid(found)
    asked = Asked(**{"day": format_local(now, "%Y-%m-%d"), **given})
    total = asked.deliveries
    if asked.min_copies > asked.max_copies:
        raise Invalid([Problem("min_copies", "must not be more than max_copies")])
    if total is not None and not asked.events * asked.min_copies <= total <= asked.events * asked.max_copies:
        raise Invalid([Problem("deliveries", "cannot be reached with so many events and copies")])
    return asked


def parse_page(query: Mapping[str, str], limit_max: int = 10_000) -> tuple[int, int]:
    """Read ``offset`` (default 0) and ``limit`` (default 1000) of a listing."""
    values = {name: query.get(name, default) for name, default in (("offset", "0"), ("limit", "1000"))}
    found = [Problem(name, "must be a whole number") for name, text in values.items() if not text.isdecimal()]
    if found:
        raise Invalid(found)
    return int(values["offset"]), min(int(values["limit"]), limit_max)


def _problems_of(given: Mapping[str, Any]) -> dict[str, str]:
    found = {
        name: f"must be a whole number from {low} to {high}"
        for name, (low, high) in _RANGES.items()
        if name in given and not _is_int(given[name], low, high)
    }
    if "events" not in given:
        found["events"] = "is needed"
    if given.get("order", ORDERS[0]) not in ORDERS:
        found["order"] = f"must be one of {', '.join(ORDERS)}"
    if not _is_rate(given.get("rate_per_s", 1)):
        found["rate_per_s"] = "must be a number above 0, or null"
    if not _is_day(given.get("day", DAY)):
        found["day"] = "must be a day such as 2026-11-20"
    return found


def _is_int(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_rate(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and parse_day(value) > 0
    except ValueError:
        return False
