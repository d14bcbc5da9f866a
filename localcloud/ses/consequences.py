"""What follows from an event beyond its row: counts, reputation, blacklists, complaints.

A hard bounce puts the address on the list of all accounts for 14 days; who unsubscribes is refused by that domain
from then on; simulator addresses stay out of both (a switch), so that a test can be run twice.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from localcloud.ses import reputation, volumes
from localcloud.ses.addresses import domain_of
from localcloud.ses.days import day_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.ses.account import Account
    from localcloud.ses.outcomes import Due

BLOCKED_S = 14 * 86400
_SPAM = re.compile(r"spam|垃圾", re.IGNORECASE)
_VOLUME_OF = {
    "delivered": "delivered",
    "open": "opened",
    "click": "clicked",
    "bounce": "bounced",
    "unsubscribe": "unsubscribed",
}
_BLOCK = """INSERT INTO blocked VALUES (?, ?, ?, ?) ON CONFLICT (email) DO UPDATE SET bounced_at = excluded.bounced_at,
    until = excluded.until, reason = excluded.reason"""
_ABUSE = """INSERT INTO abuse (message_id, sender, recipient, sent_at, complained_at, template_id, smtp_message_id,
    subject) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


def follow(account: Account, events: Sequence[Due]) -> None:
    """Draw the consequences of ``events``, in order of time. Call inside a transaction."""
    _count_volumes(account, events)
    for event in events:
        if event.event == "spamreport":
            _note_complaint(account, event)
        if not account.is_exempt(event.recipient):
            _remember(account, event)
    _count_reputation(account, [event for event in events if not account.is_exempt(event.recipient)])


def block(account: Account, email: str, bounced_at: float, reason: str) -> None:
    """Put ``email`` on the list of hard bounces."""
    account.database.write(_BLOCK, (email.lower(), bounced_at, bounced_at + BLOCKED_S, reason))


def _remember(account: Account, event: Due) -> None:
    if event.bounce_type == "hard_bounce":
        block(account, event.recipient, event.due_at, event.reason)
    if event.event == "unsubscribe":
        unsubscription = (event.recipient.lower(), domain_of(event.sender_address), event.due_at)
        account.database.write("INSERT OR IGNORE INTO unsubscription VALUES (?, ?, ?)", unsubscription)


def _note_complaint(account: Account, event: Due) -> None:
    who = (event.message_id, event.sender_address, event.recipient, event.accepted_at, event.due_at)
    account.database.write(_ABUSE, (*who, str(event.template_id), event.smtp_message_id, event.subject))


def _count_volumes(account: Account, events: Sequence[Due]) -> None:
    cells = (
        volumes.Cell(event.day, domain_of(event.sender_address), domain_of(event.recipient), _VOLUME_OF[event.event])
        for event in events
        if event.event in _VOLUME_OF
    )
    volumes.add(account.database, cells)


def _count_reputation(account: Account, events: Sequence[Due]) -> None:
    found: dict[tuple[str, int], Counter[str]] = {}
    for event in events:
        key = (domain_of(event.sender_address), event.day)
        found.setdefault(key, Counter())[_standing_word(event)] += 1
    for (domain, day), counts in found.items():
        counts.pop("", None)
        reputation.add(account, domain, day, reputation.Day(**counts))
    for day in {event.day for event in events if event.day == day_number(event.due_at)}:
        reputation.judge_today(account, [domain for domain, of_day in found if of_day == day], day)


def _standing_word(event: Due) -> str:
    """Name the count that an event adds to, "" if none."""
    if event.event == "bounce":
        return "spam" if _SPAM.search(event.reason) else "invalid" if event.bounce_type == "hard_bounce" else ""
    return {"delivered": "delivered", "open": "opened", "spamreport": "complained"}.get(event.event, "")
