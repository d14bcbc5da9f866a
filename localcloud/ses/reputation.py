"""Reputation levels of sending domains: the daily quota that goes with each, and how a domain rises and falls.

Source: the page on reputation levels (tencentyun/qcloud-documents, 信誉度等级说明.md). Rates are shares of what was
sent to recipients that count; mails to simulator addresses use up the quota and count for nothing else (a switch).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localcloud.ses.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.ses.account import Account

QUOTAS: tuple[int, ...] = (
    *(500, 1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000),
    *(150_000, 200_000, *range(300_000, 1_000_001, 100_000)),
)
"""Recipients a day at level 1, 2, … 20."""
MAX_LEVEL = len(QUOTAS)
JUDGED_ABOVE = 300
"""A day with no more mails than this is not held against a domain."""
COLUMNS = ("sent", "judged", "delivered", "opened", "invalid", "spam", "complained")
_UPSERT = f"""INSERT INTO sending_day (domain, day, {", ".join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (domain, day) DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in COLUMNS)}"""


class Day(NamedTuple):
    """What a domain sent in a day. ``sent`` uses up the quota; the others are of recipients that count."""

    sent: int = 0
    judged: int = 0
    delivered: int = 0
    opened: int = 0
    invalid: int = 0
    spam: int = 0
    complained: int = 0

    def rises(self, quota: int) -> bool:
        """Whether the domain has earned the next level: much used, and well received."""
        if not self.judged or self.judged < 0.7 * quota or self._share(self.complained) >= 0.001:
            return False
        delivered = self._share(self.delivered)
        is_clean = self._share(self.invalid) < 0.05 and self._share(self.spam) < 0.025
        return (is_clean and delivered > 0.92) or (delivered > 0.90 and self._share(self.opened) > 0.5)

    def falls(self) -> bool:
        """Whether the domain loses a level the next day."""
        return self.judged > JUDGED_ABOVE and (
            self._share(self.invalid) > 0.09
            or self._share(self.delivered) < 0.65
            or self._share(self.spam) > 0.05
            or self._share(self.complained) > 0.005
        )

    def is_banned(self) -> bool:
        """Whether the domain may send no more today."""
        return self.judged > JUDGED_ABOVE and (self._share(self.invalid) > 0.11 or self._share(self.spam) > 0.15)

    def _share(self, count: int) -> float:
        return count / self.judged


class Standing(NamedTuple):
    """A domain's level now, and whether it is banned for the day."""

    level: int
    is_banned: bool

    @property
    def quota(self) -> int:
        """Recipients a day."""
        return QUOTAS[self.level - 1]


def standing_of(account: Account, domain: str, day: int) -> Standing:
    """Return where ``domain`` stands on ``day``, which is today; what past days cost it is taken off first."""
    born = account.switches.reputation_level
    if not account.switches.reputation_moves:
        return Standing(born, is_banned=False)
    sql = "SELECT level, judged_on, banned_on FROM identity WHERE domain = ?"
    level, judged_on, banned_on = account.database.row(sql, (domain,)) or (None, day, -1)
    if judged_on < day:
        level = _judge_past(account, domain, day, (level, judged_on))
    return Standing(born if level is None else level, banned_on == day)


def room_of(account: Account, domain: str, day: int) -> int:
    """Return how many more recipients ``domain`` may write to on ``day``. Raises ApiError when it is banned."""
    standing = standing_of(account, domain, day)
    if standing.is_banned:
        raise ApiError("FailedOperation.HighRejectionRate")
    return standing.quota - _day_of(account, domain, day).sent


def check_quota(account: Account, domain: str, day: int, recipients: int) -> None:
    """Refuse a mail that does not fit into the day's quota, all of it."""
    if recipients > room_of(account, domain, day):
        raise ApiError("FailedOperation.ExceedSendLimit")


def add(account: Account, domain: str, day: int, counts: Day) -> None:
    """Count what was sent, or what became of it. Call inside a transaction."""
    account.database.write(_UPSERT, (domain, day, *counts))


def judge_today(account: Account, domains: Iterable[str], day: int) -> None:
    """Raise or ban each of ``domains`` by what ``day``, which is today, looks like so far: effective at once."""
    if not account.switches.reputation_moves:
        return
    for domain in domains:
        today, standing = _day_of(account, domain, day), standing_of(account, domain, day)
        if today.is_banned():
            account.database.write("UPDATE identity SET banned_on = ? WHERE domain = ?", (day, domain))
        elif standing.level < MAX_LEVEL and today.rises(standing.quota):
            # One level a day at most: the rule for accounts since 2026-05-07.
            sql = "UPDATE identity SET level = ?, raised_on = ? WHERE domain = ? AND raised_on < ?"
            account.database.write(sql, (standing.level + 1, day, domain, day))


def _judge_past(account: Account, domain: str, day: int, state: tuple[int | None, int]) -> int | None:
    level, judged_on = state
    sql = f"SELECT {', '.join(COLUMNS)} FROM sending_day WHERE domain = ? AND day >= ? AND day < ? ORDER BY day"
    for row in account.database.rows(sql, (domain, judged_on, day)):
        if Day(*row).falls():
            level = max(1, (account.switches.reputation_level if level is None else level) - 1)
    account.database.write("UPDATE identity SET level = ?, judged_on = ? WHERE domain = ?", (level, day, domain))
    return level


def _day_of(account: Account, domain: str, day: int) -> Day:
    sql = f"SELECT {', '.join(COLUMNS)} FROM sending_day WHERE domain = ? AND day = ?"
    row = account.database.row(sql, (domain, day))
    return Day(*row) if row else Day()
