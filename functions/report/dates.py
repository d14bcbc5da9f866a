"""Days as text, counted: so many before or after ``2026-11-20``. Pure."""

from __future__ import annotations

from shared.trail.records import day_of, epoch

DAY_S = 86400


def shifted(day: str, by: int) -> str:
    """Return the day that is ``by`` days later; earlier when that is negative."""
    return day_of(epoch(f"{day}T00:00:00Z") + by * DAY_S, 0)


def age(day: str, today: str) -> int:
    """Return how many days ago ``day`` was."""
    return round((epoch(f"{today}T00:00:00Z") - epoch(f"{day}T00:00:00Z")) / DAY_S)


def days_through(first: str, last: str) -> list[str]:
    """Return the days from ``first`` to ``last``, both included."""
    return [shifted(first, by) for by in range(age(first, last) + 1)]
