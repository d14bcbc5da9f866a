"""``mailtrail snapshot days``: where each day stands, and which may be lost when SES forgets it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from cli import target
from cli.snapshot_desk import iter_known, open_desk
from cli.terminal import JSON_OPTION, console
from functions.snapshot.due import KEPT_DAYS, age_days, days_to_look_at, phase_at
from shared.trail.layout import checkpoint_key
from shared.trail.store import Entry, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cli.snapshot_desk import Known, Where

AT_RISK_FROM_DAYS = 25
"""Of the 30 days for which SES knows it, an unsealed day of that age has a sixth left."""


@click.command("days")
@target.LOCAL_OPTION
@JSON_OPTION
def days_command(port: int | None, *, as_json: bool) -> None:
    """Show where each of the last 33 days stands: how sure its rows are, and how long SES will know it.

    A day is sealed when two passes agreed after its statuses had settled. Unsealed ones of 25 days and more are in red.
    """
    where = open_desk(port)
    try:
        rows = list(_rows(where))
    except StoreError as error:
        raise click.ClickException(f"COS: {error}") from error
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    names = ("Source", "Day", "Phase", "Passes", "Rows", "Unseen", "Agreed", "Sealed", "Under way", "Days left")
    table = Table(*names)
    for row in rows:
        style = "bold red" if row["at_risk"] else ""
        table.add_row(*(Text(cell, style=style) for cell in _cells(row)))
    console().print(table)


def _rows(where: Where) -> Iterator[dict[str, Any]]:
    desk, days = where.desk, days_to_look_at(where.desk)
    places = {checkpoint_key(source, day): (source, day) for day in days for source in where.sources}
    entries = (Entry(key, 0, "", "") for key in places)
    under_way = {places[entry.key]: body for entry, body in desk.store.read_many(entries)}
    for known in iter_known(desk.store, where.sources, days):
        yield _row(where, known, _pages(under_way[known.source, known.day]))


def _pages(checkpoint: bytes | None) -> int | None:
    try:
        return None if checkpoint is None else int(json.loads(checkpoint)["pages"])
    except (ValueError, LookupError, TypeError):
        return None


def _row(where: Where, known: Known, pages_under_way: int | None) -> dict[str, Any]:
    desk, standing = where.desk, known.standing
    manifest: Mapping[str, Any] = known.manifest or {}
    left = KEPT_DAYS - age_days(desk, known.day)
    sealed = standing is not None and standing.sealed
    return {
        "source": known.source,
        "day": known.day,
        "phase": phase_at(desk, known.day, desk.clock()),
        "damaged": standing is None,
        "passes": standing.passes if standing else None,
        "rows": manifest.get("rows"),
        "unseen": manifest.get("unseen"),
        "agreed": standing is not None and standing.agreed,
        "sealed": sealed,
        "pages_under_way": pages_under_way,
        "days_left": left if left >= 0 else None,
        "at_risk": not sealed and left <= KEPT_DAYS - AT_RISK_FROM_DAYS,
    }


def _cells(row: Mapping[str, Any]) -> list[str]:
    under_way = "" if row["pages_under_way"] is None else f"{row['pages_under_way']} pages"
    left = "forgotten" if row["days_left"] is None else str(row["days_left"])
    if row["damaged"]:
        return [row["source"], row["day"], row["phase"], "manifest damaged", "", "", "", "", under_way, left]
    rows, unseen = (_word(row["rows"], "d"), _word(row["unseen"], ".2g"))
    marks = ["yes" if row[name] else "no" for name in ("agreed", "sealed")] if row["passes"] else ["", ""]
    return [row["source"], row["day"], row["phase"], str(row["passes"]), rows, unseen, *marks, under_way, left]


def _word(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
