"""Whether a mail may go to SES: the one door of the guard, before anything is written.

The rate is looked at first and answered alone, because who is over it should cost as little as possible. Then every
other check is made, and all that they find is told at once. What is asked of SES for it is kept (``facts.py``); on a
warm instance a usual mail costs one look at the suppression list.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from functions.send.addresses import bare_address
from functions.send.guard.facts import Facts
from functions.send.guard.findings import Finding, weigh
from functions.send.guard.quota import Quota
from functions.send.guard.rate import Budget
from functions.send.guard.recipients import Hours, Noted, take_turns
from functions.send.guard.sender import check_sender
from functions.send.guard.suppression import PATIENCE_S, check_suppression
from functions.send.guard.template import check_template
from shared.edge.guard_modes import OFF, ON

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from functions.send.guard.recipients import Turn
    from functions.send.office import Office
    from functions.send.request import Mail
    from shared.upstream.errors import UpstreamError


WAIT_S = 1.1
"""Seconds that a mail waits for a turn: one that comes as fast as is permitted is not refused for a burst before it."""


class Instance:
    """What a warm instance remembers. ``monotonic``: seconds, by which turns are counted; ``sleep``: for so many."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._monotonic = monotonic
        self.sleep = sleep
        self._world: str | None = None
        self._forget()

    def _forget(self) -> None:
        self._budget: Budget | None = None
        self.facts = Facts(self.heed)
        self.hours = Hours(self.heed)
        self.quota = Quota()

    def live_in(self, world: str) -> None:
        """Forget what was of another cloud: localcloud begins anew, in the same process."""
        if self._world not in (None, world):
            self._forget()
        self._world = world

    def budget(self, rate_per_s: float) -> Budget:
        """Return the budget of turns; a changed setting begins a new one."""
        if self._budget is None or self._budget.limit_per_s != rate_per_s:
            self._budget = Budget(rate_per_s, self._monotonic)
        return self._budget

    def heed(self, error: UpstreamError) -> None:
        """Go slower when SES says that it was asked too often, whatever for."""
        if error.rule.code == "rate_limited" and self._budget is not None:
            self._budget.slow_down()


instance = Instance()
"""This instance's."""


def memory_of(office: Office) -> Instance:
    """Return what this instance remembers of the cloud that it speaks to."""
    instance.live_in(office.settings.world)
    return instance


class Admission:
    """A mail that may go out, until it is known what came of it.

    As a context manager it takes back what was counted when nothing was sent.
    """

    def __init__(self, office: Office, mail: Mail) -> None:
        self.warnings: list[str] = []
        self._office, self._mail, self._memory = office, mail, memory_of(office)
        self._people = mail.people
        self._domain = bare_address(mail.sender).rpartition("@")[2].lower()
        self._budget = self._memory.budget(office.settings.ses.rate_per_s)
        self._looks_at_hours = office.settings.guard.recipient != OFF and office.settings.hourly > 0
        self._has_turn = False
        self._noted: Noted | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # What nobody knows the outcome of may have been sent.
        if error is not None and "outcome" not in getattr(error, "extra", {}):
            self.withdraw()

    def check_rate(self) -> None:
        """Take a turn of the rate, or wait for one that comes soon. Raises Problem when there is none."""
        rate = self._office.settings.ses.rate_per_s
        self._has_turn = self._budget.take()
        if not self._has_turn and self._office.settings.guard.rate == ON:
            wait_s = self._budget.wait_s()
            if wait_s <= min(WAIT_S, self._office.spare_s()):
                self._memory.sleep(wait_s)
                self._has_turn = self._budget.take()
        if not self._has_turn:
            self._tell([Finding("rate", "rate_limited", "", f"over {rate:g} mails a second for the account", 1)])

    def check(self) -> None:
        """Make every check that is not off. Raises Problem that names all that is against the mail."""
        office, mail, modes, memory = self._office, self._mail, self._office.settings.guard, self._memory
        people = self._people
        findings: list[Finding] = []
        turns: list[Turn] = []
        if modes.suppression != OFF:
            listed, warnings = check_suppression(office, people, max(0.0, min(PATIENCE_S, office.spare_s() / 2)))
            findings += listed
            self.warnings += warnings
        if modes.sender != OFF:
            findings += check_sender(office, memory.facts, self._domain)
        if modes.template != OFF and mail.template_id is not None:
            findings += check_template(office, memory.facts, mail.template_id, mail.template_data)
        if modes.quota != OFF:
            used_up, warnings = memory.quota.check(office, memory.facts, self._domain, len(people))
            findings += used_up
            self.warnings += warnings
        if self._looks_at_hours:
            too_often, turns = memory.hours.check(office, people)
            findings += too_often
        self._tell(findings)
        if turns and modes.recipient == ON:
            self._tell(take_turns(office, turns))

    def count(self) -> None:
        """Count the mail as sent from now on."""
        # What nobody looks at is not remembered.
        self._noted = self._memory.hours.note(self._people if self._looks_at_hours else [], self._office.clock())
        self._memory.quota.add(self._domain, len(self._people))

    def begin(self) -> None:
        """SES is asked now."""
        if self._has_turn:
            self._budget.begin()
            self._has_turn = False

    def heed(self, error: UpstreamError) -> None:
        """Learn from what SES said to the mail itself."""
        self._memory.heed(error)
        if error.rule.code == "daily_quota_exceeded":
            self._memory.quota.note_used_up(self._office, self._memory.facts, self._domain)

    def accepted(self, message_id: str) -> None:
        """SES has it. What it told of the account is written for other instances."""
        if self._noted is not None:
            self._noted.mail.message_id = message_id
        self._memory.facts.write(self._office)

    def withdraw(self) -> None:
        """Nothing was sent."""
        if self._has_turn:
            self._budget.give_back()
            self._has_turn = False
        if self._noted is not None:
            self._memory.hours.forget(self._noted)
            self._memory.quota.add(self._domain, -len(self._people))
            self._noted = None

    def _tell(self, findings: list[Finding]) -> None:
        """Raise Problem when a check that refuses found something; what the others found becomes warnings."""
        self.warnings += weigh(findings, self._office.settings.guard)


def admit(office: Office, mail: Mail) -> Admission:
    """Let ``mail`` pass, and count it. Raises Problem for what is against it; then nothing is counted or written."""
    office.check_time()
    admission = Admission(office, mail)
    with admission:
        if office.settings.guard.rate != OFF:
            admission.check_rate()
        admission.check()
    admission.count()
    return admission
