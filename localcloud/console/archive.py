"""Reads what SES wrote down, beside SES: an own read-only connection, which never waits for it nor keeps it waiting.

The tables are those of localcloud/ses/store.py.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.console.query import OUTCOME_SQL
from localcloud.ses.days import format_utc
from shared.upstream.signing import is_callback_token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from localcloud.console.query import Condition

_HEADS = """SELECT id, message_id, accepted_at, sender, recipients, subject, template_id, task_id,
    instr(request, '"Attachments"') > 0 FROM message"""
_MAIL = """SELECT message_id, accepted_at, sender, recipients, subject, template_id, smtp_message_id, echo, task_id,
    request FROM message WHERE message_id = ?"""
_ROWS = f"""SELECT recipient, {OUTCOME_SQL}, send_status, deliver_status, deliver_message, request_time, deliver_time,
    opened, clicked, unsubscribed, complained FROM status WHERE message_id = ? ORDER BY day, seq"""
_UPCOMING = """SELECT status.recipient, step.due_at, step.event, step.reason FROM status
    JOIN step ON step.day = status.day AND step.seq = status.seq WHERE status.message_id = ? ORDER BY step.due_at"""


class Mail(NamedTuple):
    """An accepted mail. ``accepted_at``: epoch seconds; ``request``: the parameters of SendEmail as they came."""

    message_id: str
    accepted_at: float
    sender: str
    to: list[str]
    cc: list[str]
    bcc: list[str]
    subject: str
    template_id: int
    smtp_message_id: str
    echo: dict[str, str]
    task_id: int | None
    request: dict[str, Any]


class StatusRow(NamedTuple):
    """What SES would answer about one recipient, and ``outcome``, a word of ``query.OUTCOMES``. Times: epoch s."""

    recipient: str
    outcome: str
    send_status: int
    deliver_status: int
    deliver_message: str
    request_time: int
    deliver_time: int
    opened: int
    clicked: int
    unsubscribed: int
    complained: int


class Step(NamedTuple):
    """A simulated event that is still to come; ``due_at``: epoch seconds."""

    recipient: str
    due_at: float
    event: str
    reason: str


class ReadOnly:
    """An SQLite file that someone else writes. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=30
        )
        self._lock = threading.Lock()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return every row of a query."""
        with self._lock:
            return self.connection.execute(sql, values).fetchall()

    def version(self) -> int:
        """Return a number that differs once someone has written (https://sqlite.org/pragma.html#pragma_data_version)."""
        return int(self.rows("PRAGMA data_version")[0][0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.connection.close()


class Archive:
    """The accepted mails, for looking at."""

    def __init__(self, path: Path) -> None:
        self._file = ReadOnly(path)
        self._file.connection.create_function("metadata_of", 1, _metadata_text, deterministic=True)

    def version(self) -> int:
        """Return a number that differs once SES has written anything."""
        return self._file.version()

    def count(self) -> int:
        """How many mails there are."""
        return int(self._file.rows("SELECT COUNT(*) FROM message")[0][0])

    def page(self, conditions: Sequence[Condition], before: int | None, limit: int) -> tuple[list[dict[str, Any]], int]:
        """List mails, newest first, as JSON, and the ``before`` of the next page (0: there is none).

        ``before``: only mails older than the one with this number.
        """
        wanted = ["id < ?"] if before is not None else []
        values: list[Any] = [before] if before is not None else []
        for condition in conditions:
            wanted.append(condition.sql)
            values += condition.values
        where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
        found = self._file.rows(f"{_HEADS} {where} ORDER BY id DESC LIMIT ?", (*values, limit + 1))
        outcomes = self._outcomes([row[1] for row in found[:limit]])
        mails = [_head(row) | {"outcomes": outcomes.get(row[1], {})} for row in found[:limit]]
        return mails, found[limit - 1][0] if len(found) > limit else 0

    def mail(self, message_id: str) -> Mail:
        """Find a mail. Raises LookupError when there is none."""
        for row in self._file.rows(_MAIL, (message_id,)):
            recipients, echo, request = (json.loads(row[index]) for index in (3, 7, 9))
            to, cc, bcc = recipients
            return Mail(row[0], row[1], row[2], to, cc, bcc, row[4], row[5], row[6], echo, row[8], request)
        raise LookupError(f"There is no mail {message_id}")

    def status_rows(self, message_id: str) -> list[StatusRow]:
        """Return the row of each recipient, To first."""
        return [StatusRow(*row) for row in self._file.rows(_ROWS, (message_id,))]

    def upcoming(self, message_id: str) -> list[Step]:
        """Return what will befall a mail, in order of time."""
        return [Step(*row) for row in self._file.rows(_UPCOMING, (message_id,))]

    def template(self, template_id: int) -> tuple[str, str, str] | None:
        """Return name, HTML and text of a template as it is now; None when it was deleted."""
        found = self._file.rows("SELECT name, html, text FROM template WHERE template_id = ?", (template_id,))
        return (str(found[0][0]), str(found[0][1]), str(found[0][2])) if found else None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _outcomes(self, message_ids: list[str]) -> dict[str, dict[str, int]]:
        marks = ", ".join("?" * len(message_ids))
        sql = f"SELECT message_id, {OUTCOME_SQL}, COUNT(*) FROM status WHERE message_id IN ({marks}) GROUP BY 1, 2"
        counted: dict[str, dict[str, int]] = {}
        for message_id, outcome, count in self._file.rows(sql, message_ids):
            counted.setdefault(message_id, {})[outcome] = count
        return counted


def metadata_of(echo: dict[str, str]) -> dict[str, str]:
    """Read the caller's metadata out of the callback token of ``/send``, unverified; empty when there is none."""
    for token in filter(is_callback_token, echo.values()):
        text = token.partition(".")[0]
        try:
            content = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except ValueError:
            continue
        if isinstance(content, dict) and isinstance(content.get("m"), dict):
            return {str(name): str(value) for name, value in content["m"].items()}
    return {}


def _metadata_text(echo: str) -> str:
    return json.dumps(metadata_of(json.loads(echo)))


def _head(row: tuple[Any, ...]) -> dict[str, Any]:
    to, cc, bcc = json.loads(row[4])
    return {
        "number": row[0],
        "message_id": row[1],
        "accepted_at": format_utc(row[2]),
        "from": row[3],
        "to": to,
        "cc": cc,
        "bcc": bcc,
        "subject": row[5],
        "template_id": row[6],
        "task_id": row[7],
        "has_attachments": bool(row[8]),
    }
