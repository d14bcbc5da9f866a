"""Rows whose final state no callback told, put into the trail as events: what happened is known all the same.

They lie under ``events/`` like any other, in objects named by their content, with ``source`` ``status``. A record is a
function of its row and its manifest alone, and which rows may share an object is decided by their place among all rows
of the day: a run that is repeated after a death writes the same objects, and one that finds a few rows less, because
callbacks came late, writes at worst other objects with the same ``event_id``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.report.told import FILLED_IN
from shared.trail.bounce import diagnose
from shared.trail.layout import event_key
from shared.trail.records import (
    VERSION,
    Event,
    canonical_json,
    day_and_hour,
    encode_line,
    epoch,
    event_id,
    events_hash,
    iso,
    local_time_epoch,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.trail.store import Store

ROWS_TOGETHER = 4000
"""Rows of a day whose events may share objects, one an hour: about 5 MB that are held."""
_SOURCE = canonical_json(FILLED_IN)
_HAS_REPLY = frozenset({"bounced", "rejected"})


class _Line(NamedTuple):
    raw: bytes
    event_id: str
    line: bytes


class Filler:
    """Writes the events that rows are made into. ``received_at``: when the day was sealed."""

    def __init__(self, store: Store, utc_offset_s: int, received_at: str) -> None:
        self._store = store
        self._utc_offset_s = utc_offset_s
        self._received_at = received_at
        self._hours: defaultdict[tuple[str, str], list[_Line]] = defaultdict(list)

    def event_of(self, row: Mapping[str, Any]) -> Event:
        """Return the event that a row is made into.

        Received when the day was sealed: from then on the row is known to be final, whichever run fills it in, and the
        time of a pass would change with every pass.
        """
        return _event(row, self._received_at, local_time_epoch(f"{row['day']} 00:00:00", self._utc_offset_s))

    def add(self, event: Event) -> None:
        """Take an event in; ``flush`` writes it."""
        hour = day_and_hour(epoch(event["occurred_at"]), self._utc_offset_s)
        self._hours[hour].append(_Line(canonical_json(event["raw"]), event["event_id"], encode_line(event)))

    def flush(self) -> None:
        """Write what was taken in since the last time. Raises StoreError."""
        for (day, hour), lines in sorted(self._hours.items()):
            lines.sort()
            sha256 = events_hash((_SOURCE, line.raw) for line in lines)
            self._store.put_once(event_key(day, hour, sha256), b"".join(line.line for line in lines))
        self._hours.clear()


def _event(row: Mapping[str, Any], received_at: str, day_begins: float) -> Event:
    kind, message_id, recipient = row["type"], row["message_id"], row["recipient"]
    occurred_at = row["delivered_at"] or row["requested_at"] or iso(day_begins)
    reply = diagnose(row["deliver_message"] or "" if kind in _HAS_REPLY else "")
    return {
        "v": VERSION,
        "event_id": event_id(FILLED_IN, message_id, recipient, kind, occurred_at, None),
        "source": FILLED_IN,
        "type": kind,
        "class": row["class"],
        "reason": row["reason"],
        "fault": row["fault"],
        "message_id": message_id,
        "recipient": recipient,
        "occurred_at": occurred_at,
        "received_at": received_at,
        "verified": False,
        "machine": None,
        "smtp": reply.smtp,
        "enhanced": reply.enhanced,
        "link": None,
        "template_id": None,
        "task_id": None,
        "metadata": None,
        "raw": row["raw"],
    }
