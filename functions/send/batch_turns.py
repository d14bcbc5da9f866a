"""Turns to call SES, evenly spaced, for the threads of one batch."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Turns:
    """``rate_per_s`` turns a second, none of them saved up: SES counts by the second."""

    def __init__(
        self,
        rate_per_s: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._gap_s = 1 / rate_per_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._next_at = float("-inf")
        self._lock = threading.Lock()

    def take(self, within_s: float) -> bool:
        """Wait for the next turn and take it; False, at once, when it comes later than in ``within_s``."""
        with self._lock:
            now = self._monotonic()
            at = max(now, self._next_at)
            if within_s < 0 or at - now > within_s:
                return False
            self._next_at = at + self._gap_s
        if at > now:
            self._sleep(at - now)
        return True

    def pause(self, seconds: float) -> None:
        """Have no turn before so many seconds from now."""
        with self._lock:
            self._next_at = max(self._next_at, self._monotonic() + seconds)

    def give_back(self) -> None:
        """Give up a turn that SES was not called in, so that those who come next need not wait for it."""
        with self._lock:
            self._next_at -= self._gap_s
