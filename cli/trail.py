"""The trail that a verb reads: the bucket of the target, the zone of its days, its clock."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import click

from cli import target
from cli.moments import is_day
from functions.report.merge_log import MergeLog
from functions.report.merging import FULL_BYTES
from shared.edge.clock import clock
from shared.edge.environment import SettingsError
from shared.edge.settings import report_settings
from shared.trail.layout import events_prefix, parse_event_key
from shared.trail.store import Entry, Place, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

FEW_DAYS = 40


class Trail(NamedTuple):
    """A bucket to read. ``now``: epoch seconds of the target's clock, which localcloud may have moved."""

    store: Store
    bucket: str
    utc_offset_s: int
    now: float


def open_trail(port: int | None) -> Trail:
    """Return the trail of the target (see ``target.environment``). Raises ClickException when settings are missing."""
    environment = target.environment(port)
    try:
        settings, now = report_settings(environment), clock(environment)()
    except SettingsError as error:
        raise click.ClickException(f"settings: {error}") from error
    store = Store(Place(*settings.credential, *settings.bucket))
    return Trail(store, settings.bucket.bucket, settings.utc_offset_s, now)


def iter_objects(store: Store, prefix: str) -> Iterator[tuple[Entry, bytes]]:
    """Yield every object under ``prefix`` with its bytes, many read at once. Raises StoreError.

    For events that are listed and gone, what compaction merged them into is read.
    """
    read: set[str] = set()
    entries: Iterable[Entry] = store.iterate(prefix)
    while entries:
        gone: list[str] = []
        for entry, body in store.read_many(entries):
            if body is None:
                gone.append(entry.key)
                continue
            read.add(entry.key)
            yield entry, body
        entries = merged_instead(store, gone, read | set(gone))


def merged_instead(store: Store, gone: Iterable[str], known: Collection[str]) -> list[Entry]:
    """Return the merged objects that hold what is gone, but for those that are ``known``. Raises StoreError.

    The hours' merge logs name them, so no LIST needs to be up to date. Their sizes are taken for the greatest.
    """
    found: list[Entry] = []
    for day, hour in sorted({place[:2] for key in gone if (place := parse_event_key(key))}):
        merge_log, prefix = MergeLog(store, day, hour), events_prefix(day, hour)
        merge_log.refresh()
        keys = [prefix + name for name in merge_log.holders()]
        found += [Entry(key, FULL_BYTES, "", "") for key in keys if key not in known]
    return found


def iter_days(store: Store, prefix_of: Callable[[str], str], days: Sequence[str]) -> Iterator[str]:
    """Yield those of ``days`` that may have objects under ``prefix_of(day)``. Raises StoreError.

    Few days are not worth asking for. Of many, one LIST leads from each that has something to the next that has.
    """
    if len(days) <= FEW_DAYS:
        yield from days
        return
    found = _iter_found(store, prefix_of, after=prefix_of(days[0]).rstrip("/"))
    yield from itertools.takewhile(lambda day: day <= days[-1], found)


def iter_later_days(store: Store, prefix_of: Callable[[str], str], day: str) -> Iterator[str]:
    """Yield the days after ``day`` that have objects under ``prefix_of(day)``. Raises StoreError."""
    return _iter_found(store, prefix_of, after=beyond(prefix_of(day)))


def _iter_found(store: Store, prefix_of: Callable[[str], str], *, after: str) -> Iterator[str]:
    root = prefix_of("").partition("dt=")[0] + "dt="
    while (first := next(store.iterate(root, after=after), None)) is not None:
        day, slash, _ = first.key.removeprefix(root).partition("/")
        if slash and is_day(day):  # else it is somebody else's
            yield day
        after = beyond(prefix_of(day)) if slash else first.key


def beyond(prefix: str) -> str:
    """Return what comes after every key under ``prefix``, in byte order: a slash is followed by a zero."""
    return prefix.rstrip("/") + "0"
