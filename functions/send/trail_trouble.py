"""What a caller is told when the trail did not do its part, so that nothing was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.send.ledger import ClaimInDoubtError
from shared.edge.http_event import Problem

if TYPE_CHECKING:
    from shared.trail.store import StoreError


def problem_of(error: StoreError) -> Problem:
    """Return the answer that ``error`` is."""
    if isinstance(error, ClaimInDoubtError):
        return Problem(
            503, "trail_unavailable", "nothing was sent; this Idempotency-Key may be in doubt for half an hour"
        )
    return Problem(503, "trail_unavailable", "nothing was sent", retry_safe=True, retry_after_s=5)
