"""Timer events, https://cloud.tencent.com/document/product/583/9708; ``Message`` is the operator's own, up to 4 KB."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


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
        except ValueError as error:
            raise TimerMessageError('the message must be empty or JSON such as {"day": "2026-11-20"}') from error
    if not isinstance(message, dict):
        raise TimerMessageError('the message must be a JSON object such as {"day": "2026-11-20"}')
    days = message.get("days", [message["day"]] if "day" in message else None)
    if days is None:
        return None
    if not isinstance(days, list) or not all(isinstance(day, str) and _DAY.fullmatch(day) for day in days):
        raise TimerMessageError("day must be YYYY-MM-DD, days a list of them")
    return days
