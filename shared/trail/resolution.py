"""Attempts that nobody knows the outcome of: noted, looked into, and settled when something is proven (evidence.py).

A note lies under ``state/send/uncertain/`` from the moment of doubt on, so that nobody has to list the ledger. What is
found out is written beside the claim once, only if absent; then the line in ``sends/`` that is missing; then the note
goes. A run that dies between two of these is repeated by the next.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.evidence import Attempt, Verdict, attempt_of
from shared.trail.inquiry import look_into, owner_of
from shared.trail.inquiry_limits import no_more_than
from shared.trail.layout import UNCERTAIN_PREFIX, resolved_key, send_key, uncertain_key
from shared.trail.ledger import REFUSED, SENT, Entry, is_in_doubt, look_up
from shared.trail.records import VERSION, day_of, encode_line, epoch, iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shared.trail.inquiry import Desk
    from shared.trail.records import Send
    from shared.trail.store import Store

GIVE_UP_AFTER_S = 2 * 86400
"""Seconds after which nobody looks any more; the key is remembered for a day longer."""
_READERS = 16


class Doubt(NamedTuple):
    """An attempt in doubt. ``key``: of its note; ``send``: its line for ``sends/``, without what SES said.

    ``has_key``: whether it can be settled; one without is there because its rows may be taken for another mail's.
    """

    key: str
    attempt: Attempt
    send: dict[str, Any]
    has_key: bool = True


def note_doubt(
    store: Store, attempt: Attempt, send: Mapping[str, Any] | None, *, utc_offset_s: int, has_key: bool = True
) -> None:
    """Note that nobody knows what came of an attempt. Raises StoreError. What was noted first stays."""
    told = {"sender": attempt.sender, "recipients": attempt.recipients, "template_id": None, "subject": ""}
    line = {"v": VERSION, **attempt._asdict(), "at": iso(attempt.at), "send": {**told, "metadata": {}, **(send or {})}}
    line |= {} if has_key else {"has_key": False}
    key = uncertain_key(day_of(attempt.at, utc_offset_s), attempt.key_sha256, attempt.generation)
    store.put_once(key, encode_line(line), content_type="application/json")


def resolve_one(desk: Desk, attempt: Attempt, send: Mapping[str, Any] | None) -> bool:
    """Look into one attempt in doubt; whether something was proven and is written. Raises StoreError.

    Raises LookedTooFarError when that is too much for the ``most`` of this desk.
    """
    note_doubt(desk.store, attempt, send, utc_offset_s=desk.utc_offset_s)
    days = {day_of(at, desk.utc_offset_s) for at in attempt.window}
    others = [doubt.attempt for doubt in _read_notes(desk, sorted(days))]
    (verdict,) = look_into(desk, [attempt], others)
    if verdict is None:
        return False
    _settle(desk.store, attempt, verdict, desk.now)
    key = uncertain_key(day_of(attempt.at, desk.utc_offset_s), attempt.key_sha256, attempt.generation)
    _keep_send(desk, json.loads(desk.store.get(key) or b"{}"), look_up(desk.store, attempt.key_sha256), attempt)
    return True


def resolve_all(desk: Desk) -> dict[str, int]:
    """Look into every attempt in doubt, and count what came of it. Raises StoreError; the next run goes on."""
    doubts = list(_read_notes(desk, [""]))
    counts = Counter(sent=0, not_accepted=0, uncertain=0, over=0)
    with ThreadPoolExecutor(_READERS) as pool:
        entries = list(pool.map(lambda doubt: look_up(desk.store, doubt.attempt.key_sha256), doubts))
        told = list(zip(doubts, entries, strict=True))
        over = [pair for pair in told if _is_over(*pair, desk.now)]
        counts["over"] = len(list(pool.map(lambda pair: _close(desk, *pair), over)))
        left = [pair for pair in told if pair not in over]
        waiting = [doubt for doubt, entry in left if entry is not None and is_in_doubt(entry, now=desk.now)]
        waiting.sort(key=lambda doubt: doubt.attempt.at)
        verdicts = look_into(desk, [each.attempt for each in waiting], [doubt.attempt for doubt, _ in left])
        counts.update(pool.map(lambda pair: _settle_and_close(desk, *pair), zip(waiting, verdicts, strict=True)))
    return dict(counts)


def _is_over(doubt: Doubt, entry: Entry | None, now: float) -> bool:
    if not doubt.has_key:
        return now - doubt.attempt.at > GIVE_UP_AFTER_S
    if entry is None or entry.generation != doubt.attempt.generation or now - doubt.attempt.at > GIVE_UP_AFTER_S:
        return True
    return entry.state in (SENT, REFUSED)


def _settle_and_close(desk: Desk, doubt: Doubt, verdict: Verdict | None) -> str:
    if verdict is None:
        return "uncertain"
    _settle(desk.store, doubt.attempt, verdict, desk.now)
    entry = look_up(desk.store, doubt.attempt.key_sha256)
    _close(desk, doubt, entry)
    return "not_accepted" if entry is not None and entry.state == REFUSED else "sent"


def _close(desk: Desk, doubt: Doubt, entry: Entry | None) -> None:
    _keep_send(desk, {"send": doubt.send}, entry, doubt.attempt)
    desk.store.delete(doubt.key)


def _settle(store: Store, attempt: Attempt, verdict: Verdict, now: float) -> None:
    """Write what was found out, unless somebody has: of two that look at the same time, one is right for both."""
    answer: dict[str, Any] = {"message_id": verdict.message_id, "request_id": "", "recipients": len(attempt.recipients)}
    answer |= {"duplicate": False, "resolved_by": verdict.by}
    if verdict.state == REFUSED:
        detail = "SES never had this mail: half an hour later no status row and no event tells of it"
        answer = {"status": 409, "code": "not_accepted", "detail": detail, "retry_safe": True, "errors": None}
    line = {"v": VERSION, "at": iso(now), "state": verdict.state, "answer": answer}
    line |= {"message_id": verdict.message_id, "code": answer.get("code")}
    store.offer(resolved_key(attempt.key_sha256, attempt.generation), encode_line(line))


def _keep_send(desk: Desk, note: Mapping[str, Any], entry: Entry | None, attempt: Attempt) -> None:
    """Write the line of a send that its function did not live to write; one that is there stays."""
    if entry is None or entry.state != SENT or entry.generation != attempt.generation or not note.get("send"):
        return
    send, message_id = note["send"], entry.answer["message_id"]
    if owner_of(desk, message_id, attempt) is not None:
        return
    line: Send = {
        "v": VERSION,
        "message_id": message_id,
        "request_id": entry.answer["request_id"],
        "key_sha256": attempt.key_sha256,
        "sender": send["sender"],
        "recipients": list(send["recipients"]),
        "template_id": send["template_id"],
        "subject": send["subject"],
        "metadata": send["metadata"],
        "accepted_at": iso(attempt.at),
    }
    desk.store.put_once(send_key(day_of(attempt.at, desk.utc_offset_s), message_id), encode_line(line))


def _read_notes(desk: Desk, days: Iterable[str]) -> Iterator[Doubt]:
    prefixes = (f"{UNCERTAIN_PREFIX}dt={day}/" if day else UNCERTAIN_PREFIX for day in days)
    listed = itertools.chain.from_iterable(map(desk.store.iterate, prefixes))
    for entry, body in desk.store.read_many(no_more_than(desk.most, listed)):
        if body is not None:
            try:
                note = json.loads(body)
                attempt = attempt_of(note["key_sha256"], note["generation"], note, epoch(note["at"]))
                doubt = Doubt(entry.key, attempt, note["send"], note.get("has_key", True))
            except (ValueError, KeyError, TypeError):  # somebody's own file must not stop the others' being looked into
                continue
            yield doubt
