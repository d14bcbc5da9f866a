"""Who gets no mail any more, by the suppression list: one look at each recipient's own key, never from memory.

A look is a HEAD: nearly nobody is on the list, and an answer without a body costs a third less than a GET's. Only who
is there is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.send.guard.findings import Finding
from shared.edge.log import log
from shared.trail.layout import suppression_key
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.send.request import Recipient
    from functions.send.service import Office
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

    def reason(recipient: Recipient) -> str | None:
        return _reason(store, recipient.address, now)

    try:
        if len(recipients) < IN_PARALLEL_FROM:
            reasons = [reason(recipient) for recipient in recipients]
        else:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - most mails go to one person

            with ThreadPoolExecutor(min(AT_ONCE, len(recipients))) as pool:
                reasons = list(pool.map(reason, recipients))
    except StoreError as error:
        log("WARNING", "suppression list not read", operation=error.operation, code=error.code)
        return [], [UNREADABLE]
    except ValueError:
        log("WARNING", "suppression list not read", operation="parse", code="not an entry")
        return [], [UNREADABLE]
    return [
        Finding(CHECK, "recipient_suppressed", recipient.field, f"is on the suppression list: {told}")
        for recipient, told in zip(recipients, reasons, strict=True)
        if told
    ], []


def _reason(store: Store, address: str, now: float) -> str | None:
    """Return why ``address`` gets no mail, or None. Raises StoreError, and ValueError for what is no entry."""
    if not store.has(suppression_key(address)):
        return None
    from shared.trail import suppression, suppression_list  # noqa: PLC0415 - rare, and every cold start would pay

    entry = suppression_list.read(store, address)
    holds = None if entry is None else suppression.strongest(entry)
    if holds is None or not suppression.is_suppressed(holds, now):
        return None
    return f"{holds.reason}, {'for good' if holds.until is None else f'until {holds.until}'}"
