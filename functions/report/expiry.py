"""What has served its time goes: old Idempotency-Keys, used tokens, counts of refusals, leases.

The ledger is keyed by hash, so no listing shows its old keys first: it is walked from end to end, once a day at most,
as far as the time of each run goes. Running twice changes nothing; after a death the next run goes on before it. On its
way it notes claims that nobody settled (dead_claims.py).

A key of the ledger goes as a whole, when its last attempt is old; one that is or was in doubt, when ten times as old.
No prefix of the deletions may bring an old answer back, leave a new one in doubt or let a mail out twice, so:

* an ``expiring`` claim of ours, made only if absent, follows the last one: from then on requests are told to wait, for
  as long as this takes; half an hour, should the run die, which another run waits for as well: two that delete at
  once would meet the key's next life;
* outcomes go, which nobody reads any more, then ``claim-0``: at that moment the key was never used. The other claims
  are recognised as left over (shared/trail/ledger.py), keep their names from being used meanwhile, and go last;
* a claim is read right before, because a listing may be old, and deleted without retries: between two attempts somebody
  may have made it anew.
"""

from __future__ import annotations

import itertools
import json
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.report.dates import DAY_S, shifted
from functions.report.dead_claims import dead_claim, note_dead_claim
from shared.trail.layout import (
    EXPIRY_KEY,
    LEDGER_PREFIX,
    claim_key,
    lease_prefix,
    refused_prefix,
    turns_prefix,
    used_tokens_prefix,
)
from shared.trail.lease import LONGEST_S, leased
from shared.trail.ledger import EXPIRING, LONGEST_EXPIRING_S, entry_of, is_in_doubt, is_left_over, newest_claim
from shared.trail.records import VERSION, day_of, encode_line, epoch, iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from functions.report.maintenance import Work
    from shared.trail.store import Entry, Store

SCOPE = "report/expiry"
KEYS_LAST_S = 3 * DAY_S
"""Seconds that an Idempotency-Key is remembered from its last attempt on; 24 hours are promised."""
DOUBTS_LAST_S = 30 * DAY_S
"""The same for one of which nobody knows what came of it, or did not at some time."""
TOKENS_LAST_DAYS = 4
"""A SendCloud token is refused as stale after 72 hours, whoever remembers it."""
COUNTS_LAST_DAYS = 40
"""Counts of refusals. What of a day the suppression list knows stays: a late event would apply all of it again."""
TURNS_LAST_DAYS = 2
"""Rights to write to an address in a part of an hour."""
LEASES_LAST_DAYS = 2
"""Leases are numbered anew each UTC day, and only today's and yesterday's are asked for."""
LEASED = ("report/compaction", SCOPE, "report/suppression", "snapshot/status", "snapshot/sendcloud", "snapshot/tasks")
AT_ONCE = 500
"""Keys of the ledger that are looked at, and then deleted, together."""
READERS = 16
TIME_FOR_A_BATCH_S = 10.0


class _Key(NamedTuple):
    """One Idempotency-Key with its objects as they were listed."""

    sha256: str
    objects: list[Entry]

    def has_old(self, now: float) -> bool:
        """Whether it is worth reading."""
        return any(now - epoch(each.modified_at) > KEYS_LAST_S for each in self.objects)


class _Closed(NamedTuple):
    """What is to go of a key, in this order: outcomes, the first claim, the others."""

    outcomes: list[str]
    first: list[str]
    others: list[str]


def expire(work: Work) -> dict[str, Any]:
    """Delete what is too old, within the time left, and count it; ``walk`` says how far the ledger was gone through.

    Raises StoreError: what was deleted until then is, and the next run goes on.
    """
    now = work.clock()
    ttl_s = min(LONGEST_S, max(1.0, work.time_left_s()) + 60)
    with leased(work.store, SCOPE, now=now, ttl_s=ttl_s) as lease:
        if lease is None:
            return {"walk": "somebody else's"}
        today = day_of(now, work.utc_offset_s)
        counts = {
            "tokens": _expire_days(work, used_tokens_prefix(), shifted(today, -TOKENS_LAST_DAYS)),
            "turns": _expire_days(work, turns_prefix(), shifted(today, -TURNS_LAST_DAYS)),
            "refused": _expire_days(work, refused_prefix(), shifted(today, -COUNTS_LAST_DAYS)),
            "leases": 0,
        }
        for scope in LEASED:
            oldest = shifted(day_of(now, 0), -LEASES_LAST_DAYS)
            counts["leases"] += _expire_days(work, lease_prefix(scope), oldest)
        return {**counts, **_walk(work, now)}


def _expire_days(work: Work, prefix: str, oldest: str) -> int:
    """Delete what lies in the daily partitions before ``oldest``; nobody makes anything there any more."""
    keys = (entry.key for entry in work.store.iterate(f"{prefix}dt="))
    old = itertools.takewhile(lambda key: key < f"{prefix}dt={oldest}", keys)
    deleted = 0
    while work.time_left_s() > TIME_FOR_A_BATCH_S and (some := list(itertools.islice(old, 1000))):
        work.store.delete_many(some)
        deleted += len(some)
    return deleted


def _walk(work: Work, now: float) -> dict[str, Any]:
    """Go through the ledger from where the last run stopped."""
    state = json.loads(work.store.get(EXPIRY_KEY) or b"{}")
    if state.get("finished_at"):
        if 0 <= now - epoch(state["walk_started_at"]) < DAY_S:
            return {"walk": "done today", "keys": 0, "objects": 0, "in_doubt": 0}
        state = {}
    state = {"v": VERSION, "walk_started_at": iso(now), "after": "", "keys": 0, "objects": 0, "in_doubt": 0, **state}
    before = {name: state[name] for name in ("keys", "objects", "in_doubt")}
    try:
        state["finished_at"] = iso(now) if _expire_keys(work, state, now) else None
    finally:
        work.store.put(EXPIRY_KEY, encode_line(state), content_type="application/json")
    told = {name: state[name] - number for name, number in before.items()}
    return {"walk": "finished" if state["finished_at"] else "goes on", **told}


def _expire_keys(work: Work, state: dict[str, Any], now: float) -> bool:
    """Expire keys from ``state`` on, and note there how far it came. Returns whether the end was reached."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - not every run has keys to read

    keys = _iter_keys(work.store.iterate(LEDGER_PREFIX, after=state["after"]))
    with ThreadPoolExecutor(READERS) as pool:
        while work.time_left_s() > TIME_FOR_A_BATCH_S:
            some = list(itertools.islice(keys, AT_ONCE))
            if not some:
                return True
            dead = [(key.sha256, number) for key in some if (number := dead_claim(key.objects, now)) is not None]
            state["in_doubt"] += sum(pool.map(lambda claim: note_dead_claim(work, *claim), dead))
            old = [key for key in some if key.has_old(now)]
            closed = [key for key in pool.map(_closer(work.store, now), old) if key is not None]
            state["objects"] += _delete(work.store, closed)
            state["keys"] += len(closed)
            state["after"] = f"{LEDGER_PREFIX}{some[-1].sha256}/~"  # after all names that a key's objects have
    return False


def _iter_keys(entries: Iterable[Entry]) -> Iterator[_Key]:
    for sha256, objects in itertools.groupby(entries, lambda entry: entry.key[len(LEDGER_PREFIX) :].partition("/")[0]):
        yield _Key(sha256, list(objects))


def _closer(store: Store, now: float) -> Callable[[_Key], _Closed | None]:
    return lambda key: _close(store, key, now)


def _close(store: Store, key: _Key, now: float) -> _Closed | None:
    """Make sure that nobody goes on from the last claim of a key. None: somebody has, or it is not that old."""
    first = claim_key(key.sha256, 0)
    others = {each.key for each in key.objects if "/claim-" in each.key} - {first}
    newest = newest_claim(store, key.sha256) if others else _only_claim(store, first)
    if newest is None:  # a run died when claim-0 was gone; should it be there again in a moment, it is somebody's
        return _left_over(store, first, others, now)
    generation, line = newest
    if line["state"] == EXPIRING and now - epoch(line["at"]) <= LONGEST_EXPIRING_S:
        return None  # somebody may be at it, and what we delete after them may be of the key's next life
    if KEYS_LAST_S < now - epoch(line["at"]) <= DOUBTS_LAST_S and _was_in_doubt(store, key, newest, now):
        return _left_over(store, first, others, now)
    generation += 1
    ours = {"v": VERSION, "at": iso(now), "state": EXPIRING, "body_sha256": "", "nonce": secrets.token_hex(8)}
    is_old = line["state"] == EXPIRING or now - epoch(line["at"]) > KEYS_LAST_S
    if is_old and store.create_if_absent(claim_key(key.sha256, generation), encode_line(ours)):
        others.add(claim_key(key.sha256, generation))
        # Whoever expired the key between our read and our claim made room for its next life: ours says nothing of that.
        if not is_left_over(line, _began(store, first, now)):
            outcomes = [each.key for each in key.objects if "/claim-" not in each.key]
            return _Closed(outcomes, [first], sorted(others))
    return _left_over(store, first, others, now)


def _was_in_doubt(store: Store, key: _Key, newest: tuple[int, dict[str, Any]], now: float) -> bool:
    """Whether somebody may have been told that nobody knows what came of a key: who does as it is told comes again."""
    generation, line = newest
    if line["state"] == EXPIRING:
        return False
    if any("/resolved-" in each.key for each in key.objects):
        return True
    entry = entry_of(store, key.sha256, generation, line)
    return is_in_doubt(entry, now=now) or "resolved_by" in entry.answer


def _only_claim(store: Store, first: str) -> tuple[int, dict[str, Any]] | None:
    # Nearly every key has one. Should the listing not show the next one yet, ours cannot be made.
    claim = store.get(first)
    return (0, json.loads(claim)) if claim is not None else None


def _began(store: Store, first: str, now: float) -> float:
    """Return when the life of a key began; ``now`` for one that is not used, and may be in a moment."""
    claim = store.get(first)
    return now if claim is None else epoch(json.loads(claim)["at"])


def _left_over(store: Store, first: str, others: Iterable[str], now: float) -> _Closed | None:
    """Find old claims in the way of a key that began, or may begin, anew. They are read: a listing may be old."""
    began = _began(store, first, now)
    old = [name for name in sorted(others) if (claim := store.get(name)) and is_left_over(json.loads(claim), began)]
    return _Closed([], [], old) if old else None


def _delete(store: Store, keys: list[_Closed]) -> int:
    """Delete what is to go, a kind after the other. Returns how many objects those were."""
    deleted = 0
    for kind in zip(*keys, strict=True):
        names = list(itertools.chain.from_iterable(kind))
        store.once().delete_many(names)
        deleted += len(names)
    return deleted
