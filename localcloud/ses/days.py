"""Days and times as SES writes them: UTC+8, no zone named.

RequestDate is documented without a zone; the dates inside MessageIds agree with their events only in UTC+8.
"""

from __future__ import annotations

import calendar
import time
from typing import TYPE_CHECKING

from localcloud.defaults import UTC_OFFSET_S
from localcloud.ses.errors import ApiError

if TYPE_CHECKING:
    from localcloud.ses.params import Params

DAY_S = 86400


def day_number(at: float) -> int:
    """Days since 1970-01-01 of the account's zone at ``at`` (epoch seconds, UTC)."""
    return int((at + UTC_OFFSET_S) // DAY_S)


def day_start(day: int) -> int:
    """Epoch seconds, UTC, at which that day begins."""
    return day * DAY_S - UTC_OFFSET_S


def parse_day(text: str) -> int:
    """Turn ``YYYY-MM-DD`` into a day number. Raises ValueError for any other form and for days that do not exist."""
    if len(text) != 10:
        raise ValueError(f"not YYYY-MM-DD: {text!r}")
    return calendar.timegm(time.strptime(text, "%Y-%m-%d")) // DAY_S


def parse_days(params: Params) -> tuple[int, int]:
    """Read StartDate and EndDate, both included, as day numbers. Raises ApiError if not two days in order."""
    try:
        first, last = (parse_day(params.text(name)) for name in ("StartDate", "EndDate"))
    except ValueError as error:
        raise ApiError("InvalidParameterValue.WrongDate") from error
    if last < first:
        raise ApiError("InvalidParameterValue.WrongDate")
    return first, last


def format_day(day: int) -> str:
    """Write a day number as ``YYYY-MM-DD``."""
    return time.strftime("%Y-%m-%d", time.gmtime(day * DAY_S))


def parse_local(text: str) -> float:
    """Turn ``YYYY-MM-DD HH:MM:SS`` into epoch seconds, UTC. Raises ValueError for any other form."""
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")) - UTC_OFFSET_S)


def format_local(at: float, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write ``at`` (epoch seconds, UTC) as the account's local time."""
    return time.strftime(form, time.gmtime(at + UTC_OFFSET_S))


def format_utc(at: float) -> str:
    """Write ``at`` as ISO 8601 in UTC, to the millisecond."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
