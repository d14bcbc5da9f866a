"""What is against a mail or a task, collected and answered at once: a refusal, or warnings of checks that only warn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from shared.edge.guard_modes import ON
from shared.edge.http_event import Problem
from shared.edge.log import log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.edge.guard_modes import GuardModes

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
    told = str(first) if len(findings) == 1 else f"{len(findings)} things are against it"
    status = 422 if for_good else 429
    return Problem(
        status, first.code, f"{told}; nothing was sent", retry_safe=not for_good, retry_after_s=after_s, errors=errors
    )


def weigh(findings: Sequence[Finding], modes: GuardModes) -> list[str]:
    """Return as warnings what was found by checks that only warn. Raises Problem when one that refuses found something.

    Then that names all that those found which refuse.
    """
    refusing = [finding for finding in findings if getattr(modes, finding.check) == ON]
    if refusing:
        raise refusal_of(refusing)
    if findings:
        log("WARNING", "guard warns", codes=sorted({finding.code for finding in findings}))
    return list(map(str, findings))
