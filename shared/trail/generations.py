"""Numbered objects without gaps, 0, 1, 2 …: the newest one, found by GET alone. LIST may lag, so it is never asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def find_newest(read: Callable[[int], bytes | None]) -> tuple[int, bytes | None]:
    """Return the number and the content of the newest; ``(0, None)`` when there is none.

    ``read`` returns the content of a number, or None when there is no such object. It is called about twice as often as
    the newest number has binary digits.
    """
    low, found = 0, read(0)
    step = 1
    while found is not None and (content := read(low + step)) is not None:
        low, found, step = low + step, content, step * 2
    high = low + step
    while found is not None and high - low > 1:
        middle = (low + high) // 2
        content = read(middle)
        low, found, high = (middle, content, high) if content is not None else (low, found, middle)
    return low, found
