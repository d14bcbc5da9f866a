"""When passes are said to agree, a day lacks a row once in a thousand days at most; and a quiet day needs two."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from functions.snapshot.agreement import MOST_UNSEEN, have_agreed, unseen_after
from functions.snapshot.due import MOST_PASSES

DICE = random.Random(5)  # noqa: S311 - a die that must be repeatable


def passes_until_agreed(rows: int, chances: list[float]) -> tuple[int, int]:
    """Simulate passes that each miss a row with a chance of their own; return how many were made, and what is unseen."""
    known: set[int] = set()
    unseen = None
    for number, chance in enumerate(chances, 1):
        met = {row for row in range(rows) if DICE.random() >= chance}
        if number > 1:
            gained = len(met - known)
            unseen = unseen_after(unseen, known=len(known), gained=gained, missed=len(known - met))
            if have_agreed(unseen, gained=gained):
                return number, rows - len(known)
        known |= met
    return len(chances) + 1, rows - len(known)


def test_a_quiet_day_needs_two_passes() -> None:
    assert passes_until_agreed(1000, [0.0] * 8)[0] == 2
    assert passes_until_agreed(0, [0.0] * 8)[0] == 2


def test_days_whose_rows_move_are_whole_when_passes_agree() -> None:
    """2000 days of 300 rows, passes that miss up to 3 %: what is not seen by then is below the promise."""
    lacking = 0
    for _ in range(2000):
        chances = [DICE.choice([0.0, 0.001, 0.01, 0.03]) for _ in range(MOST_PASSES)]
        number, unseen = passes_until_agreed(300, chances)
        assert number <= MOST_PASSES
        lacking += unseen > 0
    assert lacking / 2000 <= 2 * MOST_UNSEEN


def test_one_pass_proves_nothing_nor_does_one_that_sees_nothing() -> None:
    assert unseen_after(None, known=0, gained=5, missed=0) is None
    assert unseen_after(0.0, known=5, gained=0, missed=5) is None
    assert not have_agreed(None, gained=0)


@given(known=st.integers(1, 10**6), gained=st.integers(0, 10**6), part=st.floats(0, 0.999), before=st.floats(0, 10))
def test_the_estimate_is_never_negative_and_grows_with_what_was_missed(
    known: int, gained: int, part: float, before: float
) -> None:
    fewer, more = int(known * part * 0.5), int(known * part)
    low = unseen_after(before, known=known, gained=gained, missed=fewer)
    high = unseen_after(before, known=known, gained=gained, missed=more)
    assert low is not None
    assert high is not None
    assert 0 <= low <= high
