"""Who may send for an idempotency key, and what came of it.

A claim is created only if absent, so one of all who try wins; the outcome is written beside it. A claim whose outcome
says that nothing took effect and that a retry may help is followed by the next generation's claim. A claim without
an outcome is in flight, or its function died: it is never taken over blindly, because the mail may have gone out.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.evidence import Attempt, attempt_of, own_message_id
from shared.trail.layout import abandoned_key, claim_key, outcome_key
from shared.trail.ledger import (
    ABANDONED,
    CLAIMED,
    EXPIRING,
    REFUSED,
    SENT,
    UNCERTAIN,
    Entry,
    is_in_doubt,
    look_up,
    may_follow,
)
from shared.trail.records import VERSION, content_hash, encode_line, epoch, iso
from shared.trail.store import Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "CLAIMED", "EXPIRING", "KEY", "KEY_RULE", "REFUSED", "SENT", "UNCERTAIN", "Addressed", "Claim", "ClaimInDoubtError",
    "Entry", "attempt_in", "gives_way", "is_in_doubt", "key_hash", "look_up", "settle", "take_claim",
]  # fmt: skip
KEY = re.compile(r"(?=.{1,256}$)[\x20-\x2e\x30-\x7e]+(/[\x20-\x2e\x30-\x7e]+)*")
KEY_RULE = "1 to 256 printable ASCII characters, no slash at either end and none beside another"
"""What GET /send/{key} can name as well."""


TIME_TO_ABANDON_S = 1.0


class ClaimInDoubtError(StoreError):
    """Nothing was sent, but a claim may have been written that nobody can settle."""


class Addressed(NamedTuple):
    """What a claim remembers of its mail, to ask SES for it should nobody hear what came of it: SES finds by address.

    ``sender`` is a bare address; ``message_id``: the caller's own.
    """

    sender: str
    recipients: list[str]
    message_id: str | None


class Claim(NamedTuple):
    """The right to send once, and what marks the mail as this claim's."""

    key_sha256: str
    generation: int
    body_sha256: str
    attempt: Attempt


def key_hash(key: str) -> str:
    """Return the hash under which a key is kept; keys may hold personal data."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def take_claim(
    store: Store,
    key_sha256: str,
    body: Mapping[str, Any],
    addressed: Addressed,
    *,
    at: float,
    check_time: Callable[[], None],
) -> Claim | Entry:
    """Take the right to send, or return the entry that stands in the way. Raises StoreError.

    The first claim is made without looking: most keys are new, and the write itself tells when one is not.
    ``check_time`` raises when a claim could not be used any more, before it is made.
    """
    body_sha256 = content_hash(body)
    generation = 0
    while True:
        check_time()
        # The nonce makes each claimant's bytes its own: a late acknowledgement is told from a rival by them.
        nonce = secrets.token_hex(8)
        marks = _marks_of(key_sha256, generation, nonce, addressed)
        line = {"v": VERSION, "at": iso(at), "state": CLAIMED, "body_sha256": body_sha256, "nonce": nonce, **marks}
        try:
            created = store.create_if_absent(claim_key(key_sha256, generation), encode_line(line))
        except StoreError as error:
            _abandon(store, key_sha256, generation, nonce, may_exist=error.unanswered)
            raise
        if created:
            return Claim(key_sha256, generation, body_sha256, attempt_of(key_sha256, generation, marks, at))
        entry = look_up(store, key_sha256)
        if entry is not None and not gives_way(entry, body_sha256, at):
            return entry
        following = 0 if entry is None else entry.generation + 1
        if entry is not None and following == generation:
            return entry._replace(state=EXPIRING)  # a claim of the key's earlier life is in the way: it goes in time
        generation = following


def attempt_in(entry: Entry, key_sha256: str) -> Attempt:
    """Return what the newest claim of a key remembers of its attempt."""
    return attempt_of(key_sha256, entry.generation, entry.claim, epoch(entry.claim["at"]))


def _marks_of(key_sha256: str, generation: int, nonce: str, addressed: Addressed) -> dict[str, Any]:
    """Make what the mail carries, so that an event of it proves this claim's: with the nonce, it tells nothing else."""
    reference = hashlib.sha256(f"mailtrail-attempt\n{key_sha256}\n{generation}\n{nonce}".encode()).hexdigest()[:32]
    return {
        "reference": reference,
        "smtp_message_id": addressed.message_id or own_message_id(reference, addressed.sender),
        "sender": addressed.sender,
        "recipients": addressed.recipients,
    }


def gives_way(entry: Entry, body_sha256: str, now: float) -> bool:
    """Whether the same request may be made once more under a key of this entry."""
    is_same = entry.state == EXPIRING or entry.claim["body_sha256"] == body_sha256
    return is_same and may_follow(entry, now=now)


def _abandon(store: Store, key_sha256: str, generation: int, nonce: str, *, may_exist: bool) -> None:
    """Say that the claim of this nonce, if COS has it after all, was never used.

    Raises ClaimInDoubtError when that cannot be written either and the claim may exist: nobody could pass it.
    """
    try:
        store.within(TIME_TO_ABANDON_S).put(
            abandoned_key(key_sha256, generation, nonce), encode_line(ABANDONED), content_type="application/json"
        )
    except StoreError as error:
        if not may_exist:
            return
        raise ClaimInDoubtError(error.operation, error.code, status=error.status, retry_safe=False) from error


def settle(store: Store, claim: Claim, state: str, answer: Mapping[str, Any], *, at: float) -> None:
    """Write what came of a claim. Raises StoreError."""
    line = {"v": VERSION, "at": iso(at), "state": state, "body_sha256": claim.body_sha256, "answer": answer}
    line |= {"message_id": answer.get("message_id"), "code": answer.get("code")}
    store.put(outcome_key(claim.key_sha256, claim.generation), encode_line(line), content_type="application/json")
