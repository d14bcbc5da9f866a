"""Bulk tasks that nobody heard of: whether SES has them, by ListSendTasks; noted, looked into, and settled when proven.

What proves what is in task_evidence.py. A note lies under ``state/send/uncertain-tasks/`` from before SES is called, so
that nobody has to list the ledger, whoever dies, and whoever is in doubt at the same time is seen; the timer takes it
away when the outcome is written, or when nobody looks any more.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.bulk_mail import forget_task
from shared.trail.layout import UNCERTAIN_TASKS_PREFIX, sent_task_key, uncertain_task_key
from shared.trail.ledger import CLAIMED, LONGEST_LIFE_S, REFUSED, SENT, UNCERTAIN
from shared.trail.records import VERSION, encode_line, epoch, iso
from shared.trail.task_evidence import Seen, first_task_id, is_absent, is_certain, is_rival, possible_tasks
from shared.trail.task_ledger import SEND, Attempt, Life, find, read, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shared.trail.store import Store

LOOK_AFTER_S = 30
"""Seconds for which whoever called SES may still be waiting for its answer."""
GIVE_UP_AFTER_S = 2 * 86400
"""Seconds after which the timer looks no more; whoever asks for the key still has it looked into."""
_PAGE_ROWS, _MOST_PAGES = 100, 10


class Desk(NamedTuple):
    """What looking into doubts takes.

    ``ask``: a list's number, offset -> a page of tasks to it, and how many there are; None when SES did not answer.
    """

    store: Store
    utc_offset_s: int
    clock: Callable[[], float]
    ask: Callable[[int, int], tuple[list[dict[str, Any]], int] | None]
    time_left_s: Callable[[], float]


def is_open(attempt: Attempt, now: float) -> bool:
    """Whether nobody knows what came of an attempt to send, nor is likely to be told by who made it."""
    return attempt.state == UNCERTAIN or (attempt.state == CLAIMED and now - attempt.at >= LOOK_AFTER_S)


def note_doubt(store: Store, life: Life, attempt: Attempt) -> None:
    """Note that nobody may learn what comes of an attempt. Raises StoreError. What was noted first stays."""
    line = {"v": VERSION, "at": iso(attempt.at), "key_sha256": life.key_sha256, "life": life.life}
    line |= {"attempt": attempt.number, "nonce": attempt.claim["nonce"]}
    key = uncertain_task_key(life.key_sha256, life.life, attempt.number, attempt.claim["nonce"])
    store.put_once(key, encode_line(line), content_type="application/json")


def resolve_all(desk: Desk) -> dict[str, int]:
    """Look into every task that was noted, and count what came of it. Raises StoreError; the next run goes on."""
    counts = Counter(sent=0, not_accepted=0, uncertain=0, over=0)
    for note in list(_iter_notes(desk.store)):
        outcome = _settle(desk, note)
        announced = _announced(desk.store, note) if outcome in ("settled", "not_accepted") else None
        if announced is not None and announced[1].state == REFUSED:
            attempt = announced[1]
            forget_task(desk.store, attempt.claim["told"], at=attempt.at)
        if outcome not in ("waiting", "uncertain"):
            desk.store.delete(note.key)
        if outcome in counts:
            counts[outcome] += 1
    return dict(counts)


class _Note(NamedTuple):
    """One attempt that was announced. ``key``: of the note itself; ``at``: epoch seconds."""

    key: str
    at: float
    key_sha256: str
    life: str
    nonce: str


def _iter_notes(store: Store) -> Iterator[_Note]:
    read = store.read_many(store.iterate(UNCERTAIN_TASKS_PREFIX))
    return (note for entry, body in read if (note := _note_in(entry.key, body)) is not None)


def _note_in(key: str, body: bytes | None) -> _Note | None:
    """Return what a note says; None for one that is gone, and for somebody's own file."""
    try:
        line = json.loads(body or b"null")
        key_sha256, life, nonce = (str(line[name]) for name in ("key_sha256", "life", "nonce"))
        return _Note(key, epoch(line["at"]), key_sha256, life, nonce)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _announced(store: Store, note: _Note) -> tuple[Life, Attempt] | None:
    """Return the attempt that a note is about, if it was made and is the newest. Raises StoreError."""
    life = find(store, note.key_sha256)
    attempt = read(store, life, SEND) if life is not None and life.life == note.life else None
    if life is None or attempt is None or attempt.claim.get("nonce") != note.nonce:
        return None
    return life, attempt


def _settle(desk: Desk, note: _Note) -> str:
    """Look into one task; return what came of it. Without time left it stays as it is."""
    now = desk.clock()
    announced = _announced(desk.store, note)
    if announced is None:
        # Its claim is being made, or is somebody else's; or SES never had it, and it is tried again.
        return "waiting" if now - note.at <= LONGEST_LIFE_S else "over"
    life, attempt = announced
    if attempt.state == SENT:  # whoever made it may have failed to say whose the task is
        note_sent(desk.store, life, str(attempt.answer["task_id"]), attempt.claim["told"], at=attempt.at)
    if attempt.state not in (CLAIMED, UNCERTAIN):
        return "settled"
    if now - attempt.at > GIVE_UP_AFTER_S:
        return "over"
    if desk.time_left_s() <= 0 or not is_open(attempt, now) or not look_into(desk, life, attempt):
        return "uncertain"
    resolved = read(desk.store, life, SEND)
    return "not_accepted" if resolved is not None and resolved.state == REFUSED else "sent"


def look_into(desk: Desk, life: Life, attempt: Attempt) -> bool:
    """Look into an attempt that is in doubt; whether something was proven and is written. Raises StoreError."""
    seen = tasks_of(desk, attempt.claim["receiver_id"])
    now = desk.clock()
    task_id, is_nowhere = _judge(desk, life, attempt, seen)
    if task_id is not None:
        answer = {**attempt.claim["answer"], "task_id": task_id, "resolved_by": "task"}
        resolve(desk.store, life, attempt, SENT, answer, at=now)
        return True
    if not is_nowhere:
        return False
    detail = "SES never had this task: half an hour later it is not among those of its list"
    refused = {"status": 409, "code": "not_accepted", "detail": detail, "retry_safe": True, "errors": None}
    resolve(desk.store, life, attempt, REFUSED, refused, at=now)
    return True


def tasks_of(desk: Desk, receiver_id: int) -> Seen:
    """Return the tasks to a list, as far as SES tells; no answer of it is told as not being all."""
    rows: list[dict[str, Any]] = []
    is_all = False
    for number in range(_MOST_PAGES):
        page = desk.ask(receiver_id, number * _PAGE_ROWS)
        if page is None:
            break
        found, total = page
        rows += found
        if len(found) < _PAGE_ROWS:
            is_all = len(rows) >= total
            break
    # A row that does not say which task it is, and of which list, may be any.
    is_all = is_all and all(row.get("TaskId") and row.get("ReceiverId") for row in rows)
    return Seen([row for row in rows if row.get("TaskId") and str(row.get("ReceiverId")) == str(receiver_id)], is_all)


def note_sent(store: Store, life: Life, task_id: str, told: Mapping[str, Any], *, at: float) -> bool:
    """Note whose a task is; False when it is another key's. Raises StoreError."""
    key = sent_task_key(task_id)
    line = {"v": VERSION, "task_id": task_id, "key_sha256": life.key_sha256, "life": life.life, **told}
    line |= {"accepted_at": iso(at)}
    return store.offer(key, encode_line(line)) or _is_of(store.get(key), life)


def _is_of(body: bytes | None, life: Life) -> bool:
    noted = json.loads(body or b"{}")
    return (noted.get("key_sha256"), noted.get("life")) == (life.key_sha256, life.life)


def _judge(desk: Desk, life: Life, attempt: Attempt, seen: Seen) -> tuple[str | None, bool]:
    """Return the id of the task that is this attempt's, or None; and whether it is proven that there is none."""
    told, now = attempt.claim["told"], desk.clock()
    if not attempt.claim["is_shared"]:
        task_id = first_task_id(seen)
        if task_id is not None:
            note_sent(desk.store, life, task_id, told, at=now)
        return task_id, is_absent(seen, seen.rows, attempt, now=now)
    possible = possible_tasks(seen, attempt, desk.utc_offset_s)
    possible = [row for row in possible if _is_free(desk, life, str(row["TaskId"]))]
    if seen.is_all and len(possible) == 1 and is_certain(possible[0], attempt, desk.utc_offset_s, now=now):
        task_id = str(possible[0]["TaskId"])
        is_ours = not _has_rivals(desk, life, attempt, task_id)
        if is_ours and note_sent(desk.store, life, task_id, told, at=now):
            return task_id, False
    return None, is_absent(seen, possible, attempt, now=now)


def _has_rivals(desk: Desk, life: Life, attempt: Attempt, task_id: str) -> bool:
    """Whether a task may be that of another key, which said the same at that time."""
    for note in _iter_notes(desk.store):
        announced = None if note.key_sha256 == life.key_sha256 else _announced(desk.store, note)
        if announced is None or not is_rival(announced[1], attempt):
            continue
        _, other = announced
        if other.state in (CLAIMED, UNCERTAIN) or str(other.answer.get("task_id")) == task_id:
            return True
    return False


def _is_free(desk: Desk, life: Life, task_id: str) -> bool:
    body = desk.store.get(sent_task_key(task_id))
    return body is None or _is_of(body, life)
