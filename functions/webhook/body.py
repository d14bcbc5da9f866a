"""The body of a callback -> the objects in it.

SES documents neither content type nor batching, so all are taken: one JSON object, an array, JSON lines. SendCloud
sends a form (pages of 2017 and 2025) or JSON (aurorasendcloud.com).
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl

MOST_LINES = 10_000
"""Lines in one body; 256 KB do not hold as many events, and each line that is not JSON costs as much as an event."""


class UnreadableError(ValueError):
    """The body is not what any document says; it belongs in quarantine."""


class BrokenLine(NamedTuple):
    """One of several lines, or elements of an array, that is not JSON as we take it, beside others that are."""

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
        value = load_json(text)
    except UnreadableError:
        value = _elements(text)
        if value is None and "\n" not in text:
            raise
        value = value or _lines(text)
    return value if isinstance(value, list) else [value]


def load_json(text: str) -> Any:
    """Read what can be written again as JSON: no NaN, no infinity. Of a name given twice the last value counts.

    Raises UnreadableError, also for what is nested more deeply than the interpreter goes.
    """
    try:
        return _decode(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the body is not JSON") from error


def by_lower_name(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the members of an object by their names in lower case.

    Of names that differ in case only the last in byte order counts, wherever it stands: two deliveries of one object
    may order it differently, and who checks a member must see what others use.
    """
    members = {name.lower(): value for name, value in raw.items()}
    return members if len(members) == len(raw) else {name.lower(): raw[name] for name in sorted(raw)}


def _lines(text: str) -> list[Any]:
    # Not splitlines: U+2028 and its like may stand inside a JSON string.
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > MOST_LINES:
        raise UnreadableError(f"more than {MOST_LINES} lines, and not JSON as a whole")
    values = list(map(_line, lines))
    if not any(isinstance(value, dict) for value in values):
        raise UnreadableError("neither JSON nor lines of JSON")
    return values


def _elements(text: str) -> list[Any] | None:
    """Return the elements of an array one by one, where not all of them can be taken; None when it is none."""
    values: list[Any] = []
    place = _SPACE.match(text, 1).end() if text[0] == "[" else len(text)  # type: ignore[union-attr] # it matches nothing
    try:
        while place < len(text):
            _, end = _LENIENT.raw_decode(text, place)
            values.append(_line(text[place:end]))
            after = _AFTER_ELEMENT.match(text, end)
            if after is None or len(values) > MOST_LINES:
                return None
            place = after.end()
            if after["mark"] == "]":
                return values if place == len(text) and any(isinstance(value, dict) for value in values) else None
    except (ValueError, RecursionError):
        pass
    return None


def _line(text: str) -> Any:
    try:
        return load_json(text)
    except UnreadableError:
        return BrokenLine(text)


def _form(text: str) -> dict[str, Any]:
    # Percent-encoded bytes that are not UTF-8 (mail servers answer in GBK) stay legible as \\xNN; U+FFFD tells nothing.
    fields = dict(parse_qsl(text, keep_blank_values=True, errors="backslashreplace"))
    if "event" not in fields:
        raise UnreadableError("neither JSON nor a form with an event")
    return fields


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number beyond what a double holds")
    return number


_SPACE = re.compile(r"[ \t\n\r]*")
_AFTER_ELEMENT = re.compile(r"[ \t\n\r]*(?P<mark>[,\]])[ \t\n\r]*")
_LENIENT = json.JSONDecoder(parse_int=str, parse_float=str)
"""Finds where an element ends, whatever numbers it holds."""
_decode = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite).decode
