"""The suppression list as a file: CSV for people and spreadsheets, JSON lines as the entries lie in the bucket.

An exported CSV row is one address, with what holds now in cells, and all that is known of it in the last one, so that
an import reads back the very entry. Where somebody has edited the other cells the two disagree, and the import says so.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cli.moments import parse_moment
from shared.trail.records import iso
from shared.trail.suppression import (
    REASONS,
    Cause,
    Entry,
    as_json,
    encode,
    entry,
    is_suppressed,
    merge,
    parse,
    strongest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("address", "active", "reason", "since", "until", "source", "detail", "note", "entry")
_POSITIONS = ("address", "reason", "until", "note")
"""Columns of a file without a header; a file of plain lines has the first alone."""
_HEADERS = ("address", "email")
_ALIASES = {"bounce": "hard_bounce", "bounced": "hard_bounce", "complained": "complaint", "spam": "complaint"}
_ALIASES |= {"unsubscribed": "unsubscribe"}
"""What others call our reasons in the lists that they export."""
_LONGEST_ADDRESS = 320
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""What a spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection), or led to be none."""


class BadFileError(Exception):
    """Lines that cannot be imported: ``problems`` has the number of each, and what is wrong with it."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        super().__init__(f"{len(problems)} lines cannot be read")
        self.problems = problems


class Source(NamedTuple):
    """Where plain rows come from: the name that is kept, when (epoch seconds), the zone of days."""

    name: str
    now: float
    utc_offset_s: int


def csv_header() -> bytes:
    """Return the first line of a CSV export, with the byte order mark that spreadsheets want."""
    return b"\xef\xbb\xbf" + _csv_line(COLUMNS)


def csv_line(known: Entry, now: float) -> bytes:
    """Return an entry as a line of CSV that no spreadsheet takes for a formula."""
    return _csv_line(tuple(_cells(known, now).values()))


def jsonl_line(known: Entry) -> bytes:
    """Return an entry as it lies in the bucket."""
    return encode(known)


def read_entries(content: bytes, source: Source) -> dict[str, Entry]:
    """Read a file of any kind that is imported, by address. Raises BadFileError naming every bad line at once."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadFileError([(line, "is not UTF-8")]) from error
    lines = _json_lines(text) if text.lstrip().startswith("{") else _rows(text, source)
    entries: dict[str, Entry] = {}
    problems: list[tuple[int, str]] = []
    for number, told in lines:
        if isinstance(told, str):
            problems.append((number, told))
        else:
            known = entries.get(told.address)
            entries[told.address] = merge(known, told) if known else told
    if problems:
        raise BadFileError(problems)
    return entries


def is_address(text: str) -> bool:
    """Whether ``text`` can be an address: something on both sides of an at sign, and nothing that no line may hold."""
    local, _, domain = text.rpartition("@")
    return bool(local and domain) and len(text) <= _LONGEST_ADDRESS and text.isprintable() and " " not in text


def _cells(known: Entry, now: float) -> dict[str, str]:
    holds = strongest(known)
    told = {name: value or "" for name, value in holds._asdict().items()} if holds else {}
    cells = {name: told.get(name, "") for name in COLUMNS}
    active = "yes" if is_suppressed(holds, now) else "no"
    cells |= {"address": known.address, "active": active, "entry": json.dumps(as_json(known), separators=(",", ":"))}
    return {name: _inert(cell) for name, cell in cells.items()}


def _csv_line(cells: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode("utf-8", "backslashreplace")


def _inert(cell: str) -> str:
    cell = cell.replace("\x00", "\ufffd")  # the csv module of Python 3.10 cannot write NUL
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _active(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _json_lines(text: str) -> Iterator[tuple[int, Entry | str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            known = parse(line)
            told = json.loads(line)
        except ValueError as error:
            yield number, str(error)
            continue
        is_whole = as_json(known) == told
        yield number, known if is_whole else "its first members say something else than its causes: change the causes"


def _rows(text: str, source: Source) -> Iterator[tuple[int, Entry | str]]:
    csv.field_size_limit(max(len(text), csv.field_size_limit()))  # a cell holds a whole entry
    reader = csv.reader(io.StringIO(text, newline=""))
    names: tuple[str, ...] = ()
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, str(error)
            continue
        if not any(cell.strip() for cell in row):
            continue
        if not names:
            names = _names(row)
            if names is not _POSITIONS:
                continue
        yield reader.line_num, _row(dict(zip(names, row, strict=False)), len(row) > len(names), source)


def _names(row: list[str]) -> tuple[str, ...]:
    header = tuple(cell.strip().lower() for cell in row)
    if header[0] not in _HEADERS:
        return _POSITIONS
    return ("address", *header[1:])


def _row(cells: dict[str, str], is_longer: bool, source: Source) -> Entry | str:  # noqa: FBT001 - of this module alone
    if is_longer:
        return "has more cells than there are columns"
    try:
        return _whole(cells, source.now) if cells.get("entry") else _plain(cells, source)
    except (ValueError, click.BadParameter) as error:
        return str(error)


def _whole(cells: dict[str, str], now: float) -> Entry:
    known = parse(cells["entry"])
    expected = _cells(known, now)
    for name in COLUMNS:
        given = cells.get(name, expected[name]).encode("utf-8", "backslashreplace").decode()
        wanted = expected[name].encode("utf-8", "backslashreplace").decode()
        if name not in ("active", "entry") and given != wanted:
            raise ValueError(f"{name} says something else than the cell of the entry: change both, or empty the latter")
    return known


def _plain(cells: dict[str, str], source: Source) -> Entry:
    told: dict[str, Any] = {name: _active(cell).strip() for name, cell in cells.items()}
    if not is_address(told["address"]):
        raise ValueError("not an address")
    words = re.sub(r"[\s-]+", "_", told.get("reason", "").lower())
    reason = _ALIASES.get(words, words) or "import"
    if reason not in REASONS:
        raise ValueError(f"the reason must be one of {', '.join(REASONS)}")
    since = _time(told.get("since"), source)
    until = _time(told.get("until"), source, at_end=True)
    if until is not None and until <= source.now:
        raise ValueError("until is over already")
    cause = Cause(
        since=iso(source.now if since is None else since),
        reason=reason,
        until=None if until is None else iso(until),
        source=told.get("source") or source.name,
        detail=told.get("detail") or None,
        note=told.get("note") or None,
    )
    return entry(told["address"], [cause])


def _time(text: str | None, source: Source, *, at_end: bool = False) -> float | None:
    return parse_moment(text, now=source.now, utc_offset_s=source.utc_offset_s, at_end=at_end) if text else None
