"""Somebody unsubscribed by the link in a mail: onto the suppression list, durable when this returns.

Two objects. The entry of the list acts at once, wherever there was none. A note beside it (an entry of that one cause)
makes it last: who changes the list reads and overwrites whole entries, so what was created in between may go again; the
report timer merges every note under the list's lease and only then deletes it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from shared.trail import suppression_list
from shared.trail.layout import suppression_key, unsubscribed_key
from shared.trail.lease import leased
from shared.trail.records import iso
from shared.trail.suppression import Cause, Entry, encode, entry, standing, strongest

if TYPE_CHECKING:
    from shared.trail.store import Store

SOURCE = "one-click"
_LEASE_S = 15.0
"""Longer than the webhook lives."""


def entry_of_unsubscribe(address: str, *, sender_domain: str, sent_s: float, at: float) -> Entry:
    """Return the entry of one unsubscribe, at ``at``, by the link in a mail of ``sender_domain`` sent at ``sent_s``."""
    note = f"by the link in a mail of {iso(sent_s)}"
    return entry(address, [Cause(iso(at), "unsubscribe", None, SOURCE, detail=sender_domain, note=note)])


def unsubscribe(store: Store, fresh: Entry, *, at: float) -> bool:
    """Put ``fresh`` on the list; False when it says already what ``fresh`` says. ``at``: epoch seconds, now.

    Raises StoreError, and ValueError when somebody's own file lies where the entry belongs: it may not have happened.
    """
    if store.offer(suppression_key(fresh.address), encode(fresh)):
        _put_note(store, fresh)
        return True
    try:
        known = suppression_list.read(store, fresh.address)
    except ValueError:
        _put_note(store, fresh)  # for when whose file it is takes it away
        raise
    if known is not None and (said := _said_before(known, fresh.causes[0])):
        _put_note(store, entry(fresh.address, [said]))  # ours, acknowledged late, or of a request that died before it
        return False
    _put_note(store, fresh)
    # What holds for good by another cause can wait for the report.
    if known is None or (holds := strongest(known)) is None or holds.until is not None:
        _add_at_once(store, fresh, at)
    return True


def _said_before(known: Entry, cause: Cause) -> Cause | None:
    """Return the first cause that says the same of the same sender and was not taken back."""
    said = (cause.reason, cause.source, cause.detail)
    return next((each for each in standing(known) if (each.reason, each.source, each.detail) == said), None)


def _put_note(store: Store, fresh: Entry) -> None:
    body = encode(fresh)
    store.put_once(unsubscribed_key(hashlib.sha256(body).hexdigest()), body, content_type="application/json")


def _add_at_once(store: Store, fresh: Entry, at: float) -> None:
    """Merge into an entry that holds for a while or not at all, unless somebody is changing the list just now."""
    with leased(store, suppression_list.SCOPE, now=at, ttl_s=_LEASE_S) as lease:
        if lease is not None:
            suppression_list.add(store, fresh)
