"""``POST /tasks`` and ``GET /tasks/{key}``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.send import ledger
from functions.send.bulk import doubts, journal, uploads
from functions.send.bulk.audience import is_nobody, nobody
from functions.send.bulk.request import parse_task
from functions.send.bulk.service import look, send_task
from functions.send.refusals import kept
from functions.send.request import parse_body
from functions.send.sizes import MOST_EVENT_BYTES
from shared.edge.http_event import Problem
from shared.trail.ledger import CLAIMED, EXPIRING, REFUSED, SENT, UNCERTAIN
from shared.trail.records import content_hash, iso
from shared.trail.vocabulary import TASK_STATUS
from shared.upstream.sites import SITES

if TYPE_CHECKING:
    from functions.send.bulk.journal import Attempt
    from functions.send.office import Office
    from functions.send.problems import Problems
    from shared.edge.http_event import HttpRequest


def answer_tasks(
    request: HttpRequest, rest: list[str], key: str, problems: Problems, office: Office
) -> tuple[int, dict[str, Any]]:
    """Do what ``request`` asks of ``/tasks``. ``rest``: of its path; ``key``: its Idempotency-Key, empty without one.

    ``problems``: with that key.

    Raises Problem for whatever is refused, StoreError when the trail is down.
    """
    if request.method == "GET" and rest:
        return 200, _look_up("/".join(rest), office)
    if request.method != "POST" or rest:
        raise Problem(405, "method_not_allowed", "POST /tasks, or GET /tasks/{idempotency_key}")
    if len(request.body) > MOST_EVENT_BYTES:
        raise Problem(413, "too_large", f"a request is {MOST_EVENT_BYTES} bytes at most; nothing was sent")
    body = parse_body(request.body)
    languages = SITES[office.settings.ses.site].unsubscribe
    task = parse_task(body, languages, problems, key=key, now=office.clock())
    return 202, send_task(office, task, content_hash(body), ledger.key_hash(key))


def _look_up(key: str, office: Office) -> dict[str, Any]:
    life = journal.find(office.store, ledger.key_hash(key))
    if life is None:
        raise _unused()
    attempt = look(office, life)
    if attempt is not None and attempt.state == EXPIRING:
        raise _unused()
    known = {"begun_at": iso(life.at), "recipients": life.recipients}
    if attempt is None and is_nobody(office.store, life):
        return {"state": REFUSED, **kept(nobody()), **known}
    if attempt is None or (journal.may_follow(attempt) and attempt.answer.get("code") in (None, "preparing")):
        return {"state": "preparing", "uploaded": uploads.uploaded(office, life), **known}
    state = UNCERTAIN if doubts.is_open(attempt, office.clock()) else attempt.state
    if state in (CLAIMED, UNCERTAIN):
        return {"state": state, "receiver_id": attempt.claim["receiver_id"], **known}
    told = {**known, **attempt.answer, "state": state}
    return {**told, "task": _task(office, attempt)} if state == SENT else told


def _unused() -> Problem:
    return Problem(404, "not_found", "this Idempotency-Key was never used for a task")


def _task(office: Office, attempt: Attempt) -> dict[str, Any] | None:
    """Return what SES says of the task now; None when it does not say."""
    seen = doubts.tasks_of(office, attempt.claim["receiver_id"])
    row = next((row for row in seen.rows if str(row["TaskId"]) == attempt.answer["task_id"]), None)
    if row is None:
        return None
    return {
        "status": TASK_STATUS.get(row.get("TaskStatus") or 0, str(row.get("TaskStatus"))),
        "requested": row.get("RequestCount"),
        "sent": row.get("SendCount"),
        "cached": row.get("CacheCount"),
        "error": row.get("ErrMsg") or None,
        "created_at": row.get("CreateTime"),
        "updated_at": row.get("UpdateTime"),
    }
