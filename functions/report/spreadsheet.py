"""Cells of CSV as spreadsheets take them: text that begins like a formula is computed, whoever wrote it."""

from __future__ import annotations

from typing import Any

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""https://owasp.org/www-community/attacks/CSV_Injection; the wide ones are read as formulas in East Asian locales."""


def inert(value: Any) -> Any:
    """Return a cell that no spreadsheet computes: text that would be is led by an apostrophe; numbers are no text."""
    if not isinstance(value, str):
        return value
    value = value.replace("\x00", "\ufffd")  # the csv module of Python 3.10 cannot write NUL
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
