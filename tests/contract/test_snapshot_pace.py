"""The permitted rate is never exceeded in any second, and nearly reached when nothing slows us down."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.snapshot.pace import GaveUpError, Pace
from localcloud import mock_tencent
from shared.upstream.errors import (
    NO_ANSWER,
    NOT_SENT,
    RULES,
    SENDCLOUD_RULES,
    UNLISTED,
    UpstreamError,
    UpstreamRefused,
    UpstreamUncertain,
)
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
            assert len(throttled) >= 6
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
    assert pauses == pytest.approx([1, 2, 4, 8, 16])


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (UpstreamRefused(RULES["AuthFailure"], code="AuthFailure"), 1),
        (UpstreamRefused(RULES["FailedOperation.NotSupportDate"], code="FailedOperation.NotSupportDate"), 1),
        (UpstreamRefused(RULES["AuthFailure.TokenFailure"], code="AuthFailure.TokenFailure"), 1),
        (UpstreamRefused(RULES["FailedOperation.ServiceNotAvailable"], code="x"), 6),
        (UpstreamRefused(NOT_SENT, code="ConnectionError"), 6),
        (UpstreamUncertain(NO_ANSWER, code="ReadTimeout"), 6),
        (UpstreamUncertain(RULES["InternalError"], code="InternalError"), 6),
        (UpstreamUncertain(UNLISTED, code="X"), 6),
    ],
)
def test_what_may_help_is_repeated_and_nothing_else(error: UpstreamError, times: int) -> None:
    """A query changes nothing: also one of which nobody knows what came may be asked again."""
    world = World([])
    asked = []

    def query() -> None:
        asked.append(1)
        raise error

    with pytest.raises(type(error)):
        Pace(20, monotonic=world.monotonic, sleep=world.sleep).call(query)
    assert len(asked) == times


def test_the_rate_is_halved_by_a_refusal_and_comes_back() -> None:
    """AIMD: several who share a limit come to share it evenly."""
    world = World([])
    pace = Pace(20, monotonic=world.monotonic, sleep=world.sleep)
    refused = iter([True, False])

    def query() -> None:
        if next(refused, False):
            raise UpstreamRefused(RULES["RequestLimitExceeded"], code="RequestLimitExceeded")

    pace.call(query)
    assert pace.rate_per_s == pytest.approx(10, rel=0.1)
    begun = world.now
    while pace.rate_per_s < 20:
        pace.call(query)
    assert world.now - begun == pytest.approx(10, rel=0.2)  # a twentieth of the limit a second
    assert pace.requests > 100


def test_two_that_share_the_limit_with_each_other_each_get_their_part() -> None:
    """The account's limit is 20 a second, and each of two believes it is its own: both get on, and neither starves."""
    world = World([])
    admitted: list[float] = []
    paces = [Pace(20, monotonic=world.monotonic, sleep=world.sleep) for _ in range(2)]

    def query() -> None:
        world.now += 0.001
        if sum(at > world.now - 1 for at in admitted[-20:]) >= 20:
            raise UpstreamRefused(RULES["RequestLimitExceeded"], code="RequestLimitExceeded")
        admitted.append(world.now)

    for number in range(400):
        paces[number % 2].call(query)
    assert all(pace.requests < 1.25 * 200 for pace in paces)


def test_there_is_no_wait_beyond_the_time_left() -> None:
    """Who waits when the function ends has done nothing; the caller keeps what it has."""
    world = World([])
    pace = Pace(20, monotonic=world.monotonic, sleep=world.sleep, time_left_s=lambda: 30 - world.now)

    def query() -> None:
        raise UpstreamRefused(SENDCLOUD_RULES[50000], code="50000")

    with pytest.raises(GaveUpError) as caught:
        pace.call(query)
    assert world.now < 1
    assert caught.value.__cause__.code == "50000"  # type: ignore[union-attr]


@given(
    latencies_s=st.lists(st.floats(0, 0.3), min_size=40, max_size=120),
    arrives=st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_whenever_within_the_usual_time_requests_arrive_no_second_of_the_server_holds_more(
    latencies_s: list[float], arrives: list[float]
) -> None:
    """Jitter: each arrives at some time before its answer, within 45 ms of being sent."""
    world = World([])
    pace = Pace(20, monotonic=world.monotonic, sleep=world.sleep)
    counted: list[float] = []
    for number, latency_s in enumerate(latencies_s):

        def query(latency_s: float = latency_s, part: float = arrives[number % len(arrives)]) -> None:
            counted.append(world.now + part * min(latency_s, 0.045))
            world.now += latency_s

        pace.call(query)
    assert most_in_a_second(sorted(counted)) <= 20


@given(
    held_up_s=st.lists(st.just(0.0) | st.floats(0, 0.6), min_size=60, max_size=120), rate=st.sampled_from([1, 2, 20])
)
def test_requests_that_are_held_up_on_the_way_do_not_crowd_a_second_of_the_server(
    held_up_s: list[float], rate: float
) -> None:
    """A process that stands still after its turn (little CPU is granted), or the network, for longer than is usual."""
    world = World([])
    pace = Pace(rate, monotonic=world.monotonic, sleep=world.sleep)
    counted: list[float] = []
    for number, held_s in enumerate([0.0, *held_up_s]):

        def query(held_s: float = held_s, answer_s: float = 0.02 + number % 11 / 1000) -> None:
            world.now += held_s
            counted.append(world.now)
            world.now += answer_s

        pace.call(query)
        if number % 19 == 0:
            pace.call(lambda: query(0.0))
    assert most_in_a_second(counted) <= rate


@given(stood_still_s=st.lists(st.floats(0, 0.3), min_size=30, max_size=50), rate=st.sampled_from([1, 2, 20]))
def test_whoever_takes_over_from_another_does_not_crowd_its_last_second(
    stood_still_s: list[float], rate: float
) -> None:
    """Two instances, one after the other, each with a pace of its own; the second has waited all the time."""
    world = World([])
    first, second = (Pace(rate, monotonic=world.monotonic, sleep=world.sleep) for _ in range(2))
    for stood_s in stood_still_s:
        world.now += stood_s
        first.call(lambda: world.asked_at.append(world.now))
    first.rest()
    for _ in range(25):
        second.call(lambda: world.asked_at.append(world.now))
    assert most_in_a_second(world.asked_at) <= rate


def test_the_functions_own_pace_passes_the_real_limit_in_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two passes of 12 pages at the local SES's 20 a second: not one is refused, so not one is asked for again."""
    with mock_tencent() as cloud:
        cloud.move_to(NOW)
        cloud.ses.seed(day="2026-11-19", messages=1150, tasks=0, seed=1)
        asked, dispatch = [], cloud.ses.dispatch

        def note(request: Any) -> Any:
            asked.append(request)
            return dispatch(request)

        monkeypatch.setattr(cloud.ses, "dispatch", note)
        result = run("snapshot", timer("2026-11-19"), time_limit_s=900)
    assert {one["source"]: one["rows"] for one in result["snapshots"]} == {"tasks": 0, "status": 1150, "sendcloud": 0}
    assert len(asked) == 1 + 2 * 12
