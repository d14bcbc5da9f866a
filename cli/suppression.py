"""``mailtrail suppression``: who gets no mail any more. The reading verbs; cli/suppression_verbs.py has the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import click
from rich.table import Table
from rich.text import Text

from cli import target
from cli.suppression_changes import iter_list
from cli.suppression_files import csv_header, csv_line, jsonl_line
from cli.suppression_options import ALL_OPTION, failures_told, selecting, selection_of
from cli.suppression_verbs import add_command, import_command, remove_command, restore_command, undo_command
from cli.terminal import JSON_OPTION, console, note, printable, until_nobody_reads
from cli.trail import open_trail
from shared.trail import suppression_list
from shared.trail.suppression import Selection, as_json, is_suppressed, standing, strongest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.trail import Trail
    from shared.trail.suppression import Entry


@click.group("suppression")
def suppression_command() -> None:
    """Who gets no mail any more, and why."""


@suppression_command.command("list")
@selecting
@ALL_OPTION
@target.LOCAL_OPTION
@JSON_OPTION
def list_command(port: int | None, *, only_active: bool, as_json: bool, **which: Any) -> None:
    """List addresses with the cause that holds longest. The options choose by any cause that counts."""
    trail = open_trail(port)
    with failures_told():
        found = list(_chosen(trail, selection_of(which, trail), only_active=only_active))
    if as_json:
        click.echo(json.dumps([_told(known, trail.now) for known in found], indent=1))
        return
    table = Table("Address", "Reason", "Since", "Until", "Source", "Detail")
    for known in found:
        holds = strongest(known)
        if holds is None:
            _row(table, known.address, "(removed)")
        else:
            until = holds.until or "for good"
            _row(table, known.address, holds.reason, holds.since, until, holds.source, holds.detail)
    with until_nobody_reads():
        console().print(table)


@suppression_command.command("show")
@click.argument("address")
@target.LOCAL_OPTION
@JSON_OPTION
def show_command(address: str, port: int | None, *, as_json: bool) -> None:
    """Show all that is known of ADDRESS. Exit status 1 when there is no entry."""
    trail = open_trail(port)
    with failures_told():
        known = suppression_list.read(trail.store, address)
    if known is None:
        raise click.ClickException("no entry: nothing has suppressed this address")
    if as_json:
        click.echo(json.dumps(_told(known, trail.now), indent=1))
        return
    answer = "gets no mail" if is_suppressed(strongest(known), trail.now) else "gets mail"
    console().print(Text(f"{printable(known.address)}: {answer}"))
    table = Table("Since", "Reason", "Until", "Source", "Detail", "Machine", "Note", "Counts")
    counting = standing(known)
    for cause in known.causes:
        counts = "yes" if cause in counting else "removed"
        told = (
            cause.since,
            cause.reason,
            cause.until or "for good",
            cause.source,
            cause.detail,
            cause.machine,
            cause.note,
        )
        _row(table, *told, counts)
    console().print(table)
    for removal in known.removals:
        over = f", restored {removal.restored_at}" if removal.restored_at else ""
        console().print(Text(f"removed {removal.at} by {printable(removal.by)}{over}"))


@suppression_command.command("export")
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--output", "-o", type=click.File("wb"), default="-", help="A file; default: standard output.")
@selecting
@ALL_OPTION
@target.LOCAL_OPTION
def export_command(kind: str, output: BinaryIO, port: int | None, *, only_active: bool, **which: Any) -> None:
    """Write the list as a file that `import` reads back to the very same entries; with --all a whole copy."""
    trail = open_trail(port)
    selection, count = selection_of(which, trail), 0
    with failures_told(), until_nobody_reads():
        if kind == "csv":
            output.write(csv_header())
        for known in _chosen(trail, selection, only_active=only_active):
            output.write(csv_line(known, trail.now) if kind == "csv" else jsonl_line(known))
            count += 1
        output.flush()
    note(f"{count} addresses")


for _command in (add_command, import_command, remove_command, undo_command, restore_command):
    suppression_command.add_command(_command)


def _chosen(trail: Trail, selection: Selection, *, only_active: bool) -> Iterator[Entry]:
    """Yield the entries with a cause of ``selection``: one that was not removed, or with all entries any."""
    for known in iter_list(trail):
        if only_active and not is_suppressed(strongest(known), trail.now):
            continue
        causes = standing(known) if only_active else known.causes
        if selection == Selection() or any(map(selection.covers, causes)):
            yield known


def _told(known: Entry, now: float) -> dict[str, Any]:
    return {"active": is_suppressed(strongest(known), now), **as_json(known)}


def _row(table: Table, *cells: str | None) -> None:
    # As text: an address may look like the table's own markup.
    table.add_row(*(Text(printable(cell or "")) for cell in cells))
