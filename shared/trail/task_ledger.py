"""What is known of a bulk task: one use of its Idempotency-Key, and what came of each call to SES.

Who writes it, and in which order, is in functions/send/bulk/journal.py; here is what a timer needs as well.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.generations import find_newest
from shared.trail.layout import task_claim_key, task_outcome_key, task_resolved_key, task_step_key
from shared.trail.ledger import CLAIMED, EXPIRING, REFUSED, UNCERTAIN
from shared.trail.records import VERSION, encode_line, epoch, iso

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.trail.store import Store

SEND = "send"
"""The step that calls BatchSendEmail."""


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


def find(store: Store, key_sha256: str) -> Life | None:
    """Return the life of a key, or None when it is not used. Raises StoreError."""
    body = store.get(task_claim_key(key_sha256))
    if body is None:
        return None
    line = json.loads(body)
    return Life(key_sha256, line["life"], epoch(line["at"]), line["body_sha256"], line["recipients"])


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


def resolve(store: Store, life: Life, attempt: Attempt, state: str, answer: Mapping[str, Any], *, at: float) -> None:
    """Write what was found out of an attempt to send, unless somebody has. Raises StoreError."""
    key = task_resolved_key(life.key_sha256, life.life, SEND, attempt.number)
    store.offer(key, encode_line({"v": VERSION, "at": iso(at), "state": state, "answer": answer}))
