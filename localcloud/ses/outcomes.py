"""What becomes of accepted mails: simulated events that are due change their row and owe a callback."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.callbacks import NewCallback
from localcloud.ses import consequences
from localcloud.ses.addresses import domain_of

if TYPE_CHECKING:
    from localcloud.callbacks import CallbackQueue
    from localcloud.ses.account import Account
    from localcloud.simulator import Step

EVENT_IDS = {
    "delivered": 1,
    "dropped": 2,
    "bounce": 3,
    "open": 4,
    "click": 5,
    "spamreport": 6,
    "unsubscribe": 7,
    "deferred": 8,
}
"""Callback ``eventid``; 1, 2, 3 and 8 are also the DeliverStatus of the row."""
_FLAGS = {"open": "opened", "click": "clicked", "spamreport": "complained", "unsubscribe": "unsubscribed"}
_BATCH = 500

_DUE = """SELECT step.id, step.due_at, step.day, step.seq, step.send_status, step.event, step.reason, step.bounce_type,
    step.link, step.useragent, status.message_id, status.recipient, message.sender_address, message.template_id,
    message.subject, message.smtp_message_id, message.accepted_at, message.task_id, message.echo
    FROM step JOIN status ON status.day = step.day AND status.seq = step.seq
    JOIN message ON message.message_id = status.message_id
    WHERE step.due_at <= ? ORDER BY step.due_at, step.id LIMIT ?"""
_HANDLED = """UPDATE status SET send_status = ?, deliver_status = ?, deliver_message = ?, deliver_time = ?,
    updated_at = ? WHERE day = ? AND seq = ?"""
_PROVOKED = """INSERT INTO step (due_at, day, seq, send_status, event, reason, bounce_type, link, useragent)
    SELECT ?, day, seq, send_status, ?, ?, ?, ?, ? FROM status WHERE message_id = ? AND recipient = ? COLLATE NOCASE"""


class Due(NamedTuple):
    """A simulated event with the mail it belongs to."""

    step_id: int
    due_at: float
    day: int
    seq: int
    send_status: int
    event: str
    reason: str
    bounce_type: str
    link: str
    useragent: str
    message_id: str
    recipient: str
    sender_address: str
    template_id: int
    subject: str
    smtp_message_id: str
    accepted_at: float
    task_id: int | None
    echo: str


def apply_due(account: Account, callbacks: CallbackQueue, now: float) -> int:
    """Apply at most a batch of the events due by ``now``, in order of time; return how many."""
    database = account.database
    if not database.rows("SELECT 1 FROM step WHERE due_at <= ? LIMIT 1", (now,)):
        return 0
    with database.transaction():
        events = [Due(*row) for row in database.rows(_DUE, (now, _BATCH))]
        firsts = [_change_row(account, event) for event in events]
        database.write_many("DELETE FROM step WHERE id = ?", ((event.step_id,) for event in events))
        consequences.follow(account, [event for event, is_first in zip(events, firsts, strict=True) if is_first])
        # Before our own commit: killed in between, the events are applied again and their `origin` owes them once.
        callbacks.enqueue_many([_build_callback(account, event) for event in events])
    return len(events)


def provoke(account: Account, message_id: str, recipient: str, step: Step) -> int:
    """Let ``step`` befall a mail now; return how many rows it befalls."""
    values = (account.clock.now(), *step[1:], message_id, recipient)
    return account.database.change(_PROVOKED, values)


def _change_row(account: Account, event: Due) -> bool:
    """Change the row; False when the same flag was set before."""
    flag, at = _FLAGS.get(event.event), int(event.due_at)
    if flag:
        sql = f"UPDATE status SET {flag} = 1, updated_at = ? WHERE day = ? AND seq = ? AND {flag} = 0"
        is_first = bool(account.database.change(sql, (at, event.day, event.seq)))
        # Openings are counted each time, everything else once per recipient.
        return is_first or event.event == "open"
    # A dropped mail was never handed to the recipient's provider.
    deliver_time = 0 if event.event == "dropped" else at
    outcome = (event.send_status, EVENT_IDS[event.event], event.reason, deliver_time)
    account.database.write(_HANDLED, (*outcome, at, event.day, event.seq))
    return True


def _build_callback(account: Account, event: Due) -> NewCallback:
    return NewCallback(
        source="ses",
        due_at=event.due_at,
        body=json.dumps(build_payload(account, event), separators=(",", ":")).encode(),
        content_type="application/json",
        message_id=event.message_id,
        recipient=event.recipient,
        event=event.event,
        origin=f"{event.message_id}/{event.step_id}",
    )


def build_payload(account: Account, event: Due) -> dict[str, Any]:
    """Build the callback as documented on 2025-10-30 (https://www.tencentcloud.com/document/product/1084/39492)."""
    payload = {
        "event": event.event,
        "email": event.recipient,
        account.switches.bulk_id: event.message_id,
        "timestamp": int(event.due_at),
        "reason": event.reason,
        "bounceType": event.bounce_type,
        "username": account.app_id,
        "from": event.sender_address,
        "fromDomain": domain_of(event.sender_address),
        "templateId": event.template_id,
        "subject": encode_subject(event.subject),
        "messageId": event.smtp_message_id,
        "eventid": EVENT_IDS[event.event],
        "sentTimestamp": int(event.accepted_at),
        **json.loads(event.echo),
    }
    extras = {"link": event.link, "useragent": event.useragent, "taskId": event.task_id}
    return payload | {name: value for name, value in extras.items() if value}


def encode_subject(subject: str) -> str:
    """Write a subject as it stands in a header: RFC 2047 where it is not ASCII."""
    return subject if subject.isascii() else f"=?UTF-8?B?{base64.b64encode(subject.encode()).decode()}?="
