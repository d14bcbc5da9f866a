"""What the ledger says of an Idempotency-Key: its newest claim, and what came of that one.

    claim-<n>.json              who may send; generations have no gaps
    outcome-<n>.json            what came of it
    resolved-<n>.json           what was found out of it when nobody had heard (evidence.py); made only if absent
    abandoned-<n>-<nonce>.json  that it was never used

A key expires (functions/report/expiry.py) by an ``expiring`` claim, made like any other, so that nobody goes on from
the last one. Its outcomes are deleted then, and ``claim-0``: from that moment the key was never used. Claims that are
left, for a moment or longer where a run died, do not fit the time of a ``claim-0`` made anew, and are told by that.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.generations import find_newest
from shared.trail.layout import abandoned_key, claim_key, outcome_key, resolved_key
from shared.trail.records import epoch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.trail.store import Store

CLAIMED = "claimed"
SENT = "sent"
REFUSED = "refused"
UNCERTAIN = "uncertain"
EXPIRING = "expiring"
ABANDONED: dict[str, Any] = {"state": REFUSED, "answer": {"retry_safe": True, "code": "trail_unavailable"}}
"""What a claim amounts to whose maker gave up before SES was called."""
LONGEST_LIFE_S = 900
"""Seconds that a function can live at most; a claim without an outcome that is older is nobody's any more."""
LONGEST_EXPIRING_S = 1800
"""Seconds after which who made an ``expiring`` claim is dead for sure: a function lives 900 at most, clocks differ."""
LEFT_OVER_S = 86400
"""Seconds that lie between two lives of a key at least, whatever the clocks: it expires after days."""


class Entry(NamedTuple):
    """What the ledger says of a key. ``answer`` is what its caller was told, ``claim`` the claim's own line."""

    generation: int
    state: str
    claim: dict[str, Any]
    answer: dict[str, Any]


def newest_claim(store: Store, key_sha256: str) -> tuple[int, dict[str, Any]] | None:
    """Return generation and line of the newest claim of a key, or None when it was never used.

    Raises StoreError. LIST is not needed.
    """
    first = store.get(claim_key(key_sha256, 0))
    if first is None:
        return None
    began = epoch(json.loads(first)["at"])

    def read(number: int) -> bytes | None:
        if number == 0:
            return first
        content = store.get(claim_key(key_sha256, number))
        return None if content is None or is_left_over(json.loads(content), began) else content

    generation, claim = find_newest(read)
    return generation, json.loads(claim or first)


def look_up(store: Store, key_sha256: str) -> Entry | None:
    """Return the newest entry of a key, or None when it was never used. Raises StoreError."""
    newest = newest_claim(store, key_sha256)
    if newest is None:
        return None
    generation, line = newest
    return entry_of(store, key_sha256, generation, line)


def entry_of(store: Store, key_sha256: str, generation: int, line: dict[str, Any]) -> Entry:
    """Return what came of a claim, whose line is known. Raises StoreError."""
    if line["state"] == EXPIRING:
        return Entry(generation, EXPIRING, line, {})
    outcome = json.loads(store.get(outcome_key(key_sha256, generation)) or b"{}")
    if not outcome and store.get(abandoned_key(key_sha256, generation, line["nonce"])):
        outcome = ABANDONED
    if outcome.get("state", UNCERTAIN) == UNCERTAIN:
        outcome = json.loads(store.get(resolved_key(key_sha256, generation)) or b"{}") or outcome
    return Entry(generation, outcome.get("state", CLAIMED), line, outcome.get("answer", {}))


def is_in_doubt(entry: Entry, *, now: float) -> bool:
    """Whether nobody knows what came of the newest claim, nor will be told by who made it."""
    is_dead = entry.state == CLAIMED and now - epoch(entry.claim["at"]) > LONGEST_LIFE_S
    return is_dead or entry.state == UNCERTAIN


def may_follow(entry: Entry, *, now: float) -> bool:
    """Whether the next generation may be claimed: this one did not take effect, and waiting may have helped."""
    if entry.state == EXPIRING:
        return now - epoch(entry.claim["at"]) > LONGEST_EXPIRING_S
    return entry.state == REFUSED and bool(entry.answer.get("retry_safe"))


def is_left_over(line: Mapping[str, Any], began: float) -> bool:
    """Whether a claim is of an earlier life of its key, which began anew at ``began`` (epoch seconds).

    An ``expiring`` claim is the last one of a life that began days before it.
    """
    if line.get("state") == EXPIRING:
        return epoch(line["at"]) < began + LEFT_OVER_S
    return epoch(line["at"]) < began - LEFT_OVER_S
