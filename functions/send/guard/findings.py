"""What is against a mail, collected, then answered at once: as a refusal, or as warnings where a check only warns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from shared.edge.http_event import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_NAMED_CHARS = 60
"""Of a name that came from outside, in a field."""


class Finding(NamedTuple):
    """One thing that is against a mail.

    ``check``: of SEND_GUARD. ``code``: of README, "Errors". ``field``: the member that it is about, empty for none.
    ``problem``: in words that hold no address. ``retry_after_s``: after which it is over; 0: never by waiting.
    """

    check: str
    code: str
    field: str
    problem: str
    retry_after_s: float = 0

    def __str__(self) -> str:
        """Say it as a warning."""
        return f"{self.field}: {self.problem}" if self.field else self.problem


def refusal_of(findings: Sequence[Finding]) -> Problem:
    """Return the answer that names every finding: the gravest is its code, the longest wait its Retry-After.

    ``retry_safe`` when waiting mends all of them.
    """
    for_good = [finding for finding in findings if not finding.retry_after_s]
    first = (for_good or findings)[0]
    after_s = 0 if for_good else math.ceil(max(finding.retry_after_s for finding in findings))
    errors = [{"field": finding.field, "problem": finding.problem} for finding in findings if finding.field]
    told = str(first) if len(findings) == 1 else f"{len(findings)} things are against this mail"
    status = 422 if for_good else 429
    return Problem(
        status, first.code, f"{told}; nothing was sent", retry_safe=not for_good, retry_after_s=after_s, errors=errors
    )
