"""``mailtrail report``: the report timer's work, now, for the days you name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from cli import target
from cli.invoke import call
from cli.moments import check_days
from cli.terminal import JSON_OPTION, console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@click.command("report")
@click.option(
    "--day", "days", multiple=True, callback=check_days,
    help="YYYY-MM-DD; may be repeated. Default: yesterday, today, and every day that has news.",
)  # fmt: skip
@target.LOCAL_OPTION
@JSON_OPTION
def report_command(days: tuple[str, ...], port: int | None, *, as_json: bool) -> None:
    """Write the report of whole days into the bucket, and do the timer's other work: compaction, expiry."""
    result = run_timer("report", days, target.environment(port))
    if as_json:
        click.echo(json.dumps(result, indent=1))
        return
    table = Table("Day", "Events", "Recipients", "Objects")
    for one in result["reports"]:
        table.add_row(one["day"], str(one["events"]), str(one["recipients"]), "\n".join(one["keys"]))
    console().print(table)
    for step, told in result["maintenance"].items():
        click.echo(f"{step}: {', '.join(f'{name} {value}' for name, value in told.items())}")


def run_timer(function: str, days: Sequence[str], settings: Mapping[str, str]) -> dict[str, Any]:
    """Run a function as its timer would, over ``days`` or over those that it takes by itself."""
    message = json.dumps({"days": [*days]}) if days else ""
    event = {"Type": "Timer", "TriggerName": f"{function}_cli", "Time": "", "Message": message}
    with target.running_as(settings):
        result: dict[str, Any] = call(function, event)
    return result
