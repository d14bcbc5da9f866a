"""The events of a day, read as a stream while callbacks come in and compaction goes on.

LIST may lag: it leaves out what is new and shows what is deleted. What is new is another run's matter. What compaction
deleted is in a merged object, which the hour's merge log names; no LIST is asked for that.
"""

from __future__ import annotations

import functools
import json
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.report.merge_log import MergeLog
from functions.report.merging import FULL_BYTES, is_merged
from shared.edge.log import log
from shared.trail.layout import events_prefix, parse_event_key
from shared.trail.records import epoch
from shared.trail.store import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.trail.store import Store

_HOURS = [f"{hour:02d}" for hour in range(24)]
_LOGS_AT_ONCE = 8
_EVENT_ID = re.compile("[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")
_TEXTS = ("event_id", "source", "type", "occurred_at", "received_at")
_TEXTS_OR_NULL = ("class", "reason", "fault", "message_id", "recipient")
_WORD = rb'(?:null|"[a-z_]*")'
_TEXT = rb'"([ !#-\[\]-~]+)"'  # ASCII without escapes
_HEAD = re.compile(
    rb'\{"v":1,"event_id":"([0-9a-f]{64})","source":"([a-z]+)","type":"([a-z]+)",'
    rb'"class":%b,"reason":%b,"fault":%b,"message_id":%b,"recipient":%b,"occurred_at":"' % (*[_WORD] * 3, *[_TEXT] * 2)
)
"""How nearly every line begins, as Event has its members; any other is parsed whole."""
_NEEDED = frozenset({*_TEXTS, *_TEXTS_OR_NULL, "verified"})
"""Members without which a line is no event of ours."""


class Missed:
    """What could not be read.

    ``vanished``: objects that were listed, are gone and are in no merged one; and merged objects that the log names and
    nothing has. ``unreadable``: lines that are no events of ours, as a file of somebody else's may hold.
    """

    def __init__(self) -> None:
        self.vanished = 0
        self.unreadable = 0


class Head(NamedTuple):
    """Which event it is, and of what; the rest of its line is not read."""

    event_id: str
    source: str
    type: str
    message_id: str | None
    recipient: str | None


def iter_events(store: Store, day: str, missed: Missed | None = None) -> Iterator[dict[str, Any]]:
    """Yield every event of a day, repeats included: readers count by ``event_id``. Raises StoreError.

    ``missed``: filled in while reading, complete when the last event was yielded.
    """
    missed = Missed() if missed is None else missed
    for body in _iter_bodies(store, day, missed):
        yield from _iter_lines(body.split(b"\n"), missed)


def iter_heads(store: Store, day: str, missed: Missed) -> Iterator[Head]:
    """Yield the heads of every event of a day, as ``iter_events``, in a third of the time. Raises StoreError."""
    for body in _iter_bodies(store, day, missed):
        others = []
        for line in body.split(b"\n"):
            if found := _HEAD.match(line):
                yield Head(*(part.decode() for part in found.groups()))
            else:
                others.append(line)
        for record in _iter_lines(others, missed):
            yield Head(*(record[name] for name in Head._fields))


def _iter_bodies(store: Store, day: str, missed: Missed) -> Iterator[bytes]:
    """Yield the objects that together have every event of a day. Raises StoreError."""
    gone: defaultdict[str, list[str]] = defaultdict(list)  # hour -> names
    read: defaultdict[str, set[str]] = defaultdict(set)  # hour -> names of merged objects
    for entry, body in store.read_many(store.iterate(events_prefix(day))):
        _, hour, name = parse_event_key(entry.key) or ("", "", entry.key)
        if body is None:
            gone[hour].append(name)
            continue
        if is_merged(name):
            read[hour].add(name)
        yield body
    with ThreadPoolExecutor(_LOGS_AT_ONCE) as pool:
        logs = dict(pool.map(lambda hour: (hour, _read_log(store, day, hour)), _HOURS))
    for hour, merge_log in logs.items():
        yield from _iter_unlisted(store, events_prefix(day, hour), merge_log, read[hour], missed)
    missed.vanished += sum(not _is_told(logs.get(hour), name, read[hour]) for hour in gone for name in gone[hour])
    if missed.vanished or missed.unreadable:
        log("WARNING", "events missed", day=day, vanished=missed.vanished, unreadable=missed.unreadable)


def _read_log(store: Store, day: str, hour: str) -> MergeLog:
    merge_log = MergeLog(store, day, hour)
    merge_log.refresh()
    return merge_log


def _iter_unlisted(store: Store, prefix: str, merge_log: MergeLog, read: set[str], missed: Missed) -> Iterator[bytes]:
    """Yield what lies in the merged objects that the log names and the listing did not; their names go to ``read``."""
    is_news = True
    while is_news and (wanted := [name for name in merge_log.holders() if name not in read]):
        # Their sizes are not known, and are taken for the greatest, so that few lie in memory.
        for entry, body in store.read_many(Entry(prefix + name, FULL_BYTES, "", "") for name in wanted):
            if body is not None:
                read.add(entry.key.removeprefix(prefix))
                yield body
        # One that is gone may have been merged on meanwhile; then the log has grown.
        is_news = merge_log.refresh()
    missed.vanished += len([name for name in merge_log.holders() if name not in read])


def _is_told(merge_log: MergeLog | None, name: str, read: set[str]) -> bool:
    return merge_log is not None and (name in read or merge_log.holder(name) in read)


def _iter_lines(lines: Iterable[bytes], missed: Missed) -> Iterator[dict[str, Any]]:
    for record in _parse(lines):
        if isinstance(record, dict) and _is_event(record):
            yield record
        else:
            missed.unreadable += 1


def _is_event(record: dict[str, Any]) -> bool:
    """Whether readers can count on the members: one line of somebody else's must not cost a day its report."""
    return (
        record.keys() >= _NEEDED
        and {type(record[name]) for name in _TEXTS} == {str}
        and {type(record.get(name)) for name in (*_TEXTS_OR_NULL, "link", "machine")} <= {str, type(None)}
        and _EVENT_ID.fullmatch(record["event_id"]) is not None
        and _is_time(record["occurred_at"])
        and _is_time(record["received_at"])
    )


@functools.lru_cache(maxsize=4096)  # many events have one time of receipt, and a day has few seconds
def _is_time(text: str) -> bool:
    try:
        epoch(text)
    except ValueError:
        return False
    return _TIME.fullmatch(text) is not None


def _parse(lines: Iterable[bytes]) -> Iterator[Any]:
    for line in lines:
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                yield None
