"""What SES's status rows, the events and the lines of ``sends/`` say of attempts in doubt; evidence.py judges it.

Events are read as anyone may read them (ARCHITECTURE.md, "A reader may be naive"): raw and merged objects alike, of the
hours that matter, and only what was written after the attempt.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.bulk_mail import may_have_written
from shared.trail.evidence import ASK_AFTER_S, Attempt, Question, Row, Sightings, Verdict, judge
from shared.trail.inquiry_limits import LookedTooFarError, no_more_than
from shared.trail.layout import events_prefix, send_key
from shared.trail.records import day_and_hour, day_of, epoch, plausible_epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from shared.trail.store import Store

    _Asked = dict[tuple[str, str], "list[Row] | None"]

EVENTS_S = 7200
"""Seconds after an attempt whose events are looked at: of a mail that was accepted, the first come within minutes."""
CLOCKS_S = 300
"""What clocks may differ, so that what follows an attempt may be dated before it."""
_PAGE_ROWS, _MOST_PAGES = 100, 10
_TOKEN_HEADER = "x-tencentcloudses-cb-custom"  # noqa: S105 - a header's name


class Desk(NamedTuple):
    """What looking into doubts takes.

    ``ask``: day, recipient, offset -> a page of SES's status rows, None when SES did not answer; ``read_reference``:
    token -> its reference. ``most``: notes, and objects of events, that are looked at; ``most_people``: of one mail.
    """

    store: Store
    utc_offset_s: int
    now: float
    ask: Callable[[str, str, int], list[dict[str, Any]] | None]
    read_reference: Callable[[str], str]
    time_left_s: Callable[[], float]
    most: int | None = None
    most_people: int = 1000


def look_into(desk: Desk, attempts: Sequence[Attempt], others: Iterable[Attempt]) -> list[Verdict | None]:
    """Return what is proven of each attempt. ``others``: attempts in doubt, these among them or not.

    Raises StoreError, and LookedTooFarError.
    """
    if not attempts:
        return []
    asked: _Asked = {}
    half_s = desk.time_left_s() / 2  # the other half is for the events; who was not asked for has the next run
    hurried = desk._replace(time_left_s=lambda: desk.time_left_s() - half_s)
    rows = [_ask(hurried, attempt, asked) for attempt in attempts]
    seen = Sightings(attempts, {row.message_id for found in rows for row in found or ()})
    for event in _iter_events(desk, attempts):
        raw = {str(name).lower(): value for name, value in event["raw"].items()}
        reference = desk.read_reference(str(raw.get(_TOKEN_HEADER) or "")) if event.get("verified") else ""
        marks = (reference, str(raw.get("messageid") or ""))
        seen.add(event["message_id"], *marks, is_of_task=event.get("task_id") not in (None, "", "0"))
    rivals: defaultdict[str, list[Attempt]] = defaultdict(list)  # by recipient
    for other in others:
        for recipient in () if seen.is_proven(other) else other.recipients:
            rivals[recipient.lower()].append(other)
    return [
        judge(
            Question(
                attempt,
                seen,
                found,
                any(attempt.is_rival_of(other) for to in attempt.recipients for other in rivals[to.lower()]),
                lambda message_id, attempt=attempt: owner_of(desk, message_id, attempt),  # type: ignore[misc]
                lambda attempt=attempt: may_have_written(desk.store, attempt.sender, attempt.at),  # type: ignore[misc]
            ),
            now=desk.now,
        )
        for attempt, found in zip(attempts, rows, strict=True)
    ]


def owner_of(desk: Desk, message_id: str, attempt: Attempt) -> str | None:
    """Return the hash of the key whose line in ``sends/`` has this message, "" without a key, None without a line.

    ``attempt``: at whose time it was accepted. Raises StoreError.
    """
    for day in _days(desk, attempt):
        if line := desk.store.get(send_key(day, message_id)):
            return json.loads(line)["key_sha256"] or ""
    return None


def _days(desk: Desk, attempt: Attempt) -> list[str]:
    return sorted({day_of(at, desk.utc_offset_s) for at in attempt.window})


def _ask(desk: Desk, attempt: Attempt, asked: _Asked) -> list[Row] | None:
    """Return the rows of all of an attempt's recipients; None when it is too early, or SES did not tell them all."""
    if desk.now - attempt.at < ASK_AFTER_S or not attempt.recipients:
        return None
    if len(attempt.recipients) > desk.most_people:
        raise LookedTooFarError
    found: list[Row] = []
    today = day_of(desk.now, desk.utc_offset_s)
    for day in _days(desk, attempt):
        for recipient in attempt.recipients if day <= today else ():
            if (day, recipient) not in asked:
                asked[day, recipient] = _ask_for(desk, day, recipient)
            rows = asked[day, recipient]
            if rows is None:
                return None
            found += rows
    return found


def _ask_for(desk: Desk, day: str, recipient: str) -> list[Row] | None:
    found: list[Row] = []
    for number in range(_MOST_PAGES):
        page = desk.ask(day, recipient, number * _PAGE_ROWS) if desk.time_left_s() > 0 else None
        if page is None:
            return None
        found += map(_row_of, page)
        if len(page) < _PAGE_ROWS:
            return found
    return None


def _row_of(raw: Mapping[str, Any]) -> Row:
    message_id, recipient, sender = (
        str(raw.get(name) or "") for name in ("MessageId", "ToEmailAddress", "FromEmailAddress")
    )
    return Row(message_id, recipient, sender, plausible_epoch(raw.get("RequestTime")))


def _iter_events(desk: Desk, attempts: Sequence[Attempt]) -> Iterator[dict[str, Any]]:
    """Yield the events of SES that can tell of one of the attempts. Raises StoreError and LookedTooFarError."""
    since = min(attempt.at for attempt in attempts) - CLOCKS_S
    listed = (
        entry
        for day, hour in sorted({place for attempt in attempts for place in _hours(desk, attempt)})
        for entry in desk.store.iterate(events_prefix(day, hour))
        if epoch(entry.modified_at) >= since
    )
    for _, body in desk.store.read_many(no_more_than(desk.most, listed)):
        if desk.time_left_s() <= 0:
            raise LookedTooFarError
        for event in _parse(body or b""):
            if event.get("source") == "ses" and event.get("message_id") and isinstance(event.get("raw"), dict):
                yield event


def _hours(desk: Desk, attempt: Attempt) -> Iterator[tuple[str, str]]:
    at, end = attempt.at - CLOCKS_S, min(desk.now, attempt.at + EVENTS_S) + CLOCKS_S
    while at < end + 3600:
        yield day_and_hour(min(at, end), desk.utc_offset_s)
        at += 3600


def _parse(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.split(b"\n"):
        try:
            event = json.loads(line or b"null")
        except (ValueError, RecursionError):
            continue  # a file of somebody else's
        if isinstance(event, dict):
            yield event
