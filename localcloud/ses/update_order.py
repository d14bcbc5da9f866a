"""The order ``updated_last``: rows by the time of their last change, and how a page of it is found however far back.

Rows move in it, so they cannot be numbered. Instead it is counted how many rows of a day changed last in each minute:
triggers keep the counts, whoever changes a row. All of it is made when the order is first asked for: only whoever turns
it on pays for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.database import Database
    from localcloud.ses.paging import Page

_ONE_MORE = """INSERT INTO status_minute VALUES (new.day, new.updated_at / 60, 1)
    ON CONFLICT (day, minute) DO UPDATE SET changed = changed + 1;"""
_ONE_LESS = "UPDATE status_minute SET changed = changed - 1 WHERE day = old.day AND minute = old.updated_at / 60;"
_MADE = (
    "CREATE INDEX IF NOT EXISTS status_updated ON status (day, updated_at, seq)",
    """CREATE TABLE status_minute (day INTEGER NOT NULL, minute INTEGER NOT NULL, changed INTEGER NOT NULL,
    PRIMARY KEY (day, minute)) WITHOUT ROWID""",
    "INSERT INTO status_minute SELECT day, updated_at / 60, COUNT(*) FROM status GROUP BY 1, 2",
    f"CREATE TRIGGER status_came AFTER INSERT ON status BEGIN {_ONE_MORE} END",
    f"CREATE TRIGGER status_went AFTER DELETE ON status BEGIN {_ONE_LESS} END",
    f"""CREATE TRIGGER status_moved AFTER UPDATE OF day, updated_at ON status
    WHEN old.day != new.day OR old.updated_at / 60 != new.updated_at / 60 BEGIN {_ONE_LESS} {_ONE_MORE} END""",
)
_MINUTE_OF = """SELECT minute, upto - changed FROM (SELECT minute, changed, SUM(changed) OVER (ORDER BY minute) AS upto
    FROM status_minute WHERE day = ?) WHERE upto > ? ORDER BY minute LIMIT 1"""


def page_by_update(database: Database, columns: str, day: int, page: Page) -> list[tuple[Any, ...]]:
    """Return ``columns`` of a page of a day's rows, the one that changed last at the end."""
    with database.transaction():
        if database.row("SELECT 1 FROM sqlite_master WHERE name = 'status_minute'") is None:
            for sql in _MADE:
                database.write(sql)
        minute, before = database.row(_MINUTE_OF, (day, page.offset)) or (0, 0)
        # Rows of the same minute that come before the page are counted in the index; only those of the page are read.
        sql = f"""SELECT {columns} FROM status WHERE day = ? AND seq IN (
            SELECT seq FROM status INDEXED BY status_updated WHERE day = ? AND updated_at >= ?
            ORDER BY updated_at, seq LIMIT ? OFFSET ?) ORDER BY +updated_at, seq"""
        return database.rows(sql, (day, day, minute * 60, page.limit, page.offset - before))
