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
from shared.trail.records import VERSION, canonical_json, day_and_hour, day_of, encode_line, encode_lines, iso

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.trail.store import Store


class Stored(NamedTuple):
    """How many events, and how many bodies or elements that were not understood, are durable now."""

    events: int
    quarantined: int


class Desk(NamedTuple):
    """Where callbacks are taken in: the trail, the zone of its days, the time of receipt (epoch seconds)."""

    store: Store
    utc_offset_s: int
    received_s: float


FEW_HOURS = 8
"""Hours of one callback that are written one after the other; more are written this many at once."""
MOST_APART = 20
"""Elements of one callback that are quarantined one by one; when there are more, the whole body is, once."""


def ingest(
    desk: Desk, objects: list[Any], adapt: Callable[[Any], list[Fact]], request: Mapping[str, Any], *, body: bytes
) -> Stored:
    """Store every event among ``objects`` and quarantine the rest. Raises StoreError: then nothing may be acknowledged.

    ``request``: what to keep beside an element in quarantine (headers without secrets). ``body``: as it came.
    """
    hours: dict[tuple[str, str], list[Fact]] = {}
    odd: list[tuple[bytes, str]] = []
    for raw in objects:
        if isinstance(raw, BrokenLine):
            odd.append((raw.text.encode(), "a line that is not JSON"))
            continue
        try:
            facts = adapt(raw)
        except NotAnEventError as error:
            odd.append((canonical_json(raw), str(error)))
            continue
        for fact in facts:
            hours.setdefault(day_and_hour(fact.occurred_s, desk.utc_offset_s), []).append(fact)
    _put_all(desk.store, hours)
    if odd and (not hours or len(odd) > MOST_APART):
        # Verbatim: what is written again from parsed JSON is not what came.
        odd = [(body, odd[0][1] if len(odd) == 1 else f"{len(odd)} elements are no events")]
    for element, why in odd:
        quarantine(desk, element, why, request)
    return Stored(sum(map(len, hours.values())), len(odd))


def _put_all(store: Store, hours: Mapping[tuple[str, str], list[Fact]]) -> None:
    if len(hours) <= FEW_HOURS:
        for (day, hour), facts in hours.items():
            _put(store, day, hour, facts)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - such a callback is rare, every start is not

    with ThreadPoolExecutor(FEW_HOURS) as pool:
        list(pool.map(lambda one: _put(store, one[0][0], one[0][1], one[1]), hours.items()))


def _put(store: Store, day: str, hour: str, facts: list[Fact]) -> None:
    # By content, not by position or time of receipt: the same events make the same key and the same lines.
    keyed = [(canonical_json(fact.record["raw"]), fact.record["event_id"], fact.record) for fact in facts]
    ordered = sorted(keyed, key=lambda one: one[:2])
    # The canonical JSON of [[source, raw], ...], from the canonical JSON that each raw has already.
    source = canonical_json(facts[0].record["source"])
    content = b",".join(b"[%b,%b]" % (source, raw) for raw, _, _ in ordered)
    sha256 = hashlib.sha256(b"[%b]" % content).hexdigest()
    store.put_once(event_key(day, hour, sha256), encode_lines(record for _, _, record in ordered))


def quarantine(desk: Desk, body: bytes, why: str, request: Mapping[str, Any]) -> None:
    """Keep what was not understood, verbatim. Raises StoreError."""
    try:
        verbatim = {"body": body.decode()}
    except UnicodeDecodeError:
        verbatim = {"body_base64": base64.b64encode(body).decode()}
    line = {"v": VERSION, "why": why, "received_at": iso(desk.received_s), **request, **verbatim}
    key = quarantine_key(day_of(desk.received_s, desk.utc_offset_s), hashlib.sha256(body).hexdigest())
    desk.store.put_once(key, encode_line(line), content_type="application/json")
