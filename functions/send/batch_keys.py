"""The Idempotency-Key of one recipient of a batch: made of the batch's key and the address, whatever the order.

Whoever repeats a batch, in another order, in other parts or with more people in it, so repeats nobody's mail.
"""

from __future__ import annotations

import hashlib

PREFIX = "batch."


def derived_key(key: str, address: str) -> str:
    """Return the key of ``address`` in the batch ``key``: ``batch.`` and 64 hex digits; the case of letters is no matter.

    A hash, because a key may hold personal data and an address does; and so no key that a caller chooses by himself.
    """
    # A key has no line break in it, so the two cannot run into one another.
    return PREFIX + hashlib.sha256(f"mailtrail-batch\n{key}\n{address.lower()}".encode()).hexdigest()
