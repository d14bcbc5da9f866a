"""What happens to a mail: decided by the address it goes to, so that every outcome can be asked for by name.

``hard-bounce@simulator.mailtrail.test`` bounces, ``hard-bounce+anything@...`` too; every address that is not a
simulator's is delivered. Pure: no clock, no state. Words are those of SES's event callback
(https://www.tencentcloud.com/document/product/1084/39492).
"""

from __future__ import annotations

from typing import NamedTuple

from localcloud.defaults import SIMULATOR_DOMAIN

DEFERRED_LIMIT_S = 72 * 3600
"""SES gives up on a deferred mail after 72 hours (https://tencentcloud.com/document/product/1084/39649)."""

LINK = "https://mail.example.com/welcome"
USERAGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)


class Step(NamedTuple):
    """One event of a mail's life, ``after_s`` seconds after SES accepted it."""

    after_s: float
    event: str
    reason: str = ""
    bounce_type: str = ""
    link: str = ""
    useragent: str = ""


class Plan(NamedTuple):
    """``send_status``: the SendStatus the row ends with (0 = handed over). ``steps``: in order of time."""

    send_status: int
    steps: tuple[Step, ...]


_DELIVERED = Step(1, "delivered")
_OPEN = Step(2, "open", useragent=USERAGENT)
_CLICK = Step(3, "click", link=LINK, useragent=USERAGENT)

PLANS = {
    "delivered": Plan(0, (_DELIVERED,)),
    "hard-bounce": Plan(0, (Step(1, "bounce", "551 5.1.1 recipient is not exist", "hard_bounce"),)),
    "unknown-user": Plan(0, (Step(1, "bounce", "550 Mailbox not found", "hard_bounce"),)),
    "soft-bounce": Plan(0, (Step(1, "bounce", "452 4.2.2 mailbox full", "soft_bounce"),)),
    "deferred": Plan(
        0,
        (
            Step(1, "deferred", "451 4.7.1 greylisted, try again later"),
            Step(DEFERRED_LIMIT_S, "bounce", "4.4.7 expired", "soft_bounce"),
        ),
    ),
    "dropped": Plan(0, (Step(1, "dropped", "message discarded: content rejected by policy"),)),
    "blacklist": Plan(1007, (Step(1, "dropped", "the recipient address is in the blocklist"),)),
    "open": Plan(0, (_DELIVERED, _OPEN)),
    "click": Plan(0, (_DELIVERED, _OPEN, _CLICK)),
    "complaint": Plan(0, (_DELIVERED, Step(4, "spamreport"))),
    "unsubscribe": Plan(0, (_DELIVERED, Step(4, "unsubscribe"))),
}
"""Local part of the simulator address → what happens."""

REFUSALS = {
    1006: Plan(1006, (Step(1, "dropped", "too many mails to the same address"),)),
    1007: PLANS["blacklist"],
    1013: Plan(1013, (Step(1, "dropped", "the recipient has unsubscribed from the domain"),)),
}
"""SendStatus of a recipient that SES itself refuses, in a mail that goes out to others → what happens."""

PROVOCATIONS = {
    name: PLANS[name].steps[-1]._replace(after_s=0)
    for name in ("delivered", "hard-bounce", "soft-bounce", "dropped", "open", "click", "complaint", "unsubscribe")
} | {"deferred": PLANS["deferred"].steps[0]._replace(after_s=0)}
"""What may be made to happen, at once, to a mail that was sent to any address."""


def is_simulator(address: str) -> bool:
    """Whether ``address`` is of the simulator's domain, whatever its name."""
    return address.rpartition("@")[2].lower() == SIMULATOR_DOMAIN


def outcome_of(address: str) -> str:
    """Name the plan for ``address``: a key of ``PLANS``."""
    name = address.rpartition("@")[0].partition("+")[0].lower()
    return name if is_simulator(address) and name in PLANS else "delivered"


def plan_for(address: str) -> Plan:
    """Return what happens to a mail sent to ``address``."""
    return PLANS[outcome_of(address)]
