"""The Idempotency-Key of one recipient of a batch: made of the batch's key and the address, whatever the order.

Whoever repeats a batch, in another order, in other parts or with more people in it, so repeats nobody's mail.
"""

from __future__ import annotations

import hashlib

PREFIX = "batch."


def derived_key(key: str, address: str) -> str:
    """Return the key of ``address`` in the batch ``key``: ``batch.`` and 64 hex digits, for whatever case of letters.

    A hash, because a key may hold personal data and an address does; and so nobody chooses such a key by accident.
    """
    # A key has no line break in it, so the two cannot run into one another.
    return PREFIX + hashlib.sha256(f"mailtrail-batch\n{key}\n{address.lower()}".encode()).hexdigest()
