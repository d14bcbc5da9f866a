"""Claims whose function died before it wrote what came of them: found in a listing, and noted for the snapshot timer.

Nobody asks about them, else the send function would have noted them. The walk over the ledger (expiry.py) lists every
name anyway, and a claim without an outcome is told by names alone. LIST may lag: an outcome that it does not show makes
a note too many, which the timer takes away.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from shared.trail.evidence import attempt_of
from shared.trail.layout import claim_key
from shared.trail.ledger import CLAIMED, LONGEST_LIFE_S
from shared.trail.records import epoch
from shared.trail.resolution import GIVE_UP_AFTER_S, note_doubt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.report.maintenance import Work
    from shared.trail.store import Entry

DEAD_AFTER_S = LONGEST_LIFE_S + 900
"""Seconds after which who made a claim is dead for sure, clocks and listings included."""
_NAME = re.compile(r".*/(claim|outcome|resolved|abandoned)-([0-9]+)(?:-[0-9a-f]+)?\.json")


def dead_claim(objects: Iterable[Entry], now: float) -> int | None:
    """Return the generation of a key's newest claim when nothing says what came of it and its function is dead."""
    found = [(match[1], int(match[2]), each.modified_at) for each in objects if (match := _NAME.fullmatch(each.key))]
    claims = [(number, at) for kind, number, at in found if kind == "claim"]
    if not claims:
        return None
    newest, at = max(claims)
    has_outcome = any(number == newest for kind, number, _ in found if kind != "claim")
    age_s = now - epoch(at)
    return newest if not has_outcome and DEAD_AFTER_S < age_s < GIVE_UP_AFTER_S else None


def note_dead_claim(work: Work, key_sha256: str, generation: int) -> bool:
    """Note that nobody knows what came of it; False when it is no claim to send any more. Raises StoreError."""
    claim = json.loads(work.store.get(claim_key(key_sha256, generation)) or b"{}")
    if claim.get("state") != CLAIMED:
        return False
    attempt = attempt_of(key_sha256, generation, claim, epoch(claim["at"]))
    note_doubt(work.store, attempt, None, utc_offset_s=work.utc_offset_s)
    return True
