"""The body of a callback -> the objects in it.

SES documents neither content type nor batching, so all are taken: one JSON object, an array, JSON lines. SendCloud
sends a form (pages of 2017 and 2025) or JSON (aurorasendcloud.com).
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl


class UnreadableError(ValueError):
    """The body is not what any document says; it belongs in quarantine."""


class BrokenLine(NamedTuple):
    """One of several lines that is not JSON, beside others that are."""

    text: str


def parse_objects(body: bytes) -> list[Any]:
    """Return what the body holds, in its order; elements may be anything JSON can say, or a BrokenLine.

    Raises UnreadableError.
    """
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise UnreadableError("the body is not UTF-8") from error
    if not text:
        raise UnreadableError("the body is empty")
    if text[0] not in "{[":  # whatever the content type says: JSON begins so, a form does not
        return [_form(text)]
    try:
        value = _json(text)
    except UnreadableError:
        if "\n" not in text:
            raise
        value = _lines(text)
    return value if isinstance(value, list) else [value]


def _lines(text: str) -> list[Any]:
    # Not splitlines: U+2028 and its like may stand inside a JSON string.
    values = [_line(line) for line in text.split("\n") if line.strip()]
    if not any(isinstance(value, dict) for value in values):
        raise UnreadableError("neither JSON nor lines of JSON")
    return values


def _line(text: str) -> Any:
    try:
        return _json(text)
    except UnreadableError:
        return BrokenLine(text)


def _form(text: str) -> dict[str, Any]:
    fields = dict(parse_qsl(text, keep_blank_values=True))
    if "event" not in fields:
        raise UnreadableError("neither JSON nor a form with an event")
    return fields


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the body is not JSON") from error


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number beyond what a double holds")
    return number
