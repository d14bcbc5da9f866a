"""What other people's clients did against localcloud, written down while the tests run.

``record`` notes one operation of one client. With ``MAILTRAIL_WRITE_CLIENT_TABLE=1`` the end of the session writes the
table of docs/localcloud-clients.md anew; rows of clients that did not run this time (not installed here) stay.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = Path(__file__).parents[2] / "docs" / "localcloud-clients.md"
WRITE_VARIABLE = "MAILTRAIL_WRITE_CLIENT_TABLE"
_HEAD = """# Other people's clients against localcloud

Written by the tests under `tests/clients` (`MAILTRAIL_WRITE_CLIENT_TABLE=1 pytest tests/clients`): every client is the
published one, unmodified, and talks to the server door over loopback with its signature verified. A client that is
not installed where the tests run is skipped, with the reason; its rows stay from the last run that had it.

| client | version | operation | passed |
|---|---|---|---|
"""
_ROW = re.compile(
    r"^\| (?P<client>[^|]+) \| (?P<version>[^|]+) \| (?P<operation>[^|]+) \| (?P<passed>yes|no) \|$", re.MULTILINE
)


class Row(NamedTuple):
    """One line of the table."""

    client: str
    version: str
    operation: str
    passed: bool


_rows: dict[tuple[str, str], Row] = {}


def record(client: str, operation: str, passed: bool, *, version: str) -> None:  # noqa: FBT001 - what is recorded
    """Note that ``client`` did (or could not do) ``operation``; once failed stays failed."""
    before = _rows.get((client, operation))
    is_fine = passed and (before is None or before.passed)
    _rows[client, operation] = Row(client, version, operation, is_fine)


@contextmanager
def recorded(client: str, operation: str, *, version: str) -> Iterator[None]:
    """Note the operation as passed when the block ends, as failed when it raises."""
    try:
        yield
    except BaseException:
        record(client, operation, passed=False, version=version)
        raise
    record(client, operation, passed=True, version=version)


def rows() -> list[Row]:
    """Return what was noted in this session."""
    return list(_rows.values())


def committed_rows() -> list[Row]:
    """Read what the table says."""
    text = TABLE.read_text() if TABLE.exists() else ""
    found = (match.groupdict() for match in _ROW.finditer(text))
    return [Row(one["client"], one["version"], one["operation"], one["passed"] == "yes") for one in found]


def write_table() -> None:
    """Write the table: this session's rows, and those of clients that did not run in it."""
    ran = {row.client for row in rows()}
    kept = [row for row in committed_rows() if row.client not in ran]
    lines = [
        f"| {row.client} | {row.version} | {row.operation} | {'yes' if row.passed else 'no'} |"
        for row in sorted([*kept, *rows()], key=lambda row: row.client.lower())
    ]
    TABLE.write_text(_HEAD + "\n".join(lines) + "\n")
