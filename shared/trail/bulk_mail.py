"""When bulk tasks of ours may write to somebody: a status row does not say whether it is a task's.

Whom a task is to is known to SES alone, and how long it takes to nobody. So every task counts that had begun and may
not have ended; one that repeats itself counts for ever. All of it stands in the names of objects, those that are over
first: a look is one listing, however many tasks there were.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from shared.trail.layout import bulk_mail_key, bulk_mail_prefix
from shared.trail.records import VERSION, day_of, encode_line, epoch, iso
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.trail.store import Store

RECURRING = 3
"""TaskType."""
LASTS_S = 3 * 86400
"""Seconds for which a task may be at work: what goes beyond a day's quota SES sends on the next."""
ZONES_S = 16 * 3600
"""What the zone may be off by in which SES took its time of beginning."""
CLOCKS_S = 300
_FOR_EVER = "9999-12-31"


def note_task(store: Store, told: Mapping[str, Any], *, at: float) -> None:
    """Note, before a task is made, when it may write. Raises StoreError.

    ``told``: its ``sender`` (a bare address), ``task_type`` and ``begins_at``; ``at``: epoch seconds.
    """
    store.put(_key(told, at), _line(told, at), content_type="application/json")


def forget_task(store: Store, told: Mapping[str, Any], *, at: float) -> None:
    """Forget a task that SES never had: one that repeats itself would count for ever. Raises StoreError."""
    store.delete(_key(told, at))


def _line(told: Mapping[str, Any], at: float) -> bytes:
    return encode_line({"v": VERSION, "at": iso(at), **told})


def _key(told: Mapping[str, Any], at: float) -> str:
    begins = epoch(told["begins_at"]) if told.get("begins_at") else at
    since = max(at, begins - ZONES_S) - CLOCKS_S if told.get("begins_at") else at - CLOCKS_S
    last_day = _FOR_EVER if told.get("task_type") == RECURRING else day_of(begins + ZONES_S + LASTS_S, 0)
    name = hashlib.sha256(_line(told, at)).hexdigest()[:16]
    return bulk_mail_key(told["sender"], last_day, int(since), name)


def may_have_written(store: Store, sender: str, at: float) -> bool:
    """Whether a task of ``sender``, a bare address, may have been at work at a time.

    A bucket that does not tell is no proof that there was none.
    """
    prefix = bulk_mail_prefix(sender)
    try:
        return any(
            _has_begun(entry.key[len(prefix) :], at) for entry in store.iterate(prefix, after=prefix + day_of(at, 0))
        )
    except StoreError:
        return True


def _has_begun(name: str, at: float) -> bool:
    _, _, since_and_name = name.partition("_")
    since_s = since_and_name.partition("_")[0]
    return not since_s.isdecimal() or int(since_s) <= at
