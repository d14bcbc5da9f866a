"""Every object key, in one place. ``D`` is a day of the account's zone, of the event's own time.

The days are Hive partitions (``dt=``, ``hour=``), which DuckDB, Spark and their like read as columns.
"""

from __future__ import annotations

import hashlib
import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._@=+-]|\.(?=\.|$)")  # no ".." either, nor with what follows


def _name(text: str) -> str:
    """Make a key segment of an id that came from outside: short, printable, and one to one where it was already so."""
    cleaned = _UNSAFE.sub("_", text)
    if cleaned == text and 0 < len(text) <= 200:
        return text
    return f"{cleaned[:100]}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def send_key(day: str, message_id: str) -> str:
    """Return the key of the line of one accepted send."""
    return f"sends/dt={day}/{_name(message_id)}.jsonl"


def claim_key(key_sha256: str, generation: int) -> str:
    """Return the key that says who may send for an idempotency key; created only if absent."""
    return f"ledger/send/{key_sha256}/claim-{generation}.json"


def outcome_key(key_sha256: str, generation: int) -> str:
    """Return the key that says what came of that generation's claim."""
    return f"ledger/send/{key_sha256}/outcome-{generation}.json"


def abandoned_key(key_sha256: str, generation: int, nonce: str) -> str:
    """Return the key that says that the claim of this nonce was never used."""
    return f"ledger/send/{key_sha256}/abandoned-{generation}-{nonce}.json"


def event_key(day: str, hour: str, sha256: str) -> str:
    """Return the key of the events of one callback that fall into one hour."""
    return f"events/dt={day}/hour={hour}/{sha256}.jsonl"


def events_prefix(day: str) -> str:
    """Return the prefix of a day's events, raw and merged."""
    return f"events/dt={day}/"


def sends_prefix(day: str) -> str:
    """Return the prefix of a day's accepted sends."""
    return f"sends/dt={day}/"


def quarantine_key(day: str, sha256: str) -> str:
    """Return the key of a callback that was not understood."""
    return f"quarantine/dt={day}/{sha256}.json"


def quarantine_prefix(day: str) -> str:
    """Return the prefix of what was not understood on a day."""
    return f"quarantine/dt={day}/"


def part_key(source: str, day: str, pass_number: int, part: int) -> str:
    """Return the key of one part of one pass over a day's rows. ``source``: ``status`` or ``sendcloud``."""
    return f"{source}/dt={day}/pass={pass_number}/part-{part:05d}.jsonl"


def pass_claim_key(source: str, day: str, pass_number: int) -> str:
    """Return the key that says that a pass number is taken; created only if absent."""
    return f"state/snapshot/{source}/dt={day}/pass-{pass_number}.json"


def manifest_key(source: str, day: str) -> str:
    """Return the key of the manifest that names a day's parts. ``source``: ``status`` or ``sendcloud``."""
    return f"{source}/dt={day}/manifest.json"


def tasks_key(day: str, time_utc: str) -> str:
    """Return the key of the task list at one time. ``time_utc``: ISO 8601; colons are left out of the key."""
    return f"tasks/dt={day}/{time_utc.replace(':', '')}.jsonl"


def tasks_prefix(day: str) -> str:
    """Return the prefix of a day's task lists."""
    return f"tasks/dt={day}/"


def report_key(day: str, extension: str) -> str:
    """Return the key of a day's report; ``extension``: html, json or csv."""
    return f"reports/dt={day}/report.{extension}"
