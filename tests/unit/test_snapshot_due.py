"""Which day is taken next: oldest first, every day often enough to be sealed, and no more often than is stated."""

from __future__ import annotations

from typing import Any

import pytest

from functions.snapshot.desk import Desk
from functions.snapshot.due import (
    CLOSED,
    KEPT_DAYS,
    MOST_PASSES,
    NEVER,
    OPEN,
    SETTLED,
    Standing,
    days_to_look_at,
    next_day,
    phase_at,
    wants_pass,
)
from shared.trail.records import epoch

EAST_S = 8 * 3600
DAY_S = 86400
NOW = "2026-11-20T08:10:00Z"


def desk(now: str | float = NOW, settle_days: float = 3) -> Desk:
    at = epoch(now) if isinstance(now, str) else now
    return Desk(None, EAST_S, settle_days * DAY_S, lambda: at, lambda: 900.0)  # type: ignore[arg-type]


def stood(phase: str, finished: str, *, phase_passes: int = 1, seconds: float = 10, **more: Any) -> Standing:
    at = epoch(finished)
    told = {"agreed": False, "sealed": False} | more
    return Standing(2, phase, phase_passes, started_s=at - seconds, finished_s=at, **told)


def test_a_day_is_open_until_it_ends_in_the_accounts_zone_and_settles_later() -> None:
    ends = epoch("2026-11-20T16:00:00Z")
    at = [ends - 1, ends, ends + 3 * DAY_S - 1, ends + 3 * DAY_S]
    assert [phase_at(desk(), "2026-11-20", moment) for moment in at] == [OPEN, CLOSED, CLOSED, SETTLED]


def test_days_that_no_pass_has_seen_since_they_ended_come_first_and_the_oldest_of_them_before_all() -> None:
    standings = dict.fromkeys(days_to_look_at(desk()), NEVER)
    asked = []
    while (day := next_day(desk(), standings, 0.0)) is not None:
        asked.append(day)
        standings[day] = stood(phase_at(desk(), day, epoch(NOW)), NOW, agreed=True, sealed=day < "2026-11-16")
    assert asked == days_to_look_at(desk())[3:]  # those that SES has forgotten are not asked for
    assert len(asked) == KEPT_DAYS + 1
    assert asked[-1] == "2026-11-20"


def test_a_day_that_was_last_seen_while_open_is_as_urgent_as_one_never_seen() -> None:
    standings = {"2026-11-18": stood(OPEN, "2026-11-18T12:00:00Z"), "2026-11-19": NEVER, "2026-11-20": NEVER}
    assert next_day(desk(), standings, 0.0) == "2026-11-18"


@pytest.mark.parametrize(
    ("standing", "minutes", "wanted"),
    [
        (stood(OPEN, "2026-11-20T08:10:00Z"), 54, False),
        (stood(OPEN, "2026-11-20T08:10:00Z"), 55, True),
        (stood(OPEN, "2026-11-20T08:10:00Z", seconds=3600), 120, False),  # a tenth of the time at most
        (stood(OPEN, "2026-11-20T08:10:00Z", seconds=1800), 270, True),
    ],
)
def test_an_open_day_is_looked_at_every_hour_but_for_a_tenth_of_the_time_at_most(
    *, standing: Standing, minutes: int, wanted: bool
) -> None:
    at = epoch("2026-11-20T08:10:00Z") + minutes * 60
    assert wants_pass(desk(at), "2026-11-20", standing, 0.0) is wanted


@pytest.mark.parametrize(
    ("standing", "now", "wanted"),
    [
        (stood(OPEN, "2026-11-19T15:30:00Z"), "2026-11-19T16:00:00Z", True),  # it has just ended
        (stood(CLOSED, "2026-11-19T16:01:00Z"), "2026-11-19T16:01:00Z", True),  # until two agree
        (stood(CLOSED, "2026-11-19T16:01:00Z", phase_passes=MOST_PASSES), "2026-11-19T18:00:00Z", False),
        (stood(CLOSED, "2026-11-19T16:01:00Z", phase_passes=MOST_PASSES), "2026-11-20T16:01:00Z", True),
        (stood(CLOSED, "2026-11-19T16:01:00Z", agreed=True), "2026-11-20T15:00:00Z", False),
        (stood(CLOSED, "2026-11-19T16:01:00Z", agreed=True), "2026-11-20T16:00:00Z", True),  # once a day
        (stood(CLOSED, "2026-11-22T15:59:00Z", agreed=True), "2026-11-22T16:00:00Z", True),  # it has settled
        (stood(SETTLED, "2026-11-22T16:01:00Z", agreed=True, sealed=True), "2026-12-10T16:00:00Z", False),
        (stood(SETTLED, "2026-11-22T16:01:00Z"), "2026-11-22T16:01:00Z", True),
    ],
)
def test_a_day_that_is_over_wants_agreement_then_a_look_a_day_then_its_seal(
    *, standing: Standing, now: str, wanted: bool
) -> None:
    assert wants_pass(desk(now), "2026-11-19", standing, 0.0) is wanted


def test_where_answers_are_cached_a_second_opinion_waits() -> None:
    first = stood(CLOSED, "2026-11-19T16:01:00Z")
    assert not wants_pass(desk("2026-11-19T16:10:59Z"), "2026-11-19", first, 600.0)
    assert wants_pass(desk("2026-11-19T16:11:00Z"), "2026-11-19", first, 600.0)


def test_a_day_costs_no_more_passes_than_stated_however_little_it_agrees() -> None:
    """Every quarter of an hour from its start until SES forgets it, each pass taking a minute and none agreeing."""
    day, standing, counts = "2026-11-20", NEVER, {OPEN: 0, CLOSED: 0, SETTLED: 0}
    begins = epoch("2026-11-19T16:00:00Z")
    for quarter in range(31 * 96):
        now = begins + quarter * 900
        while wants_pass(desk(now), day, standing, 0.0):
            phase = phase_at(desk(now), day, now)
            passes = standing.phase_passes + 1 if standing.phase == phase else 1
            counts[phase] += 1
            standing = Standing(
                sum(counts.values()), phase, passes, agreed=False, sealed=False, started_s=now - 60, finished_s=now
            )
    assert counts[OPEN] <= 24
    assert counts[CLOSED] <= MOST_PASSES + 3
    assert counts[SETTLED] <= MOST_PASSES + 27


def test_a_quiet_day_costs_what_is_usual() -> None:
    day, standing, counts = "2026-11-20", NEVER, {OPEN: 0, CLOSED: 0, SETTLED: 0}
    begins = epoch("2026-11-19T16:00:00Z")
    for quarter in range(31 * 96):
        now = begins + quarter * 900
        while wants_pass(desk(now), day, standing, 0.0):
            phase = phase_at(desk(now), day, now)
            counts[phase] += 1
            agreed = phase == SETTLED or counts[CLOSED] > 1
            standing = Standing(1, phase, counts[phase], agreed, agreed and phase == SETTLED, now - 60, now)
    assert counts == {OPEN: 24, CLOSED: 2 + 2, SETTLED: 1}
