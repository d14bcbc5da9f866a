"""How fast an upstream may be asked: never above a rate in any second, and politely once it has said no.

The limit is the account's: what ``send`` and others ask for meanwhile is not seen from here, and there is no server to
ask. So the rate is halved when the upstream refuses for it, and comes back by a twentieth of the limit a second (AIMD,
as TCP does it: RFC 5681 §3.1): several that do so share what there is.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from shared.upstream.errors import UpstreamError, UpstreamUncertain

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.upstream.errors import Rule

T = TypeVar("T")
_ATTEMPTS = 6
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_RECOVERY = 0.05
"""Of the limit, by which the rate grows back in a second without a refusal."""
_SLOWEST = 1 / 64
_BACKLOG_S = 0.25
"""Seconds of turns that went by unused (a part was written) and are made up for, at twice the rate at most."""
_ARRIVES_WITHIN_S = 0.045
"""Seconds until the upstream counts a request, unless it answers before or the request was held up: usual jitter."""
_NOT_HELD_UP_S = 0.01
"""Seconds by which the fastest of late is not the fastest there is."""
_OF_LATE = 20
_TO_GIVE_BACK_S = 2.0
"""Seconds of the time left that a rest leaves: a lease that is not given back keeps others waiting for longer."""


class GaveUpError(Exception):
    """There is no time left for another attempt; ``__cause__`` says what the last one met."""


class Pace:
    """Turns for calls to one upstream, from as many threads as there are.

    No window of one second holds more than ``rate_per_s`` of them as the upstream counts: a turn comes a second after
    the one ``rate_per_s`` before it was answered, or was on its way for ``_ARRIVES_WITHIN_S``, and for as long as it
    took beyond the fastest of late: a process may stand still between its turn and its request. ``requests`` counts
    every attempt. ``time_left_s``: seconds that may still be waited.
    """

    def __init__(
        self,
        rate_per_s: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        time_left_s: Callable[[], float] = lambda: float("inf"),
    ) -> None:
        self.requests = 0
        self._limit = self._rate = rate_per_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._time_left_s = time_left_s
        self._lock = threading.Lock()
        # Turns within a window of a second, or of longer where less than one a second is allowed.
        self._in_window = max(1, int(rate_per_s))
        self._window_s = max(1.0, 1 / rate_per_s)
        self._counted: deque[_Turn] = deque(maxlen=self._in_window)
        self._latencies_s: deque[float] = deque(maxlen=_OF_LATE)
        # Whoever asked before us may have done so a moment ago: the first turn is not at once.
        self._slot = monotonic() + 1 / rate_per_s
        self._not_before = self._slot

    @property
    def rate_per_s(self) -> float:
        """The rate of now: the limit, or less since the upstream refused for it."""
        return self._rate

    def call(self, query: Callable[[], T]) -> T:
        """Make one query when its turn has come; what may help to repeat is repeated, up to six times in all.

        Queries change nothing, so repeating them is safe, also when nobody knows what came of them. Raises
        UpstreamRefused, UpstreamUncertain, and GaveUpError when the time left does not suffice for a repeat.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            turn = self._take_turn()
            try:
                result = query()
            except UpstreamError as error:
                self._note_answer(turn)
                pause_s = self._pause_s(error, attempt)
                if attempt == _ATTEMPTS or not _may_help(error):
                    raise
                if pause_s >= self._time_left_s():
                    raise GaveUpError from error
                self._hold_for(pause_s, error.rule)
            else:
                self._note_answer(turn)
                self._recover()
                return result
        raise AssertionError("the loop returns or raises")

    def rest(self) -> None:
        """Wait until somebody with a pace of his own may go on asking, and no second holds too many of both."""
        with self._lock:
            if self._counted:
                early_s = self._counted[-1].counted_s + self._window_s - self._monotonic()
                if (wait_s := min(early_s, self._time_left_s() - _TO_GIVE_BACK_S)) > 0:
                    self._sleep(wait_s)

    def _take_turn(self) -> _Turn:
        # Within the lock: whoever waits first goes first. The turn is the time of waking, not the one slept for.
        with self._lock:
            while (early_s := self._next_s() - self._monotonic()) > 0:
                self._sleep(early_s)
            now = self._monotonic()
            self._slot = max(self._slot, now - _BACKLOG_S) + 1 / self._rate
            turn = _Turn(now)
            self._counted.append(turn)
            self.requests += 1
            return turn

    def _next_s(self) -> float:
        earliest_s = max(self._slot, self._not_before)
        if self._counted:
            earliest_s = max(earliest_s, self._counted[-1].sent_s + 0.5 / self._rate)
        if len(self._counted) == self._in_window:
            earliest_s = max(earliest_s, self._counted[0].counted_s + self._window_s)
        return earliest_s

    def _note_answer(self, turn: _Turn) -> None:
        answered_s = self._monotonic()
        with self._lock:
            self._latencies_s.append(answered_s - turn.sent_s)
            held_up_s = self._latencies_s[-1] - min(self._latencies_s) + _NOT_HELD_UP_S
        turn.counted_s = min(answered_s, turn.sent_s + max(_ARRIVES_WITHIN_S, held_up_s))

    def _pause_s(self, error: UpstreamError, attempt: int) -> float:
        doubled_s = min(_LONGEST_PAUSE_S, _PAUSE_S * 2.0 ** (attempt - 1))
        if isinstance(error, UpstreamUncertain):  # nobody asked us to wait: apart from others that failed with us
            return doubled_s * random.uniform(0.25, 0.75)  # noqa: S311 - jitter is no secret
        return max(float(error.rule.retry_after_s), doubled_s)

    def _hold_for(self, pause_s: float, rule: Rule) -> None:
        """Let nobody ask for a while; and only half as often from then on, when it was too often."""
        with self._lock:
            now = self._monotonic()
            # Of several calls that were under way when the upstream said no, one halves the rate.
            if rule.code == "rate_limited" and now >= self._not_before:
                self._rate = max(self._rate / 2, self._limit * _SLOWEST)
            self._not_before = max(self._not_before, now + pause_s)

    def _recover(self) -> None:
        if self._rate < self._limit:
            with self._lock:
                self._rate = min(self._limit, self._rate + _RECOVERY * self._limit / self._rate)


class _Turn:
    """One request: when it was sent, and the latest time at which the upstream can have counted it."""

    __slots__ = ("counted_s", "sent_s")

    def __init__(self, sent_s: float) -> None:
        self.sent_s = sent_s
        self.counted_s = sent_s + _ARRIVES_WITHIN_S


def _may_help(error: UpstreamError) -> bool:
    """Whether the same query, signed by the same key, may succeed later."""
    return isinstance(error, UpstreamUncertain) or (error.rule.retry_safe and error.rule.status in (429, 503))
