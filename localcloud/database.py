"""One SQLite file behind one connection and one lock: where SES, SendCloud and the callback queue keep their state."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


class Database:
    """A thread-safe SQLite connection whose committed writes outlive a killed process.

    WAL without fsync: a commit has reached the operating system, which is what survives SIGKILL.
    A power cut may lose the last commits; nobody's real mail is in here.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=30, cached_statements=512
        )
        self._lock = threading.RLock()
        self._depth = 0
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("PRAGMA cache_size=-32768")
        self._connection.executescript(schema)
        self._add_missing_columns(schema)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock; commit at the end, roll back on any exception. An inner one joins the outer one."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return every row of a query."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a query, or None."""
        with self._lock:
            found: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
            return found

    def write(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; return the id of the row it inserted (0 if it inserted none)."""
        with self._lock:
            cursor = self._connection.execute(sql, values)
            return cursor.lastrowid or 0

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; return how many rows it changed."""
        with self._lock:
            return self._connection.execute(sql, values).rowcount

    def write_many(self, sql: str, values: Iterable[Sequence[Any]]) -> int:
        """Run one statement for each of ``values``; return how many rows changed. Call inside a transaction."""
        with self._lock:
            return self._connection.executemany(sql, values).rowcount

    def empty(self, tables: Iterable[str]) -> None:
        """Delete every row of ``tables``. Automatic ids go on from where they were."""
        with self.transaction():
            for table in tables:
                self._connection.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        """Close the file. Whoever uses the database afterwards gets sqlite3.ProgrammingError."""
        with self._lock:
            self._connection.close()

    def _add_missing_columns(self, schema: str) -> None:
        """Give the tables of an older file the columns that have come since; each has a default."""
        with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
            fresh.executescript(schema)
            for (table,) in fresh.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT NULL"):
                present = {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}
                for _, name, kind, is_required, default, _ in fresh.execute(f"PRAGMA table_info({table})"):
                    if name not in present:
                        needed = " NOT NULL" if is_required else ""
                        value = "" if default is None else f" DEFAULT {default}"
                        self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}{needed}{value}")
