"""What has been done for a task, and by whom: every call to SES that adds something is claimed before it is made.

    claim.json                             the key is this body's; its nonce names everything below
    life-<nonce>/audience.json             who of the recipients is on the suppression list
    life-<nonce>/list-<l>.json             the id of the l-th list at SES
    life-<nonce>/upload-<l>-<c>-<n>.json   who uploads the c-th chunk to it
    life-<nonce>/send-<n>.json             who calls BatchSendEmail
    life-<nonce>/<step>-<n>-<nonce>.json   what came of that, told by who called
    life-<nonce>/send-<n>-resolved.json    what was found out of it when nobody had heard

A claim is used for one call to SES, and for no second one unless SES says that the first took no effect. So whoever
comes later, after a death or at the same time, sees what may have happened, and no two make the same call.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.send.ledger import ClaimInDoubtError
from shared.trail.generations import find_newest
from shared.trail.layout import (
    task_claim_key,
    task_list_key,
    task_outcome_key,
    task_resolved_key,
    task_step_key,
)
from shared.trail.ledger import CLAIMED, EXPIRING, REFUSED, SENT, UNCERTAIN
from shared.trail.records import VERSION, encode_line, epoch, iso
from shared.trail.store import Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

SEND = "send"
DONE = SENT
"""Of an upload: SES has taken the chunk."""
TIME_TO_ABANDON_S = 1.0


class Life(NamedTuple):
    """One use of an Idempotency-Key. ``life``: its nonce; ``at``: epoch seconds; ``recipients``: None when unknown."""

    key_sha256: str
    life: str
    at: float
    body_sha256: str
    recipients: int | None


class Attempt(NamedTuple):
    """One call to SES: its claim's own line, and what came of it."""

    number: int
    claim: dict[str, Any]
    state: str
    answer: dict[str, Any]

    @property
    def at(self) -> float:
        """Epoch seconds of the claim."""
        return epoch(self.claim["at"])


def begin(store: Store, key_sha256: str, body_sha256: str, recipients: int | None, *, at: float) -> Life | None:
    """Begin the life of a key, or return the one that it has; None when that has just ended. Raises StoreError."""
    line = {"v": VERSION, "at": iso(at), "body_sha256": body_sha256, "life": secrets.token_hex(12)}
    if store.create_if_absent(task_claim_key(key_sha256), encode_line({**line, "recipients": recipients})):
        return Life(key_sha256, line["life"], at, body_sha256, recipients)  # type: ignore[arg-type]
    return find(store, key_sha256)


def find(store: Store, key_sha256: str) -> Life | None:
    """Return the life of a key, or None when it is not used. Raises StoreError."""
    body = store.get(task_claim_key(key_sha256))
    if body is None:
        return None
    line = json.loads(body)
    return Life(key_sha256, line["life"], epoch(line["at"]), line["body_sha256"], line["recipients"])


def newest_list(store: Store, life: Life) -> tuple[int, int | None]:
    """Return number and id of the newest list that was made for a task; ``(0, None)`` before there is one.

    Raises StoreError.
    """
    number, body = find_newest(lambda number: store.get(task_list_key(life.key_sha256, life.life, number)))
    return number, None if body is None else json.loads(body)["receiver_id"]


def list_id(store: Store, life: Life, number: int) -> int | None:
    """Return the id of the n-th list, or None when none was noted. Raises StoreError."""
    body = store.get(task_list_key(life.key_sha256, life.life, number))
    return None if body is None else int(json.loads(body)["receiver_id"])


def note_list(store: Store, life: Life, number: int, receiver_id: int, *, at: float) -> int:
    """Note the id of the n-th list, and return it: whoever notes one first is right for all. Raises StoreError."""
    key = task_list_key(life.key_sha256, life.life, number)
    line = {"v": VERSION, "at": iso(at), "receiver_id": receiver_id, "nonce": secrets.token_hex(8)}
    if store.create_if_absent(key, encode_line(line)):
        return receiver_id
    return list_id(store, life, number) or receiver_id


def read(store: Store, life: Life, step: str) -> Attempt | None:
    """Return the newest attempt at a step, or None when nobody has tried. Raises StoreError."""

    def claim(number: int) -> bytes | None:
        return store.get(task_step_key(life.key_sha256, life.life, step, number))

    first = claim(0)
    if first is None:
        return None
    attempt = _with_outcome(store, life, step, 0, first)
    if not may_follow(attempt):
        return attempt  # nearly always: what took effect is not tried again
    number, newest = find_newest(lambda number: claim(number) if number else first)
    return attempt if number == 0 or newest is None else _with_outcome(store, life, step, number, newest)


def _with_outcome(store: Store, life: Life, step: str, number: int, body: bytes) -> Attempt:
    line = json.loads(body)
    if line["state"] == EXPIRING:  # made by functions/report/task_expiry.py
        return Attempt(number, line, EXPIRING, {})
    told = json.loads(
        store.get(task_outcome_key(life.key_sha256, life.life, step, number, line["nonce"])) or b"{}",
    )
    if step == SEND and told.get("state", UNCERTAIN) == UNCERTAIN:
        told = json.loads(store.get(task_resolved_key(life.key_sha256, life.life, step, number)) or b"{}") or told
    return Attempt(number, line, told.get("state", CLAIMED), told.get("answer", {}))


def may_follow(attempt: Attempt) -> bool:
    """Whether the next attempt may be made: this one took no effect, and waiting may have helped."""
    return attempt.state == REFUSED and bool(attempt.answer.get("retry_safe"))


def take(store: Store, life: Life, step: str, before: Attempt | None, *, at: float, **told: Any) -> Attempt | None:
    """Take the right to call SES once, after the attempt ``before``; None when somebody else has. Raises StoreError.

    ``told``: what the claim is to remember of the call.
    """
    number = 0 if before is None else before.number + 1
    line = {"v": VERSION, "at": iso(at), "state": CLAIMED, "nonce": secrets.token_hex(8), **told}
    mine = Attempt(number, line, CLAIMED, {})
    try:
        created = store.create_if_absent(task_step_key(life.key_sha256, life.life, step, number), encode_line(line))
    except StoreError as error:
        _abandon(store, life, step, mine, error)
        raise
    return mine if created else None


def _abandon(store: Store, life: Life, step: str, mine: Attempt, failure: StoreError) -> None:
    """Say that the claim, if COS has it after all, was never used: under its nonce, so that it is about no other's."""
    try:
        settle(store.within(TIME_TO_ABANDON_S), life, step, mine, REFUSED, {"retry_safe": True}, at=mine.at)
    except StoreError as error:
        if failure.unanswered and step == SEND:
            raise ClaimInDoubtError(error.operation, error.code, status=error.status, retry_safe=False) from error


def settle(
    store: Store, life: Life, step: str, attempt: Attempt, state: str, answer: Mapping[str, Any], *, at: float
) -> None:
    """Write what came of an attempt of our own. Raises StoreError."""
    key = task_outcome_key(life.key_sha256, life.life, step, attempt.number, attempt.claim["nonce"])
    line = {"v": VERSION, "at": iso(at), "state": state, "answer": answer}
    store.put(key, encode_line(line), content_type="application/json")


def resolve(store: Store, life: Life, attempt: Attempt, state: str, answer: Mapping[str, Any], *, at: float) -> None:
    """Write what was found out of an attempt to send, unless somebody has. Raises StoreError."""
    key = task_resolved_key(life.key_sha256, life.life, SEND, attempt.number)
    store.offer(key, encode_line({"v": VERSION, "at": iso(at), "state": state, "answer": answer}))
