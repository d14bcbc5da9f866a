"""Who was turned away on a day, and whether events can be proven at all: what the other numbers may be believed by."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from shared.trail.layout import refused_prefix

if TYPE_CHECKING:
    from shared.trail.store import Store


def count_refused(store: Store, day: str) -> dict[str, Any]:
    """Add up the day's refused callbacks, as each webhook instance counted its own. Raises StoreError.

    A lower bound: in a flood an instance writes every ten seconds, and what it had not written at its end is missing.
    """
    counts: Counter[str] = Counter()
    for _, body in store.read_many(store.iterate(refused_prefix(day))):
        counts.update(json.loads(body)["counts"] if body else {})
    return {"total": counts.total(), "by_reason": dict(counts.most_common())}


def read_refusal(store: Store, key: str) -> dict[str, Any] | None:
    """Return when SES last refused headers of ours (``at code request_id``). Raises StoreError.

    ``key``: ``CALLBACK_TOKEN_REFUSED_KEY`` or ``UNSUBSCRIBE_REFUSED_KEY`` of ``layout``.
    """
    body = store.get(key)
    if body is None:
        return None
    line = json.loads(body)
    return {name: line[name] for name in ("at", "code", "request_id")}
