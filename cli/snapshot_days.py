"""The options that name days: ``--day`` for single ones, ``--from`` and ``--to`` for a range of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from cli.moments import days_between, parse_day
from cli.snapshot_desk import open_desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from cli.snapshot_desk import Where

_FORMS = "YYYY-MM-DD, today, yesterday or 7d (ago)"
_SOME_DAY = "2000-01-15"


class Asked(NamedTuple):
    """The days that were named: one by one, and as a range."""

    single: list[str]
    ranged: list[str]

    @property
    def days(self) -> list[str]:
        """Each of them once, the oldest first."""
        return sorted({*self.single, *self.ranged})


def naming_days(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that ``read_days`` reads."""
    options = (
        click.option("--day", "single", multiple=True, metavar="DAY", help=f"{_FORMS}; may be repeated."),
        click.option("--from", "first", metavar="DAY", help="First day of a range, in the same forms."),
        click.option("--to", "last", metavar="DAY", help="Its last day; default: today."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def read_days(port: int | None, given: Mapping[str, Any], *, most_days_ago: int | None) -> tuple[Where, Asked]:
    """Return the desk of the target, and which days the options of ``naming_days`` name there.

    ``most_days_ago``: how old a day may be. Raises UsageError with all that is wrong with them, ClickException.
    """
    # What can be told without the target's calendar is told also when the target does not answer.
    problems = [f"{option}: {problem}" for option, problem in _spelled_wrong(given)]
    if given["last"] is not None and given["first"] is None:
        problems.append("--to: there is no --from")
    try:
        where = open_desk(port)
    except click.ClickException:
        if problems:
            raise click.UsageError("; ".join(problems)) from None
        raise
    asked = _Reading(where.today, most_days_ago, problems).read(given)
    if problems:
        raise click.UsageError("; ".join(problems))
    return where, asked


def _spelled_wrong(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for option, text in _texts(given):
        if problem := _problem_of(text):
            yield option, problem


def _problem_of(text: str) -> str:
    try:
        parse_day(text, today=_SOME_DAY)
    except click.BadParameter as error:
        return error.message
    return ""


def _texts(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    ends = [("--from", given["first"]), ("--to", given["last"])]
    return [("--day", text) for text in given["single"]] + [(option, text) for option, text in ends if text is not None]


def are_named(given: Mapping[str, Any]) -> bool:
    """Whether the options of ``naming_days`` were given, be it with nothing in them: ``--from "$UNSET"``."""
    return bool(_texts(given))


class _Reading:
    """Days by the target's calendar; ``problems`` gets what is wrong with them."""

    def __init__(self, today: str, most_days_ago: int | None, problems: list[str]) -> None:
        self._today = today
        self._problems = problems
        self._oldest = "" if most_days_ago is None else parse_day(f"{most_days_ago}d", today=today)

    def read(self, given: Mapping[str, Any]) -> Asked:
        single = [day for text in given["single"] if (day := self._day("--day", text))]
        first = self._day("--from", given["first"]) if given["first"] is not None else None
        last = self._day("--to", given["last"]) if given["last"] is not None else self._today
        if not (first and last):
            return Asked(single, [])
        if last < first:
            self._problems.append("--to is before --from")
        return Asked(single, days_between(first, last))

    def _day(self, option: str, text: str) -> str | None:
        try:
            day = parse_day(text, today=self._today)
        except click.BadParameter:
            return None  # it was told
        if day > self._today:
            self._problems.append(f"{option}: {day} is to come; today is {self._today}")
        elif day < self._oldest:
            self._problems.append(f"{option}: SES has forgotten {day}; the oldest day that it knows is {self._oldest}")
        return day
