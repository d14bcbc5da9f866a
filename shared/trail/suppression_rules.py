"""Which events put their recipient on the suppression list, and for how long. One table. Pure.

Only what is the recipient's own: an address that does not exist, a complaint, an unsubscribe. A block of our address, a
spam verdict, a failed signature, a full mailbox or a network that is down says nothing of the recipient
(https://github.com/hyvor/relay/issues/258), whatever code stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.records import epoch, event_id, iso
from shared.trail.suppression import Cause, Entry, entry, moment

if TYPE_CHECKING:
    from collections.abc import Mapping


class Rule(NamedTuple):
    """What an event causes: one of ``suppression.REASONS``, for ``days`` or for good (None)."""

    reason: str
    days: int | None = None


_HARD_BOUNCES = {
    "invalid_recipient": Rule("hard_bounce"),
    "bad_domain": Rule("hard_bounce"),
    "invalid_address": Rule("hard_bounce"),
    "inactive_mailbox": Rule("hard_bounce", 90),  # people come back, and providers open mailboxes again
}
"""Bounced, hard, the recipient's fault: by reason."""
_OTHER_HARD_BOUNCE = Rule("hard_bounce", 30)
_REJECTIONS = {
    "unsubscribed": Rule("unsubscribe"),  # the provider knows of an unsubscribe that we may not
    "invalid_address": Rule("hard_bounce"),  # no server was asked, and none would take it
}
"""Rejected by the provider itself. ``suppressed`` is not here: why the address is on its list, it does not say."""
_SOFT_NO_SUCH_ADDRESS = Rule("soft_bounce", 30)  # SendCloud's 506; the second within 30 days holds for good
_SAID_BY_THE_RECIPIENT = {"complained": Rule("complaint"), "unsubscribed": Rule("unsubscribe")}


def rule_for(record: Mapping[str, Any]) -> Rule | None:
    """Return what an event record causes; None for all that is not the recipient's own."""
    kind, class_, reason = record["type"], record["class"], record["reason"] or ""
    if kind in _SAID_BY_THE_RECIPIENT:
        return _SAID_BY_THE_RECIPIENT[kind]
    if record["fault"] != "recipient":
        return None
    if kind == "rejected":
        return _REJECTIONS.get(reason)
    if kind != "bounced":
        return None
    if class_ == "hard":
        return _HARD_BOUNCES.get(reason, _OTHER_HARD_BOUNCE)
    # SES and others call soft what a server says while it is still looking an address up.
    is_no_address = class_ == "soft" and reason == "invalid_recipient" and _is_of_sendcloud(record)
    return _SOFT_NO_SUCH_ADDRESS if is_no_address else None


def _is_of_sendcloud(record: Mapping[str, Any]) -> bool:
    """Whether SendCloud says so, in a callback or in a row that an event was filled in from."""
    if record["source"] != "status":
        return bool(record["source"] == "sendcloud")
    raw = record.get("raw")
    return isinstance(raw, dict) and "emailId" in raw


FLAGS = ("complained", "unsubscribed")
"""What a status row says that its recipient did."""


def entry_of_flag(row: Mapping[str, Any], flag: str) -> Entry | None:
    """Return the entry that a flag of a status row makes of its recipient, or None; for where no event told.

    A row does not say when. Its delivery, or its request, was before that: who was taken off the list since stays off.
    """
    address, rule = (row["recipient"] or "").strip(), _SAID_BY_THE_RECIPIENT[flag]
    if not address or not row[flag]:
        return None
    since = row["delivered_at"] or row["requested_at"] or row["fetched_at"]
    identity = event_id("status", row["message_id"], address, flag, since, None)
    cause = Cause(since, rule.reason, None, "status", identity, row["message_id"])
    return entry(address, [cause])


def entry_of(record: Mapping[str, Any]) -> Entry | None:
    """Return the entry that one event makes of its recipient, never of the mail's other recipients; or None."""
    rule = rule_for(record)
    address = (record["recipient"] or "").strip()
    if rule is None or not address:
        return None
    # A time that is yet to come would outlast every removal.
    since = min(record["occurred_at"], record["received_at"], key=moment)
    cause = Cause(
        since=since,
        reason=rule.reason,
        until=None if rule.days is None else iso(epoch(since) + rule.days * 86400),
        source=record["source"],
        event_id=record["event_id"],
        message_id=record["message_id"],
        detail=record["reason"],
        machine=record.get("machine"),
    )
    return entry(address, [cause])
