"""The permitted rate is never exceeded in any second, and nearly reached when nothing slows us down."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.snapshot.pace import Pace
from localcloud import mock_tencent
from shared.upstream.errors import RULES, UNLISTED, UpstreamRefused, UpstreamUncertain
from tests.handlers import NOW, run, timer

EPSILON_S = 1e-9
"""Rounding of binary fractions over an hour of stopwatch time."""


class World:
    """A stopwatch whose sleeps overshoot as told, and queries that take as long as told."""

    def __init__(self, overshoots_s: list[float]) -> None:
        self.now = 0.0
        self._overshoots_s = overshoots_s or [0.0]
        self._slept = 0
        self.asked_at: list[float] = []

    def monotonic(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Pass the time, and some more."""
        assert seconds > 0
        self.now += seconds + self._overshoots_s[self._slept % len(self._overshoots_s)]
        self._slept += 1


def most_in_a_second(times: list[float]) -> int:
    """Return the greatest number of ``times`` in any half-open second."""
    return max((bisect_left(times, at + 1.0 - EPSILON_S) - index for index, at in enumerate(times)), default=0)


@given(
    rate=st.sampled_from([1, 2, 7.5, 19, 20, 50]),
    durations_s=st.lists(st.floats(0, 0.4), min_size=1, max_size=80),
    overshoots_s=st.lists(st.floats(0, 0.3), max_size=20),
    throttled=st.sets(st.integers(0, 90), max_size=8),
)
def test_no_second_ever_holds_more_calls_than_the_rate(
    rate: float, durations_s: list[float], overshoots_s: list[float], throttled: set[int]
) -> None:
    """Whatever queries take, however late sleeps return, and with repeats after throttling."""
    world = World(overshoots_s)
    pace = Pace(rate, monotonic=world.monotonic, sleep=world.sleep)
    for duration_s in durations_s:

        def query(duration_s: float = duration_s) -> None:
            world.asked_at.append(world.now)
            world.now += duration_s
            if len(world.asked_at) in throttled:
                raise UpstreamRefused(RULES["RequestLimitExceeded"], code="RequestLimitExceeded")

        try:
            pace.call(query)
        except UpstreamRefused:
            assert len(throttled) >= 5
    assert most_in_a_second(world.asked_at) <= max(rate, 1)


def test_at_least_95_percent_of_the_rate_is_used() -> None:
    """A thousand quick queries at 20 a second, on a machine that wakes a millisecond late."""
    world = World([0.001])
    pace = Pace(20, monotonic=world.monotonic, sleep=world.sleep)
    for _ in range(1000):
        pace.call(lambda: world.asked_at.append(world.now))
    assert 999 / (world.asked_at[-1] - world.asked_at[0]) >= 0.95 * 20
    assert most_in_a_second(world.asked_at) <= 20


def test_throttling_backs_off_further_each_time_and_gives_up() -> None:
    world = World([])
    pace = Pace(20, monotonic=world.monotonic, sleep=world.sleep)

    def query() -> None:
        world.asked_at.append(world.now)
        raise UpstreamRefused(RULES["RequestLimitExceeded"], code="RequestLimitExceeded")

    with pytest.raises(UpstreamRefused):
        pace.call(query)
    pauses = [later - earlier for earlier, later in zip(world.asked_at, world.asked_at[1:], strict=False)]
    assert pauses == pytest.approx([1, 2, 3, 4])


@pytest.mark.parametrize(
    "error", [UpstreamRefused(RULES["AuthFailure"], code="AuthFailure"), UpstreamUncertain(UNLISTED, code="X")]
)
def test_other_failures_are_not_repeated(error: Exception) -> None:
    world = World([])
    asked = []

    def query() -> None:
        asked.append(1)
        raise error

    with pytest.raises(type(error)):
        Pace(20, monotonic=world.monotonic, sleep=world.sleep).call(query)
    assert len(asked) == 1


def test_the_functions_own_pace_passes_the_real_limit_in_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """12 pages at the local SES's 20 a second: not one is refused, so not one is asked for again."""
    with mock_tencent() as cloud:
        cloud.move_to(NOW)
        cloud.ses.seed(day="2026-11-19", messages=1150, tasks=0, seed=1)
        asked, dispatch = [], cloud.ses.dispatch

        def note(request: Any) -> Any:
            asked.append(request)
            return dispatch(request)

        monkeypatch.setattr(cloud.ses, "dispatch", note)
        result = run("snapshot", timer("2026-11-19"), time_limit_s=900)
    assert [one["rows"] for one in result["snapshots"]] == [0, 1150, 0]
    assert len(asked) == 1 + 12
