"""What the control plane is told, parsed: JSON in, values out, every problem named at once (problems.Invalid)."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, Any

from localcloud.problems import Invalid, Problem
from localcloud.when import parse_iso

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT_DEFAULT, LIMIT_MAX = 100, 10_000
SEED_MAX = 10_000_000
MESSAGE_MAX_BYTES = 4096
"""Of a timer's input (https://cloud.tencent.com/document/product/583/9708)."""
TIME_LIMIT_MAX_S = 900
LATEST = parse_iso("2100-01-01T00:00:00Z")
"""Timers know years 1970 to 2099."""


def parse_limit(query: Mapping[str, str]) -> int:
    """Read ``limit`` of a listing."""
    limit = parse_whole_number(query.get("limit", str(LIMIT_DEFAULT)), "limit")
    if not 1 <= limit <= LIMIT_MAX:
        raise Invalid([Problem("limit", f"must be from 1 to {LIMIT_MAX}")])
    return limit


def parse_whole_number(text: str, field: str) -> int:
    """Read a whole number of the query."""
    try:
        return int(text)
    except ValueError as error:
        raise Invalid([Problem(field, "must be a whole number")]) from error


def parse_clock(body: Any, now: float) -> float:
    """``{"advance_s": seconds}`` or ``{"now": ISO 8601}`` → the new time in epoch seconds."""
    found = _problems_of_names(body, ("advance_s", "now"))
    if not found and len(body) != 1:
        found.append(Problem("", 'must have either "advance_s" or "now"'))
    _raise_any(found)
    if "advance_s" in body:
        if not _is_number(body["advance_s"]):
            raise Invalid([Problem("advance_s", "must be a number of seconds")])
        moved, field = now + body["advance_s"], "advance_s"
    else:
        moved, field = _parse_time(body["now"]), "now"
    if not 0 <= moved < LATEST:
        raise Invalid([Problem(field, "must lead to a time from 1970 to 2099")])
    return float(moved)


def parse_seed(body: Any) -> dict[str, Any]:
    """``{"day", "messages", "tasks", "sendcloud", "seed"}`` → arguments of LocalCloud.seed; only ``day`` is needed."""
    counts = {"messages": 0, "tasks": 0, "sendcloud": 0, "seed": 0}
    found = _problems_of_names(body, ("day", *counts))
    given = body if isinstance(body, dict) else {}
    if isinstance(body, dict) and not _is_day(body.get("day")):
        found.append(Problem("day", "must be a day such as 2026-11-20"))
    values = {name: given.get(name, default) for name, default in counts.items()}
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= SEED_MAX:
            found.append(Problem(name, f"must be a whole number from 0 to {SEED_MAX}"))
    _raise_any(found)
    return {"day": body["day"], **values}


def parse_timer(body: Any) -> tuple[str | None, float | None]:
    """``{"message", "time_limit_s"}``, both optional, or nothing."""
    if body is None:
        return None, None
    found = _problems_of_names(body, ("message", "time_limit_s"))
    _raise_any(found)
    message, limit_s = body.get("message"), body.get("time_limit_s")
    if message is not None and not (isinstance(message, str) and len(message.encode()) <= MESSAGE_MAX_BYTES):
        found.append(Problem("message", f"must be text of at most {MESSAGE_MAX_BYTES} bytes"))
    if limit_s is not None and not (_is_number(limit_s) and 0 < limit_s <= TIME_LIMIT_MAX_S):
        found.append(Problem("time_limit_s", f"must be seconds above 0, at most {TIME_LIMIT_MAX_S}"))
    _raise_any(found)
    return message, limit_s


def parse_credentials(body: Any) -> float | None:
    """``{"ttl_s": seconds}`` → how long a function's credentials live; null: for ever."""
    found = _problems_of_names(body, ("ttl_s",))
    _raise_any(found)
    ttl_s = body.get("ttl_s")
    if "ttl_s" not in body or not (ttl_s is None or (_is_number(ttl_s) and ttl_s > 0)):
        raise Invalid([Problem("ttl_s", "must be a number of seconds above 0, or null")])
    return None if ttl_s is None else float(ttl_s)


def _problems_of_names(body: Any, known: tuple[str, ...]) -> list[Problem]:
    if not isinstance(body, dict):
        return [Problem("", f"the body must be an object with {', '.join(known)}")]
    return [Problem(str(name), f"is not one of {', '.join(known)}") for name in body if name not in known]


def _raise_any(found: list[Problem]) -> None:
    if found:
        raise Invalid(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _parse_time(value: Any) -> float:
    try:
        return parse_iso(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise Invalid([Problem("now", "must be a time such as 2026-11-21T00:00:00Z, with its zone")]) from error
