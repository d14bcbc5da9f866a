"""The options by which the verbs of ``mailtrail suppression`` choose causes, and the errors they tell alike."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from cli.moments import parse_moment
from shared.trail.records import iso
from shared.trail.store import StoreError
from shared.trail.suppression import REASONS, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.trail import Trail

_TIME = "15m, 2h, 3d (ago), YYYY-MM-DD or an ISO 8601 time."
WAIT_OPTION = click.option(
    "--wait", "wait_s", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
    help="How long to wait for the report timer, or for somebody else who changes the list.",
)  # fmt: skip
DRY_OPTION = click.option("--dry-run", "dry", is_flag=True, help="Say what would change; write nothing.")
ALL_OPTION = click.option(
    "--active/--all", "only_active", default=True, help="Only who gets no mail now (default), or also over and removed."
)


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that ``selection_of`` reads."""
    options = (
        click.option("--reason", type=click.Choice(REASONS), help="Causes of this reason."),
        click.option("--since", metavar="TIME", help=f"Causes from this time on: {_TIME}"),
        click.option("--until", metavar="TIME", help="Causes up to this time; a day with its end."),
        click.option("--source", metavar="NAME", help="Causes from ses, sendcloud, cli or an imported file's name."),
        click.option("--machine", is_flag=True, help="Causes that a link scanner may have made."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def selection_of(which: dict[str, Any], trail: Trail) -> Selection:
    """Return the causes that the options of ``selecting`` name. Raises BadParameter for what is no time."""
    times = {
        name: iso(parse_moment(which[name], now=trail.now, utc_offset_s=trail.utc_offset_s, at_end=name == "until"))
        for name in ("since", "until")
        if which[name]
    }
    return Selection(which["reason"], which["source"], times.get("since"), times.get("until"), which["machine"])


@contextlib.contextmanager
def failures_told() -> Iterator[None]:
    """Turn what COS, or an object that is no entry, makes impossible into a message and exit status 1."""
    try:
        yield
    except (StoreError, ValueError) as error:
        raise click.ClickException(f"the suppression list: {error}") from error
