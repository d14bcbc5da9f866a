"""The rows of a result as a table for people, CSV, JSON, JSON lines or a Parquet file."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import json
import math
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from cli.terminal import console, note, printable
from functions.report.spreadsheet import inert

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

MOST_ROWS = 1000
"""Rows of a table that people look at."""
_AT_ONCE = 1000


def write_result(result: duckdb.DuckDBPyConnection, form: str, out: IO[str] | None) -> None:
    """Write the rows of an executed query to ``out``, or to stdout. ``form``: table, csv, json or jsonl."""
    described = result.description or []
    names = _distinct_names([column[0] for column in described])
    rows = _rows(result)
    if form == "table":
        _write_table(names, rows, out)
        return
    import sys  # noqa: PLC0415 - stdout may be replaced until now

    target = out or sys.stdout
    if form == "csv":
        writer = csv.writer(_Lines(target))
        writer.writerow(map(inert, names))  # PIVOT makes names of values
        writer.writerows(map(_inert_cell, row) for row in rows)
        return
    is_json = [str(column[1]) == "JSON" for column in described]
    texts = (_encode(names, is_json, row) for row in rows)
    if form == "jsonl":
        target.writelines(f"{text}\n" for text in texts)
        return
    first = next(texts, None)
    target.write("[" + (first or ""))
    target.writelines(f",\n {text}" for text in texts)
    target.write("]\n")


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while some := result.fetchmany(_AT_ONCE):
        yield from some


def _distinct_names(names: list[str]) -> list[str]:
    """Return names that are all different: a join has two columns of one name, an object has not."""
    found: list[str] = []
    for name in names:
        free = (f"{name}_{number}" if number else name for number in range(len(names)))
        found.append(next(one for one in free if one not in found))
    return found


def _write_table(names: list[str], rows: Iterator[tuple[Any, ...]], out: IO[str] | None) -> None:
    table = Table()
    for name in names:
        table.add_column(Text(printable(name)))
    for row in islice(rows, MOST_ROWS):
        table.add_row(*(Text(printable(_cell(value)), justify=_side(value)) for value in row))
    screen = console(out)
    screen.print(table)
    if next(rows, None) is not None:
        note(f"the first {MOST_ROWS} rows; --format csv, json, jsonl or parquet has all")


def _side(value: Any) -> Any:
    return "right" if isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool) else "left"


def _cell(value: Any) -> str:
    """Return a value as text: NULL is empty, what has parts is JSON."""
    plain = _plain(value)
    if plain is None:
        return ""
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _inert_cell(value: Any) -> str:
    """Return a value as text that no spreadsheet computes: strangers write reasons. Numbers may begin with a minus."""
    text = _cell(value)
    return text if isinstance(value, int | float | decimal.Decimal) else str(inert(text))


class _Lines:
    """Rows that end as lines do here. A writer whose own rows end in CR LF quotes cells that have either of them."""

    def __init__(self, target: IO[str]) -> None:
        self._target = target

    def write(self, row: str) -> None:
        self._target.write(row.removesuffix("\r\n") + "\n")


def _encode(names: list[str], is_json: list[bool], row: tuple[Any, ...]) -> str:
    values = (_parsed(value) if told else _plain(value) for value, told in zip(row, is_json, strict=True))
    return json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False)


def _parsed(value: Any) -> Any:
    """Return what a value of type JSON says; as text when Python cannot read it, such as a number of 5000 digits."""
    try:
        return None if value is None else json.loads(value)
    except (ValueError, RecursionError):
        return value


def _plain(value: Any) -> Any:
    """Return a value of DuckDB as JSON can say it. JSON has neither NaN nor infinity: they are null."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, float | decimal.Decimal):
        return _number(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _number(value: float | decimal.Decimal) -> int | float | None:
    if not math.isfinite(value):
        return None
    return int(value) if isinstance(value, decimal.Decimal) and value == value.to_integral_value() else float(value)
