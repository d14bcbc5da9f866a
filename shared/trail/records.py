"""What a line of JSON in the bucket means. Flat objects, times ISO 8601 in UTC with ``Z``, ``v`` the schema version.

    Event       one callback about one recipient           events/
    Status      one row of GetSendEmailStatus/emailStatus  status/, sendcloud/
    Task        one row of ListSendTasks at one time       tasks/
    TaskChange  what changed in it between two times       task-changes/
    Send        one accepted send                          sends/
    Ledger      who may send, and what came of it          ledger/

``raw`` is always the upstream's object as it came: tables improve, history is re-read from it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSION = 1
UTC = dt.timezone.utc


# `class` is a keyword, so the key needs the functional syntax.
_Class = TypedDict("_Class", {"class": "str | None"})


class Event(_Class):
    """One thing that happened to one mail on its way to one recipient."""

    v: int
    event_id: str
    source: str  # ses | sendcloud | status (filled in from a status row)
    type: str
    reason: str | None
    fault: str | None
    message_id: str | None
    recipient: str | None
    occurred_at: str
    received_at: str
    verified: bool
    machine: str | None
    smtp: str | None
    enhanced: str | None
    link: str | None
    template_id: int | None
    task_id: str | None
    metadata: dict[str, str] | None
    raw: dict[str, Any]


class Status(_Class):
    """One recipient of one mail, as a status query told it."""

    v: int
    day: str
    message_id: str | None
    recipient: str | None
    sender: str | None
    send_status: int | None
    deliver_status: int | None
    type: str
    reason: str | None
    fault: str | None
    deliver_message: str | None
    requested_at: str | None
    delivered_at: str | None
    opened: bool
    clicked: bool
    unsubscribed: bool
    complained: bool
    fetched_at: str
    raw: dict[str, Any]


class Task(TypedDict):
    """One batch task, as ListSendTasks told it at one time. Counts are recipients."""

    v: int
    task_id: str
    status: int | None
    task_type: int | None
    requested: int | None
    sent: int | None
    cached: int | None
    created_at: str | None
    updated_at: str | None
    subject: str | None
    error: str | None
    fetched_at: str
    raw: dict[str, Any]


class TaskChange(TypedDict):
    """What changed in one batch task between two lists, or that it appeared."""

    v: int
    task_id: str
    at: str
    change: str  # appeared | changed
    before: dict[str, Any] | None
    after: dict[str, Any]
    subject: str | None


class Send(TypedDict):
    """One accepted send. Never the body."""

    v: int
    message_id: str
    request_id: str
    key_sha256: str | None
    sender: str
    recipients: list[str]
    template_id: int | None
    subject: str
    metadata: dict[str, str]
    accepted_at: str


# Made once: json.dumps with options makes an encoder at each call, a third of the time that a short record takes.
_to_line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_to_ascii_line = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_to_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def encode_line(record: Any) -> bytes:
    """Write one record as one line: UTF-8, no spaces, keys in their order, newline at the end.

    Half a surrogate pair has no UTF-8; such a record is written with ASCII escapes, so that nothing is lost.
    Raises ValueError for NaN and infinity, which JSON does not have.
    """
    try:
        return _to_line(record).encode() + b"\n"
    except UnicodeEncodeError:
        return _to_ascii_line(record).encode() + b"\n"


def encode_lines(records: Iterable[Any]) -> bytes:
    """Write records as JSON lines."""
    return b"".join(map(encode_line, records))


def decode_lines(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Read records from lines of JSON. Raises ValueError for a line that is none: what we wrote is never broken."""
    for line in lines:
        if line.strip():
            yield json.loads(line)


def canonical_json(value: Any) -> bytes:
    """Return the same bytes for the same content: sorted keys, no spaces, ASCII."""
    return _to_canonical(value).encode()


def content_hash(value: Any) -> str:
    """Hex SHA-256 of the canonical content."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def events_hash(contents: Iterable[tuple[bytes, bytes]]) -> str:
    """Name an object of events by what upstream said: hex SHA-256 of the canonical JSON of [[source, raw], ...].

    ``contents``: the canonical JSON of each event's source and raw, in an order that depends on them alone.
    """
    joined = b",".join(b"[%b,%b]" % content for content in contents)
    return hashlib.sha256(b"[%b]" % joined).hexdigest()


def event_id(
    source: str, message_id: str | None, recipient: str | None, kind: str, occurred_at: str, link: str | None
) -> str:
    """Return the identity of an event, the same for every delivery of it and for every batch it comes in."""
    # As a JSON list: a line break in a part must not make two events one.
    return content_hash([source, message_id or "", recipient or "", kind, occurred_at, link or ""])


def iso(timestamp: float) -> str:
    """Epoch seconds as ISO 8601 in UTC, to the second, or to the millisecond when there is a fraction."""
    moment = dt.datetime.fromtimestamp(timestamp, UTC)
    precision = "milliseconds" if moment.microsecond >= 1000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def epoch(text: str) -> float:
    """Return the epoch seconds of an ISO 8601 time with ``Z``. Raises ValueError."""
    moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:  # it would be taken for the machine's own zone
        raise ValueError(f"a time without a zone: {text}")
    return moment.timestamp()


def day_and_hour(timestamp: float, utc_offset_s: int) -> tuple[str, str]:
    """``("2026-11-20", "08")``: the day and hour of ``timestamp`` in the account's zone."""
    moment = dt.datetime.fromtimestamp(timestamp + utc_offset_s, UTC).isoformat()
    return moment[:10], moment[11:13]


def day_of(timestamp: float, utc_offset_s: int) -> str:
    """``"2026-11-20"``: the day of ``timestamp`` in the account's zone."""
    return day_and_hour(timestamp, utc_offset_s)[0]


def local_time_epoch(text: str, utc_offset_s: int) -> float:
    """Return the epoch seconds of ``2021-09-09 10:10:10``, a time the vendors give without a zone.

    The account's zone is assumed; the vendors do not say. Raises ValueError.
    """
    moment = dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return moment.timestamp() - utc_offset_s


def plausible_epoch(value: Any) -> float | None:
    """Epoch seconds from a number or digits in seconds or milliseconds; None for anything else.

    SES documents seconds; SendCloud's unit is not documented and its samples show milliseconds.
    """
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    seconds = number / 1000 if number >= 1e11 else number
    return seconds if 0 < seconds < 32503680000 else None  # the year 3000
