"""Where the verbs of ``mailtrail snapshot`` look: the function's own desk in the target, and what lies there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import click

from cli import target
from functions.snapshot.desk import Desk
from functions.snapshot.due import NEVER, Standing, standing_of
from shared.edge.clock import clock
from shared.edge.environment import SettingsError
from shared.edge.settings import snapshot_settings
from shared.trail.layout import manifest_key
from shared.trail.records import day_of
from shared.trail.store import Entry, Place, Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from functions.snapshot.manifest import Manifest

SOURCES = ("status", "sendcloud")


class Where(NamedTuple):
    """A desk, and the sources of rows that are in use there."""

    desk: Desk
    sources: tuple[str, ...]

    @property
    def today(self) -> str:
        """The day that it is in the account's zone."""
        return day_of(self.desk.clock(), self.desk.utc_offset_s)


class Known(NamedTuple):
    """What the bucket has of one source's day. ``standing``: None when the manifest is damaged."""

    source: str
    day: str
    manifest: Manifest | None
    standing: Standing | None


def open_desk(port: int | None) -> Where:
    """Return the desk of the target (see ``target.environment``). Raises ClickException when settings are missing."""
    environment = target.environment(port)
    try:
        settings, now = snapshot_settings(environment), clock(environment)
    except SettingsError as error:
        raise click.ClickException(f"settings: {error}") from error
    store = Store(Place(*settings.credential, *settings.bucket))
    desk = Desk(store, settings.utc_offset_s, settings.settle_s, now, lambda: float("inf"))
    return Where(desk, SOURCES if settings.sendcloud.api_user else SOURCES[:1])


def iter_known(store: Store, sources: Iterable[str], days: Iterable[str]) -> Iterator[Known]:
    """Yield what is known of each day of each source, many manifests read at once. Raises StoreError."""
    places = {manifest_key(source, day): (source, day) for day in days for source in sources}
    for entry, body in store.read_many(Entry(key, 0, "", "") for key in places):
        yield _known(*places[entry.key], body)


def _known(source: str, day: str, body: bytes | None) -> Known:
    if body is None:
        return Known(source, day, None, NEVER)
    try:
        manifest: Manifest = json.loads(body)
        return Known(source, day, manifest, standing_of({**manifest}))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Known(source, day, None, None)
