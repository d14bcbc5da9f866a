"""Timer events, https://cloud.tencent.com/document/product/583/9708; ``Message`` is the operator's own, up to 4 KB."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class TimerMessageError(ValueError):
    """The timer's message is not one that the function understands."""


def parse_timer_days(event: Mapping[str, Any]) -> list[str] | None:
    """Return the days that the timer's message names, or None when it names none.

    An empty message, ``{"day": "2026-11-20"}`` and ``{"days": [...]}`` are understood. Raises TimerMessageError.
    """
    message = event.get("Message") or ""
    if isinstance(message, str):
        if not message.strip():
            return None
        try:
            message = json.loads(message)
        except (ValueError, RecursionError) as error:
            raise TimerMessageError('the message must be empty or JSON such as {"day": "2026-11-20"}') from error
    if not isinstance(message, dict):
        raise TimerMessageError('the message must be a JSON object such as {"day": "2026-11-20"}')
    days = message.get("days", [message["day"]] if "day" in message else None)
    if days is None:
        return None
    if not isinstance(days, list) or not all(map(_is_day, days)):
        raise TimerMessageError("day must be YYYY-MM-DD, days a list of them")
    return days


def _is_day(value: Any) -> bool:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return False
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        return False
    return True
