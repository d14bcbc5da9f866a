"""``mailtrail replay``: callbacks that could not be stored, put back from the log or from quarantine."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from typing import TYPE_CHECKING, BinaryIO

import click
from rich.table import Table
from rich.text import Text

from cli import target
from cli.moments import check_days
from cli.terminal import JSON_OPTION, console, note, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cli.replay_sources import Found
    from cli.replay_store import Outcome
    from shared.edge.settings import WebhookSettings


@click.command("replay")
@click.argument("files", metavar="[FILE…|-]", nargs=-1, type=click.File("rb"))
@click.option("--quarantine", is_flag=True, help="Give what lies in quarantine to the parser again, instead of a log.")
@click.option(
    "--day", "days", multiple=True, callback=check_days,
    help="With --quarantine: a day of receipt, YYYY-MM-DD; may be repeated. Default: all.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="With --quarantine: leave there also what is stored now.")
@click.option(
    "--accept-unauthentic", "accept", is_flag=True,
    help="Store, as unverified, what SendCloud's signature or token does not vouch for.",
)  # fmt: skip
@target.LOCAL_OPTION
@click.option("--dry-run", "dry", is_flag=True, help="Say what would be stored; write and delete nothing.")
@JSON_OPTION
def replay_command(
    files: tuple[BinaryIO, ...], days: tuple[str, ...], port: int | None, *,
    quarantine: bool, keep: bool, accept: bool, dry: bool, as_json: bool,
) -> None:  # fmt: skip
    """Put callbacks back that the webhook could not store.

    FILE is a log export that holds its lines "callback not stored": as printed, JSON or CSV of CLS, gzipped or not;
    "-" is standard input. The environment must be the webhook's, with the secrets of the time.

    What is stored has the bytes and the key that the webhook would have given it, so repeating this, or the sender's
    having delivered it again, doubles nothing. Exit status 1 when one could not be put back.
    """
    from cli.replay_sources import in_quarantine, read_exports  # noqa: PLC0415 - --help needs none of it
    from cli.replay_store import Rules, open_store, put_back  # noqa: PLC0415 - as above
    from shared.trail.store import StoreError  # noqa: PLC0415 - as above

    if quarantine == bool(files):
        raise click.UsageError("name log exports (- for standard input), or give --quarantine")
    if not quarantine and (days or keep):
        raise click.UsageError("--day and --keep go with --quarantine")
    settings, rules = _settings(port), Rules(dry=dry, keep=keep, accept=accept)
    lost = 0
    try:
        if quarantine:
            found: Iterable[Found] = in_quarantine(open_store(settings), days)
        else:
            export = read_exports(files)
            found, lost = export.found((*settings.token_keys, *settings.secrets)), export.without_content
        outcomes = [put_back(one, settings, rules) for one in found]
    except (StoreError, OSError, EOFError, zlib.error) as error:
        raise click.ClickException(f"cannot be read: {error}") from error
    _tell(outcomes, lost, dry=dry, as_json=as_json)
    if lost or any(outcome.result == "failed" for outcome in outcomes):
        raise SystemExit(1)


def _settings(port: int | None) -> WebhookSettings:
    from shared.edge.environment import SettingsError  # noqa: PLC0415 - --help needs none of it
    from shared.edge.settings import webhook_settings  # noqa: PLC0415 - as above

    try:
        return webhook_settings(target.environment(port))
    except SettingsError as error:
        raise click.ClickException(f"the environment is not the webhook's: {error}") from error


def _tell(outcomes: Sequence[Outcome], lost: int, *, dry: bool, as_json: bool) -> None:
    if as_json:
        rows = [outcome._asdict() for outcome in outcomes]
        click.echo(json.dumps({"dry_run": dry, "without_content": lost, "callbacks": rows}, indent=1))
        return
    table = Table("Received", "Provider", "Events", "Result", "Why", "Name")
    for one in outcomes:
        cells = (one.received_at, one.provider, str(one.events), one.result, one.detail, one.name)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console().print(table)
    counts = Counter(outcome.result for outcome in outcomes)
    click.echo(", ".join(f"{count} {result}" for result, count in counts.items()) or "nothing to put back")
    if dry:
        click.echo("Nothing was written: --dry-run.")
    if lost:
        note(f"{lost} lines hold no content: pycryptodome was missing where they were written.")
