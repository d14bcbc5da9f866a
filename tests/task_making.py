"""``POST /tasks`` by its public door, and what SES has of it: the lists, the tasks, the mails."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from functions.send.bulk import lists
from localcloud import defaults
from tests.handlers import Answer, ask, http_event

if TYPE_CHECKING:
    import pytest

    from localcloud import LocalCloud

KEY = "newsletter-42"
PEOPLE = [f"p{number}@example.com" for number in range(5)]
TASK: dict[str, Any] = {
    "from": "Acme <noreply@mail.example.com>",
    "subject": "News of November",
    "template": {"id": 100091, "data": {"code": "1234"}},
    "recipients": PEOPLE,
}
"""The smallest task that the local SES accepts."""
HEADERS = {"authorization": f"Bearer {defaults.SEND_KEY}", "content-type": "application/json"}


def make(body: Any = TASK, *, key: str = KEY, time_limit_s: float = 30.0) -> Answer:
    """POST /tasks. ``body``: bytes as they are, anything else as JSON. ``key``: the Idempotency-Key."""
    return ask("send", make_event(body, key), time_limit_s=time_limit_s)


def make_event(body: Any, key: str) -> dict[str, Any]:
    """Build the event of such a request."""
    headers = {**HEADERS, **({"idempotency-key": key} if key else {})}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http_event("POST", "/tasks", raw, headers)


def look_up(key: str = KEY) -> Answer:
    """GET /tasks/{key}."""
    return ask("send", http_event("GET", f"/tasks/{key}", headers=HEADERS))


def until_sent(cloud: LocalCloud, body: Any = TASK, *, key: str = KEY, most: int = 20) -> list[Answer]:
    """Repeat a request as its answers say, until one is not to be repeated; return them all.

    What is uncertain is asked for again, too, until half an hour is over.
    """
    answers: list[Answer] = []
    for _ in range(most):
        answer = make(body, key=key)
        answers.append(answer)
        waits = answer.body.get("retry_safe") or answer.body.get("outcome") == "unknown"
        if answer.status == 202 or not waits:
            return answers
        cloud.advance(float(answer.headers.get("Retry-After", 300)))
    raise AssertionError(f"never sent: {answers[-1]}")


def move_waits(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the function wait on the cloud's clock."""
    monkeypatch.setattr(lists, "sleep", cloud.advance)


def tasks(cloud: LocalCloud) -> list[dict[str, Any]]:
    """Return SES's tasks, oldest first."""
    cloud.ses.pump()
    rows = cloud.ses._account.database.rows(
        "SELECT task_id, status, type, subject, receiver_id, request_count, send_count, timed, cycle FROM task ORDER BY task_id"
    )
    names = ("task_id", "status", "type", "subject", "receiver_id", "requested", "sent", "timed", "cycle")
    return [dict(zip(names, row, strict=True)) for row in rows]


def receiver_lists(cloud: LocalCloud) -> dict[str, int]:
    """Return the lists that mailtrail made at SES, by name, with the number of their addresses."""
    rows = cloud.ses._account.database.rows(
        """SELECT name, (SELECT COUNT(*) FROM receiver_detail WHERE receiver_detail.receiver_id = receiver.receiver_id)
        FROM receiver WHERE name LIKE 'mailtrail-%'"""
    )
    return dict(rows)


def mailed(cloud: LocalCloud) -> Counter[str]:
    """Return how often each person was mailed by now."""
    cloud.ses.pump()
    return Counter(message["to"][0] for message in cloud.messages(100_000))
