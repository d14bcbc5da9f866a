"""What seeded rows leave behind elsewhere, as if they had been sent: volumes, complaints, hard bounces.

They use up no quota and change no reputation, so that a day of history does not stand in the way of today's mails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.ses.consequences import BLOCKED_S
from localcloud.ses.volumes import ADDED, COLUMNS

if TYPE_CHECKING:
    from localcloud.database import Database

_DOMAIN_OF = "substr({0}, instr({0}, '@') + 1)"
_VOLUME = f"""INSERT INTO volume (day, domain, mailbox, {", ".join(COLUMNS)})
    SELECT day, {_DOMAIN_OF.format("sender")} AS sending, {_DOMAIN_OF.format("recipient")} AS mailbox, COUNT(*),
    SUM(send_status = 0), SUM(deliver_status = 1), SUM(opened), SUM(clicked), SUM(deliver_status = 3), SUM(unsubscribed)
    FROM status WHERE day = ? AND seq >= ? GROUP BY day, sending, mailbox
    ON CONFLICT (day, domain, mailbox) DO UPDATE SET {ADDED}"""
_COMPLAINTS = """INSERT INTO abuse (message_id, sender, recipient, sent_at, complained_at, template_id, smtp_message_id,
    subject) SELECT message_id, sender, recipient, request_time, deliver_time + 3600, '100091',
    '<' || message_id || '@' || substr(sender, instr(sender, '@') + 1) || '>', 'Newsletter'
    FROM status WHERE day = ? AND seq >= ? AND complained"""
_BOUNCES = f"""INSERT OR IGNORE INTO blocked SELECT lower(recipient), deliver_time, deliver_time + {BLOCKED_S},
    deliver_message FROM status WHERE day = ? AND seq >= ? AND deliver_status = 3
    AND (deliver_message LIKE '55% 5.1.1 %' OR deliver_message LIKE '550 Mailbox not found%')"""


def count(database: Database, day: int, first: int) -> None:
    """Count the rows of ``day`` from number ``first`` on. Call inside the transaction that wrote them."""
    for sql in (_VOLUME, _COMPLAINTS, _BOUNCES):
        database.write(sql, (day, first))
