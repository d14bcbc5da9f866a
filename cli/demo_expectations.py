"""What each simulator address must come to: in the events, in the status rows and in the report.

Written down from docs/localcloud.md, not derived from localcloud: a demo that asks the emulator what is right proves
nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Expectation(NamedTuple):
    """``events``: the types that the webhook stored. ``send`` and ``deliver``: codes of the status row, None: any."""

    events: frozenset[str]
    send: int
    deliver: int | None
    outcome: str
    engagement: str = ""


def _expect(events: str, deliver: int | None, outcome: str, *, send: int = 0, engagement: str = "") -> Expectation:
    return Expectation(frozenset(events.split()), send, deliver, outcome, engagement)


EXPECTATIONS = {
    "delivered": _expect("delivered", 1, "delivered"),
    "hard-bounce": _expect("bounced", 3, "bounced"),
    "soft-bounce": _expect("bounced", 3, "bounced"),
    "unknown-user": _expect("bounced", 3, "bounced"),
    "deferred": _expect("deferred", 8, "deferred"),
    "dropped": _expect("rejected", 2, "rejected"),
    "blacklist": _expect("rejected", None, "rejected", send=1007),
    "open": _expect("delivered opened", 1, "delivered", engagement="opened"),
    "click": _expect("delivered opened clicked", 1, "delivered", engagement="clicked"),
    "complaint": _expect("delivered complained", 1, "delivered", engagement="complained"),
    "unsubscribe": _expect("delivered unsubscribed", 1, "delivered", engagement="unsubscribed"),
}


class Found(NamedTuple):
    """What lies in the bucket for one address."""

    events: frozenset[str]
    status: dict[str, Any]
    report: dict[str, str]


def differences(expected: Expectation, found: Found) -> list[str]:
    """Say what is not as it must be; nothing when all holds."""
    wrong = []
    if found.events != expected.events:
        wrong.append(f"events {sorted(found.events)}, not {sorted(expected.events)}")
    codes = (found.status.get("send_status"), found.status.get("deliver_status"))
    if codes[0] != expected.send or expected.deliver not in (None, codes[1]):
        wrong.append(f"status {codes}, not {(expected.send, expected.deliver)}")
    if found.report.get("outcome") != expected.outcome:
        wrong.append(f"report says {found.report.get('outcome')}, not {expected.outcome}")
    if expected.engagement and found.report.get(expected.engagement) in (None, "", "0"):
        wrong.append(f"report does not say {expected.engagement}")
    return wrong
