"""Who gets no mail any more, by the suppression list: one look at each recipient's own key, never from memory.

A look is a HEAD: nearly nobody is on the list, and an answer without a body costs a third less than a GET's. Only who
is there is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from functions.send.guard.findings import Finding
from shared.edge.log import log
from shared.trail.layout import suppression_key
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.send.office import Office
    from functions.send.request import Recipient
    from shared.trail.store import Store

CHECK = "suppression"
PATIENCE_S = 2.0
"""Seconds that a mail waits for the list."""
IN_PARALLEL_FROM, AT_ONCE = 3, 16
UNREADABLE = "the suppression list could not be read; the mail went out without it"


def check_suppression(
    office: Office, recipients: Sequence[Recipient], patience_s: float
) -> tuple[list[Finding], list[str]]:
    """Return who of ``recipients`` is on the list, and warnings: a list that cannot be read stops no mail."""
    store, now = office.store.within(patience_s), office.clock()
    if len(recipients) < IN_PARALLEL_FROM:
        looks = [_look(store, recipient.address, now) for recipient in recipients]
    else:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - most mails go to one person

        with ThreadPoolExecutor(min(AT_ONCE, len(recipients))) as pool:
            looks = list(pool.map(lambda recipient: _look(store, recipient.address, now), recipients))
    failures = {look.failure for look in looks if look.failure}
    if failures:
        log("WARNING", "suppression list not read", codes=sorted(failures))
    return [
        Finding(CHECK, "recipient_suppressed", recipient.field, f"is on the suppression list: {look.reason}")
        for recipient, look in zip(recipients, looks, strict=True)
        if look.reason
    ], [UNREADABLE] * bool(failures)


class _Look(NamedTuple):
    """Why an address gets no mail, if it does not; what kept us from seeing that."""

    reason: str = ""
    failure: str = ""


_CLEAR = _Look()


def _look(store: Store, address: str, now: float) -> _Look:
    try:
        if not store.has(suppression_key(address)):
            return _CLEAR
        from shared.trail import suppression, suppression_list  # noqa: PLC0415 - rare, and every cold start would pay

        entry = suppression_list.read(store, address)
    except StoreError as error:
        return _Look(failure=error.code)
    except ValueError:
        return _Look(failure="NotAnEntry")
    holds = None if entry is None else suppression.strongest(entry)
    if holds is None or not suppression.is_suppressed(holds, now):
        return _CLEAR
    return _Look(f"{holds.reason}, {'for good' if holds.until is None else f'until {holds.until}'}")
