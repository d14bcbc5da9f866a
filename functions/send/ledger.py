"""Who may send for an idempotency key, and what came of it.

A claim is created only if absent, so one of all who try wins; the outcome is written beside it. A claim whose outcome
says that nothing took effect and that a retry may help is followed by the next generation's claim. A claim without
an outcome is in flight, or its function died: it is never taken over blindly, because the mail may have gone out.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.layout import claim_key, outcome_key
from shared.trail.records import VERSION, content_hash, encode_line, iso

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.trail.store import Store

CLAIMED = "claimed"
SENT = "sent"
REFUSED = "refused"
UNCERTAIN = "uncertain"
LONGEST_KEY = 256


class Entry(NamedTuple):
    """What the ledger says of a key. ``answer`` is what its caller was told, ``claim`` the claim's own line."""

    generation: int
    state: str
    claim: dict[str, Any]
    answer: dict[str, Any]


class Claim(NamedTuple):
    """The right to send once."""

    key_sha256: str
    generation: int
    body_sha256: str


def key_hash(key: str) -> str:
    """Return the hash under which a key is kept; keys may hold personal data."""
    return hashlib.sha256(key.encode()).hexdigest()


def look_up(store: Store, key_sha256: str) -> Entry | None:
    """Return the newest entry of a key, or None when it was never used. Raises StoreError. LIST is not needed."""
    entry = None
    generation = 0
    while claim := store.get(claim_key(key_sha256, generation)):
        outcome = json.loads(store.get(outcome_key(key_sha256, generation)) or b"{}")
        entry = Entry(generation, outcome.get("state", CLAIMED), json.loads(claim), outcome.get("answer", {}))
        if not may_follow(entry):
            return entry
        generation += 1
    return entry


def may_follow(entry: Entry) -> bool:
    """Whether a new attempt may be made after this one: it did not take effect, and waiting may have helped."""
    return entry.state == REFUSED and bool(entry.answer.get("retry_safe"))


def take_claim(store: Store, key_sha256: str, body: Mapping[str, Any], *, at: float) -> Claim | Entry:
    """Take the right to send, or return the entry that stands in the way. Raises StoreError.

    The first claim is made without looking: most keys are new, and the write itself tells when one is not.
    """
    body_sha256 = content_hash(body)
    generation = 0
    while True:
        line = {"v": VERSION, "at": iso(at), "state": CLAIMED, "body_sha256": body_sha256}
        # The nonce makes each claimant's bytes its own: a late acknowledgement is told from a rival by them.
        claim = encode_line({**line, "nonce": secrets.token_hex(8)})
        if store.create_if_absent(claim_key(key_sha256, generation), claim):
            return Claim(key_sha256, generation, body_sha256)
        entry = look_up(store, key_sha256)
        if entry is not None and (entry.claim["body_sha256"] != body_sha256 or not may_follow(entry)):
            return entry
        generation = 0 if entry is None else entry.generation + 1


def settle(store: Store, claim: Claim, state: str, answer: Mapping[str, Any], *, at: float) -> None:
    """Write what came of a claim. Raises StoreError."""
    line = {"v": VERSION, "at": iso(at), "state": state, "body_sha256": claim.body_sha256, "answer": answer}
    line |= {"message_id": answer.get("message_id"), "code": answer.get("code")}
    store.put(outcome_key(claim.key_sha256, claim.generation), encode_line(line), content_type="application/json")
