"""Time by which the snapshot function paces itself, passed by sleeping alone: a test does not wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.snapshot import handler
from functions.snapshot.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class Stopwatch:
    """The time of one test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(handler, "Pace", self._pace)

    def end_runs_after(self, limit_s: float) -> None:
        """Let the function's time pass by this one, too, and be less than the 900 seconds that it is told."""

        def time_left(context: dict[str, Any], margin_s: float) -> Callable[[], float]:
            assert context["time_limit_in_ms"] == 900_000
            end = self.now + limit_s - margin_s
            return lambda: end - self.now

        self._monkeypatch.setattr(handler, "time_left", time_left)

    def _pace(self, rate_per_s: float, **options: Any) -> Pace:
        return Pace(rate_per_s, monotonic=lambda: self.now, sleep=self._sleep, **options)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
