"""A CSV file of people -> recipients of ``POST /send/batch``, or what is wrong with each line.

Columns: ``to`` (or ``email``); ``metadata.<name>`` is metadata; every other one is a variable of the template. UTF-8,
with or without a byte order mark; commas, semicolons or tabs, whichever the first line has.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from functions.send.batch_request import MOST, parse_batch
from functions.send.problems import Problems
from shared.edge.http_event import Problem
from shared.upstream.sites import SITES

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ADDRESS = ("to", "email")
_METADATA = "metadata."
_DELIMITERS = ",;\t"
_NO_NUL = "\ue000"
_LONGEST_HEADER = 65536
"""Characters; the csv module takes cells of twice that."""
_FIELD = re.compile(r"recipients\[(\d+)\]\.?(?:data\.)?(.*)", re.DOTALL)
_LANGUAGES = {name: number for site in SITES.values() for name, number in site.unsubscribe.items()}
"""Which site the account is of is known where the mail is sent."""


class Row(NamedTuple):
    """One person, as ``recipients`` takes them, and the line of the file where they begin."""

    line: int
    person: dict[str, Any]


class BadRow(NamedTuple):
    """A line that cannot be sent to, and why."""

    line: int
    problem: str


class _Hashed(io.RawIOBase):
    """A file that is hashed as it is read: what is hashed is what was read, whoever writes to it meanwhile."""

    def __init__(self, file: BinaryIO, digest: hashlib._Hash) -> None:
        self._file = file
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        self._digest.update(content)
        buffer[: len(content)] = content
        return len(content)


def read_rows(file: BinaryIO, digest: hashlib._Hash, data_columns: Sequence[str]) -> Iterator[Row | BadRow]:
    """Yield every line of ``file``, and update ``digest`` with all of it. ``data_columns``: the variables; empty: all.

    A header that is wrong is the only thing yielded. Blank lines are passed over.
    """
    # What is no UTF-8 is named with its line.
    text = io.TextIOWrapper(
        io.BufferedReader(_Hashed(file, digest)), encoding="utf-8-sig", errors="surrogateescape", newline=""
    )
    header = text.readline(_LONGEST_HEADER)
    delimiter, names = _names(header)
    problem = _problem_of_header(names, data_columns)
    if problem or len(header) == _LONGEST_HEADER:
        yield BadRow(1, problem or "is too long")
        return
    reader = csv.reader(text, delimiter=delimiter)
    for line, cells in _lines(reader):
        if isinstance(cells, str):
            yield BadRow(line, cells)
        elif any(cell.strip() for cell in cells):
            problem = _problem_of_cells(cells, names)
            yield BadRow(line, problem) if problem else Row(line, _person(names, cells, data_columns))


def problems_of_common(common: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with what all the mails have in common."""
    return [f"{field}: {problem}" for field, problem in _errors({**common, "recipients": [{"to": "a@example.com"}]})]


def bad_rows(common: Mapping[str, Any], rows: Iterable[Row]) -> Iterator[BadRow]:
    """Yield what the function would refuse of ``rows``, by the function's own rules. Nobody is there twice."""
    remaining = iter(rows)
    while some := list(itertools.islice(remaining, MOST)):
        for field, problem in _errors({**common, "recipients": [row.person for row in some]}):
            match = _FIELD.match(field)
            place, what = (int(match[1]), match[2]) if match else (0, field)
            yield BadRow(some[place].line, f"{what}: {problem}" if what else problem)


def _errors(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    try:
        parse_batch(body, _LANGUAGES, Problems())
    except Problem as problem:
        return [(error["field"], error["problem"]) for error in problem.errors]
    return []


def _cells(header: str, delimiter: str) -> list[str]:
    # The csv module of Python 3.10 refuses NUL: it is kept out of its sight.
    cells = next(csv.reader([header.replace("\0", _NO_NUL)], delimiter=delimiter), [])
    return [cell.replace(_NO_NUL, "\0").strip() for cell in cells]


def _names(header: str) -> tuple[str, list[str]]:
    for delimiter in _DELIMITERS:
        names = _cells(header, delimiter)
        if any(name.lower() in ADDRESS for name in names):
            return delimiter, [name.lower() if name.lower() in ADDRESS else name for name in names]
    return ",", _cells(header, ",")


def _problem_of_header(names: Sequence[str], data_columns: Sequence[str]) -> str:
    problem = ""
    if sum(name in ADDRESS for name in names) != 1:
        problem = "the first line names the columns, one of them to (or email)"
    elif twice := sorted({name for name in names if names.count(name) > 1}):
        problem = f"columns of one name: {', '.join(twice)}"
    elif not all(name and name != _METADATA for name in names):
        problem = "a column without a name"
    elif absent := [name for name in data_columns if name not in names]:
        problem = f"no such column: {', '.join(absent)}"
    return problem or _problem_of_text(names)


def _lines(reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each row with the line on which it begins, or what is wrong with it; the header is line 1."""
    while True:
        line = reader.line_num + 2
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, str(error)


def _problem_of_cells(cells: Sequence[str], names: Sequence[str]) -> str:
    if len(cells) != len(names):
        return f"{len(cells)} cells, where the first line has {len(names)}"
    return _problem_of_text(cells)


def _problem_of_text(cells: Sequence[str]) -> str:
    if any("\x00" in cell for cell in cells):
        return "has a NUL character"
    if any("\ud800" <= character <= "\udfff" for cell in cells for character in cell):
        return "is not UTF-8: save the file as CSV UTF-8"
    return ""


def _person(names: Sequence[str], cells: Sequence[str], data_columns: Sequence[str]) -> dict[str, Any]:
    person: dict[str, Any] = {}
    data: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for name, cell in zip(names, cells, strict=True):
        if name in ADDRESS:
            person["to"] = cell.strip()
        elif name.startswith(_METADATA):
            metadata |= {name.removeprefix(_METADATA): cell} if cell else {}
        elif not data_columns or name in data_columns:
            data[name] = cell
    return {**person, **({"data": data} if data else {}), **({"metadata": metadata} if metadata else {})}
