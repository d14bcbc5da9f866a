"""``mailtrail snapshot`` and ``mailtrail report``: the timers' work, now, for the days you name."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.table import Table

from cli import target
from cli.invoke import call
from cli.moments import check_days
from cli.terminal import JSON_OPTION, console

DAY_OPTION = click.option(
    "--day", "days", multiple=True, callback=check_days,
    help="YYYY-MM-DD; may be repeated. Default: yesterday and today; `report` also takes every day that has news.",
)  # fmt: skip


@click.command("snapshot")
@DAY_OPTION
@target.LOCAL_OPTION
@JSON_OPTION
def snapshot_command(days: tuple[str, ...], port: int | None, *, as_json: bool) -> None:
    """Save message status and task lists of whole days into the bucket. Exit status 1 when one is not complete."""
    result = _run("snapshot", days, port)
    table = Table("Source", "Day", "Rows", "Pages", "Complete")
    for one in result["snapshots"]:
        complete = "yes" if one["complete"] else f"no: {one['why']}"
        table.add_row(one["source"], one.get("day", ""), str(one.get("rows", "")), str(one.get("pages", "")), complete)
    _print(result, table, as_json=as_json)
    if not result["complete"]:
        raise SystemExit(1)


@click.command("report")
@DAY_OPTION
@target.LOCAL_OPTION
@JSON_OPTION
def report_command(days: tuple[str, ...], port: int | None, *, as_json: bool) -> None:
    """Write the report of whole days into the bucket, and do the timer's other work: compaction, expiry."""
    result = _run("report", days, port)
    table = Table("Day", "Events", "Recipients", "Objects")
    for one in result["reports"]:
        table.add_row(one["day"], str(one["events"]), str(one["recipients"]), "\n".join(one["keys"]))
    _print(result, table, as_json=as_json)
    for step, told in () if as_json else result["maintenance"].items():
        click.echo(f"{step}: {', '.join(f'{name} {value}' for name, value in told.items())}")


def _run(function: str, days: tuple[str, ...], port: int | None) -> dict[str, Any]:
    message = json.dumps({"days": list(days)}) if days else ""
    event = {"Type": "Timer", "TriggerName": f"{function}_cli", "Time": "", "Message": message}
    with target.running_as(target.environment(port)):
        result: dict[str, Any] = call(function, event)
    return result


def _print(result: dict[str, Any], table: Table, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result, indent=1))
    else:
        console().print(table)
