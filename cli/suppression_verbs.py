"""The verbs of ``mailtrail suppression`` that change the list: each merges causes, or removals, into entries."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import target
from cli.suppression_changes import iter_list, merge_all
from cli.suppression_files import BadFileError, Source, is_address, read_entries
from cli.suppression_options import DRY_OPTION, WAIT_OPTION, failures_told, selecting, selection_of
from cli.terminal import note
from cli.trail import open_trail
from shared.trail import suppression_list
from shared.trail.records import epoch, iso
from shared.trail.suppression import REASONS, Cause, Entry, Removal, Selection, entry, merge, moment, standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cli.trail import Trail

_BY = "cli"


def _addresses(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := [address for address in value if not is_address(address)]:
        raise click.BadParameter(f"not an address: {', '.join(wrong)}")
    return tuple(dict.fromkeys(address.strip().lower() for address in value))


_ADDRESSES = click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True, callback=_addresses)


@click.command("add")
@_ADDRESSES
@click.option("--reason", type=click.Choice(REASONS), default="manual", show_default=True)
@click.option("--days", type=click.IntRange(1, 36500), help="For so many days; default: for good.")
@click.option("--note", "text", help="Why; kept in the entry.")
@WAIT_OPTION
@target.LOCAL_OPTION
def add_command(
    addresses: tuple[str, ...], reason: str, days: int | None, text: str | None, wait_s: float, port: int | None
) -> None:
    """Suppress each ADDRESS, one that was removed before among them."""
    trail = open_trail(port)

    def fresh(address: str) -> Entry:
        known = suppression_list.read(trail.store, address)
        since = _after_removals(known, trail.now)
        until = None if days is None else iso(since + days * 86400)
        return entry(address, [Cause(iso(since), reason, until, _BY, note=text)])

    _change(trail, map(fresh, addresses), wait_s)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@DRY_OPTION
@WAIT_OPTION
@target.LOCAL_OPTION
def import_command(file: str, port: int | None, wait_s: float, *, dry: bool) -> None:
    """Merge FILE into the list: one of `export`; CSV with the columns address, reason, until, note; or plain lines.

    "-" is standard input. Every bad line is named at once, and then nothing is written. What was removed here before
    a cause of the file stays removed.
    """
    trail = open_trail(port)
    name = "stdin" if file == "-" else Path(file).name
    try:
        with click.open_file(file, "rb") as opened:
            entries = read_entries(opened.read(), Source(name, trail.now, trail.utc_offset_s))
    except BadFileError as error:
        for number, problem in error.problems:
            note(f"line {number}: {problem}")
        raise click.ClickException(f"{len(error.problems)} bad lines; nothing was written") from error
    _change(trail, entries.values(), wait_s, dry=dry)


@click.command("remove")
@_ADDRESSES
@WAIT_OPTION
@target.LOCAL_OPTION
def remove_command(addresses: tuple[str, ...], wait_s: float, port: int | None) -> None:
    """Let each ADDRESS get mail again. What happened up to now no longer counts, even what is told of it later.

    A new bounce or complaint suppresses it again. Exit status 1 when one was not suppressed.
    """
    trail = open_trail(port)
    with failures_told():
        known = {address: suppression_list.read(trail.store, address) for address in addresses}
    fresh = [_taken_back(one, Selection(), trail.now) for one in known.values() if one and standing(one)]
    _change(trail, fresh, wait_s)
    if len(fresh) < len(addresses):
        raise click.ClickException(f"{len(addresses) - len(fresh)} of them had no cause that counts")


@click.command("undo")
@selecting
@DRY_OPTION
@WAIT_OPTION
@target.LOCAL_OPTION
def undo_command(port: int | None, wait_s: float, *, dry: bool, **which: Any) -> None:
    """Take back every cause that the options name, whoever it suppressed; other causes of an address still count.

    `restore` takes that back in turn.
    """
    if not any(which.values()):
        raise click.UsageError("say what to undo: --reason, --since, --until, --source or --machine")
    trail = open_trail(port)
    selection = selection_of(which, trail)
    with failures_told():
        hit = [known for known in iter_list(trail) if any(map(selection.covers, standing(known)))]
    fresh = [_taken_back(known, selection, trail.now) for known in hit]
    reasons = Counter(cause.reason for known in hit for cause in standing(known) if selection.covers(cause))
    freed = sum(not standing(merge(known, one)) for known, one in zip(hit, fresh, strict=True))
    for reason, count in reasons.most_common():
        click.echo(f"{reason}: {count} causes")
    click.echo(f"{len(hit)} addresses, of which {len(hit) - freed} stay suppressed for another cause")
    _change(trail, fresh, wait_s, dry=dry)


@click.command("restore")
@click.argument("addresses", metavar="[ADDRESS...]", nargs=-1, callback=_addresses)
@click.option("--removed-since", "since", metavar="TIME", help="Removals from this time on: 15m, 2h, YYYY-MM-DD …")
@click.option("--removed-until", "until", metavar="TIME", help="Removals up to this time; a day with its end.")
@DRY_OPTION
@WAIT_OPTION
@target.LOCAL_OPTION
def restore_command(
    addresses: tuple[str, ...], since: str | None, until: str | None, port: int | None, wait_s: float, *, dry: bool
) -> None:
    """Take removals back, of each ADDRESS or of all: what they took away counts again."""
    if not (addresses or since or until):
        raise click.UsageError("say what to restore: addresses, --removed-since or --removed-until")
    trail = open_trail(port)
    # The times of removals are chosen as those of causes are.
    when = selection_of({"reason": None, "source": None, "since": since, "until": until, "machine": False}, trail)
    with failures_told():
        known = map(functools.partial(suppression_list.read, trail.store), addresses) if addresses else iter_list(trail)
        fresh = [_given_back(one, when, trail.now) for one in known if one]
    _change(trail, [one for one in fresh if one.removals], wait_s, dry=dry)


def _after_removals(known: Entry | None, now: float) -> float:
    """Return a time that no removal covers: clocks differ, and who adds means it."""
    removed = [
        epoch(removal.selection.until) for removal in (known.removals if known else ()) if removal.selection.until
    ]
    return max([now, *(at + 0.001 for at in removed)])


def _taken_back(known: Entry, selection: Selection, now: float) -> Entry:
    # A removal ends: what happens after it counts. It covers all that it is about, also from a clock ahead of ours.
    latest = max((cause.since for cause in standing(known) if selection.covers(cause)), key=moment)
    ends = max(iso(now), latest, key=moment)
    until = min(selection.until or ends, ends, key=moment)
    return entry(known.address, removals=[Removal(iso(now), _BY, selection._replace(until=until))])


def _given_back(known: Entry, when: Selection, now: float) -> Entry:
    chosen = [
        removal._replace(restored_at=iso(now))
        for removal in known.removals
        if removal.restored_at is None and when.covers(Cause(removal.at, "manual", None, ""))
    ]
    return entry(known.address, removals=chosen)


def _change(trail: Trail, fresh: Iterable[Entry], wait_s: float, *, dry: bool = False) -> None:
    with failures_told():
        counts = merge_all(trail, fresh, wait_s=wait_s, dry=dry)
    words: Sequence[str] = ("new", "changed", "unchanged", "failed")
    click.echo(("would be: " if dry else "") + ", ".join(f"{counts[word]} {word}" for word in words))
    if counts["failed"]:
        raise SystemExit(1)
