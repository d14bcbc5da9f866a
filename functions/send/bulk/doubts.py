"""A task that nobody heard of: whether SES has it, by ListSendTasks.

A list that was made for one task is nobody else's: a task to it is that task. A list that others may use proves less: a
task to it is ours when it says the same, was made at that time, is the only one of its kind, and no other key has it.
What is in doubt and cannot be proven stays so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.send.bulk import journal
from shared.edge.log import log
from shared.trail.evidence import NEAR_S, NOT_ACCEPTED_AFTER_S, WINDOW_S
from shared.trail.layout import sent_task_key
from shared.trail.ledger import CLAIMED, REFUSED, SENT, UNCERTAIN
from shared.trail.records import VERSION, encode_line, iso, local_time_epoch
from shared.upstream.errors import UpstreamError
from shared.upstream.ses import PAGE_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.bulk.journal import Attempt, Life
    from functions.send.office import Office

LOOK_AFTER_S = 30
"""Seconds for which whoever called SES may still be waiting for its answer."""
_MOST_PAGES = 10
_ZONES_S = 16 * 3600
"""What zones can differ: in which one CreateTime is, nobody says. It may make a doubt last, never end one wrongly."""


class Seen(NamedTuple):
    """Tasks to a list. ``is_all``: whether SES told of all of them."""

    rows: list[dict[str, Any]]
    is_all: bool


def is_open(attempt: Attempt, now: float) -> bool:
    """Whether nobody knows what came of an attempt to send, nor is likely to be told by who made it."""
    return attempt.state == UNCERTAIN or (attempt.state == CLAIMED and now - attempt.at >= LOOK_AFTER_S)


def look_into(office: Office, life: Life, attempt: Attempt) -> bool:
    """Look into an attempt that is in doubt; whether something was proven and is written. Raises StoreError."""
    seen = tasks_of(office, attempt.claim["receiver_id"])
    now = office.clock()
    task_id, is_absent = _judge(office, life, attempt, seen)
    if task_id is not None:
        answer = {**attempt.claim["answer"], "task_id": task_id, "resolved_by": "task"}
        journal.resolve(office.store, life, attempt, SENT, answer, at=now)
        return True
    if not is_absent or now - attempt.at < NOT_ACCEPTED_AFTER_S:
        return False
    detail = "SES never had this task: half an hour later it is not among those of its list"
    refused = {"status": 409, "code": "not_accepted", "detail": detail, "retry_safe": True, "errors": None}
    journal.resolve(office.store, life, attempt, REFUSED, refused, at=now)
    return True


def tasks_of(office: Office, receiver_id: int) -> Seen:
    """Return the tasks to a list, as far as SES tells; an error of it is told as not being all."""
    rows: list[dict[str, Any]] = []
    is_all = False
    try:
        for number in range(_MOST_PAGES):
            page = office.ses.list_send_tasks(offset=number * PAGE_ROWS, receiver_id=receiver_id)
            rows += page.rows
            if len(page.rows) < PAGE_ROWS:
                is_all = len(rows) >= page.total
                break
    except UpstreamError as error:
        log("INFO", "tasks not told", code=error.code)
    # A row that does not say which task it is, and of which list, may be any.
    is_all = is_all and all(row.get("TaskId") and row.get("ReceiverId") for row in rows)
    return Seen([row for row in rows if row.get("TaskId") and str(row.get("ReceiverId")) == str(receiver_id)], is_all)


def first_task_id(seen: Seen) -> str | None:
    """Return the id of the first task to a list, or None. A later one is a person's, who used our list again."""
    return min((str(row["TaskId"]) for row in seen.rows), key=lambda task_id: (len(task_id), task_id), default=None)


def note_sent(office: Office, life: Life, task_id: str, told: Mapping[str, Any]) -> bool:
    """Note whose a task is; False when it is another key's. Raises StoreError."""
    key = sent_task_key(task_id)
    line = {"v": VERSION, "task_id": task_id, "key_sha256": life.key_sha256, "life": life.life, **told}
    line |= {"accepted_at": iso(office.clock())}
    store = office.briefly()
    return store.offer(key, encode_line(line)) or _is_of(store.get(key), life)


def _is_of(body: bytes | None, life: Life) -> bool:
    noted = json.loads(body or b"{}")
    return (noted.get("key_sha256"), noted.get("life")) == (life.key_sha256, life.life)


def _judge(office: Office, life: Life, attempt: Attempt, seen: Seen) -> tuple[str | None, bool]:
    """Return the id of the task that is this attempt's, or None; and whether there is none that may be."""
    told = attempt.claim["told"]
    if not attempt.claim["is_shared"]:
        task_id = first_task_id(seen)
        if task_id is not None:
            note_sent(office, life, task_id, told)
        return task_id, seen.is_all and task_id is None
    utc_offset_s = office.settings.utc_offset_s
    possible = [row for row in seen.rows if _is_within(row, attempt, utc_offset_s, WINDOW_S, _ZONES_S)]
    possible = [row for row in possible if _is_free(office, life, str(row["TaskId"]))]
    if seen.is_all and len(possible) == 1 and _is_alike(possible[0], told):
        task_id = str(possible[0]["TaskId"])
        if _is_within(possible[0], attempt, utc_offset_s, NEAR_S) and note_sent(office, life, task_id, told):
            return task_id, False
    return None, seen.is_all and not possible


def _is_free(office: Office, life: Life, task_id: str) -> bool:
    body = office.store.get(sent_task_key(task_id))
    return body is None or _is_of(body, life)


def _is_alike(row: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    template = row.get("Template")
    template_id = template.get("TemplateID") if isinstance(template, dict) else None
    said = (row.get("Subject"), template_id, row.get("TaskType"))
    return said == (told["subject"], told["template_id"], told["task_type"])


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
