"""``mailtrail snapshot verify``: the proof that the days in the bucket are what was written there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from cli import target
from cli.snapshot_days import naming_days, read_days
from cli.snapshot_desk import SOURCES
from cli.snapshot_proof import Finding, prove_day
from cli.terminal import JSON_OPTION, console, printable, progress
from functions.snapshot.due import days_to_look_at
from shared.trail.layout import manifest_key
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from cli.snapshot_proof import Proof
    from shared.trail.store import Store


@click.command("verify")
@naming_days
@target.LOCAL_OPTION
@JSON_OPTION
def verify_command(port: int | None, *, as_json: bool, **given: Any) -> None:
    """Check manifests, and every part that they name, to the byte; list all that is wrong with its object.

    Without days: those of the last 33 that have a manifest. Objects that no manifest names are told, and are no
    problem. Exit status 1 when there is a problem; a named day without a manifest is one.
    """
    where, asked = read_days(port, given, most_days_ago=None)
    days = asked.days or days_to_look_at(where.desk)
    try:
        proofs = _prove(where.desk.store, [(source, day) for day in days for source in SOURCES])
    except StoreError as error:
        raise click.ClickException(f"COS: {error}") from error
    result = _sum([*proofs.values()])
    for (source, day), proof in proofs.items():
        if asked.days and not proof.is_there and source in where.sources:
            # SendCloud may not have been in use then; SES always is.
            kind = "notes" if source == "sendcloud" else "problems"
            result[kind].append(Finding(manifest_key(source, day), "there is no manifest"))
    _tell(result, as_json=as_json)
    if result["problems"]:
        raise SystemExit(1)


def _prove(store: Store, places: list[tuple[str, str]]) -> dict[tuple[str, str], Proof]:
    proofs = {}
    with progress() as bar:
        task = bar.add_task("", total=len(places))
        for source, day in places:

            def tell(text: str, name: str = f"{source} {day}") -> None:
                bar.update(task, description=f"{name} {text}")

            tell("")
            proofs[source, day] = prove_day(store, source, day, tell)
            bar.advance(task)
    return proofs


def _sum(proofs: list[Proof]) -> dict[str, Any]:
    return {
        "manifests": sum(proof.is_there for proof in proofs),
        "parts": sum(proof.parts for proof in proofs),
        "rows": sum(proof.rows for proof in proofs),
        "bytes": sum(proof.bytes for proof in proofs),
        "problems": [finding for proof in proofs for finding in proof.problems],
        "notes": [finding for proof in proofs for finding in proof.notes],
    }


def _tell(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        told = {name: [one._asdict() for one in result[name]] for name in ("problems", "notes")}
        click.echo(json.dumps({**result, **told}, indent=1))
        return
    for name, style in (("problems", "red"), ("notes", "")):
        if result[name]:
            table = Table("Object", name.capitalize()[:-1])
            for finding in result[name]:
                table.add_row(*(Text(printable(cell), style=style) for cell in finding))
            console().print(table)
    counts = {name: result[name] for name in ("manifests", "parts", "rows", "bytes")}
    counts["problems"] = len(result["problems"])
    click.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
