"""Batches for tests: bodies of ``POST /send/batch``, and who got a mail."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud import LocalCloud

COMMON: dict[str, Any] = {
    "from": "Acme <noreply@mail.example.com>",
    "subject": "Your code",
    "template": {"id": 100091},
}
"""What the mails of a batch have in common."""


def person(name: str, code: str = "1234", **members: Any) -> dict[str, Any]:
    """Build one of ``recipients``."""
    return {"to": f"{name}@example.com", "data": {"code": code}, **members}


def batch_of(people: Iterable[dict[str, Any]], **common: Any) -> dict[str, Any]:
    """Build the body of a batch."""
    return {**COMMON, **common, "recipients": list(people)}


def trio(**common: Any) -> dict[str, Any]:
    """Build a batch of Alice, Bob and Carol."""
    return batch_of([person("alice", "1"), person("bob", "2"), person("carol", "3")], **common)


def mails_of(cloud: LocalCloud) -> Counter[str]:
    """Count what SES accepted, by recipient."""
    return Counter(address for message in cloud.messages(10_000) for address in message["to"])


def data_of(cloud: LocalCloud) -> dict[str, Any]:
    """Read the template variables that SES got, by recipient."""
    return {
        message["to"][0]: json.loads(message["request"]["Template"]["TemplateData"])
        for message in cloud.messages(10_000)
    }
