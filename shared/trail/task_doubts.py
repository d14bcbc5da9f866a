"""Bulk tasks that nobody heard of: whether SES has them, by ListSendTasks; noted, looked into, and settled when proven.

A list that was made for one task is nobody else's: a task to it is that task. A list that others may use proves less: a
task to it is ours when it says the same, was made at that time, is the only one of its kind, and no other key has it.
What is in doubt and cannot be proven stays so.

A note lies under ``state/send/uncertain-tasks/`` from the moment of doubt on, so that nobody has to list the ledger; it
goes when the outcome is written, or when nobody looks any more.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.evidence import NEAR_S, NOT_ACCEPTED_AFTER_S, WINDOW_S
from shared.trail.layout import UNCERTAIN_TASKS_PREFIX, sent_task_key, uncertain_task_key
from shared.trail.ledger import CLAIMED, REFUSED, SENT, UNCERTAIN
from shared.trail.records import VERSION, content_hash, encode_line, iso, local_time_epoch
from shared.trail.task_ledger import SEND, Attempt, Life, find, read, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.trail.store import Store

LOOK_AFTER_S = 30
"""Seconds for which whoever called SES may still be waiting for its answer."""
GIVE_UP_AFTER_S = 2 * 86400
"""Seconds after which the timer looks no more; whoever asks for the key still has it looked into."""
_PAGE_ROWS, _MOST_PAGES = 100, 10
_ZONES_S = 16 * 3600
"""What zones can differ: in which one CreateTime is, nobody says. It may make a doubt last, never end one wrongly."""


class Desk(NamedTuple):
    """What looking into doubts takes.

    ``ask``: a list's number, offset -> a page of tasks to it, and how many there are; None when SES did not answer.
    """

    store: Store
    utc_offset_s: int
    clock: Callable[[], float]
    ask: Callable[[int, int], tuple[list[dict[str, Any]], int] | None]
    time_left_s: Callable[[], float]


class Seen(NamedTuple):
    """Tasks to a list. ``is_all``: whether SES told of all of them."""

    rows: list[dict[str, Any]]
    is_all: bool


def is_open(attempt: Attempt, now: float) -> bool:
    """Whether nobody knows what came of an attempt to send, nor is likely to be told by who made it."""
    return attempt.state == UNCERTAIN or (attempt.state == CLAIMED and now - attempt.at >= LOOK_AFTER_S)


def note_doubt(store: Store, life: Life, attempt: Attempt) -> None:
    """Note for the timer that nobody knows what came of an attempt. Raises StoreError. What was noted first stays."""
    line = {"v": VERSION, "at": iso(attempt.at), "key_sha256": life.key_sha256, "life": life.life}
    key = uncertain_task_key(life.key_sha256, life.life, attempt.number)
    store.put_once(key, encode_line({**line, "attempt": attempt.number}), content_type="application/json")


def resolve_all(desk: Desk) -> dict[str, int]:
    """Look into every task that was noted, and count what came of it. Raises StoreError; the next run goes on."""
    counts = Counter(sent=0, not_accepted=0, uncertain=0, over=0)
    for entry, body in desk.store.read_many(desk.store.iterate(UNCERTAIN_TASKS_PREFIX)):
        note = _note_in(body)
        if note is None:
            continue
        outcome = _settle(desk, note)
        counts[outcome] += 1
        if outcome != "uncertain":
            desk.store.delete(entry.key)
    return dict(counts)


def _note_in(body: bytes | None) -> dict[str, Any] | None:
    """Return what a note says; None for one that is gone, and for somebody's own file."""
    try:
        note = json.loads(body or b"null")
    except ValueError:
        return None
    return note if isinstance(note, dict) and note.keys() >= {"key_sha256", "life", "attempt"} else None


def _settle(desk: Desk, note: Mapping[str, Any]) -> str:
    """Look into one task; return what came of it. Without time left it stays as it is."""
    life = find(desk.store, note["key_sha256"])
    attempt = read(desk.store, life, SEND) if life is not None and life.life == note["life"] else None
    if life is None or attempt is None or attempt.number != note["attempt"]:
        return "over"  # its key was forgotten, or it was proven that SES never had it, and it is tried again
    now = desk.clock()
    if attempt.state not in (CLAIMED, UNCERTAIN) or now - attempt.at > GIVE_UP_AFTER_S:
        return "over"
    if desk.time_left_s() <= 0 or not is_open(attempt, now) or not look_into(desk, life, attempt):
        return "uncertain"
    resolved = read(desk.store, life, SEND)
    return "not_accepted" if resolved is not None and resolved.state == REFUSED else "sent"


def look_into(desk: Desk, life: Life, attempt: Attempt) -> bool:
    """Look into an attempt that is in doubt; whether something was proven and is written. Raises StoreError."""
    seen = tasks_of(desk, attempt.claim["receiver_id"])
    now = desk.clock()
    task_id, is_absent = _judge(desk, life, attempt, seen)
    if task_id is not None:
        answer = {**attempt.claim["answer"], "task_id": task_id, "resolved_by": "task"}
        resolve(desk.store, life, attempt, SENT, answer, at=now)
        return True
    if not is_absent or now - attempt.at < NOT_ACCEPTED_AFTER_S:
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


def first_task_id(seen: Seen) -> str | None:
    """Return the id of the first task to a list, or None. A later one is a person's, who used our list again."""
    return min((str(row["TaskId"]) for row in seen.rows), key=lambda task_id: (len(task_id), task_id), default=None)


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
    """Return the id of the task that is this attempt's, or None; and whether there is none that may be."""
    told = attempt.claim["told"]
    if not attempt.claim["is_shared"]:
        task_id = first_task_id(seen)
        if task_id is not None:
            note_sent(desk.store, life, task_id, told, at=desk.clock())
        return task_id, seen.is_all and task_id is None
    utc_offset_s = desk.utc_offset_s
    possible = [row for row in seen.rows if _is_within(row, attempt, utc_offset_s, WINDOW_S, _ZONES_S)]
    possible = [row for row in possible if _is_free(desk, life, str(row["TaskId"]))]
    if seen.is_all and len(possible) == 1 and _is_alike(possible[0], told):
        task_id = str(possible[0]["TaskId"])
        if _is_within(possible[0], attempt, utc_offset_s, NEAR_S) and note_sent(
            desk.store, life, task_id, told, at=desk.clock()
        ):
            return task_id, False
    return None, seen.is_all and not possible


def _is_free(desk: Desk, life: Life, task_id: str) -> bool:
    body = desk.store.get(sent_task_key(task_id))
    return body is None or _is_of(body, life)


def _is_alike(row: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Whether a task says the same to its list; where it has other variables, it is another key's."""
    template = row.get("Template")
    if not isinstance(template, dict):
        return False
    said = (row.get("Subject"), template.get("TemplateID"), _hash_of(template.get("TemplateData")), row.get("TaskType"))
    return said == (told["subject"], told["template_id"], told["data_sha256"], told["task_type"])


def _hash_of(template_data: object) -> str | None:
    try:
        return content_hash(json.loads(str(template_data or "{}")))
    except ValueError:
        return None


def _is_within(
    row: Mapping[str, Any], attempt: Attempt, utc_offset_s: int, window_s: tuple[int, int], zones_s: int = 0
) -> bool:
    """Whether a task was made so many seconds before the attempt or after it. ``zones_s``: what its zone may be off by.

    With ``zones_s``, a time that cannot be read may be any.
    """
    try:
        made_s = local_time_epoch(str(row.get("CreateTime")), utc_offset_s)
    except ValueError:
        return bool(zones_s)
    return attempt.at - window_s[0] - zones_s <= made_s <= attempt.at + window_s[1] + zones_s
