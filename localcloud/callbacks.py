"""The callbacks that SES and SendCloud owe: queued here by the services, taken out by whichever door delivers them.

One SQLite file, so that a killed process owes them still. Who retries and how often is a property of the source:
SES documents no retry at all (https://www.tencentcloud.com/document/product/1084/39492), SendCloud resends after
1, 2, 4, 8 and 16 minutes unless it is answered 200 (https://www.sendcloud.net/doc/en_US/email_v2/webhook/).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from localcloud.clock import Clock

RETRY_DELAYS_S: dict[str, tuple[int, ...]] = {"ses": (), "sendcloud": (60, 120, 240, 480, 960)}
"""Source → pause before each further attempt. A source that is not listed is never retried."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS callback (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, due_at REAL NOT NULL, body BLOB NOT NULL,
    content_type TEXT NOT NULL, message_id TEXT NOT NULL, recipient TEXT NOT NULL, event TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 1, state TEXT NOT NULL DEFAULT 'pending', origin TEXT UNIQUE);
CREATE INDEX IF NOT EXISTS callback_due ON callback (due_at, id) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS callback_message ON callback (message_id, id);
CREATE TABLE IF NOT EXISTS attempt (
    callback_id INTEGER NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, status INTEGER, answer TEXT NOT NULL,
    PRIMARY KEY (callback_id, number)) WITHOUT ROWID;
"""
# A callback that was queued and not committed by its service is queued again after a restart: `origin` makes that one.
_INSERT = """INSERT OR IGNORE INTO callback (source, due_at, body, content_type, message_id, recipient, event, origin)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_COLUMNS = "id, source, due_at, body, content_type, message_id, recipient, event, attempt"


class NewCallback(NamedTuple):
    """A callback to queue. ``origin``: names the event within its source; a second one with the same is ignored."""

    source: str
    due_at: float
    body: bytes
    content_type: str
    message_id: str
    recipient: str
    event: str
    origin: str | None = None


class Callback(NamedTuple):
    """A queued callback. ``due_at``: simulated seconds since the epoch. ``attempt``: 1 for the first delivery."""

    id: int
    source: str
    due_at: float
    body: bytes
    content_type: str
    message_id: str
    recipient: str
    event: str
    attempt: int


class CallbackQueue:
    """Callbacks in order of time; thread-safe; survives a restart."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._database = Database(path, _SCHEMA)

    def enqueue(
        self, *, source: str, due_at: float, body: bytes, content_type: str, message_id: str, recipient: str, event: str
    ) -> int:
        """Queue one callback and return its id."""
        new = NewCallback(source, due_at, body, content_type, message_id, recipient, event)
        return self._database.write(_INSERT, new)

    def enqueue_many(self, callbacks: Iterable[NewCallback]) -> int:
        """Queue many in one transaction; return how many were not queued before (by ``origin``)."""
        with self._database.transaction():
            return self._database.write_many(_INSERT, callbacks)

    def due(self, now: float | None = None, limit: int = 1000) -> list[Callback]:
        """Return those to deliver by ``now`` (default: the clock), ordered by (due_at, id)."""
        until = self._clock.now() if now is None else now
        sql = f"SELECT {_COLUMNS} FROM callback WHERE state = 'pending' AND due_at <= ? ORDER BY due_at, id LIMIT ?"
        return [Callback(*row) for row in self._database.rows(sql, (until, limit))]

    def settle(self, callback_id: int, *, status: int | None, answer: str, at: float | None = None) -> None:
        """Record how an attempt ended: HTTP status (None = no answer) and the start of its body.

        ``at``: when it was made; by default when it was due, and never later than now. Queues the next attempt, if the
        source makes one, counted from then: a clock that jumps leaves no attempt undone.
        Settling what is settled already changes nothing.
        """
        with self._database.transaction():
            row = self._database.row("SELECT source, attempt, state, due_at FROM callback WHERE id = ?", (callback_id,))
            if row is None or row[2] != "pending":
                return
            source, attempt, _, due_at = row
            made_at = min(due_at if at is None else at, self._clock.now())
            record = (callback_id, attempt, made_at, status, answer[:2000])
            self._database.write("INSERT INTO attempt VALUES (?, ?, ?, ?, ?)", record)
            state, delay_s = _after(source, attempt, status)
            change = "UPDATE callback SET state = ?, attempt = attempt + ?, due_at = ? + ? WHERE id = ?"
            if state == "pending":
                self._database.write(change, (state, 1, made_at, delay_s, callback_id))
            else:
                self._database.write("UPDATE callback SET state = ? WHERE id = ?", (state, callback_id))

    def history(self, message_id: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Return callbacks, newest first: the fields of ``Callback`` with text for ``body`` and ISO 8601 times in UTC,
        ``state`` (``pending``, ``delivered``, ``lost``) and ``attempts`` (number, at, status, answer).
        """  # noqa: D205
        where, values = ("WHERE message_id = ?", (message_id,)) if message_id is not None else ("", ())
        sql = f"SELECT {_COLUMNS}, state FROM callback {where} ORDER BY id DESC LIMIT ?"
        return [self._story(row) for row in self._database.rows(sql, (*values, limit))]

    def pending(self) -> int:
        """Count those still owed, due or not."""
        row = self._database.row("SELECT COUNT(*) FROM callback WHERE state = 'pending'")
        return int(row[0]) if row else 0

    def reset(self) -> None:
        """Forget everything."""
        self._database.empty(("callback", "attempt"))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _story(self, row: tuple[Any, ...]) -> dict[str, Any]:
        callback = Callback(*row[:-1])
        sql = "SELECT number, at, status, answer FROM attempt WHERE callback_id = ? ORDER BY number"
        attempts = [
            {"number": number, "at": _iso(at), "status": status, "answer": answer}
            for number, at, status, answer in self._database.rows(sql, (callback.id,))
        ]
        story = callback._asdict() | {"body": callback.body.decode("utf-8", "replace"), "due_at": _iso(callback.due_at)}
        return story | {"state": row[-1], "attempts": attempts}


def _after(source: str, attempt: int, status: int | None) -> tuple[str, int]:
    # SendCloud insists on 200; of SES nothing is known, so any 2xx counts.
    if status == 200 or (source != "sendcloud" and status is not None and 200 <= status < 300):
        return "delivered", 0
    delays_s = RETRY_DELAYS_S.get(source, ())
    return ("pending", delays_s[attempt - 1]) if attempt <= len(delays_s) else ("lost", 0)


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
