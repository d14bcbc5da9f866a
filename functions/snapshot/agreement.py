"""Whether the passes over a day have seen all its rows. Pure.

There is no total, and rows shift while they are paged, so one pass may miss some: each row that moves from before the
pager to behind it pulls one past it unseen. What passes miss is another row each time, so their union grows until it is
whole. How near it is can be told as animals are counted by catching them twice (Lincoln-Petersen): a pass that missed
one in a hundred of the known rows will have missed one in a hundred of the unknown ones, too.
"""

from __future__ import annotations

MOST_UNSEEN = 0.001
"""Rows that may be unseen by estimate when passes are said to agree: one day in a thousand lacks one row."""


def unseen_after(before: float | None, *, known: int, gained: int, missed: int) -> float | None:
    """Return how many rows are still unseen after a pass, by estimate; None when that cannot be said.

    ``before``: the estimate before it; ``known``: rows that were known then. The pass saw ``known - missed`` of
    them and ``gained`` others.
    """
    if known == 0:
        return None if gained else 0.0
    if missed >= known:
        return None
    chance = missed / known  # that the pass misses a row that is there
    if gained:
        return (gained + 1) * chance / (1 - chance)
    return chance if before is None else min(before, 1.0) * chance


def have_agreed(unseen: float | None, *, gained: int) -> bool:
    """Whether the last pass and those before it agree on which rows there are."""
    return not gained and unseen is not None and unseen <= MOST_UNSEEN
