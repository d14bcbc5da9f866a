"""How many mails this instance may hand to SES in a second: its share of the account's rate, found without a server.

The limit is the account's, and other instances are not seen from here. So each begins with all of it, has a twentieth
less for every time that SES says it was too much, and gets a sixtieth of the limit back with every second (AIMD, as
TCP does it: RFC 5681 section 3.1). Several together use what there is, and who is over is told so before anything is
written.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LESS = 0.95
_RECOVERY = 1 / 60
"""Of the limit, which comes back in a second."""
_SLOWEST = 1 / 64
_LATE_S = 0.001
"""After which a turn that was waited for is surely due: two clocks' fractions may differ in the last digit."""
_WINDOW_S = 1.045
"""A second as SES counts it, and what two requests may differ in their way there (functions/snapshot/pace.py)."""


class Budget:
    """The turns of one instance. No window of a second holds more than ``limit_per_s`` of them. Thread-safe."""

    def __init__(self, limit_per_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.limit_per_s = limit_per_s
        self._rate = limit_per_s
        self._monotonic = monotonic
        self._recovered_at = monotonic()
        self._most = max(1, int(limit_per_s))
        self._turns: deque[float] = deque(maxlen=self._most)
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a turn; False when there is none now."""
        with self._lock:
            now = self._monotonic()
            self._recover(now)
            # Of a rate with a fraction, as many turns as are whole, in a little less than a second.
            whole = max(1, int(self._rate))
            if self._is_within(now, whole, whole / self._rate * _WINDOW_S) or self._is_within(
                now, self._most, _WINDOW_S
            ):
                return False
            self._turns.append(now)
            return True

    def _is_within(self, now: float, turns: int, seconds: float) -> bool:
        return len(self._turns) >= turns and now - self._turns[-turns] < seconds

    def wait_s(self) -> float:
        """Return the seconds until there is a turn, if nobody else takes it."""
        with self._lock:
            now = self._monotonic()
            self._recover(now)
            whole = max(1, int(self._rate))
            bounds = ((whole, whole / self._rate * _WINDOW_S), (self._most, _WINDOW_S))
            waits = [self._turns[-turns] + seconds - now for turns, seconds in bounds if len(self._turns) >= turns]
            return max(0.0, *waits) + _LATE_S

    def give_back(self) -> None:
        """Give back a turn that was not used."""
        with self._lock:
            if self._turns:
                self._turns.pop()

    def begin(self) -> None:
        """Use a turn: what counts is when SES is asked, and a claim at a slow COS may have come in between."""
        with self._lock:
            if self._turns:
                self._turns.pop()
            self._turns.append(self._monotonic())

    def slow_down(self) -> None:
        """Take less from now on: SES said that it was too much."""
        with self._lock:
            self._recover(self._monotonic())
            self._rate = max(self._rate * _LESS, self.limit_per_s * _SLOWEST)

    def _recover(self, now: float) -> None:
        self._rate = min(self.limit_per_s, self._rate + (now - self._recovered_at) * _RECOVERY * self.limit_per_s)
        self._recovered_at = now
