"""The turns of one instance: never more than the limit in a second, fewer after refusals, all of them again in time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from functions.send.guard.rate import Budget

STEPS = st.lists(
    st.tuples(st.floats(0, 0.4), st.sampled_from(["take", "take", "take", "refused", "give back"])), max_size=200
)


class Moved:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@given(limit=st.sampled_from([0.2, 1, 1.5, 2, 7, 20, 100]), steps=STEPS)
def test_no_second_holds_more_turns_than_the_limit(limit: float, steps: list[tuple[float, str]]) -> None:
    """Whatever is refused and given back in between; less than one a second is one in so many seconds."""
    clock = Moved()
    budget, turns = Budget(limit, clock), []
    for pause_s, step in steps:
        clock.now += pause_s
        if step == "take" and budget.take():
            turns.append(clock.now)
        elif step == "refused":
            budget.slow_down()
        elif step == "give back" and turns:
            budget.give_back()
            turns.pop()
    window_s, most = max(1.0, 1 / limit), max(1, int(limit))
    for first, turn in enumerate(turns):
        assert len([other for other in turns[first:] if other < turn + window_s]) <= most


@given(refusals=st.integers(0, 400))
def test_after_any_number_of_refusals_there_is_a_turn_again_and_after_a_minute_all_of_them(refusals: int) -> None:
    clock = Moved()
    budget = Budget(20, clock)
    for _ in range(refusals):
        budget.slow_down()
    assert budget.take()
    clock.now += 4  # the slowest is a sixty-fourth of the limit
    assert budget.take()
    clock.now += 60
    assert [budget.take() for _ in range(21)] == [True] * 20 + [False]


def test_a_turn_counts_from_when_ses_is_asked() -> None:
    """The claim at a slow COS came in between."""
    clock = Moved()
    budget = Budget(1, clock)
    assert budget.take()
    clock.now += 3
    budget.begin()
    clock.now += 0.9
    assert not budget.take()
    clock.now += 0.2
    assert budget.take()
