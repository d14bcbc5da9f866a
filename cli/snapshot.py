"""``mailtrail snapshot``: message status and the task list into the bucket, now; ``verify`` and ``days`` look at it."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from cli import target
from cli.snapshot_backfill import Backfill
from cli.snapshot_days import are_named, naming_days, read_days
from cli.snapshot_standing import days_command
from cli.snapshot_verify import verify_command
from cli.terminal import JSON_OPTION, console, note, printable, progress
from cli.timers import run_timer
from functions.snapshot.due import KEPT_DAYS
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

_GO_ON = "stopped; what was read lies in the bucket, and the same command goes on from there"


@click.group("snapshot", invoke_without_command=True)
@naming_days
@target.LOCAL_OPTION
@JSON_OPTION
@click.pass_context
def snapshot_command(context: click.Context, /, port: int | None, *, as_json: bool, **given: Any) -> None:
    """Save message status and task lists into the bucket, as the timer does: the days that are due, in one run.

    Days that are named are taken until each is complete and two passes over it agree, in as many runs of 900 seconds
    as that takes; Ctrl-C loses nothing, the same command goes on. A range (--from, --to) leaves out what was
    done before; --day takes its day again. SES knows a day for 30 days.

    Exit status 1 when a day is not complete.
    """
    if context.invoked_subcommand:
        if port is not None or as_json or are_named(given):
            raise click.UsageError(f"options belong behind the verb: mailtrail snapshot {context.invoked_subcommand} …")
        return
    result = _take(port, given) if are_named(given) else _take_due(port)
    if as_json:
        click.echo(json.dumps(result, indent=1))
    else:
        _print(result)
    if not result["complete"]:
        raise SystemExit(1)


for _command in (verify_command, days_command):
    snapshot_command.add_command(_command)


def _take_due(port: int | None) -> dict[str, Any]:
    try:
        with progress() as bar:
            bar.add_task("the days that are due", total=None)
            return run_timer("snapshot", (), target.environment(port))
    except KeyboardInterrupt:
        note(_GO_ON)
        raise SystemExit(1) from None


def _take(port: int | None, given: Mapping[str, Any]) -> dict[str, Any]:
    where, asked = read_days(port, given, most_days_ago=KEPT_DAYS)
    try:
        backfill = Backfill(port, where, asked)
        with contextlib.suppress(KeyboardInterrupt), progress() as bar:
            backfill.run_all(bar)
            return backfill.result()
        note(_GO_ON)
        backfill.look_again()
        return backfill.result()
    except StoreError as error:
        raise click.ClickException(f"COS: {error}") from error


def _print(result: Mapping[str, Any]) -> None:
    table = Table("Source", "Day", "Rows", "Pages", "Passes", "Agreed", "Sealed", "Why")
    for one in result["snapshots"]:
        words = [_word(one.get(name)) for name in ("rows", "pages", "passes", "agreed", "sealed")]
        cells = (one["source"], one.get("day", ""), *words, one.get("why", ""))
        table.add_row(*(Text(printable(cell), style="" if one["complete"] else "red") for cell in cells))
    console().print(table)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
