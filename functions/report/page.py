"""The report as a page: one file, nothing fetched from anywhere, every value escaped."""

from __future__ import annotations

import csv
import functools
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from functions.report.spreadsheet import inert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@functools.lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("report.html")


def build_page(report: Mapping[str, Any]) -> bytes:
    """Return the HTML page of a report's JSON object."""
    return _template().render(report=report).encode("utf-8", "backslashreplace")


def build_csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as CSV in UTF-8 with a byte order mark, as spreadsheets want it.

    A cell that a spreadsheet would take for a formula is led by an apostrophe: reasons are written by strangers.
    """
    out = io.StringIO()
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(out, fieldnames=list(row), lineterminator="\r\n")
            writer.writeheader()
        writer.writerow({name: inert(value) for name, value in row.items()})
    return ("\ufeff" + out.getvalue()).encode("utf-8", "backslashreplace")
