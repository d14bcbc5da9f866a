"""How many more a domain may write to today: its reputation level's quota, less what SES's statistics count.

SES counts for all instances, this one adds what it has sent since. What others may have sent meanwhile, at the
account's rate, bounds how long a count is relied on; so near the end of the quota it is asked for before every mail.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.send.guard.facts import DOMAIN, PASS_S, REFUSE_S, USAGE, Fact
from functions.send.guard.findings import Finding
from shared.trail.records import day_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.guard.facts import Facts
    from functions.send.office import Office

CHECK = "quota"
WARN_FROM = 0.9
DAY_S = 86400


class Quota:
    """What an instance has sent itself, by the sender's domain."""

    def __init__(self) -> None:
        self._sent: dict[str, int] = {}
        self._at_count: dict[str, _Count] = {}
        self._lock = threading.Lock()

    def add(self, domain: str, people: int) -> None:
        """Count what is about to be sent; a negative number takes it back."""
        with self._lock:
            self._sent[domain] = self._sent.get(domain, 0) + people

    def check(self, office: Office, facts: Facts, domain: str, people: int) -> tuple[list[Finding], list[str]]:
        """Return what is against writing to ``people`` more today, and warnings. Nothing when SES does not tell."""
        told = facts.get(office, DOMAIN, domain, PASS_S)
        if told is None or not (quota := told.told.get("quota")):
            return [], []
        usage = self._usage(office, facts, domain, PASS_S)
        if usage is None:
            return [], []
        left = quota - people - self._used(domain, usage)
        safe_s = left / office.settings.ses.rate_per_s if left >= 0 else REFUSE_S
        if office.clock() - usage.at > safe_s:
            usage = self._usage(office, facts, domain, min(safe_s, PASS_S)) or usage
        used = self._used(domain, usage) + people
        if used <= quota:
            warn = [f"from: {used} of the domain's {quota} mails of today are used"] * (used >= WARN_FROM * quota)
            return [], warn
        # The level may have risen: that is effective at once.
        told = facts.get(office, DOMAIN, domain, REFUSE_S)
        is_fresh = told is not None and office.clock() - usage.at <= REFUSE_S
        if told is None or not is_fresh or used <= told.told.get("quota", 0):
            return [], []
        return [self._used_up(office, told.told)], []

    @staticmethod
    def _used_up(office: Office, told: Mapping[str, Any]) -> Finding:
        after_s = DAY_S - (office.clock() + office.settings.utc_offset_s) % DAY_S
        level = f" of reputation level {told['level']}" if told.get("level") else ""
        problem = f"the domain's {told['quota']} mails a day{level} are used up"
        return Finding(CHECK, "daily_quota_exceeded", "from", problem, after_s)

    def note_used_up(self, office: Office, facts: Facts, domain: str) -> None:
        """Remember that SES refused a mail for the quota: its statistics may be late."""
        now = office.clock()
        told = facts.get(office, DOMAIN, domain, PASS_S)
        day = day_of(now, office.settings.utc_offset_s)
        facts.note(USAGE, domain, Fact(now, {"day": day, "used": told.told.get("quota", 0) if told else 0}))

    def _usage(self, office: Office, facts: Facts, domain: str, within_s: float) -> Fact | None:
        """Return a count of today that is not older than that."""
        asked_at = office.clock()
        today = day_of(asked_at, office.settings.utc_offset_s)
        usage = facts.get(office, USAGE, domain, within_s)
        if usage is not None and usage.told.get("day") != today:
            usage = facts.get(office, USAGE, domain, -1)  # never from memory
        if usage is not None and self._at_count.get(domain, _NEVER).at != usage.at:
            # What was counted before, by another instance, counts none of what this one has sent since.
            is_new = usage.at >= asked_at
            since = self._sent.get(domain, 0) if is_new else self._at_count.get(domain, _NEVER).sent
            self._at_count[domain] = _Count(usage.at, since)
        return usage

    def _used(self, domain: str, usage: Fact) -> int:
        return int(usage.told.get("used", 0)) + self._sent.get(domain, 0) - self._at_count[domain].sent


class _Count(NamedTuple):
    """When SES counted, and what this instance had sent by then."""

    at: float
    sent: int


_NEVER = _Count(0.0, 0)
