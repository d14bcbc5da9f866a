"""What became of a mail, recipient by recipient: accepted, told to the webhook, and what is still to come. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.ses.days import format_utc
from shared.trail.vocabulary import send_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from localcloud.console.archive import Mail, StatusRow, Step

DELIVER_WORDS = {
    0: "accepted by SES, queued",
    1: "delivered to the recipient's mail server",
    2: "discarded",
    3: "rejected by the recipient's mail server",
    8: "deferred by the recipient's mail server",
}
"""https://www.tencentcloud.com/document/product/1084/39503."""


def build_recipients(
    mail: Mail, rows: Sequence[StatusRow], callbacks: Iterable[dict[str, Any]], upcoming: Iterable[Step]
) -> list[dict[str, Any]]:
    """Return, for each recipient, as JSON: ``address field outcome status timeline upcoming``.

    ``callbacks``: as CallbackQueue.history gives them, newest first. A timeline is in order of time.
    """
    told: dict[str, list[dict[str, Any]]] = {}
    for callback in callbacks:
        told.setdefault(callback["recipient"].lower(), []).insert(0, callback)
    coming: dict[str, list[dict[str, Any]]] = {}
    for step in upcoming:
        entry = {"at": format_utc(step.due_at), "event": step.event, "reason": step.reason}
        coming.setdefault(step.recipient.lower(), []).append(entry)
    accepted = {"kind": "accepted", "at": format_utc(mail.accepted_at)}
    return [
        {
            "address": row.recipient,
            "field": _field_of(mail, row.recipient),
            "outcome": row.outcome,
            "status": describe_row(row),
            "timeline": [accepted, *map(_entry, told.get(row.recipient.lower(), ()))],
            "upcoming": coming.get(row.recipient.lower(), []),
        }
        for row in rows
    ]


def describe_row(row: StatusRow) -> dict[str, Any]:
    """Return a status row as JSON, its numbers explained."""
    return {
        "send_status": row.send_status,
        "send_words": send_status(row.send_status).text,
        "deliver_status": row.deliver_status,
        "deliver_words": DELIVER_WORDS.get(row.deliver_status, "unknown"),
        "deliver_message": row.deliver_message,
        "requested_at": format_utc(row.request_time),
        "delivered_at": format_utc(row.deliver_time) if row.deliver_time else None,
        "opened": bool(row.opened),
        "clicked": bool(row.clicked),
        "unsubscribed": bool(row.unsubscribed),
        "complained": bool(row.complained),
    }


def _entry(callback: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "callback",
        "id": callback["id"],
        "at": callback["due_at"],
        "source": callback["source"],
        "event": callback["event"],
        "state": callback["state"],
        "body": callback["body"],
        "attempts": callback["attempts"],
    }


def _field_of(mail: Mail, recipient: str) -> str:
    fields = {"to": mail.to, "cc": mail.cc, "bcc": mail.bcc}
    low = recipient.lower()
    return next((name for name, addresses in fields.items() if low in map(str.lower, addresses)), "to")
