"""An attempt that nobody heard of: noted for the timer, and looked into when somebody asks, where that costs little.

What proves what is in shared/trail/evidence.py; the snapshot timer looks into those that nobody asks about.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from functions.send import ledger
from functions.send.guard import admission
from shared.edge.log import log
from shared.trail.evidence import ASK_AFTER_S, NOT_ACCEPTED_AFTER_S
from shared.trail.records import epoch
from shared.trail.store import StoreError
from shared.upstream.errors import UpstreamError
from shared.upstream.signing import callback_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.office import Office
    from shared.trail.evidence import Attempt
    from shared.trail.inquiry import Desk

LOOK_AFTER_S = 60
"""Seconds after the attempt before which there is nothing to be found."""
LOOK_EVERY_S = 30
"""Seconds between two looks at one key from one instance, however often its caller asks."""
MOST_OBJECTS, MOST_PEOPLE = 300, 5
"""What is looked at while somebody waits: objects of events, recipients. More is the timer's."""
TIME_TO_ANSWER_S = 2.0
_looked_at: dict[str, float] = {}


def note(office: Office, attempt: Attempt, line: Mapping[str, Any], *, has_key: bool = True) -> None:
    """Note for the timer that the outcome is unknown. A failure is logged: whoever asks for the key notes it again."""
    from shared.trail.resolution import note_doubt  # noqa: PLC0415 - rare, and every cold start would pay

    try:
        offset_s = office.settings.utc_offset_s
        note_doubt(office.briefly(), attempt, line, utc_offset_s=offset_s, has_key=has_key)
    except StoreError as error:
        log("ERROR", "doubt not noted", key_sha256=attempt.key_sha256, code=error.code)


def look_into(office: Office, key_sha256: str, entry: ledger.Entry, line: Mapping[str, Any] | None = None) -> bool:
    """Look into an entry that is in doubt; whether the ledger knows more now. Never raises for what others failed at.

    ``line``: of the send, where the mail is at hand.
    """
    now = office.clock()
    attempt = ledger.attempt_in(entry, key_sha256)
    if (
        not ledger.is_in_doubt(entry, now=now)
        or now - attempt.at < LOOK_AFTER_S
        or not _is_due(office.settings.world + key_sha256, now)
    ):
        return False
    from shared.trail.inquiry_limits import LookedTooFarError  # noqa: PLC0415 - as above
    from shared.trail.resolution import resolve_one  # noqa: PLC0415 - as above

    try:
        return resolve_one(_desk(office, now), attempt, line)
    except (StoreError, LookedTooFarError) as error:
        log(
            "INFO", "doubt left to the timer", key_sha256=key_sha256, code=getattr(error, "code", "too much to look at")
        )
        return False


def retry_after_s(entry: ledger.Entry, now: float) -> int:
    """Return the seconds after which more may be known: of a mail that is out soon, of one that is not later."""
    age_s = now - epoch(entry.claim["at"])
    after_s = next((at - age_s for at in (LOOK_AFTER_S, ASK_AFTER_S, NOT_ACCEPTED_AFTER_S) if age_s < at), 900)
    return math.ceil(after_s)


def _is_due(key_sha256: str, now: float) -> bool:
    """Whether this instance has not just looked; a caller that asks in a loop must not use up SES's rate."""
    if 0 <= now - _looked_at.get(key_sha256, now - LOOK_EVERY_S) < LOOK_EVERY_S:
        return False
    if len(_looked_at) > 1000:
        _looked_at.clear()
    _looked_at[key_sha256] = now
    return True


def _desk(office: Office, now: float) -> Desk:
    from shared.trail.inquiry import Desk  # noqa: PLC0415 - as above

    def left_s() -> float:
        return office.time_left_s() - TIME_TO_ANSWER_S

    def ask(day: str, recipient: str, offset: int) -> list[dict[str, Any]] | None:
        try:
            return office.ses.get_send_email_status(day, offset=offset, recipient=recipient)
        except UpstreamError as error:
            log("INFO", "status not told", code=error.code)
            admission.instance.heed(error)
            return None

    store = office.store.within(max(0.0, left_s()))
    return Desk(store, office.settings.utc_offset_s, now, ask, callback_reference, left_s, MOST_OBJECTS, MOST_PEOPLE)
