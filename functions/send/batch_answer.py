"""What is told of a batch: each recipient's result, what they amount to, and one status for all of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from shared.edge.http_event import Problem
from shared.edge.log import log
from shared.upstream.errors import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.send.batch import Result

ACCEPTED = 202
DIFFERENT = 207
"""Multi-Status: https://www.rfc-editor.org/rfc/rfc4918#section-13."""


def answer_of(results: Sequence[Result], *, has_key: bool, request_id: str) -> tuple[int, dict[str, Any]]:
    """Return 202 when everybody's mail was accepted, else 207, and the members of the answer.

    Raises Problem when all failed alike: that says it as ``POST /send`` would, with the results beside it.
    ``has_key``: whether a repeat knows whose mail went out; without it one is safe only when nobody's did.
    """
    failed = [result for result in results if result["status"] != ACCEPTED]
    accepted = len(results) - len(failed)
    retry_safe = (has_key or not accepted) and all(result["retry_safe"] for result in failed)
    after_s = _retry_after_s(failed)
    after = {"retry_after_s": after_s} if after_s else {}
    members = {**_counts(results), "retry_safe": retry_safe, **after, "results": list(results)}
    codes = Counter(str(result["code"]) for result in failed)
    log("INFO", "batch", request_id=request_id, **_counts(results), codes=codes)
    kinds = {(result["status"], result["code"], result["retry_safe"], result.get("outcome")) for result in failed}
    if accepted or len(kinds) > 1:
        return (DIFFERENT if failed else ACCEPTED), {"request_id": request_id, **members}
    ((status, code, _, outcome),) = kinds
    extra = {**members, **({"outcome": outcome} if outcome else {})}
    detail = f"none of {len(results)} mails was accepted; of the first: {failed[0]['detail']}"
    raise Problem(status, code, detail, retry_safe=retry_safe, retry_after_s=after_s, extra=extra)


def _counts(results: Sequence[Result]) -> dict[str, int]:
    unknown = sum(result.get("outcome") == UNKNOWN for result in results)
    accepted = sum(result["status"] == ACCEPTED for result in results)
    return {
        "accepted": accepted,
        "duplicates": sum(result["status"] == ACCEPTED and result["duplicate"] for result in results),
        "refused": len(results) - accepted - unknown,
        "unknown": unknown,
    }


def _retry_after_s(failed: Sequence[Result]) -> int:
    """Return the seconds after which a repeat finds all ready that may be repeated; else, all that is in doubt."""
    told = [result for result in failed if result["retry_safe"]] or failed
    return max((result.get("retry_after_s", 0) for result in told), default=0)
