"""``mailtrail events``: what happened to the mails, out of the bucket; with ``--follow``, what is happening."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from cli import target
from cli.events_following import Follower
from cli.events_reading import Found, Wanted, find_events
from cli.events_showing import show_event
from cli.moments import DAY_S, LATEST_S, parse_moment
from cli.terminal import JSON_OPTION, console, note, progress, until_nobody_reads
from cli.trail import open_trail
from shared.trail.records import encode_line, iso, local_time_epoch
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cli.events_reading import Record
    from cli.trail import Trail

TYPES = "accepted deferred delivered bounced rejected failed opened clicked complained unsubscribed unknown".split()
_SENT_AT = re.compile(r"-date-(\d{4})" + r"(\d\d)" * 5)


def _lower(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> frozenset[str]:
    return frozenset(one.strip().lower() for one in value)


def _set(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> frozenset[str]:
    return frozenset(value)


@click.command("events")
@click.option("--since", metavar="TIME", help="15m, 2h, 3d, YYYY-MM-DD or an ISO 8601 time. Default: 24h.")
@click.option("--until", metavar="TIME", help="The same; of a day, its end. Default: now, and what lies ahead of it.")
@click.option("--type", "types", multiple=True, type=click.Choice(TYPES), callback=_set, help="May be repeated.")
@click.option("--recipient", "recipients", multiple=True, callback=_lower, metavar="ADDRESS", help="May be repeated.")
@click.option("--domain", "domains", multiple=True, callback=_lower, help="Of the recipient; may be repeated.")
@click.option(
    "--message-id", "message_ids", multiple=True, callback=_set, help="May be repeated; looks back to its sending."
)
@click.option("--source", "sources", multiple=True, type=click.Choice(["ses", "sendcloud", "status"]), callback=_set)
@click.option("--reason", "reasons", multiple=True, callback=_set, metavar="WORD", help="Such as mailbox_full.")
@click.option("--verified/--unverified", default=None, help="Whether a token or an HMAC proved it.")
@click.option("--limit", type=click.IntRange(1), help="The last so many of them.")
@click.option(
    "--follow",
    "-f",
    is_flag=True,
    help="Go on with what arrives, dated yesterday or later. Without --since: only that.",
)
@click.option("--interval", default=2.0, show_default=True, type=click.FloatRange(0.05), help="Seconds between looks.")
@target.LOCAL_OPTION
@JSON_OPTION
def events_command(
    since: str | None,
    until: str | None,
    limit: int | None,
    port: int | None,
    interval: float,
    *,
    follow: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Print events, each once, in order of time: a line for people, or the whole record as a line of JSON.

    Days, and times without a zone, are of the account's zone (MAILTRAIL_UTC_OFFSET).
    """
    if follow and until:
        raise click.UsageError("--follow has no --until")
    trail = open_trail(port)
    wanted = Wanted(*_stretch(trail, since, until, filters["message_ids"]), **filters)
    with until_nobody_reads(), contextlib.suppress(*[KeyboardInterrupt] if follow else []):
        try:
            follower = Follower(trail) if follow else None
            if since or not follower:
                found = find_events(trail, wanted, limit, _track)
                _print(trail, found.records, as_json=as_json)
                _tell(found, wanted, following=follow)
            else:
                found = Found([], 0, [], set())
        except StoreError as error:
            raise click.ClickException(f"COS: {error}") from error
        if follower:
            follower.begin_after(found)
            _follow(follower, trail, port, wanted, interval_s=interval, as_json=as_json)


def _stretch(trail: Trail, since: str | None, until: str | None, message_ids: frozenset[str]) -> tuple[float, float]:
    """Return from when to when events are wanted. Raises BadParameter."""
    now, offset_s = trail.now, trail.utc_offset_s
    if since:
        start_s = parse_moment(since, now=now, utc_offset_s=offset_s)
    else:
        sent_at = [_sent_at(one, offset_s) for one in message_ids]
        # From 1970 on: an id of somebody else may name any year.
        start_s = max(0.0, min([now - DAY_S, *(at for at in sent_at if at is not None)]))
    # The clocks of mail servers are not ours, and an event says when it happened by theirs.
    end_s = parse_moment(until, now=now, utc_offset_s=offset_s, at_end=True) if until else LATEST_S
    if end_s < start_s:
        raise click.BadParameter("--until is before --since")
    return start_s, end_s


def _sent_at(message_id: str, offset_s: int) -> float | None:
    """Return when a mail was sent, which SES writes into its id: ``qcloudses-30-<appid>-date-20261120155930-…``."""
    found = _SENT_AT.search(message_id)
    try:
        return local_time_epoch("{}-{}-{} {}:{}:{}".format(*found.groups()), offset_s) if found else None
    except ValueError:
        return None


def _track(prefixes: list[str]) -> Iterable[str]:
    with progress() as bar:
        yield from bar.track(prefixes, description="events")


def _tell(found: Found, wanted: Wanted, *, following: bool) -> None:
    """Say on stderr what the result itself does not."""
    if found.unreadable:
        note(f"{found.unreadable} lines under events/ are no events and were passed over")
    if not found.records and not following:
        note(f"no such events since {iso(int(wanted.since_s))}; --since looks further back")


def _follow(
    follower: Follower, trail: Trail, port: int | None, wanted: Wanted, *, interval_s: float, as_json: bool
) -> None:
    """Print what arrives, until interrupted; trouble with COS is told and waited out."""
    before = ""
    while True:
        records, trouble = _look(follower, port)
        _print(trail, [one for one in records if wanted.takes(one)], as_json=as_json)
        if trouble != before:
            note(f"{trouble}; trying again" if trouble else "going on")
        before = trouble
        time.sleep(interval_s)


def _look(follower: Follower, port: int | None) -> tuple[list[Record], str]:
    try:
        trail = open_trail(port)  # at every look: localcloud's clock may be moved
    except click.ClickException as error:
        return [], error.message
    look = follower.look(trail)
    return look.records, f"COS: {look.trouble}" if look.trouble else ""


def _print(trail: Trail, records: Iterable[Record], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(map(encode_line, records))
        sys.stdout.buffer.flush()
        return
    screen = console()
    for record in records:
        screen.print(show_event(record, trail.utc_offset_s, screen.width), soft_wrap=True)
    sys.stdout.flush()
