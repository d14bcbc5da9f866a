"""Points in time as text: ISO 8601 in UTC."""

from __future__ import annotations

from datetime import datetime, timezone


def iso_utc(at: float) -> str:
    """Write epoch seconds as ``2026-11-21T00:00:00Z``; the fraction is cut off."""
    return datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> float:
    """Read ISO 8601 with a zone into epoch seconds. Raises ValueError without a zone, or when it is not a time."""
    # Python 3.10's fromisoformat does not know the Z.
    moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment.timestamp()
