"""How many mails went where and what became of them: counted as it happens, so that no report reads the rows.

Keyed by the day of sending (UTC+8), the sender's domain and the recipient's domain.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.database import Database

COLUMNS = ("requested", "accepted", "delivered", "opened", "clicked", "bounced", "unsubscribed")
ADDED = ", ".join(f"{name} = {name} + excluded.{name}" for name in COLUMNS)
_UPSERT = f"""INSERT INTO volume (day, domain, mailbox, {", ".join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (day, domain, mailbox) DO UPDATE SET {ADDED}"""
_SUMS = ", ".join(f"SUM({name})" for name in COLUMNS)


class Cell(NamedTuple):
    """One cell of the table; ``what``: one of ``COLUMNS``."""

    day: int
    domain: str
    mailbox: str
    what: str


def add(database: Database, cells: Iterable[Cell]) -> None:
    """Count each cell once for each time it is named. Call inside a transaction."""
    counts: dict[tuple[int, str, str], Counter[str]] = {}
    for day, domain, mailbox, what in cells:
        counts.setdefault((day, domain, mailbox), Counter())[what] += 1
    rows = ((*key, *(found[name] for name in COLUMNS)) for key, found in counts.items())
    database.write_many(_UPSERT, rows)


def sums_by_day(
    database: Database, first: int, last: int, *, domain: str = "", mailbox: str = ""
) -> list[tuple[int, ...]]:
    """Return (day, *COLUMNS) for each day from ``first`` to ``last`` that has mails; an empty filter is any."""
    where, values = ["day BETWEEN ? AND ?"], [first, last]
    wanted = [(name, value) for name, value in (("domain", domain), ("mailbox", mailbox)) if value]
    where += [f"{name} = ?" for name, _ in wanted]
    sql = f"SELECT day, {_SUMS} FROM volume WHERE {' AND '.join(where)} GROUP BY day ORDER BY day"
    return database.rows(sql, (*values, *(value for _, value in wanted)))
