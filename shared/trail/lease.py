"""Who works on something at the moment, so that two do not do it twice.

COS has no lock and no compare-and-swap, so a lease is a generation that is created only if absent, and says how long
it holds. A holder that died is followed when its time is up. A lease saves work; what must be right may not rest on
it: a holder may be slower than its lease, and clocks differ.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from typing import TYPE_CHECKING, NamedTuple

from shared.trail.generations import find_newest
from shared.trail.layout import lease_key, lease_over_key
from shared.trail.records import VERSION, day_of, encode_line, epoch, iso
from shared.trail.store import Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

LONGEST_S = 3600
"""Seconds that a lease may hold: a function lives 900 at most."""


class Lease(NamedTuple):
    """A lease that is held; ``until`` in epoch seconds."""

    scope: str
    day: str
    generation: int
    until: float


@contextlib.contextmanager
def leased(store: Store, scope: str, *, now: float, ttl_s: float) -> Iterator[Lease | None]:
    """Hold the lease of ``scope`` (``report/compaction``) for a block; None when somebody else has it.

    Raises StoreError from taking it. That it could not be given back is no error: it runs out.
    """
    lease = take(store, scope, now=now, ttl_s=ttl_s)
    try:
        yield lease
    finally:
        if lease is not None:
            with contextlib.suppress(StoreError):
                give_back(store, lease)


def take(store: Store, scope: str, *, now: float, ttl_s: float) -> Lease | None:
    """Take the lease of ``scope``, or return None when somebody else has it. Raises StoreError, ValueError.

    ``now``: epoch seconds; ``ttl_s``: how long it is needed at most.
    """
    if not 0 < ttl_s <= LONGEST_S:
        raise ValueError(f"a lease holds {LONGEST_S} s at most")
    # Generations begin anew each UTC day, so that finding the newest does not grow with the years. Around midnight the
    # holder may be one of the day before.
    day, before = day_of(now, 0), day_of(now - LONGEST_S, 0)
    if day != before and _is_held(store, scope, before, now)[1]:
        return None
    generation, is_held = _is_held(store, scope, day, now)
    if is_held:
        return None
    lease = Lease(scope, day, generation, now + ttl_s)
    return lease if _create(store, lease, now) else None


def extend(store: Store, lease: Lease, *, now: float, ttl_s: float) -> Lease | None:
    """Hold a lease until ``ttl_s`` seconds from now: the next generation; None when somebody else has made that.

    Raises StoreError.
    """
    longer = lease._replace(generation=lease.generation + 1, until=now + ttl_s)
    return longer if _create(store, longer, now) else None


def give_back(store: Store, lease: Lease) -> None:
    """Say that the work is done: the next need not wait until the lease runs out. Raises StoreError."""
    key = lease_over_key(lease.scope, lease.day, lease.generation)
    store.put(key, encode_line({"v": VERSION}), content_type="application/json")


class LostLeaseError(Exception):
    """The lease ran out, and somebody else has taken it: the work is theirs now."""


class Holding:
    """A lease that is held on to for as long as the work goes on, a little at a time: a dead holder is soon followed.

    A context manager that gives it back; that it could not be given back is no error: it runs out.
    """

    def __init__(self, store: Store, lease: Lease, clock: Callable[[], float], ttl_s: float) -> None:
        self._store = store
        self._lease = lease
        self._clock = clock
        self._ttl_s = ttl_s

    def keep_on(self) -> None:
        """Extend the lease when half of its time is over. Raises LostLeaseError and StoreError."""
        now = self._clock()
        if self._lease.until - now > self._ttl_s / 2:
            return
        longer = extend(self._store, self._lease, now=now, ttl_s=self._ttl_s)
        if longer is None:
            raise LostLeaseError(self._lease.scope)
        self._lease = longer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(StoreError):
            give_back(self._store, self._lease)


def hold(store: Store, scope: str, *, clock: Callable[[], float], ttl_s: float) -> Holding | None:
    """Take the lease of ``scope`` to hold on to, or return None when somebody else has it. Raises StoreError."""
    lease = take(store, scope, now=clock(), ttl_s=ttl_s)
    return None if lease is None else Holding(store, lease, clock, ttl_s)


def _create(store: Store, lease: Lease, now: float) -> bool:
    # The nonce makes each holder's bytes its own: a late acknowledgement is told from a rival by them.
    line = {"v": VERSION, "at": iso(now), "until": iso(lease.until), "holder": secrets.token_hex(8)}
    return store.create_if_absent(lease_key(lease.scope, lease.day, lease.generation), encode_line(line))


def _is_held(store: Store, scope: str, day: str, now: float) -> tuple[int, bool]:
    """Return the generation that may be taken next, and whether the one before it still holds."""
    newest, content = find_newest(lambda number: store.get(lease_key(scope, day, number)))
    if content is None:
        return 0, False
    # None is taken for longer than LONGEST_S: one that seems to last longer is of a clock that was ahead.
    if not now < epoch(json.loads(content)["until"]) <= now + LONGEST_S:
        return newest + 1, False
    return newest + 1, store.get(lease_over_key(scope, day, newest)) is None
