"""Timer triggers, by the simulated clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from croniter import CroniterBadDateError, croniter

from localcloud.defaults import UTC_OFFSET_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.clock import Clock
    from localcloud.gateway.project import Function, Project, Timer


class Due(NamedTuple):
    """A timer whose time has come."""

    function: Function
    timer: Timer


class Schedule:
    """The enabled timers of a project, each with its next time.

    A clock that jumps over several times of a timer fires it once. In which zone SCF reads a cron is not established;
    here it is the account's, UTC+8. Day and weekday both set mean either (583/9708), as croniter does.
    """

    def __init__(self, project: Project, clock: Clock, fire: Callable[[Function, Timer], object]) -> None:
        self._clock = clock
        self._fire = fire
        self._timers = [Due(f, timer) for f in project.functions for timer in f.timers if timer.enabled]
        self._next_at: list[float] = []
        self._seen_at = 0.0
        self._plan(clock.now())

    def tick(self) -> int:
        """Fire what is due. Returns how many timers fired."""
        now = self._clock.now()
        if now < self._seen_at:
            # The clock was moved back: what was next may now be far off.
            self._plan(now)
        self._seen_at = now
        due = [index for index, at in enumerate(self._next_at) if at <= now]
        for index in due:
            self._next_at[index] = next_time(self._timers[index].timer.cron, now)
            self._fire(*self._timers[index])
        return len(due)

    def _plan(self, now: float) -> None:
        self._next_at = [next_time(due.timer.cron, now) for due in self._timers]
        self._seen_at = now


def next_time(cron: str, after: float) -> float:
    """Return the first time after ``after`` (epoch seconds) that the seven fields allow; infinity if there is none.

    Raises ValueError for an expression that is not a cron.
    """
    # croniter counts in UTC; shifting the clock there and back reads the fields in the account's zone.
    shifted = after + UTC_OFFSET_S
    try:
        following = croniter(cron, shifted, second_at_beginning=True).get_next(float)
    except CroniterBadDateError:
        return float("inf")
    return float(following) - UTC_OFFSET_S
