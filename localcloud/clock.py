"""The one clock of localcloud. It runs, and it can be moved; nothing local reads any other."""

from __future__ import annotations

import threading
import time


class Clock:
    """Real time plus an offset. ``now()`` is seconds since the epoch, UTC, as a float."""

    def __init__(self, offset_s: float = 0.0) -> None:
        self._offset_s = offset_s
        self._lock = threading.Lock()

    @property
    def offset_s(self) -> float:
        """Seconds this clock is ahead of the machine's."""
        return self._offset_s

    def now(self) -> float:
        """Return the simulated time."""
        return time.time() + self._offset_s

    def advance(self, seconds: float) -> float:
        """Move by ``seconds`` (backwards too, if negative) and return the new time."""
        with self._lock:
            self._offset_s += seconds
        return self.now()

    def move_to(self, now: float) -> float:
        """Set the time to ``now`` and let it run on from there."""
        with self._lock:
            self._offset_s = now - time.time()
        return self.now()

    def is_within(self, timestamp: float, limit_s: float) -> bool:
        """Whether ``timestamp`` is near this clock or near the machine's.

        Clients that know nothing of the moved clock (vendor SDKs) sign with real time; the functions sign with
        simulated time. Both are right, so a skew is one that is far from both.
        """
        real = time.time()
        return abs(timestamp - real) <= limit_s or abs(timestamp - real - self._offset_s) <= limit_s
