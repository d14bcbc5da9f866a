"""Which event of a storm is delivered when, and how often. Pure; numbers only."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

ORDERS = ("random", "time", "reverse")
COPIES_MAX = 255
"""Copies are counted in a byte."""


def plan_deliveries(
    die: random.Random, times: Sequence[float], *, copies: range, deliveries: int | None, order: str
) -> array[int]:
    """Return the number of the event that each delivery tells, in the order of delivery.

    ``times``: when each event happened. ``copies``: how often each may be told. Raises ValueError if ``copies`` is
    empty or not within 1 to 255, if ``deliveries`` cannot be reached with it, or for an unknown order.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
    if not copies or copies[0] < 1 or copies[-1] > COPIES_MAX:
        raise ValueError(f"copies must be from 1 to {COPIES_MAX}, the least first")
    counts = _even(die, len(times), copies) if deliveries is None else _skewed(die, len(times), copies, deliveries)
    if order == "random":
        plan = array("L", _repeated(range(len(times)), counts))
        die.shuffle(plan)
        return plan
    in_time = sorted(range(len(times)), key=times.__getitem__, reverse=order == "reverse")
    return array("L", _repeated(in_time, counts))


def _repeated(numbers: Sequence[int], counts: Sequence[int]) -> Iterator[int]:
    return (number for number in numbers for _ in range(counts[number]))


def _even(die: random.Random, events: int, copies: range) -> bytearray:
    return bytearray(die.randint(copies[0], copies[-1]) for _ in range(events))


def _skewed(die: random.Random, events: int, copies: range, deliveries: int) -> bytearray:
    """Who has many gets more, so that the counts fall off geometrically and a few reach the most that is allowed."""
    least, most = copies[0], copies[-1]
    if not events * least <= deliveries <= events * most:
        raise ValueError(f"{events} events told {least} to {most} times cannot make {deliveries} deliveries")
    counts = bytearray([least]) * events
    told = array("L", _repeated(range(events), counts))
    full = 0
    while len(told) < deliveries:
        number = told[die.randrange(len(told))]
        if counts[number] == most:
            # Whoever is full passes it on to the first who is not, so that this ends however tight the numbers are.
            while counts[full] == most:
                full += 1
            number = full
        counts[number] += 1
        told.append(number)
    return counts
