"""Rows as SES and SendCloud give them -> status and task records.

SES: https://www.tencentcloud.com/document/api/1084/39502 (seed 000) and ListSendTasks (seed 001).
SendCloud: https://www.sendcloud.net/doc/en_US/email_v2/deliver_response/ (seed 003).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.trail.bounce import diagnose, refine
from shared.trail.records import VERSION, Status, Task, iso, local_time_epoch, plausible_epoch
from shared.trail.vocabulary import Meaning, sendcloud_status, ses_status

if TYPE_CHECKING:
    from collections.abc import Mapping

_TROUBLE = frozenset({"bounced", "rejected", "deferred"})


def ses_status_record(raw: Mapping[str, Any], day: str, fetched_at: str) -> Status:
    """Return the record of one GetSendEmailStatus row."""
    send, deliver = _whole(raw.get("SendStatus")), _whole(raw.get("DeliverStatus"))
    message = str(raw.get("DeliverMessage") or "")
    meaning = _refined(ses_status(_or(send, -1), _or(deliver, -1)), message)
    return {
        "v": VERSION,
        "day": day,
        "message_id": raw.get("MessageId"),
        "recipient": raw.get("ToEmailAddress"),
        "sender": raw.get("FromEmailAddress"),
        "send_status": send,
        "deliver_status": deliver,
        "type": meaning.type,
        "class": meaning.class_,
        "reason": meaning.reason,
        "fault": meaning.fault,
        "deliver_message": message or None,
        "requested_at": _epoch_at(raw.get("RequestTime")),
        "delivered_at": _epoch_at(raw.get("DeliverTime")),
        "opened": bool(raw.get("UserOpened")),
        "clicked": bool(raw.get("UserClicked")),
        "unsubscribed": bool(raw.get("UserUnsubscribed")),
        # The misspelt name is the older one; since 2025-07 both may be present.
        "complained": bool(raw.get("UserComplained") or raw.get("UserComplainted")),
        "fetched_at": fetched_at,
        "raw": dict(raw),
    }


def sendcloud_status_record(raw: Mapping[str, Any], day: str, fetched_at: str, utc_offset_s: int) -> Status:
    """Return the record of one emailStatus row, of the same shape as SES's."""
    sub_status = _whole(raw.get("subStatus"))
    log_text = str(raw.get("sendLog") or "")
    meaning = sendcloud_status(str(raw.get("status") or ""), sub_status)
    if sub_status is None:
        meaning = _refined(meaning, log_text)
    description = raw.get("subStatusDesc") or raw.get("subStatDesc")
    return {
        "v": VERSION,
        "day": day,
        "message_id": raw.get("emailId"),
        "recipient": raw.get("recipients"),
        "sender": raw.get("apiUser"),
        "send_status": sub_status,
        "deliver_status": None,
        "type": meaning.type,
        "class": meaning.class_,
        "reason": meaning.reason,
        "fault": meaning.fault,
        "deliver_message": ": ".join(str(part) for part in (description, log_text) if part) or None,
        "requested_at": _local_at(raw.get("requestTime"), utc_offset_s),
        "delivered_at": _local_at(raw.get("modifiedTime"), utc_offset_s) if meaning.type == "delivered" else None,
        "opened": False,
        "clicked": False,
        "unsubscribed": False,
        "complained": False,
        "fetched_at": fetched_at,
        "raw": dict(raw),
    }


def task_record(raw: Mapping[str, Any], fetched_at: str, utc_offset_s: int) -> Task:
    """Return the record of one ListSendTasks row. TaskId comes as a number or as a string: it is kept as a string."""
    return {
        "v": VERSION,
        "task_id": str(raw.get("TaskId", "")),
        "status": _whole(raw.get("TaskStatus")),
        "task_type": _whole(raw.get("TaskType")),
        "requested": _whole(raw.get("RequestCount")),
        "sent": _whole(raw.get("SendCount")),
        "cached": _whole(raw.get("CacheCount")),
        "created_at": _local_at(raw.get("CreateTime"), utc_offset_s),
        "updated_at": _local_at(raw.get("UpdateTime"), utc_offset_s),
        "subject": raw.get("Subject"),
        "error": raw.get("ErrMsg") or None,
        "fetched_at": fetched_at,
        "raw": dict(raw),
    }


def _refined(meaning: Meaning, text: str) -> Meaning:
    if meaning.type not in _TROUBLE or meaning.reason:
        return meaning
    refined = refine(meaning, text, diagnose(text))
    # A row does not say hard or soft as a callback does; the reply's first digit does.
    if refined.class_ == "undetermined" and (code := diagnose(text).smtp):
        return refined._replace(class_="hard" if code[0] == "5" else "soft")
    return refined


def _whole(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _epoch_at(value: Any) -> str | None:
    seconds = plausible_epoch(value)
    return iso(seconds) if seconds is not None else None


def _local_at(value: Any, utc_offset_s: int) -> str | None:
    try:
        return iso(local_time_epoch(str(value), utc_offset_s))
    except ValueError:
        return None
