"""Events as they arrive: the bucket is listed again and again, and keys that were not there before are read.

COS lists with a delay that it does not bound, so keys are remembered and not times: an object that shows late is an
object that was not seen yet. Compaction writes what was told before once more, under a new key; there, what was
received before the start is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cli.events_reading import distinct, in_order, read_records, sortable
from functions.report.merging import is_merged
from shared.trail.layout import events_prefix, parse_event_key
from shared.trail.records import day_of, iso
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.events_reading import Found, Record
    from cli.trail import Trail
    from shared.trail.store import Entry

_DAY_S = 86400


class Look(NamedTuple):
    """What has arrived, each event once, in order of time; and why that may not be all of it yet."""

    records: list[Record]
    trouble: StoreError | None


class Follower:
    """What was seen of the days that still get events: from yesterday of the account's zone on, also ahead of today."""

    def __init__(self, trail: Trail) -> None:
        """Take what is there already as seen. Raises StoreError."""
        self._since = sortable(iso(trail.now))
        self._keys = {entry.key for entry in _listed(trail)}
        self._told: set[bytes] = set()

    def begin_after(self, found: Found) -> None:
        """Go on where a search ended: of the stretch that it covered, what it read is seen, and nothing else is."""
        covered = set(found.prefixes)
        self._keys = {key for key in self._keys if covered.isdisjoint(_prefixes(key))} | found.keys
        self._told.update(map(_identity, found.records))

    def look(self, trail: Trail) -> Look:
        """Return what has arrived since the last look; what COS did not give is for the next one."""
        arrived: list[Record] = []
        trouble = None
        try:
            for records in self._iter_news(trail):
                arrived += records
        except StoreError as error:
            trouble = error
        fresh = [one for one in in_order(distinct(arrived)) if _identity(one) not in self._told]
        self._told.update(map(_identity, fresh))
        return Look(fresh, trouble)

    def _iter_news(self, trail: Trail) -> Iterator[list[Record]]:
        start = _start(trail)
        self._keys = {key for key in self._keys if key > start}  # what is older is listed no more
        news = (entry for entry in _listed(trail) if entry.key not in self._keys)
        for entry, body in trail.store.read_many(news):
            if body is None:  # merged meanwhile; what it went into is in this listing or in the next
                continue
            records = read_records(body)[0]
            if is_merged(entry.key.rpartition("/")[2]):
                records = [one for one in records if sortable(one.get("received_at") or "") >= self._since]
            self._keys.add(entry.key)
            yield records


def _listed(trail: Trail) -> Iterator[Entry]:
    listed = trail.store.iterate(events_prefix(), after=_start(trail))
    return (entry for entry in listed if parse_event_key(entry.key))


def _prefixes(key: str) -> list[str]:
    day, hour, _ = parse_event_key(key) or ("", "", "")
    return [events_prefix(day), events_prefix(day, hour)]


def _start(trail: Trail) -> str:
    return events_prefix(day_of(trail.now - _DAY_S, trail.utc_offset_s))


def _identity(record: Record) -> bytes:
    event_id: str = record["event_id"]
    return event_id.encode("utf-8", "surrogatepass")
