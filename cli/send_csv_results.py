"""``people.results.csv``: what came of each row, written as it is known, and read again by who goes on.

One line a recipient. A run that goes on keeps the lines of mails that were accepted, and asks for all others again.
"""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING, Any

import click

from functions.report.spreadsheet import inert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typing_extensions import Self

    from cli.send_csv_rows import Row

COLUMNS = ("line", "to", "status", "message_id", "code", "detail", "key", "run")
_ACCEPTED = "202"
_LONGEST_DETAIL = 500


class Results:
    """The file, open to be added to; a context manager."""

    def __init__(self, path: Path, run: str) -> None:
        self._path = path
        self._run = run
        self._file: IO[str]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def open(self, accepted: Callable[[str], object]) -> None:
        """Open it; ``accepted`` is called with the key of every mail that an earlier run saw accepted.

        Raises ClickException when the file is another run's, or none of this command's: nobody is sent a mail again
        because somebody has added a line to the file of people.
        """
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            self._carry_over(fresh, accepted)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        # In one step: whenever this ends, the one or the other is there whole.
        fresh.replace(self._path)
        self._file = self._path.open("a", encoding="utf-8", newline="")

    def _carry_over(self, fresh: Path, accepted: Callable[[str], object]) -> None:
        with fresh.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for cells in self._earlier():
                if cells[2] == _ACCEPTED:
                    writer.writerow(cells)
                    accepted(cells[6])

    def write(self, row: Row, key: str, told: dict[str, Any]) -> None:
        """Add what came of a row."""
        detail = str(told.get("detail") or "; ".join(told.get("warnings", ())) or "")
        cells = (row.line, row.person["to"], told["status"], told.get("message_id"), told.get("code"),
                 detail[:_LONGEST_DETAIL], key, self._run)  # fmt: skip
        csv.writer(self._file).writerow(map(inert, cells))

    def flush(self) -> None:
        """Have what was added in the file, whatever becomes of this process."""
        self._file.flush()

    def _earlier(self) -> Iterator[list[str]]:
        try:
            size_bytes = self._path.stat().st_size
        except FileNotFoundError:
            return
        with self._path.open("rb") as raw:
            raw.seek(max(0, size_bytes - 1))
            is_whole = raw.read() == b"\n"
            raw.seek(0)
            rows = csv.reader(io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline=""))
            if size_bytes and tuple(next(rows, ())) != COLUMNS:
                raise click.ClickException(f"{self._path} is there and is no results file: give --results another name")
            yield from self._whole_rows(rows, is_whole=is_whole)

    def _whole_rows(self, rows: Any, *, is_whole: bool) -> Iterator[list[str]]:
        before: list[str] | None = None
        for cells in rows:  # one behind: the last line of a run that was killed may be half a line
            if before is not None:
                yield self._checked(before)
            before = cells if len(cells) == len(COLUMNS) else None
        if before is not None and is_whole:
            yield self._checked(before)

    def _checked(self, cells: list[str]) -> list[str]:
        run = cells[7].removeprefix("'")
        if run != self._run.removeprefix("'"):
            raise click.ClickException(
                f"{self._path} is of the run {run}, and this is {self._run}: the file or the mail has changed since. "
                "Give --run with the old name to go on with it (who has the mail gets no second one), or --results "
                "another file to send to all of them anew"
            )
        return cells
