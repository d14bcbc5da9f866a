"""The parts of a day, read one after the other: are they what the manifest says, their lines rows in order? Pure."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING

from functions.snapshot.lines import key_of, requested_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.snapshot.manifest import Part

_NO_ROW, _CUT, _AGAIN, _DISORDER = "no row of its day", "cut off", "a row that came before", "out of order"


class Lines:
    """What all lines so far have told: the ``rows`` there were, the first and the last time in them."""

    def __init__(self, day: str) -> None:
        self.rows = 0
        self.first_at = ""
        self.last_at = ""
        self._day = day
        self._last_key = b""

    def read(self, part: Part, body: bytes) -> Iterator[str]:
        """Take one part in; yield what is wrong with it."""
        if hashlib.sha256(body).hexdigest() != part["sha256"]:
            yield "its sha256 is not the manifest's"
        if len(body) != part["bytes"]:
            yield f"has {len(body)} bytes, the manifest says {part['bytes']}"
        found: dict[str, list[int]] = {}
        number = 0
        for number, line in enumerate(io.BytesIO(body), 1):
            if fault := self._take(line):
                found.setdefault(fault, []).append(number)
        self.rows += number
        if number != part["rows"]:
            yield f"has {number} rows, the manifest says {part['rows']}"
        for fault, numbers in found.items():
            more = f", and {len(numbers) - 1} more" if len(numbers) > 1 else ""
            yield f"line {numbers[0]} is {fault}{more}"

    def _take(self, line: bytes) -> str:
        """Return what is wrong with a line, or nothing."""
        if not line.endswith(b"\n"):
            return _CUT
        try:
            key, is_of_the_day = key_of(line), json.loads(line)["day"] == self._day
            at = requested_at(line)
        except (ValueError, LookupError, TypeError, RecursionError):
            return _NO_ROW
        if not is_of_the_day:
            return _NO_ROW
        if at:
            self.first_at = min(self.first_at or at, at)
            self.last_at = max(self.last_at, at)
        before, self._last_key = self._last_key, key
        if key == before:
            return _AGAIN
        return _DISORDER if key < before else ""
