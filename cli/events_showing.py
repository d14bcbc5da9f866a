"""One event as a line for people: time, what, who, why. Narrow windows get the parts that matter most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cli.moments import local_time
from cli.terminal import printable

if TYPE_CHECKING:
    from cli.events_reading import Record

_COLOURS = {
    "delivered": "green",
    "opened": "cyan",
    "clicked": "cyan",
    "deferred": "yellow",
    "unsubscribed": "yellow",
    "bounced": "red",
    "rejected": "red",
    "failed": "red",
    "complained": "red",
}
_NARROW = 90
"""Columns below which date and message id are left out."""


def show_event(record: Record, utc_offset_s: int, width: int) -> Text:
    """Return the line of one event, in the account's time; nothing in it can command the terminal."""
    at, kind = local_time(record.get("occurred_at") or "", utc_offset_s), str(record.get("type"))
    narrow = width < _NARROW
    parts = [
        (at[11:] if narrow else at, "dim"),
        (f"{kind:<12}", _COLOURS.get(kind, "")),
        (str(record.get("recipient") or "-"), "bold"),
        (_why(record), ""),
        ("" if narrow else str(record.get("message_id") or "-"), "dim"),
    ]
    line = Text(no_wrap=True)
    for text, style in parts:
        if text:
            line.append(printable(text), style).append(" ")
    line.rstrip()
    return line


def _why(record: Record) -> str:
    """Return what else is worth a glance: class, reason, SMTP codes, link, who seems to have done it."""
    words = [record.get(name) for name in ("class", "reason", "smtp", "enhanced", "link")]
    words += [f"machine:{record['machine']}"] if record.get("machine") else []
    words += [] if record.get("verified") else ["unverified"]
    return " ".join(str(word) for word in words if word)
