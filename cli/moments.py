"""Times as people give them on a command line -> epoch seconds."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

import click

from shared.trail.records import UTC, epoch

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGO = re.compile(r"(\d{1,9})([smhd])")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
DAY_S = 86400
LATEST_S = 253402214400.0
"""The first moment of 9999-12-31: a day later some zones have a year that no time of ours can be written in."""


class Window(NamedTuple):
    """The days that something is asked about, one after the other; ``and_later``: and whatever is dated after them."""

    days: list[str]
    and_later: bool

    def covers(self, day: str) -> bool:
        """Whether a day is one of them."""
        return self.days[0] <= day and (self.and_later or day <= self.days[-1])


def parse_moment(text: str, *, now: float, utc_offset_s: int, at_end: bool = False) -> float:
    """Return the epoch seconds of ``15m`` (ago), ``2026-11-20`` or an ISO 8601 time. Raises BadParameter.

    A day is one of the account's zone, and so is a time without a zone. ``at_end``: a day means its end. What is
    before 1970 or after ``LATEST_S`` becomes these, so that who writes the year 1 or 9999 gets all there is.
    """
    if ago := _AGO.fullmatch(text):
        return max(0.0, now - int(ago[1]) * _UNITS_S[ago[2]])
    try:
        moment = dt.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.timezone(dt.timedelta(seconds=utc_offset_s)))
        at = moment.timestamp() + (DAY_S if at_end and _DAY.fullmatch(text) else 0)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text} is none of 15m, 2h, 3d, YYYY-MM-DD, an ISO 8601 time") from error
    return min(max(0.0, at), LATEST_S)


def check_days(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Check what an option that takes ``YYYY-MM-DD`` was given. Raises BadParameter."""
    return tuple(map(_whole_day, value))


def parse_day(text: str, *, today: str) -> str:
    """Return ``YYYY-MM-DD`` of a day given so, or as ``today``, ``yesterday``, ``3d`` (ago). Raises BadParameter."""
    day = dt.date.fromisoformat(today)
    ago = {"today": "0d", "yesterday": "1d"}.get(text, text)
    try:
        if re.fullmatch(r"\d{1,5}d", ago):
            return (day - dt.timedelta(days=int(ago[:-1]))).isoformat()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text} is not a day") from error
    return _whole_day(text)


def _whole_day(text: str) -> str:
    try:
        if _DAY.fullmatch(text):  # newer Pythons take more than that for a date
            return dt.date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise click.BadParameter(f"{text} is not a day") from error
    raise click.BadParameter(f"{text} is not YYYY-MM-DD")


def check_duration(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    """Read an option such as ``90s``, ``30m``, ``2h`` or ``1d`` as seconds. Raises BadParameter."""
    match = _AGO.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value} is none of 90s, 30m, 2h, 1d")
    return float(int(match[1]) * _UNITS_S[match[2]])


def is_day(text: str) -> bool:
    """Whether a text is ``YYYY-MM-DD`` of a day that there is."""
    try:
        return _whole_day(text) == text
    except click.BadParameter:
        return False


def days_between(first: str, last: str) -> list[str]:
    """Return every day from ``first`` to ``last``, both included; none when ``last`` is before ``first``."""
    start, count = dt.date.fromisoformat(first), (dt.date.fromisoformat(last) - dt.date.fromisoformat(first)).days + 1
    return [(start + dt.timedelta(days=number)).isoformat() for number in range(count)]


def local_time(at: str, utc_offset_s: int) -> str:
    """Return ``2026-11-20 16:00:00`` of the account's zone for a record's time in UTC; as it is when it is no time."""
    try:
        moment = dt.datetime.fromtimestamp(epoch(at) + utc_offset_s, UTC)
    except (ValueError, OverflowError):
        return at
    return moment.strftime("%Y-%m-%d %H:%M:%S")
