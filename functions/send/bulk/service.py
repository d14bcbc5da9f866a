"""One task: begin, prepare its list, make it at SES once. What is told to the caller, and what is kept."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from functions.send.addresses import bare_address
from functions.send.attempts import call_again
from functions.send.bulk import doubts, journal, lists
from functions.send.bulk.admission import begin, check_begin, share_facts
from functions.send.bulk.audience import decide, nobody
from functions.send.bulk.journal import Attempt
from functions.send.bulk.problems import preparing, problem_of
from functions.send.bulk.request import AD_LOCATIONS
from functions.send.refusals import kept, told_again
from shared.edge.http_event import Problem
from shared.edge.log import log
from shared.trail.evidence import NOT_ACCEPTED_AFTER_S
from shared.trail.ledger import CLAIMED, REFUSED, SENT, UNCERTAIN
from shared.trail.records import content_hash, iso
from shared.trail.store import StoreError
from shared.upstream.errors import UNKNOWN, UpstreamError, UpstreamUncertain
from shared.upstream.receivers import TaskAccepted, batch_send_email
from shared.upstream.sites import SITES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.bulk.journal import Life
    from functions.send.bulk.lists import Proven
    from functions.send.bulk.request import Task
    from functions.send.office import Office

_NOT_READY = frozenset(
    f"OperationDenied.{code}" for code in ("ReceiverStatusError", "ReceiverIsOperating", "ReceiverNotExist")
)
"""What SES says of a list that it does not have whole; of one of ours it passes, or the list is left for another."""


def send_task(office: Office, task: Task, body_sha256: str, key_sha256: str) -> dict[str, Any]:
    """Make a task once for each idempotency key; return the members of the 202.

    Raises Problem for every refusal, for an outcome that nobody knows, and (503 ``preparing``) while the same request
    is to come again; StoreError when the trail is down.
    """
    life, warnings = begin(office, task, body_sha256, key_sha256)
    before = look(office, life)
    if before is not None and not journal.may_follow(before):
        return _answer_again(before, office.clock())
    check_begin(office, task)  # a call that would be refused for it would use up the key
    known = {"recipients": None, "suppressed": 0, **({"warnings": warnings} if warnings else {})}
    if task.receiver_id is not None:
        return _send(office, life, task, before, lists.Proven(task.receiver_id), known)
    audience = decide(office, life, task.people)
    if not audience.people:
        raise nobody()
    proven = lists.prepare(office, life, audience.people)
    known |= {"recipients": len(audience.people), "suppressed": audience.suppressed}
    return _send(office, life, task, before, proven, known)


def look(office: Office, life: Life) -> Attempt | None:
    """Return the newest attempt to send; one that is in doubt is looked into."""
    attempt = journal.read(office.store, life, journal.SEND)
    if attempt is not None and doubts.is_open(attempt, office.clock()) and doubts.look_into(office, life, attempt):
        return journal.read(office.store, life, journal.SEND)
    return attempt


def _answer_again(attempt: Attempt, now: float) -> dict[str, Any]:
    """Give a repeat the answer of the first, or say why there is none."""
    told = attempt.answer
    if attempt.state == SENT:
        return {**told, "duplicate": True}
    if attempt.state == REFUSED:
        raise told_again(told)
    if doubts.is_open(attempt, now):
        detail = "nobody heard whether SES took the task, so it is not made again until it is proven that it did not"
        after_s = max(doubts.LOOK_AFTER_S, round(NOT_ACCEPTED_AFTER_S - (now - attempt.at)))
        raise Problem(409, "outcome_uncertain", detail, retry_after_s=min(after_s, 300), extra={"outcome": UNKNOWN})
    raise _in_flight()


def _in_flight() -> Problem:
    return Problem(409, "in_flight", "another request with this key is being served", retry_safe=True, retry_after_s=5)


def _send(
    office: Office, life: Life, task: Task, before: Attempt | None, proven: Proven, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Call BatchSendEmail, once: the claim is written before, and what is in doubt is never called again."""
    if office.spare_s() < 0:
        raise preparing(life.recipients or 0, life.recipients)
    answer: dict[str, Any] = {"task_id": "", "receiver_id": proven.receiver_id, "request_id": "", "state": SENT}
    answer |= {**known, "invalid": proven.invalid, "duplicate": False}
    told = _told(office, task, known)
    is_shared = task.receiver_id is not None
    claim = {"receiver_id": proven.receiver_id, "is_shared": is_shared, "answer": answer, "told": told}
    mine = _claim(office, life, before, claim)
    try:
        accepted = _late(office, before, mine) or _call(office, life, mine, _payload(office, task, proven.receiver_id))
    except Problem as problem:
        if proven.number is not None and not problem.retry_safe and "outcome" not in problem.extra:
            lists.tidy(office, life, range(proven.number + 1))
        raise
    answer |= {"task_id": accepted.task_id, "request_id": accepted.request_id}
    try:
        doubts.note_sent(office, life, accepted.task_id, told)
    except StoreError as error:
        log("ERROR", "task not noted", task_id=accepted.task_id, code=error.code)
    _settle(office, life, mine, SENT, answer)
    # Only those before it: whoever took us for dead may be at work on the next, and the one after that is theirs.
    lists.tidy(office, life, range(proven.number or 0))
    share_facts(office)
    return answer


def _claim(office: Office, life: Life, before: Attempt | None, claim: Mapping[str, Any]) -> Attempt:
    """Take the right to send, noted before. Raises Problem when somebody else has it, StoreError."""
    number, now, nonce = (0 if before is None else before.number + 1), office.clock(), secrets.token_hex(8)
    doubts.announce(office, life, Attempt(number, {"at": iso(now), "nonce": nonce, **claim}, CLAIMED, {}))
    mine = journal.take(office.store, life, journal.SEND, before, at=now, nonce=nonce, **claim)
    if mine is None:
        raise _in_flight()
    return mine


def _late(office: Office, before: Attempt | None, mine: Attempt) -> TaskAccepted | None:
    """Return the task that SES has to our own list in spite of what was found out of the attempt before this one."""
    if before is None or mine.claim["is_shared"]:
        return None
    task_id = doubts.first_task_id(doubts.tasks_of(office, mine.claim["receiver_id"]))
    return None if task_id is None else TaskAccepted(task_id, "")


def _call(office: Office, life: Life, mine: Attempt, payload: Mapping[str, Any]) -> TaskAccepted:
    try:
        return call_again(lambda: batch_send_email(office.ses, payload), spare_s=office.spare_s)
    except UpstreamError as error:
        problem = problem_of(error)
        if isinstance(error, UpstreamUncertain):
            _settle(office, life, mine, UNCERTAIN, {})
            raise problem from error
        if error.code in _NOT_READY and not mine.claim["is_shared"]:
            problem = preparing(life.recipients or 0, life.recipients)
        _settle(office, life, mine, REFUSED, kept(problem))
        raise problem from error


def _settle(office: Office, life: Life, mine: Attempt, state: str, answer: Mapping[str, Any]) -> None:
    """Write the outcome. SES has answered: the caller must learn what, whatever becomes of the ledger."""
    try:
        journal.settle(office.briefly(), life, journal.SEND, mine, state, answer, at=office.clock())
    except StoreError as error:
        log("ERROR", "outcome not kept", key_sha256=life.key_sha256, attempt=mine.number, code=error.code)


def _told(office: Office, task: Task, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a task beside its id: never an address of those it is to."""
    begin_s = task.schedule.begin_s
    return {
        "sender": bare_address(task.sender),
        "subject": task.subject,
        "template_id": task.template_id,
        "data_sha256": content_hash(task.template_data),
        "task_type": task.schedule.task_type,
        "begins_at": iso(begin_s) if begin_s is not None else None,
        "every_hours": task.schedule.every_hours,
        "recipients": known["recipients"],
        "claimed_at": iso(office.clock()),
    }


def _payload(office: Office, task: Task, receiver_id: int) -> dict[str, Any]:
    """Return BatchSendEmail's parameters (https://www.tencentcloud.com/document/api/1084/43052)."""
    languages = SITES[office.settings.ses.site].unsubscribe
    payload: dict[str, Any] = {
        "FromEmailAddress": task.sender,
        "ReceiverId": receiver_id,
        "Subject": task.subject,
        "ReplyToAddresses": task.reply_to,
        "Template": {
            "TemplateID": task.template_id,
            "TemplateData": json.dumps(task.template_data, ensure_ascii=False),
        },
        "Unsubscribe": languages[task.unsubscribe] if task.unsubscribe else None,
        "ADLocation": AD_LOCATIONS[task.ad] or None,
        **task.schedule.payload(office.settings.utc_offset_s),
    }
    return {name: value for name, value in payload.items() if value is not None}
