"""Who is still to get their mail: on disk, so that a file of any length needs no more memory than a short one."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.send_csv_rows import Row
from functions.send.batch_keys import derived_key
from shared.upstream.errors import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE people (
    line INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, person TEXT NOT NULL, key TEXT, due REAL NOT NULL DEFAULT 0,
    ended TEXT, told TEXT
);
"""
_INDEXES = """
CREATE UNIQUE INDEX by_key ON people (key);
CREATE INDEX by_due ON people (due, line) WHERE ended IS NULL;
"""
ACCEPTED, REFUSED = "accepted", "refused"


class Counts(NamedTuple):
    """Of all rows: how many ended how, and how many did not. ``unknown``: of these, whose mail may be out."""

    rows: int
    accepted: int
    refused: int
    waiting: int
    unknown: int


class Queue:
    """The rows of one file, for one run of the command; what it knows is thrown away at the end."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / "queue.sqlite3", isolation_level=None)
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._database.close()

    def add(self, row: Row) -> int | None:
        """Take a row in; when its address is there already, return the line that has it. The case does not count."""
        address = str(row.person["to"]).lower()
        try:
            self._database.execute(
                "INSERT INTO people (line, address, person) VALUES (?, ?, ?)",
                (row.line, address, json.dumps(row.person, ensure_ascii=False)),
            )
        except sqlite3.IntegrityError:
            (line,) = self._database.execute("SELECT line FROM people WHERE address = ?", (address,)).fetchone()
            return int(line)
        return None

    def begin(self, run: str) -> None:
        """Give every row the key that the function will derive for it."""
        self._database.create_function("derived", 1, lambda address: derived_key(run, address), deterministic=True)
        self._database.execute("UPDATE people SET key = derived(address)")
        self._database.execute("COMMIT")
        self._database.executescript(_INDEXES)

    def end(self, key: str, how: str) -> None:
        """Note that a row is done with; a key that no row has is no matter: the file may have lost it."""
        self._database.execute("UPDATE people SET ended = ?, told = NULL WHERE key = ?", (how, key))

    def put_off(self, key: str, told: dict[str, Any], due: float) -> None:
        """Note what was last told of a row that comes again, not before ``due``."""
        self._database.execute("UPDATE people SET due = ?, told = ? WHERE key = ?", (due, json.dumps(told), key))

    def due_rows(self, now: float, most: int, most_bytes: int) -> list[tuple[Row, str]]:
        """Return the rows whose turn it is, each with its key: those that waited first, and no more than that."""
        found: list[tuple[Row, str]] = []
        size_bytes = 0
        for line, person, key in self._database.execute(
            "SELECT line, person, key FROM people WHERE ended IS NULL AND due <= ? ORDER BY due, line LIMIT ?",
            (now, most),
        ):
            size_bytes += len(person.encode())
            if found and size_bytes > most_bytes:
                break
            found.append((Row(line, json.loads(person)), key))
        return found

    def next_due(self) -> float | None:
        """Return when the next row's turn is; None when all are done with."""
        row = self._database.execute("SELECT min(due) FROM people WHERE ended IS NULL").fetchone()
        return None if row[0] is None else float(row[0])

    def put_off_rows(self) -> Iterator[tuple[Row, str, dict[str, Any]]]:
        """Yield the rows that were tried and are not done with: the row, its key, what was last told of it."""
        for line, person, key, told in self._database.execute(
            "SELECT line, person, key, told FROM people WHERE ended IS NULL AND told IS NOT NULL ORDER BY line"
        ):
            yield Row(line, json.loads(person)), key, json.loads(told)

    def counts(self) -> Counts:
        """Count the rows."""
        ended = dict(self._database.execute("SELECT coalesce(ended, ''), count(*) FROM people GROUP BY 1").fetchall())
        unknown = sum(told.get("outcome") == UNKNOWN for *_, told in self.put_off_rows())
        return Counts(sum(ended.values()), ended.get(ACCEPTED, 0), ended.get(REFUSED, 0), ended.get("", 0), unknown)
