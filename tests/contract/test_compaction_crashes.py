"""Compaction that is interrupted, doubled or overtaken anywhere: every reader sees every event, at every moment."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from functions.report import compaction, compaction_hour, handler, hours
from shared.trail.store import APPEND, FORBID_OVERWRITE
from tests.closed_hours import (
    GRACE_S,
    Facts,
    Killed,
    callback,
    deliver,
    die_at,
    maintain,
    naive,
    names,
    ours,
)
from tests.handlers import NOW, run, timer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud import LocalCloud

LAG_S = 60
LEASE_S = 1000
"""More than a dead holder's lease lasts, less than the grace."""
LAGGING = {"list_lag_s": LAG_S, "list_lag_deleted": True}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the timer do nothing but compaction: every request counted is one of it."""
    monkeypatch.setattr(handler, "STEPS", (("compaction", compaction.compact),))


def busy_hour(cloud: LocalCloud, switches: dict[str, Any]) -> None:
    """Leave an hour in which one run has everything to do: to delete, to delete again, to merge, to merge on."""
    cloud.reset()
    cloud.move_to(NOW)
    cloud.ses.switches.update({"hourly_per_recipient": 0})
    deliver([callback(1), callback(2, event="bounce"), callback(3)])
    cloud.cos.switches.update(switches)
    cloud.advance(LAG_S + 1)
    maintain()
    cloud.advance(GRACE_S)
    deliver([callback(1), callback(2, event="bounce"), callback(4, event="open"), callback(4)])
    cloud.advance(LAG_S + 1)


def check(truth: Facts) -> None:
    """Both readers see the truth."""
    assert naive() == truth
    assert ours() == truth


def finish(cloud: LocalCloud, truth: Facts) -> None:
    """Run the timer until nothing is left to do; the hour ends as one object, and it was right all the time."""
    for _ in range(3):
        cloud.advance(GRACE_S + 1)
        maintain()
        assert naive() == truth
    cloud.advance(LAG_S + 1)
    assert len(names()) == 1
    check(truth)


def moments(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, switches: dict[str, Any]
) -> Iterator[tuple[int, Facts]]:
    """Yield the number of each request of a run, each time with the hour set up anew."""
    dispatch = cloud.dispatch
    busy_hour(cloud, switches)
    asked: list[str] = []

    def count(service: str, request: Any, **options: Any) -> Any:
        asked.append(service)
        return dispatch(service, request, **options)

    monkeypatch.setattr(cloud, "dispatch", count)
    told = maintain()
    assert (told["made"], told["deleted"]) == (1, 3)
    monkeypatch.setattr(cloud, "dispatch", dispatch)
    assert len(asked) > 10  # to look, to verify, to delete, to read, to put, to log
    truth = ours()
    for number in range(len(asked)):
        busy_hour(cloud, switches)
        yield number, truth
        monkeypatch.setattr(cloud, "dispatch", dispatch)


@pytest.mark.parametrize(
    ("claim", "after", "switches"),
    [
        (FORBID_OVERWRITE, False, LAGGING),
        (FORBID_OVERWRITE, True, {"versioned": True}),
        (APPEND, True, {**LAGGING, "versioned": True}),
    ],
)
def test_a_death_at_any_request_loses_and_doubles_nothing(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, claim: str, *, after: bool, switches: dict[str, Any]
) -> None:
    """Before the request takes effect, and after it did but before the answer came; then the next runs end the work."""
    monkeypatch.setenv("MAILTRAIL_CLAIM", claim)
    dispatch = cloud.dispatch
    for number, truth in moments(cloud, monkeypatch, switches):
        cloud.dispatch = die_at(number, after=after, dispatch=dispatch)  # type: ignore[method-assign]
        with pytest.raises(Killed):
            maintain()
        cloud.dispatch = dispatch  # type: ignore[method-assign]
        check(truth)
        cloud.advance(LEASE_S)
        maintain()
        assert naive() == truth
        finish(cloud, truth)


def intrude(cloud: LocalCloud, number: int, what: Callable[[], object]) -> None:
    """Have ``what`` happen before the request ``number`` from now on; its own requests are not counted."""
    dispatch, seen = cloud.dispatch, 0

    def intruded(service: str, request: Any, **options: Any) -> Any:
        nonlocal seen
        mine, seen = seen, seen + 1
        if mine == number:
            cloud.dispatch = dispatch  # type: ignore[method-assign]
            what()
        return dispatch(service, request, **options)

    cloud.dispatch = intruded  # type: ignore[method-assign]


@pytest.mark.parametrize("is_zombie", [False, True])
def test_two_at_once_lose_and_double_nothing(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, *, is_zombie: bool
) -> None:
    """The lease only saves work: without it a second run does all of it between any two requests of the first.

    As a zombie the first goes on after the second's grace is over and everything was deleted.
    """
    monkeypatch.setattr(compaction, "leased", lambda *_, **__: nullcontext(True))

    def second() -> None:
        maintain()
        if is_zombie:
            cloud.advance(GRACE_S + 1)
            maintain()

    for number, truth in moments(cloud, monkeypatch, {}):
        intrude(cloud, number, second)
        maintain()
        check(truth)
        finish(cloud, truth)


def test_a_callback_between_any_two_requests_is_kept(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redeliveries of what is merged or deleted at the moment, and a new event in their company."""
    fresh = callback(9, event="click")
    for number, _ in moments(cloud, monkeypatch, {}):
        intrude(cloud, number, lambda: deliver([callback(1), callback(4), callback(2, event="bounce"), fresh]))
        maintain()
        truth = ours()
        assert len(truth.events) == 6
        finish(cloud, truth)


def test_a_death_while_the_report_is_made_harms_nothing(cloud: LocalCloud) -> None:
    """The reports come before compaction and write nothing of the events."""
    dispatch = cloud.dispatch
    busy_hour(cloud, {})
    truth = ours()
    for number in (0, 5, 20, 40, 60):
        cloud.dispatch = die_at(number, after=True, dispatch=dispatch)  # type: ignore[method-assign]
        with pytest.raises(Killed):
            run("report", timer(), time_limit_s=900)
        cloud.dispatch = dispatch  # type: ignore[method-assign]
        check(truth)
    cloud.advance(LEASE_S)
    assert run("report", timer(), time_limit_s=900)["reports"][1]["events"] == 5
    finish(cloud, truth)


def test_errors_of_cos_cost_time_only(cloud: LocalCloud) -> None:
    """One request in twenty fails, one in twenty is done and not answered."""
    busy_hour(cloud, LAGGING)
    truth = ours()
    for kind in ("error", "drop_response"):
        cloud.add_faults({"service": "cos", "kind": kind, "probability": 0.05})
    for _ in range(8):
        maintain()
        cloud.advance(GRACE_S + 1)
    cloud.clear_faults()
    cloud.advance(LEASE_S)
    finish(cloud, truth)


@pytest.mark.parametrize("seed", range(2))
def test_any_history_is_read_right_at_every_step(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Callbacks, redeliveries, runs, deaths and rivals in any order, with small merges and a LIST that lags.

    What was delivered longer ago than the lag is seen by both readers, and nobody sees what was not.
    """
    monkeypatch.setattr(compaction, "leased", lambda *_, **__: nullcontext(True))
    for name, size in (("FULL_BYTES", 6000), ("SEALED_BYTES", 3000), ("MOST_OBJECTS", 7), ("LONG_STRETCH", seed)):
        monkeypatch.setattr(compaction_hour, name, size)
    monkeypatch.setattr(hours, "SEALED_BYTES", 3000)
    random, dispatch = Random(seed), cloud.dispatch  # noqa: S311 - a history that can be repeated
    cloud.cos.switches.update(LAGGING)
    delivered: list[int] = []

    def arrive() -> None:
        fresh = random.randrange(1, 5)
        again = random.choices(delivered, k=3) if delivered else []
        delivered.extend(range(len(delivered), len(delivered) + fresh))
        deliver([callback(number) for number in [*delivered[-fresh:], *again]])

    def die() -> None:
        cloud.dispatch = die_at(random.randrange(25), after=random.random() < 0.5, dispatch=dispatch)  # type: ignore[method-assign]
        with suppress(Killed):
            maintain()

    def be_overtaken() -> None:
        intrude(cloud, random.randrange(20), random.choice([maintain, arrive, lambda: cloud.advance(GRACE_S)]))
        maintain()

    arrive()
    for _ in range(25):
        random.choice([arrive, maintain, die, be_overtaken])()
        cloud.dispatch = dispatch  # type: ignore[method-assign]
        cloud.advance(random.choice([LAG_S + 1, GRACE_S // 2, GRACE_S + 1]))
        for seen in (naive(), ours()):
            assert sorted(name for name, _ in seen.states) == sorted(f"u{number}@example.com" for number in delivered)
            assert len(seen.events) == len(delivered)
    for _ in range(3):
        maintain()
        cloud.advance(GRACE_S + 1)
    assert sum(not name.startswith("merged-") for name in names()) <= 1  # one alone waits for another
