"""Rows of a day that come, change, and so move to the end of the list, while somebody pages it.

What each row said from which query on is remembered: whoever read it then may have that, and nothing older.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from localcloud.ses.days import day_start, parse_day

if TYPE_CHECKING:
    from localcloud.database import Database

PAGE_ROWS = 100
COLUMNS = (
    "message_id", "recipient", "sender", "send_status", "deliver_status", "deliver_message", "request_time",
    "deliver_time", "opened", "clicked", "unsubscribed", "complained",
)  # fmt: skip
EVERY = 10
"""Queries between two times at which rows move."""
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM status WHERE day = ? AND seq = ?"  # noqa: S608 - constants
_INSERT = f"""INSERT INTO status (day, seq, {", ".join(COLUMNS)}, updated_at)
    VALUES (?, ?, {", ".join("?" * len(COLUMNS))}, ?)"""  # noqa: S608 - constants
_UPDATE = """UPDATE status SET deliver_status = ?, deliver_message = ?, deliver_time = ?, opened = ?, clicked = ?,
    unsubscribed = ?, complained = ?, updated_at = ? WHERE day = ? AND seq = ?"""

Row = tuple[object, ...]
Key = tuple[str, str]


class Version(NamedTuple):
    """What a row says from the query of that number on."""

    since: int
    row: Row


class Plan(NamedTuple):
    """``share`` of a day's ``rows`` moves within ``queries``, evenly, and as fast from then on.

    Of the first ``share``, one in ``per_insert`` is a row that comes new; later ones only change.
    """

    rows: int
    share: float
    queries: int
    per_insert: int = 10


class Movement:
    """Call it before each query.

    ``queries``: how many there were; ``began``: the last that asked for the first page; ``history``: of rows that
    changed or came.
    """

    def __init__(self, database: Database, day: str, plan: Plan, *, seed: int) -> None:
        self._database = database
        self._day = parse_day(day)
        self._plan = plan
        self._dice = random.Random(f"movement/{seed}")  # noqa: S311 - a die that must be repeatable
        self._rows = plan.rows
        self._moves = 0
        self.queries = self.began = 0
        self.inserted = 0
        self.history: dict[Key, list[Version]] = {}

    @property
    def updated(self) -> int:
        """How many changes there were."""
        return self._moves - self.inserted

    def before_query(self, now: float, offset: int) -> None:
        """Let a query come, and before every tenth all move that are due."""
        self.queries += 1
        if offset == 0:
            self.began = self.queries
        if self.queries % EVERY:
            return
        due = int(self._plan.rows * self._plan.share * self.queries / self._plan.queries)
        self.move(due - self._moves, now)

    def move(self, number: int, now: float) -> None:
        """Let so many rows move."""
        with self._database.transaction():
            for _ in range(number):
                self._moves += 1
                is_early = self._moves <= self._plan.rows * self._plan.share
                if is_early and self._moves % self._plan.per_insert == 0:
                    self._insert(int(now))
                else:
                    self._change(int(now))

    def _insert(self, now: int) -> None:
        at = day_start(self._day) + self._dice.randrange(86400)
        row = (
            f"qcloudses-30-1250000000-date-00000000000000-{self._dice.getrandbits(48):012x}",
            f"late{self._dice.getrandbits(40)}@example.net", "news@mail.example.com", 0, 0, "", at, 0, 0, 0, 0, 0,
        )  # fmt: skip
        self._database.write(_INSERT, (self._day, self._rows, *row, now))
        self._rows += 1
        self.inserted += 1
        self._note((str(row[0]), str(row[1])), row)

    def _change(self, now: int) -> None:
        while True:
            seq = self._dice.randrange(self._rows)
            before = self._database.row(_SELECT, (self._day, seq))
            after = None if before is None else self._changed(before, now)
            if before is not None and after is not None:
                break
        self._database.write(_UPDATE, (after[4], after[5], after[7], *after[8:], now, self._day, seq))
        key = (before[0], before[1])
        self.history.setdefault(key, [Version(0, before)])
        self._note(key, after)

    def _changed(self, row: Row, now: int) -> Row | None:
        """Return what becomes of a row; None of one to which everything has happened."""
        delivery, flags = row[4], list(row[8:])
        if delivery in (0, 8):  # on its way
            came = (1, "", now) if self._dice.random() < 0.9 else (3, "452 4.2.2 mailbox full", now)
            return (*row[:4], came[0], came[1], row[6], came[2], *flags)
        if delivery != 1 or all(flags):
            return None
        flags[flags.index(0)] = 1  # opened, then clicked, and so on
        return (*row[:8], *flags)

    def _note(self, key: Key, row: Row) -> None:
        self.history.setdefault(key, []).append(Version(self.queries, row))


def versions_after(history: list[Version], began: int) -> list[Row]:
    """Return what a row said when query ``began`` came or later; nothing for one that was not there and came later."""
    last = max((number for number, version in enumerate(history) if version.since <= began), default=0)
    return [version.row for version in history[last:]]
