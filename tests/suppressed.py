"""The suppression list as tests look at it: the callbacks that fill it, and what lies in the bucket."""

from __future__ import annotations

import json
from typing import Any

from localcloud import defaults
from shared.trail.layout import suppression_key
from shared.trail.store import Place, Store
from shared.trail.suppression import is_suppressed
from tests.handlers import EVENT, NOW, bucket

BOUNCE: dict[str, Any] = {
    **EVENT, "event": "bounce", "bounceType": "hard_bounce", "reason": "550 5.1.1 no such user",
}  # fmt: skip
COMPLAINT = {**EVENT, "event": "spamreport", "email": "bob@example.com"}


def listed() -> dict[str, dict[str, Any]]:
    """Read the list as it lies in the bucket, by address."""
    found = {key: json.loads(body) for key, body in bucket("suppression/").items()}
    assert all(key == suppression_key(told["address"]) for key, told in found.items())
    return {told["address"]: told for told in found.values()}


def holding() -> dict[str, str]:
    """Return who gets no mail now, and why."""
    return {address: told["reason"] for address, told in listed().items() if is_suppressed(told, NOW)}


def store() -> Store:
    """Open the bucket as the command does."""
    keys = (defaults.SECRET_ID, defaults.SECRET_KEY, "")
    return Store(Place(*keys, defaults.BUCKET, defaults.REGION, "", "forbid-overwrite"))
