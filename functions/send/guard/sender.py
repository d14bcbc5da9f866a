"""Whether the sender's domain is verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.send.guard.facts import DOMAIN, PASS_S, REFUSE_S
from functions.send.guard.findings import Finding

if TYPE_CHECKING:
    from functions.send.guard.facts import Facts
    from functions.send.office import Office

CHECK = "sender"


def check_sender(office: Office, facts: Facts, domain: str) -> list[Finding]:
    """Return what is against sending from ``domain`` (in lower case)."""
    for within_s in (PASS_S, REFUSE_S):
        fact = facts.get(office, DOMAIN, domain, within_s)
        if fact is None or fact.told.get("verified"):
            return []
    return [Finding(CHECK, "sender_unverified", "from", "the domain is none that this account has verified at SES")]
