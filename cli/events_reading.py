"""Events of a stretch of time out of the bucket: only the hours asked for, each event once, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cli.moments import days_between
from cli.trail import beyond, iter_days, iter_objects
from functions.webhook.body import load_json
from shared.trail.layout import events_prefix, parse_event_key
from shared.trail.records import canonical_json, day_and_hour, day_of, iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cli.trail import Trail

    Track = Callable[[list[str]], Iterable[str]]

Record = dict[str, Any]

_TEXTS = "type recipient message_id source reason occurred_at received_at".split()
"""Members that are compared and sorted by."""
_HOUR_S = 3600
_BY_HOUR_S = 48 * _HOUR_S
"""Stretches up to this long are listed hour by hour: of a busy day an hour is little."""


class Wanted(NamedTuple):
    """Which events to show; an empty set asks for nothing. Addresses and domains are in lower case."""

    since_s: float = 0.0
    until_s: float = 253402300799.0  # the end of the year 9999
    types: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    message_ids: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    verified: bool | None = None

    def takes(self, record: Record) -> bool:
        """Whether a record is asked for, whatever its time."""
        recipient = (record.get("recipient") or "").lower()
        named = (
            (self.types, record.get("type")),
            (self.recipients, recipient),
            (self.domains, recipient.rpartition("@")[2]),
            (self.message_ids, record.get("message_id")),
            (self.sources, record.get("source")),
            (self.reasons, record.get("reason")),
        )
        if any(wanted and value not in wanted for wanted, value in named):
            return False
        return self.verified is None or bool(record.get("verified")) == self.verified

    def is_in_time(self, record: Record) -> bool:
        """Whether a record's event happened within the stretch; its end is not part of it."""
        return sortable(iso(self.since_s)) <= sortable(record.get("occurred_at") or "") < sortable(iso(self.until_s))


def sortable(at: str) -> str:
    """Return a record's time as text that compares as times do: with ``Z``, a whole second is after its fractions."""
    return at.removesuffix("Z")


def in_order(records: Iterable[Record]) -> list[Record]:
    """Return records by the time of their events, whatever order they came in."""
    return sorted(records, key=lambda one: (sortable(one.get("occurred_at") or ""), one["event_id"]))


def distinct(records: Iterable[Record]) -> list[Record]:
    """Return each event once. Of copies: the verified one, then the one received first, then by content."""
    best: dict[str, Record] = {}
    for record in records:
        other = best.get(record["event_id"])
        if other is None or _weight(record) < _weight(other):
            best[record["event_id"]] = record
    return list(best.values())


def _weight(record: Record) -> tuple[bool, str, bytes]:
    return not record.get("verified"), sortable(record.get("received_at") or ""), canonical_json(record)


class Found(NamedTuple):
    """Events in order of time; how many lines beside them were no events; which prefixes and objects were read."""

    records: list[Record]
    unreadable: int
    prefixes: list[str]
    keys: set[str]


def find_events(trail: Trail, wanted: Wanted, limit: int | None, track: Track) -> Found:
    """Return the events that are wanted, each once: the last ``limit`` of them. Raises StoreError.

    ``track`` goes through what is read and tells of the progress.
    """
    parts: list[list[Record]] = []
    keys: set[str] = set()
    unreadable = count = 0
    prefixes = list(_prefixes(trail, wanted))
    read: list[str] = []
    for prefix in track(prefixes[::-1]):
        read.append(prefix)
        lines: list[Record] = []
        for entry, body in iter_objects(trail.store, prefix):
            keys.add(entry.key)
            records, odd = read_records(body)
            unreadable += odd
            lines += (record for record in records if wanted.is_in_time(record) and wanted.takes(record))
        parts.append(in_order(distinct(lines)))
        count += len(parts[-1])
        if limit is not None and count >= limit:
            break
    found = [record for part in reversed(parts) for record in part]  # an earlier partition holds earlier events
    return Found(found if limit is None else found[max(0, count - limit) :], unreadable, read, keys)


def read_records(body: bytes) -> tuple[list[Record], int]:
    """Return the event records of an object, and the number of lines that are none: somebody else's."""
    found: list[Record] = []
    unreadable = 0
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        try:
            record = load_json(line.decode())
        except ValueError:  # no UTF-8, no JSON, or none that can be written again
            record = None
        if _is_event(record):
            found.append(record)
        else:
            unreadable += 1
    return found, unreadable


def _is_event(record: Any) -> bool:
    """Whether whoever reads a record can rely on it: it has an id, and its texts are texts."""
    if not isinstance(record, dict) or not isinstance(record.get("event_id"), str):
        return False
    return all(value is None or isinstance(value, str) for value in map(record.get, _TEXTS))


def _prefixes(trail: Trail, wanted: Wanted) -> Iterator[str]:
    """Yield what to list, in order of time: what lies ahead of now is hardly anything, and sought by LIST."""
    offset_s = trail.utc_offset_s
    now_s = min(max(trail.now, wanted.since_s), wanted.until_s)
    if now_s - wanted.since_s <= _BY_HOUR_S:
        hour_s = wanted.since_s - (wanted.since_s + offset_s) % _HOUR_S
        while hour_s <= now_s:
            yield (last := events_prefix(*day_and_hour(hour_s, offset_s)))
            hour_s += _HOUR_S
    else:
        days = days_between(day_of(wanted.since_s, offset_s), day_of(now_s, offset_s))
        last = events_prefix(days[-1])
        for day in iter_days(trail.store, events_prefix, days):
            yield events_prefix(day)
    if now_s < wanted.until_s:
        yield from _ahead(trail, last, events_prefix(*day_and_hour(wanted.until_s, offset_s)))


def _ahead(trail: Trail, after: str, last: str) -> Iterator[str]:
    """Yield the hours after the hour or day ``after`` that have objects, up to the hour ``last``."""
    while True:
        listed = trail.store.iterate(events_prefix(), after=beyond(after))
        place = next(filter(None, (parse_event_key(entry.key) for entry in listed)), None)
        if place is None or (after := events_prefix(*place[:2])) > last:
            return
        yield after
