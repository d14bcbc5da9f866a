"""What becomes of requested mails: rows change by the clock, and each event owes a signed webhook.

Source: https://www.sendcloud.net/doc/en_US/email_v2/webhook/. The signature covers timestamp and token only.
"""

from __future__ import annotations

import json
import secrets
import string
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from localcloud.callbacks import NewCallback
from localcloud.sendcloud.vocabulary import EVENT_STATUS
from shared.upstream.signing import sendcloud_signature

if TYPE_CHECKING:
    from localcloud.callbacks import CallbackQueue
    from localcloud.database import Database

TOKEN_CHARS = 50
_ALPHABET = string.ascii_letters + string.digits
_BATCH = 500
_DUE = """SELECT step.id, step.due_at, step.email, step.event, step.sub_status, step.log, step.url, step.useragent,
    email.email_id, email.message_id, email.api_user, email.recipient, email.label_id, email.user_headers
    FROM step JOIN email ON email.id = step.email WHERE step.due_at <= ? ORDER BY step.due_at, step.id LIMIT ?"""


class Due(NamedTuple):
    """An event that is due, with the mail it belongs to."""

    step_id: int
    due_at: float
    email: int
    event: str
    sub_status: int | None
    log: str
    url: str
    useragent: str
    email_id: str
    message_id: str
    api_user: str
    recipient: str
    label_id: str
    user_headers: str


def apply_due(database: Database, callbacks: CallbackQueue, app_key: str, now: float) -> int:
    """Apply at most a batch of the events due by ``now``, in order of time; return how many."""
    if not database.rows("SELECT 1 FROM step WHERE due_at <= ? LIMIT 1", (now,)):
        return 0
    with database.transaction():
        events = [Due(*row) for row in database.rows(_DUE, (now, _BATCH))]
        sql = "UPDATE email SET status = ?, sub_status = ?, send_log = ?, modified_at = ? WHERE id = ?"
        for event in events:
            if event.event in EVENT_STATUS:
                outcome = (EVENT_STATUS[event.event], event.sub_status, event.log, event.due_at)
                database.write(sql, (*outcome, event.email))
        database.write_many("DELETE FROM step WHERE id = ?", ((event.step_id,) for event in events))
        # Before our own commit: killed in between, the events are applied again and their `origin` owes them once.
        callbacks.enqueue_many([_build_callback(database, app_key, event) for event in events])
    return len(events)


def sign(app_key: str, at: float) -> dict[str, str]:
    """Make the members that prove the sender: timestamp in milliseconds, a fresh token, the signature."""
    timestamp = str(int(at * 1000))
    token = "".join(secrets.choice(_ALPHABET) for _ in range(TOKEN_CHARS))
    return {"timestamp": timestamp, "token": token, "signature": sendcloud_signature(app_key, timestamp, token)}


def _build_callback(database: Database, app_key: str, event: Due) -> NewCallback:
    fields = {
        "event": event.event,
        "message": event.log,
        "apiUser": event.api_user,
        "category": event.api_user,
        "maillistTaskId": "0",
        "mail_list_task_id": "0",
        "labelId": event.label_id,
        "userHeaders": event.user_headers,
        **(_request_fields(database, event) if event.event == "request" else _recipient_fields(event)),
        **sign(app_key, event.due_at),
    }
    return NewCallback(
        source="sendcloud",
        due_at=event.due_at,
        body=urlencode(fields).encode(),
        content_type="application/x-www-form-urlencoded",
        message_id=event.message_id,
        recipient=event.recipient,
        event=event.event,
        origin=f"{event.message_id}/{event.step_id}",
    )


def _request_fields(database: Database, event: Due) -> dict[str, str]:
    sql = "SELECT email_id, recipient FROM email WHERE message_id = ? ORDER BY id"
    people = database.rows(sql, (event.message_id,))
    return {
        "messageId": event.message_id,
        "emailIds": json.dumps([email_id for email_id, _ in people]),
        "recipientArray": json.dumps([recipient for _, recipient in people]),
        "recipientSize": str(len(people)),
    }


def _recipient_fields(event: Due) -> dict[str, str]:
    fields = {"emailId": event.email_id, "recipient": event.recipient}
    if event.sub_status is not None:
        fields |= {"subStat": str(event.sub_status)}
    if event.event in ("open", "click", "unsubscribe"):
        is_known = bool(event.useragent)
        fields |= {
            "ip": "127.0.0.1",
            "explorerName": "Chrome" if is_known else "",
            "explorerVer": "130.0.0.0" if is_known else "",
            "oSName": "Windows 10" if is_known else "",
            "oSVer": "",
        }
    return fields | ({"url": event.url} if event.event == "click" else {})
