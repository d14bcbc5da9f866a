"""Request-rate limits: so many calls of one kind in any window of real time."""

from __future__ import annotations

import threading
import time
from collections import deque


class RateLimit:
    """Sliding window per key. ``limit``: calls in any ``window_s`` seconds; 0 disables it; may be changed at any time.

    Time is the machine's monotonic one, not the simulated clock: a client can only pace itself by the former.
    Refused calls do not count.
    """

    def __init__(self, limit: int, window_s: float = 1.0) -> None:
        self.limit = limit
        self.window_s = window_s
        self._lock = threading.Lock()
        self._admitted: dict[str, deque[float]] = {}

    def admit(self, key: str) -> bool:
        """Count one call of ``key``; False when it is one too many."""
        if self.limit <= 0:
            return True
        now = time.monotonic()
        with self._lock:
            recent = self._admitted.setdefault(key, deque())
            while recent and now - recent[0] >= self.window_s:
                recent.popleft()
            if len(recent) >= self.limit:
                return False
            recent.append(now)
            return True

    def reset(self) -> None:
        """Forget the calls of the last window."""
        with self._lock:
            self._admitted.clear()
