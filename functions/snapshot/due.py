"""Which day wants a pass next, and when: oldest first, often enough to seal every day, at a bounded number of requests.

A day is ``open`` until it ends, ``closed`` until its rows are said to change no more, then ``settled``:

    open      a pass an hour; less often where it takes over six minutes, so that it is at work a tenth of the time
    closed    passes until two agree; then one a day, since what was deferred is delivered meanwhile
    settled   passes until two agree: the day is sealed, and no more are made

In a row there are ``MOST_PASSES`` at most, then one a day. So a day costs 24 + 8 + the days of settling + 8 passes at
most, usually 24 + 2 + 2 + 1, and one a day more while it will not agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.records import day_of, epoch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.snapshot.desk import Desk

OPEN, CLOSED, SETTLED = "open", "closed", "settled"
DAY_S = 86400
KEPT_DAYS = 30
"""SES forgets a row after so many days (https://www.tencentcloud.com/document/api/1084/39502)."""
REMEMBERED_DAYS = KEPT_DAYS + 3
"""Days that are looked at: one that SES has forgotten is sealed as it is."""
MOST_PASSES = 8
_HOURLY_S = 3300.0
"""A little less than an hour: a timer that is late by a minute must not skip one."""
_DAILY_S = DAY_S - 300.0
_TIMES_AS_LONG = 9
LAST_CHANCE_DAYS = KEPT_DAYS - 1


class Standing(NamedTuple):
    """What a day's manifest says of it, in short; ``passes`` is 0 where there is none. Times in epoch seconds."""

    passes: int
    phase: str
    phase_passes: int
    agreed: bool
    sealed: bool
    started_s: float
    finished_s: float


NEVER = Standing(0, "", 0, agreed=False, sealed=False, started_s=0.0, finished_s=0.0)


def standing_of(manifest: Mapping[str, Any] | None) -> Standing:
    """Return a manifest in short."""
    if manifest is None:
        return NEVER
    return Standing(
        manifest["passes"],
        manifest.get("phase", ""),
        manifest.get("phase_passes", 0),
        manifest.get("agreed", False),
        manifest["sealed"],
        epoch(manifest["started_at"]),
        epoch(manifest["finished_at"]),
    )


def days_to_look_at(desk: Desk) -> list[str]:
    """Return the days that may want a pass, the oldest first; the last one is today."""
    now = desk.clock()
    return [day_of(now - DAY_S * back, desk.utc_offset_s) for back in range(REMEMBERED_DAYS, -1, -1)]


def age_days(desk: Desk, day: str) -> int:
    """Return how many days ago ``day`` was; 0 is today."""
    today = day_of(desk.clock(), desk.utc_offset_s)
    return round((epoch(f"{today}T00:00:00Z") - epoch(f"{day}T00:00:00Z")) / DAY_S)


def is_old(desk: Desk, day: str) -> bool:
    """Whether SES will soon forget the day."""
    return age_days(desk, day) >= LAST_CHANCE_DAYS


def is_forgotten(desk: Desk, day: str) -> bool:
    """Whether SES has forgotten the day."""
    return age_days(desk, day) > KEPT_DAYS


def phase_at(desk: Desk, day: str, at: float) -> str:
    """Return the phase that ``day`` was in at a time (epoch seconds)."""
    end = epoch(f"{day}T00:00:00Z") - desk.utc_offset_s + DAY_S
    return OPEN if at < end else CLOSED if at < end + desk.settle_s else SETTLED


def next_day(desk: Desk, standings: Mapping[str, Standing], gap_s: float) -> str | None:
    """Return the day that wants a pass now, before all others; None when none does.

    First every day that no pass has seen since it ended, then those that want more, each time the oldest first; today
    comes last.
    """
    wanting = [day for day in sorted(standings) if wants_pass(desk, day, standings[day], gap_s)]
    return min(wanting, key=lambda day: (_urgency(desk, day, standings[day]), day), default=None)


def wants_pass(desk: Desk, day: str, standing: Standing, gap_s: float) -> bool:
    """Whether a pass over ``day`` is due."""
    if is_forgotten(desk, day) or standing.sealed:
        return False
    if standing is NEVER:
        return True
    return desk.clock() - standing.finished_s >= max(gap_s, _pause_s(desk, day, standing))


def _pause_s(desk: Desk, day: str, standing: Standing) -> float:
    """Return the seconds between the last pass and the next."""
    phase = phase_at(desk, day, desk.clock())
    if phase == OPEN:
        return max(_HOURLY_S, _TIMES_AS_LONG * (standing.finished_s - standing.started_s))
    if standing.phase != phase:
        return 0.0
    may_go_on = not standing.agreed and standing.phase_passes < MOST_PASSES
    return 0.0 if may_go_on else _DAILY_S


def _urgency(desk: Desk, day: str, standing: Standing) -> int:
    if phase_at(desk, day, desk.clock()) == OPEN:
        return 2
    return int(standing.passes > 0 and standing.phase in (CLOSED, SETTLED))
