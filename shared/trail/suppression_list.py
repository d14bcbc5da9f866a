"""The suppression list in the bucket: one object an address, read and changed by key.

COS has no compare-and-swap, so who changes entries (the report timer, the command) holds the lease ``SCOPE``. The
webhook only creates what is absent. What it created and another overwrote comes back: the report timer merges every
event of its days until it has noted the event as applied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.trail.layout import SUPPRESSION_PREFIX, suppression_key
from shared.trail.suppression import Entry, encode, merge, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.trail.store import Store

SCOPE = "report/suppression"
"""What the lease is taken for (shared/trail/lease.py)."""


def read(store: Store, address: str) -> Entry | None:
    """Return the entry of ``address``, or None. Raises StoreError, and ValueError for an object that is no entry."""
    body = store.get(suppression_key(address))
    return None if body is None else parse(body)


def write(store: Store, known: Entry) -> None:
    """Write an entry whole. Raises StoreError."""
    store.put(suppression_key(known.address), encode(known), content_type="application/json")


def add(store: Store, fresh: Entry) -> bool:
    """Merge ``fresh`` into what is known of its address; False when that says it all already.

    Raises StoreError, and ValueError for an object that is no entry: it is left as it is.
    """
    known = read(store, fresh.address)
    merged = fresh if known is None else merge(known, fresh)
    if merged == known:
        return False
    write(store, merged)
    return True


def iter_entries(store: Store) -> Iterator[tuple[str, Entry | None]]:
    """Yield the key of every object of the list with its entry, None for one that is no entry. Raises StoreError.

    LIST may lag: what was written within the last minute may be missing.
    """
    for listed, body in store.read_many(store.iterate(SUPPRESSION_PREFIX)):
        if body is None:
            continue
        try:
            yield listed.key, parse(body)
        except ValueError:
            yield listed.key, None
