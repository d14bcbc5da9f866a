"""The lines of an object as DuckDB can read them: none too long, none half a surrogate pair, none twice on purpose."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LONGEST_LINE_BYTES = 8 * 1024 * 1024
"""DuckDB gives up on a file with a line of 16 MiB; the longest that a function writes is far below 1 MiB."""
_UNREADABLE = b"?\n"
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Repeats:
    """Lines that were copied already; telling them apart here spares DuckDB a sort of whole records."""

    def __init__(self, packs: Iterable[Path]) -> None:
        self._seen: set[bytes] = set()
        for pack in packs:
            with pack.open("rb") as lines:
                for line in lines:
                    self.is_new(line.rstrip(b"\n"))

    def is_new(self, line: bytes) -> bool:
        """Whether a line comes for the first time."""
        digest = hashlib.blake2b(line, digest_size=16).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True


def readable_lines(body: bytes, repeats: Repeats | None) -> Iterator[bytes]:
    """Yield an object's lines as DuckDB can read them."""
    odd = len(body) > LONGEST_LINE_BYTES or _SURROGATE.search(body)
    if repeats is None and not odd:
        yield body if body.endswith(b"\n") or not body else body + b"\n"
        return
    for line in body.split(b"\n"):
        if not line.strip() or (repeats and not repeats.is_new(line)):
            continue
        if len(line) > LONGEST_LINE_BYTES:
            yield _UNREADABLE
        else:
            yield (_mended(line) if _SURROGATE.search(line) else line) + b"\n"


def _mended(line: bytes) -> bytes:
    """Return a line with U+FFFD for each half of a surrogate pair: JSON allows it, DuckDB does not."""
    try:
        text = json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return line  # counted as unreadable when it is read
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
