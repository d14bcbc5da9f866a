"""The objects of one callback -> JSON lines in the bucket, durable when this returns.

One object for each hour of event time, named by the hash of its content: a redelivery meets its own key.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.webhook.adapt import Fact, NotAnEventError
from functions.webhook.body import BrokenLine
from shared.trail.layout import event_key, quarantine_key
from shared.trail.records import VERSION, canonical_json, day_and_hour, day_of, encode_line, events_hash, iso
from shared.trail.vocabulary import SUPPRESSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from shared.trail.records import Event
    from shared.trail.store import Store

    _Hours = dict[tuple[str, str], list["_Row"]]


class Stored(NamedTuple):
    """How many events, and how many bodies or elements that were not understood, are durable now."""

    events: int
    quarantined: int


class Desk(NamedTuple):
    """Where callbacks are taken in: the trail, the zone of its days, the time of receipt (epoch seconds)."""

    store: Store
    utc_offset_s: int
    received_s: float


class _Row(NamedTuple):
    """One event, written: the canonical JSON of its upstream object and of its source's name, its id, its line."""

    raw: bytes
    event_id: str
    source: bytes
    line: bytes
    record: Event


FEW_HOURS = 8
"""Hours of one callback that are written one after the other; more are written this many at once."""
MOST_HOURS = 744
"""Hours of one callback that are stored at all, a month of them; a callback of more would never be written in time."""
DEEPEST = 64
"""Levels of nesting in an event. Who reads the trail recurses, from a stack that nobody knows."""
TOO_DEEP = "nested too deeply"
MOST_APART = 20
"""Elements of one callback that are quarantined one by one; when there are more, the whole body is, once."""


def ingest(
    desk: Desk, objects: list[Any], adapt: Callable[[Any], list[Fact]], request: Mapping[str, Any], *, body: bytes
) -> Stored:
    """Store every event among ``objects`` and quarantine the rest. Raises StoreError: then nothing may be acknowledged.

    ``request``: what to keep beside an element in quarantine (headers without secrets). ``body``: as it came.
    """
    hours, odd = _sort(desk, objects, adapt)
    if len(hours) > MOST_HOURS:
        hours, odd = {}, [(None, f"events of {len(hours)} hours")]
    _put_and_suppress(desk.store, hours)
    if odd and (not hours or len(odd) > MOST_APART):
        # Verbatim: what is written again from parsed JSON is not what came.
        quarantine(desk, body, odd[0][1] if len(odd) == 1 else f"{len(odd)} elements are no events", request)
        odd = odd[:1]
    else:
        for element, why in odd:
            quarantine(desk, _bytes(element, body), why, request)
    return Stored(sum(map(len, hours.values())), len(odd))


def _sort(desk: Desk, objects: list[Any], adapt: Callable[[Any], list[Fact]]) -> tuple[_Hours, list[tuple[Any, str]]]:
    """Return the events by their hour, and the elements that are none, each with the reason."""
    hours: _Hours = {}
    odd: list[tuple[Any, str]] = []
    for raw in objects:
        if isinstance(raw, BrokenLine):
            odd.append((raw, "not JSON"))
            continue
        try:
            for hour, row in [(_hour(desk, fact), _row(fact.record)) for fact in adapt(raw)]:
                hours.setdefault(hour, []).append(row)
        except NotAnEventError as error:
            odd.append((raw, str(error)))
        except RecursionError:  # read, but nested so deeply that it cannot be written again
            odd.append((raw, TOO_DEEP))
    return hours, odd


def _hour(desk: Desk, fact: Fact) -> tuple[str, str]:
    return day_and_hour(fact.occurred_s, desk.utc_offset_s)


def _row(record: Event) -> _Row:
    raw, source = canonical_json(record["raw"]), canonical_json(record["source"])
    # Counting is quick, and for nearly every event it is enough to know.
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and _is_deeper(record["raw"], DEEPEST):
        raise NotAnEventError(TOO_DEEP)
    return _Row(raw, record["event_id"], source, encode_line(record), record)


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether ``value`` is nested more than ``levels`` deep; no recursion, so any depth will do."""
    level = [value]
    for _ in range(levels + 1):
        level = [part for whole in level for part in _parts(whole)]
    return bool(level)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _bytes(element: Any, body: bytes) -> bytes:
    if isinstance(element, BrokenLine):
        return element.text.encode()
    try:
        return canonical_json(element)
    except RecursionError:
        return body


def _put_and_suppress(store: Store, hours: _Hours) -> None:
    # A lone event is what SES sends. Of several, the report timer makes the list: there is one PUT for an hour of them.
    rows = next(iter(hours.values())) if len(hours) == 1 else []
    if len(rows) != 1 or rows[0].record["type"] not in SUPPRESSING:
        _put_all(store, hours)
        return
    from functions.webhook.suppress import suppressing_beside  # noqa: PLC0415 - few events suppress

    with suppressing_beside(store, rows[0].record):
        _put_all(store, hours)


def _put_all(store: Store, hours: _Hours) -> None:
    if len(hours) <= FEW_HOURS:
        for (day, hour), rows in hours.items():
            _put(store, day, hour, rows)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - such a callback is rare, every start is not

    with ThreadPoolExecutor(FEW_HOURS) as pool:
        list(pool.map(lambda one: _put(store, one[0][0], one[0][1], one[1]), hours.items()))


def _put(store: Store, day: str, hour: str, rows: list[_Row]) -> None:
    # By content, not by position or time of receipt: the same events make the same key and the same lines.
    ordered = sorted(rows, key=lambda row: row[:4])
    sha256 = events_hash((row.source, row.raw) for row in ordered)
    store.put_once(event_key(day, hour, sha256), b"".join(row.line for row in ordered))


def quarantine(desk: Desk, body: bytes, why: str, request: Mapping[str, Any]) -> None:
    """Keep what was not understood, verbatim. Raises StoreError."""
    try:
        verbatim = {"body": body.decode()}
    except UnicodeDecodeError:
        verbatim = {"body_base64": base64.b64encode(body).decode()}
    line = {"v": VERSION, "why": why, "received_at": iso(desk.received_s), **request, **verbatim}
    key = quarantine_key(day_of(desk.received_s, desk.utc_offset_s), hashlib.sha256(body).hexdigest())
    desk.store.put_once(key, encode_line(line), content_type="application/json")
