"""A lease has one holder; one that is over or whose holder died is followed; finding it does not grow with the years."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud import defaults, mock_tencent
from shared.trail import lease
from shared.trail.generations import find_newest
from shared.trail.lease import Lease, leased, take
from shared.trail.store import APPEND, FORBID_OVERWRITE, Place, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud import LocalCloud

NOON = 1795176000.0
"""2026-11-20T12:00:00Z."""
MIDNIGHT = 1795219200.0
"""2026-11-21T00:00:00Z."""
SCOPE = "report/compaction"


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """Tencent Cloud inside this process."""
    with mock_tencent() as opened:
        yield opened


@pytest.fixture(params=[FORBID_OVERWRITE, APPEND])
def store(cloud: LocalCloud, request: pytest.FixtureRequest) -> Store:
    """Open the bucket, with either way of claiming."""
    place = (defaults.SECRET_ID, defaults.SECRET_KEY, "", defaults.BUCKET, defaults.REGION, "", request.param)
    return Store(Place(*place))


@given(st.integers(0, 5000))
def test_the_newest_generation_is_found_in_few_steps(count: int):
    """Whatever their number; twice its binary digits is enough."""
    asked: list[int] = []

    def read(number: int) -> bytes | None:
        asked.append(number)
        return b"%d" % number if number < count else None

    newest, content = find_newest(read)
    assert (newest, content) == ((count - 1, b"%d" % (count - 1)) if count else (0, None))
    assert len(asked) <= 2 * count.bit_length() + 2


def test_one_holds_it_until_it_is_given_back(store: Store):
    """The second is told no, not made to wait; after the first is done it is free at once."""
    with leased(store, SCOPE, now=NOON, ttl_s=600) as first:
        assert first == Lease(SCOPE, "2026-11-20", 0, NOON + 600)
        with leased(store, SCOPE, now=NOON + 1, ttl_s=600) as second:
            assert second is None
        assert take(store, SCOPE, now=NOON + 2, ttl_s=600) is None
        assert take(store, "report/suppression", now=NOON + 2, ttl_s=600) is not None
    again = take(store, SCOPE, now=NOON + 3, ttl_s=600)
    assert again is not None
    assert again.generation == 1


def test_a_dead_holder_is_followed_when_its_time_is_up(store: Store):
    """Not a second before."""
    assert take(store, SCOPE, now=NOON, ttl_s=600)
    assert take(store, SCOPE, now=NOON + 599, ttl_s=600) is None
    follower = take(store, SCOPE, now=NOON + 600, ttl_s=600)
    assert follower is not None
    assert follower.generation == 1
    assert take(store, SCOPE, now=NOON + 601, ttl_s=600) is None


def test_a_clock_that_was_hours_ahead_holds_nobody_up(store: Store):
    """Its holder died, and its lease would last longer than any may."""
    assert take(store, SCOPE, now=NOON + 6 * 3600, ttl_s=600) is not None
    assert take(store, SCOPE, now=NOON, ttl_s=600) is not None


def test_midnight_frees_nothing(store: Store):
    """Generations begin anew with each UTC day, but a holder of the evening still holds."""
    assert take(store, SCOPE, now=MIDNIGHT - 60, ttl_s=600)
    assert take(store, SCOPE, now=MIDNIGHT + 60, ttl_s=600) is None
    follower = take(store, SCOPE, now=MIDNIGHT + 540, ttl_s=600)
    assert follower == Lease(SCOPE, "2026-11-21", 0, MIDNIGHT + 1140)


def test_of_many_at_once_one_wins(store: Store):
    """Each time anew."""
    for round_ in range(5):
        barrier, won = threading.Barrier(6), []

        def run(at: float, barrier: threading.Barrier = barrier, won: list[Lease | None] = won) -> None:
            barrier.wait()
            won.append(take(store, SCOPE, now=at, ttl_s=60))

        threads = [threading.Thread(target=run, args=(NOON + round_ * 60,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([one for one in won if one]) == 1
        assert len(won) == 6


def test_an_error_inside_gives_it_back(store: Store):
    """The next run need not wait for a work that failed."""
    with pytest.raises(RuntimeError), leased(store, SCOPE, now=NOON, ttl_s=600):
        raise RuntimeError
    assert take(store, SCOPE, now=NOON + 1, ttl_s=600)


def test_that_it_cannot_be_given_back_is_no_error(store: Store, cloud: LocalCloud):
    """It runs out by itself; the work was done."""
    with leased(store, SCOPE, now=NOON, ttl_s=600) as held:
        assert held
        cloud.add_faults(
            {"service": "cos", "kind": "error", "action": "PutObject", "status": 403, "code": "AccessDenied"}
        )
    assert take(store, SCOPE, now=NOON + 1, ttl_s=600) is None


def test_taking_tells_of_trouble(store: Store, cloud: LocalCloud):
    """Nobody may believe that somebody else has it."""
    cloud.add_faults({"service": "cos", "kind": "error", "action": "GetObject", "status": 403, "code": "AccessDenied"})
    with pytest.raises(StoreError):
        take(store, SCOPE, now=NOON, ttl_s=600)


@pytest.mark.parametrize("ttl_s", [0, -1, lease.LONGEST_S + 1])
def test_a_lease_is_short(store: Store, ttl_s: float):
    """The look around midnight rests on it."""
    with pytest.raises(ValueError, match="3600"):
        take(store, SCOPE, now=NOON, ttl_s=ttl_s)
