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
from typing import TYPE_CHECKING, Any

from functions.send.ledger import ClaimInDoubtError
from shared.trail.generations import find_newest
from shared.trail.layout import task_claim_key, task_list_key, task_outcome_key, task_step_key
from shared.trail.ledger import CLAIMED, REFUSED, SENT
from shared.trail.records import VERSION, encode_line, iso
from shared.trail.store import Store, StoreError
from shared.trail.task_ledger import SEND, Attempt, Life, find, may_follow, read

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DONE", "SEND", "Attempt", "Life",
    "begin", "find", "list_id", "may_follow", "newest_list", "note_list", "read", "settle", "take",
]  # fmt: skip
DONE = SENT
"""Of an upload: SES has taken the chunk."""
TIME_TO_ABANDON_S = 1.0


def begin(store: Store, key_sha256: str, body_sha256: str, recipients: int | None, *, at: float) -> Life | None:
    """Begin the life of a key, or return the one that it has; None when that has just ended. Raises StoreError."""
    line = {"v": VERSION, "at": iso(at), "body_sha256": body_sha256, "life": secrets.token_hex(12)}
    if store.create_if_absent(task_claim_key(key_sha256), encode_line({**line, "recipients": recipients})):
        return Life(key_sha256, line["life"], at, body_sha256, recipients)  # type: ignore[arg-type]
    return find(store, key_sha256)


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


def take(
    store: Store, life: Life, step: str, before: Attempt | None, *, at: float, nonce: str = "", **told: Any
) -> Attempt | None:
    """Take the right to call SES once, after the attempt ``before``; None when somebody else has. Raises StoreError.

    ``nonce``: of nobody else's claim, by which it was announced; ``told``: what the claim is to remember of the call.
    """
    number = 0 if before is None else before.number + 1
    line = {"v": VERSION, "at": iso(at), "state": CLAIMED, "nonce": nonce or secrets.token_hex(8), **told}
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
