"""How much is looked at while somebody waits for what became of a mail; the timer has the rest."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class LookedTooFarError(Exception):
    """There is more to look at than this caller has time for; the timer has it."""


def no_more_than(most: int | None, found: Iterable[T]) -> Iterable[T]:
    """Return what was found. Raises LookedTooFarError, before anything is read, where that is more than ``most``."""
    if most is None:
        return found
    some = list(itertools.islice(found, most + 1))
    if len(some) > most:
        raise LookedTooFarError
    return some
