"""What a benchmark is held to."""

from __future__ import annotations

from typing import NamedTuple


class BenchmarkError(Exception):
    """A benchmark cannot run here; the message says what is missing."""


class Goal(NamedTuple):
    """One number and its limit, both without a unit or in the unit that ``what`` names."""

    what: str
    measured: float
    at_most: float

    @property
    def is_reached(self) -> bool:
        """Whether the number is within its limit."""
        return self.measured <= self.at_most
