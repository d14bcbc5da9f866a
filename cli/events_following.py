"""Events as they arrive: the bucket is listed again and again, and keys that were not there before are read.

COS lists with a delay that it does not bound, so keys are remembered and not times: an object that shows late is an
object that was not seen yet. Compaction writes what was told before once more, under a new key; there, what was
received before the start is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cli.events_reading import distinct, in_order, read_records, sortable
from functions.report.merging import is_merged
from shared.trail.layout import events_prefix
from shared.trail.records import day_of, iso
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from cli.events_reading import Found, Record
    from cli.trail import Trail
    from shared.trail.store import Store

_DAY_S = 86400


class Look(NamedTuple):
    """What has arrived, each event once, in order of time; and why that may not be all of it yet."""

    records: list[Record]
    trouble: StoreError | None


class Follower:
    """What was seen of the two days that still get events: today and yesterday of the account's zone."""

    def __init__(self, trail: Trail) -> None:
        """Take what is there already as seen. Raises StoreError."""
        self._since = sortable(iso(trail.now))
        self._keys = {day: _keys(trail.store, day) for day in _days(trail)}
        self._told: set[bytes] = set()

    def begin_after(self, found: Found) -> None:
        """Go on where a search ended: of the stretch that it covered, what it read is seen, and nothing else is."""
        for day, keys in self._keys.items():
            covered = tuple(prefix for prefix in found.prefixes if prefix.startswith(events_prefix(day)))
            self._keys[day] = {key for key in keys if not key.startswith(covered)} if covered else keys
            self._keys[day] |= {key for key in found.keys if key.startswith(events_prefix(day))}
        self._told.update(map(_identity, found.records))

    def look(self, trail: Trail) -> Look:
        """Return what has arrived since the last look; what COS did not give is for the next one."""
        arrived: list[Record] = []
        days, trouble = _days(trail), None
        try:
            for day in days:
                arrived += self._arrived(trail.store, day)
        except StoreError as error:
            trouble = error
        for old in self._keys.keys() - set(days):
            del self._keys[old]
        records = [one for one in in_order(distinct(arrived)) if _identity(one) not in self._told]
        self._told.update(map(_identity, records))
        return Look(records, trouble)

    def _arrived(self, store: Store, day: str) -> list[Record]:
        known = self._keys.setdefault(day, set())
        found: list[Record] = []
        keys: list[str] = []
        for entry, body in store.read_many(one for one in store.iterate(events_prefix(day)) if one.key not in known):
            if body is None:  # merged meanwhile; what it went into is in this listing or in the next
                continue
            records = read_records(body)[0]
            if is_merged(entry.key.rpartition("/")[2]):
                records = [one for one in records if sortable(one.get("received_at") or "") >= self._since]
            found += records
            keys.append(entry.key)
        known.update(keys)  # only now: after an error all of it is read again
        return found


def _keys(store: Store, day: str) -> set[str]:
    return {entry.key for entry in store.iterate(events_prefix(day))}


def _days(trail: Trail) -> list[str]:
    return [day_of(trail.now - _DAY_S, trail.utc_offset_s), day_of(trail.now, trail.utc_offset_s)]


def _identity(record: Record) -> bytes:
    event_id: str = record["event_id"]
    return event_id.encode("utf-8", "surrogatepass")
