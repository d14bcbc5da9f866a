"""What a task's caller is told while it is not sent yet, and when SES says no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.send import submit
from shared.edge.http_event import Problem

if TYPE_CHECKING:
    from shared.upstream.errors import UpstreamError

PREPARING = "preparing"
COME_AGAIN_S = 3
FIELD_OF = {
    **submit.FIELD_OF,
    **dict.fromkeys(("recipient_invalid", "recipient_suppressed", "recipient_refused"), "recipients"),
    "content_refused": "subject",
    "not_found": "receiver_id",
    "conflict": "receiver_id",
}
"""The member of the request that a refusal of SES is about."""


def preparing(uploaded: int, recipients: int | None, after_s: int = COME_AGAIN_S) -> Problem:
    """Return the 503 that says: come again. Not a 2xx, since a client that stops there has sent nothing."""
    return Problem(
        503,
        "preparing",
        "nothing was sent yet; repeat the same request with the same Idempotency-Key, and it goes on from here",
        retry_safe=True,
        retry_after_s=after_s,
        extra={"state": PREPARING, "uploaded": uploaded, "recipients": recipients},
    )


def problem_of(error: UpstreamError) -> Problem:
    """Translate what SES said."""
    return submit.problem_of(error, FIELD_OF)
