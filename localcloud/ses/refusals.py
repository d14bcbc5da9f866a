"""Recipients that SES itself refuses: blacklisted, unsubscribed from the domain, or written to too often.

Sources: https://www.tencentcloud.com/document/api/1084/39502 (codes), https://tencentcloud.com/document/product/1084/39649
(ten mails an hour to one address), https://tencentcloud.com/document/api/1084/39416 (hard bounces).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.ses.days import day_number
from localcloud.ses.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.ses.account import Account

TOO_OFTEN, BLACKLISTED, UNSUBSCRIBED = 1006, 1007, 1013
CODES = {
    TOO_OFTEN: "FailedOperation.FrequencyLimit",
    BLACKLISTED: "FailedOperation.EmailAddrInBlacklist",
    UNSUBSCRIBED: "FailedOperation.ReceiverHasUnsubscribed",
}
"""SendStatus of a row → code of a call that has nobody else to write to."""

_LISTED = """SELECT EXISTS (SELECT 1 FROM blocked WHERE email = ? AND bounced_at <= ? AND until > ?)
    OR EXISTS (SELECT 1 FROM custom_block WHERE email = ? AND until > ?),
    EXISTS (SELECT 1 FROM unsubscription WHERE email = ? AND domain = ?)"""
_RECENT = """SELECT COUNT(*) FROM (SELECT 1 FROM status
    WHERE recipient = ? COLLATE NOCASE AND day >= ? AND request_time > ? AND request_time <= ? LIMIT ?)"""


def refusal_of(account: Account, person: str, domain: str, now: float) -> int:
    """Return the SendStatus with which ``person`` is refused as a recipient of ``domain``; 0 if not at all."""
    if account.is_exempt(person):
        return 0
    email = person.lower()
    # The clock can be moved back: a bounce or a mail that is yet to come does not count.
    found = account.database.row(_LISTED, (email, now, now, email, now, email, domain))
    is_blacklisted, is_unsubscribed = found or (0, 0)
    if is_blacklisted or is_unsubscribed:
        return BLACKLISTED if is_blacklisted else UNSUBSCRIBED
    return TOO_OFTEN if _is_too_often(account, person, now) else 0


def refusals_among(account: Account, people: Sequence[str], domain: str, now: float) -> dict[str, int]:
    """Return who of ``people`` is refused, with what SendStatus. Raises ApiError when nobody is left."""
    found = {person: status for person in people if (status := refusal_of(account, person, domain, now))}
    if len(found) == len(people):
        raise ApiError(CODES[found[people[0]]])
    return found


def _is_too_often(account: Account, person: str, now: float) -> bool:
    limit = account.switches.hourly_per_recipient
    if not limit:
        return False
    row = account.database.row(_RECENT, (person, day_number(now - 3600), now - 3600, now, limit))
    return bool(row and row[0] >= limit)
