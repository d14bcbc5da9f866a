"""What mutations start from: the bodies and events of events/, the vendors' samples, the inputs that once broke us."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.event_files import SAMPLES, iter_events

CRASHERS = Path(__file__).resolve().parent / "crashers"


def bodies() -> list[bytes]:
    """Read the bodies of the webhook's events, as bytes, and the samples of the vendors' pages."""
    found = {path.read_bytes() for path in sorted((SAMPLES / "callback").glob("*.json"))}
    for _, event in iter_events("webhook"):
        content = event.get("payload", event.get("body")) or ""
        if not isinstance(content, str):
            content = json.dumps(content)
        encoded = str(event.get("isBase64Encoded")).lower() == "true"
        found.add(base64.b64decode(content) if encoded else content.encode())
    return sorted(found)


def events() -> list[bytes]:
    """Read the webhook's events as the platform hands them over."""
    return [json.dumps(event).encode() for _, event in iter_events("webhook")]


def crashers(target: str) -> list[Path]:
    """Name the inputs that once broke ``target``, ``body`` or ``event``, whoever found them; each stays a test."""
    return sorted(CRASHERS.glob(f"{target}-*"))
