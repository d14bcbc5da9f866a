"""Idempotency-Keys of bulk tasks that have served their time go.

What is kept of a key's use lies below its nonce; only the claim that names the nonce does not. So:

1. a key of which nothing was written for a month: ``over.json`` is written into its life; then the next claim to call
   BatchSendEmail is ours, so that nobody calls it in that life any more; then the key's claim is deleted. From that
   moment the key was never used, and its next use has another nonce;
2. an hour later, when nobody who had read the claim before can be alive: what lies below the nonce, ``over.json`` last.

No prefix of this lets a task out twice. Tasks are few, so their ledger is listed whole, once a day.
"""

from __future__ import annotations

import itertools
import json
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.report.dates import DAY_S
from functions.report.expiry import SCOPE
from shared.trail.generations import find_newest
from shared.trail.layout import TASKS_EXPIRY_KEY, TASKS_LEDGER_PREFIX, task_claim_key, task_over_key, task_step_key
from shared.trail.lease import LONGEST_S, leased
from shared.trail.ledger import EXPIRING, LONGEST_EXPIRING_S
from shared.trail.records import VERSION, encode_line, epoch, iso
from shared.trail.task_ledger import SEND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from functions.report.maintenance import Work
    from shared.trail.store import Entry

TASK_KEYS_LAST_S = 30 * DAY_S
"""Seconds that a task's key is remembered after anything was last written for it."""
OVER_LASTS_S = 2 * LONGEST_EXPIRING_S
TIME_FOR_A_KEY_S = 5.0


class _Key(NamedTuple):
    """One Idempotency-Key: its claim, and what lies below each of its lives' nonces."""

    sha256: str
    claim: Entry | None
    lives: dict[str, list[Entry]]


def expire_tasks(work: Work) -> dict[str, Any]:
    """Delete what is too old, within the time left, and count it. Raises StoreError; the next run goes on."""
    now = work.clock()
    state = json.loads(work.store.get(TASKS_EXPIRY_KEY) or b"{}")
    if state and 0 <= now - epoch(state["at"]) < DAY_S:
        return {"walk": "done today"}
    counts = {"keys": 0, "objects": 0}
    with leased(work.store, SCOPE, now=now, ttl_s=min(LONGEST_S, max(1.0, work.time_left_s()) + 60)) as lease:
        if lease is None:
            return {"walk": "somebody else's"}
        for key in _iter_keys(work.store.iterate(TASKS_LEDGER_PREFIX)):
            if work.time_left_s() < TIME_FOR_A_KEY_S:
                return {"walk": "goes on", **counts}
            counts["keys"] += _end(work, key, now)
            counts["objects"] += sum(_delete(work, key, life, now) for life in key.lives)
        work.store.put(TASKS_EXPIRY_KEY, encode_line({"v": VERSION, "at": iso(now)}), content_type="application/json")
    return {"walk": "finished", **counts}


def _iter_keys(entries: Iterable[Entry]) -> Iterator[_Key]:
    for sha256, objects in itertools.groupby(entries, lambda entry: _parts(entry)[0]):
        claim: Entry | None = None
        lives: dict[str, list[Entry]] = {}
        for entry in objects:
            parts = _parts(entry)
            if len(parts) == 3:
                lives.setdefault(parts[1].removeprefix("life-"), []).append(entry)
            elif entry.key == task_claim_key(sha256):
                claim = entry
        yield _Key(sha256, claim, lives)


def _parts(entry: Entry) -> list[str]:
    return entry.key[len(TASKS_LEDGER_PREFIX) :].split("/")


def _end(work: Work, key: _Key, now: float) -> bool:
    """End the life of a key of which nothing was written for long."""
    objects = [*([key.claim] if key.claim else []), *itertools.chain.from_iterable(key.lives.values())]
    if key.claim is None or any(now - epoch(each.modified_at) <= TASK_KEYS_LAST_S for each in objects):
        return False
    claim = json.loads(work.store.get(task_claim_key(key.sha256)) or b"{}")  # a listing may be old
    if not claim or now - epoch(claim["at"]) <= TASK_KEYS_LAST_S:
        return False
    _note_over(work, key.sha256, claim["life"])
    return _close(work, key.sha256, claim["life"])


def _note_over(work: Work, sha256: str, life: str) -> None:
    line = encode_line({"v": VERSION, "at": iso(work.clock())})
    work.store.put(task_over_key(sha256, life), line, content_type="application/json")


def _close(work: Work, sha256: str, life: str) -> bool:
    """End a life, once nobody can call BatchSendEmail in it any more; False when somebody may be about to."""

    def attempt(number: int) -> bytes | None:
        return work.store.get(task_step_key(sha256, life, SEND, number))

    number, newest = find_newest(attempt)
    if newest is None or json.loads(newest)["state"] != EXPIRING:  # else a run died after it had got here
        number = 0 if newest is None else number + 1
        ours = {"v": VERSION, "at": iso(work.clock()), "state": EXPIRING, "nonce": secrets.token_hex(8)}
        if not work.store.create_if_absent(task_step_key(sha256, life, SEND, number), encode_line(ours)):
            work.store.delete(task_over_key(sha256, life))
            return False
    work.store.once().delete(task_claim_key(sha256))
    return True


def _delete(work: Work, key: _Key, life: str, now: float) -> int:
    """Delete what is left of a life that was over an hour ago; how many objects those were."""
    over = task_over_key(key.sha256, life)
    if not any(entry.key == over and now - epoch(entry.modified_at) > OVER_LASTS_S for entry in key.lives[life]):
        return 0
    claim = json.loads(work.store.get(task_claim_key(key.sha256)) or b"{}")
    if claim.get("life") == life:  # the run that began to end it died; what is left goes an hour after the claim
        _note_over(work, key.sha256, life)
        _close(work, key.sha256, life)
        return 0
    names = [entry.key for entry in key.lives[life] if entry.key != over]
    work.store.delete_many(names)
    work.store.delete(over)
    return len(names) + 1
