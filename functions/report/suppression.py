"""A day's events applied to the suppression list, each once; and what the report says of it.

The entries are written before the note of which events they hold, so a run that broke off is repeated by the next, and
merging the same event again changes nothing. An event that is noted is not looked at again: when somebody erases an
entry, the events that made it do not bring it back.
"""

from __future__ import annotations

import functools
import json
import os
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.edge.clock import clock
from shared.edge.log import log
from shared.trail import suppression_list
from shared.trail.layout import SUPPRESSION_PREFIX, applied_key
from shared.trail.lease import leased
from shared.trail.records import VERSION
from shared.trail.store import StoreError
from shared.trail.suppression import REASONS, Entry, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.trail.store import Store

BUDGET_S = 60
"""How long one day may take in one run; what is left is the next run's."""
COUNTED = 100_000
"""Entries that the report counts at most: a hundred listings."""
_LEASE_S = 2 * BUDGET_S
_AT_ONCE = 16
_BATCH = 1000


def apply_day(store: Store, day: str, told: Sequence[Entry]) -> dict[str, Any]:
    """Merge ``told``, entries of one cause each that events of ``day`` make, into the list; return the report's member.

    ``pending``: events that the list does not know yet, because somebody else holds the list, COS failed or the time
    was up. That is logged, not raised: the report is written all the same.
    """
    pending, code = len(told), ""
    try:
        pending = _apply(store, day, told)
    except StoreError as error:
        code = error.code
    if pending:
        log("WARNING", "suppression pending", day=day, events=pending, code=code)
    entries = sum(1 for _ in islice(store.iterate(SUPPRESSION_PREFIX), COUNTED + 1))
    return {
        "addresses": len({entry.address for entry in told}),
        "by_reason": _by_reason(told),
        "entries": min(entries, COUNTED),
        "entries_complete": entries <= COUNTED,
        "pending": pending,
    }


def _by_reason(told: Iterable[Entry]) -> dict[str, int]:
    """Count distinct addresses by what the day's events say against them."""
    counts = Counter(reason for _, reason in {(entry.address, entry.causes[0].reason) for entry in told})
    return {reason: counts[reason] for reason in REASONS if counts[reason]}


def _apply(store: Store, day: str, told: Sequence[Entry]) -> int:
    if not told:
        return 0
    applied = set(json.loads(store.get(applied_key(day)) or b"{}").get("event_ids", ()))
    fresh = [entry for entry in told if _event_id(entry) not in applied]
    if not fresh:
        return 0
    now = clock(os.environ)()  # reading the day took its time, and a lease runs from when it is taken
    with leased(store, suppression_list.SCOPE, now=now, ttl_s=_LEASE_S) as lease:
        if lease is None:
            return len(fresh)
        done = _merge_all(store.within(BUDGET_S), fresh)
        if done:
            note = {"v": VERSION, "event_ids": sorted(applied | done)}
            store.put(applied_key(day), json.dumps(note).encode(), content_type="application/json")
    return len(fresh) - len(done)


def _merge_all(store: Store, fresh: Iterable[Entry]) -> set[str]:
    """Merge entries into the list; return the ids of the events that it knows now."""
    by_address: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in fresh:
        by_address[entry.address].append(entry)
    done: set[str] = set()
    failures: Counter[str] = Counter()
    waiting = iter(by_address.values())
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while batch := list(islice(waiting, _BATCH)):
            for entries, failure in zip(batch, pool.map(functools.partial(merge_one, store), batch), strict=True):
                failures.update([failure])
                done.update(map(_event_id, entries if not failure else ()))
    for failure, count in failures.items():
        if failure:
            log("WARNING", "suppression entries not written", code=failure, entries=count)
    return done


def merge_one(store: Store, entries: list[Entry]) -> str:
    """Merge entries of one address into its own; return why that failed, or nothing."""
    try:
        suppression_list.add(store, functools.reduce(merge, entries))
    except StoreError as error:
        return error.code
    except ValueError:  # somebody's own file lies under this key: it is theirs
        return "NotAnEntry"
    return ""


def _event_id(entry: Entry) -> str:
    return entry.causes[0].event_id or ""
