"""How fast an upstream may be asked: never above a rate, and politely once it has said that it was too fast."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from shared.upstream.errors import UpstreamRefused

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_THROTTLED_PAUSE_S = 1.0
_ATTEMPTS = 5


class Pace:
    """Spaces calls evenly, so that no one-second window ever holds more than ``rate_per_s`` of them."""

    def __init__(
        self,
        rate_per_s: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval_s = 1 / rate_per_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._next_s = 0.0

    def call(self, query: Callable[[], T]) -> T:
        """Make one query when its turn has come; a query that was throttled is made again, up to five times.

        Queries change nothing, so repeating them is safe. Raises UpstreamRefused and UpstreamUncertain.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            self._wait()
            try:
                return query()
            except UpstreamRefused as error:
                if error.rule.code != "rate_limited" or attempt == _ATTEMPTS:
                    raise
                self._next_s = self._monotonic() + _THROTTLED_PAUSE_S * attempt
        raise AssertionError("the loop returns or raises")

    def _wait(self) -> None:
        # From the time of waking, which is later than the one slept for: what was lost is not made up for by a burst.
        while (early_s := self._next_s - self._monotonic()) > 0:
            self._sleep(early_s)
        self._next_s = self._monotonic() + self._interval_s
