"""One callback object -> one event record, or why it is not one.

SES: https://www.tencentcloud.com/document/product/1084/39492 (2025-10-30; 2024-03-29 is seed 004).
SendCloud: https://www.sendcloud.net/doc/en_US/email_v2/webhook/ and https://docs.aurorasendcloud.com/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.webhook.body import UnreadableError, by_lower_name, load_json
from shared.trail.bounce import Diagnosis, diagnose, refine
from shared.trail.records import VERSION, Event, canonical_json, event_id, iso, plausible_epoch
from shared.trail.vocabulary import SENDCLOUD_EVENTS, UNKNOWN, Meaning, ses_event
from shared.upstream.signing import is_callback_token, parse_callback_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DELIVERY_TROUBLE = frozenset({"bounced", "rejected", "deferred"})
_ENGAGED = frozenset({"opened", "clicked", "unsubscribed"})
_MOST_TEXT = 4096
"""Characters of a reason that are read for what they mean; every rule goes over them."""
_MOST_SPLIT_BYTES = 8 * 1024 * 1024
"""What the recipients of one ``request`` may come to, each with all that is not about recipients."""
_TOKEN_HEADER = "x-tencentcloudses-cb-custom"  # noqa: S105 - a header's name


class NotAnEventError(ValueError):
    """The object is not an event that can be kept as one; it belongs in quarantine."""


class Fact(NamedTuple):
    """An event record with the time that decides where it lies (epoch seconds)."""

    occurred_s: float
    record: Event


class _Parts(NamedTuple):
    """What the two providers' objects have in common."""

    source: str
    name: str
    meaning: Meaning
    text: str
    occurred_s: float
    message_id: str | None
    recipient: str | None
    link: str | None


def adapt_ses(raw: Any, *, received_s: float, token_keys: Sequence[str]) -> list[Fact]:
    """Return the one event that an SES callback object tells. Raises NotAnEventError.

    Names are read in any case: the pages say ``bulkid``, their samples ``bulkId``.
    """
    fields = _fields(raw)
    name, text = _text(fields, "event") or "", _text(fields, "reason") or ""
    parts = _Parts(
        source="ses",
        name=name,
        meaning=ses_event(name, _text(fields, "bouncetype") or ""),
        text=text,
        occurred_s=_time(fields),
        message_id=_text(fields, "bulkid"),
        recipient=_text(fields, "email"),
        link=_text(fields, "link"),
    )
    verified, metadata = _verify(fields, parts.recipient, token_keys)
    record = _record(parts, raw, received_s)
    record |= {"verified": verified, "metadata": metadata}
    record |= {"template_id": _whole(fields.get("templateid")), "task_id": _text(fields, "taskid")}
    return [Fact(parts.occurred_s, record)]


def adapt_sendcloud(raw: Any, *, received_s: float, verified: bool) -> list[Fact]:
    """Return the events that a SendCloud callback tells; ``verified``: its HMAC was right. Raises NotAnEventError.

    A ``request`` tells of all its recipients at once, in ``recipientArray`` and ``emailIds``: an event for each.
    """
    fields = _fields(raw)
    recipients, ids = _list(fields.get("recipientarray")), _list(fields.get("emailids"))
    if fields.get("recipient") or not recipients or len(ids) != len(recipients):
        return [_adapt_sendcloud_one(raw, fields, received_s=received_s, verified=verified)]
    if len(recipients) * len(canonical_json(_only(raw, None, None))) > _MOST_SPLIT_BYTES:
        raise NotAnEventError("too much for so many recipients")
    return [
        _adapt_sendcloud_one(
            _only(raw, to, email_id),
            fields | {"recipient": to, "emailid": email_id},
            received_s=received_s,
            verified=verified,
        )
        for to, email_id in zip(recipients, ids, strict=True)
    ]


def _only(raw: Mapping[str, Any], recipient: Any, email_id: Any) -> dict[str, Any]:
    """Return the object as if it told of one recipient: each with all the others would grow with their square."""
    one = {"recipientarray": [recipient], "emailids": [email_id]}
    return {name: one.get(str(name).lower(), value) for name, value in raw.items()}


def _adapt_sendcloud_one(raw: Any, fields: Mapping[str, Any], *, received_s: float, verified: bool) -> Fact:
    name = _text(fields, "event") or ""
    parts = _Parts(
        source="sendcloud",
        name=name,
        meaning=SENDCLOUD_EVENTS.get(name, UNKNOWN),
        text=_text(fields, "message") or _text(fields, "reason") or "",
        occurred_s=_time(fields),
        message_id=_text(fields, "emailid") or _text(fields, "messageid"),
        recipient=_text(fields, "recipient"),
        link=_text(fields, "url"),
    )
    record = _record(parts, raw, received_s)
    record |= {"verified": verified, "metadata": _user_headers(fields.get("userheaders"))}
    record |= {"task_id": _text(fields, "maillisttaskid") or _text(fields, "mail_list_task_id")}
    return Fact(parts.occurred_s, record)


def _record(parts: _Parts, raw: Any, received_s: float) -> Event:
    meaning, diagnosis = parts.meaning, Diagnosis(None, None)
    if meaning.type in _DELIVERY_TROUBLE:
        text = parts.text[:_MOST_TEXT]
        diagnosis = diagnose(text)
        meaning = refine(meaning, text, diagnosis)
    occurred_at = iso(parts.occurred_s)
    # Two unlisted events of one second are two events: their own names tell them apart.
    kind = meaning.type if meaning is not UNKNOWN else f"unknown:{parts.name}"
    record: Event = {
        "v": VERSION,
        "event_id": event_id(parts.source, parts.message_id, parts.recipient, kind, occurred_at, parts.link),
        "source": parts.source,
        "type": meaning.type,
        "class": meaning.class_,
        "reason": meaning.reason,
        "fault": meaning.fault,
        "message_id": parts.message_id,
        "recipient": parts.recipient,
        "occurred_at": occurred_at,
        "received_at": iso(received_s),
        "verified": False,
        "machine": None,
        "smtp": diagnosis.smtp,
        "enhanced": diagnosis.enhanced,
        "link": parts.link,
        "template_id": None,
        "task_id": None,
        "metadata": None,
        "raw": raw,
    }
    if meaning.type in _ENGAGED:
        from shared.trail.machine import machine_of  # noqa: PLC0415 - most events are deliveries and need no table

        record["machine"] = machine_of(record)
    return record


def _fields(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise NotAnEventError("not a JSON object")
    fields = by_lower_name(raw)
    if not isinstance(fields.get("event"), str) or not fields["event"]:
        raise NotAnEventError("no event name")
    return fields


def _time(fields: Mapping[str, Any]) -> float:
    occurred_s = plausible_epoch(fields.get("timestamp"))
    if occurred_s is None:
        raise NotAnEventError("no timestamp")
    return occurred_s


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _whole(value: Any) -> int | None:
    try:
        number = None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    # Readers of the trail have no type for more than 64 bits; raw has it all.
    return number if number is not None and -(2**63) <= number < 2**63 else None


def _verify(
    fields: Mapping[str, Any], recipient: str | None, keys: Sequence[str]
) -> tuple[bool, dict[str, str] | None]:
    """Check our token, where there is one. Raises NotAnEventError for one that is forged or of another mail.

    Others who send from this account may use the header for data of their own; what does not look like a token of
    ours is theirs, and proves nothing.
    """
    token = fields.get(_TOKEN_HEADER)
    if not keys or not isinstance(token, str) or not is_callback_token(token):
        return False, None
    try:
        content = parse_callback_token(keys, token)
    except ValueError as error:
        raise NotAnEventError("a callback token that is not ours") from error
    if recipient is None:  # a token says whose events it proves; this one is nobody's
        return False, None
    if not content.covers(recipient):
        raise NotAnEventError("a callback token of a mail that did not go to this recipient")
    return True, content.metadata


def _list(value: Any) -> list[Any]:
    """Return a list, also one that a form carries as JSON text."""
    try:
        found = load_json(value) if isinstance(value, str) else value
    except UnreadableError:
        return []
    return found if isinstance(found, list) else []


def _user_headers(value: Any) -> dict[str, str] | None:
    try:
        headers = load_json(value) if isinstance(value, str) else value
    except UnreadableError:
        return None
    return {str(k): str(v) for k, v in headers.items()} if isinstance(headers, dict) else None
