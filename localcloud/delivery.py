"""Callbacks on their way to the webhook: what the fault rules do to them, who carries them, what came back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import urllib3

from localcloud.callbacks import Callback
from localcloud.defaults import WEBHOOK_SECRET
from localcloud.faults import copies, ending, hold_s

if TYPE_CHECKING:
    from localcloud.callbacks import CallbackQueue
    from localcloud.clock import Clock
    from localcloud.faults import Fault, Faults

Answer = tuple[int | None, str]
"""HTTP status and the beginning of the body; None when there was no answer."""
Post = Callable[[Callback], Answer]

TIMEOUT_S = {"sendcloud": 3.0, "ses": 10.0}
"""SendCloud waits 3 s (sendcloud_docs, webhook); how long SES waits is not documented."""
KEPT_ANSWER_CHARS = 500
PLANNED_AT_ONCE = 1000
"""Due callbacks that rules may put into another order among themselves."""
CONNECTIONS = 32
"""Kept alive at most: a storm may use as many at once."""
ON_THE_WAY = {"error": 503, "throttle": 429}
"""Status that something between SES and the receiver answers when a rule names none."""


class _Plan(NamedTuple):
    until: float
    faults: list[Fault]


class Courier:
    """Delivers what is due, one after another, with the faults that the rules ask for. Thread-safe."""

    def __init__(self, queue: CallbackQueue, faults: Faults, clock: Clock) -> None:
        self._queue = queue
        self._faults = faults
        self._clock = clock
        self._held: dict[tuple[int, int], _Plan] = {}
        self._held_lock = threading.Lock()
        self._carrying = threading.Lock()
        self._carrier: int | None = None

    def deliver_due(self, post: Post, *, limit: int = 100) -> int:
        """Carry at most ``limit`` due callbacks and settle them. Returns how many attempts were settled.

        Raises RuntimeError when ``post`` calls it again.
        """
        with self._alone():
            ripe = self._ripe(limit)
            for callback, plan in ripe:
                self._forget(callback)
                status, answer = self._carry(callback, plan.faults, post)
                self._queue.settle(callback.id, status=status, answer=answer, at=plan.until)
        return len(ripe)

    def release(self) -> None:
        """Forget what is held back, and why: whatever is due goes out by the rules of then."""
        # Not the carriers' lock: a receiver may ask for this while it is being called.
        with self._held_lock:
            self._held.clear()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # One at a time, whoever pumps: two couriers would both read the same callback as due.
        if self._carrier == threading.get_ident():
            raise RuntimeError("already delivering")
        with self._carrying:
            self._carrier = threading.get_ident()
            try:
                yield
            finally:
                self._carrier = None

    def _ripe(self, limit: int) -> list[tuple[Callback, _Plan]]:
        """Return at most ``limit`` callbacks to carry now, in the order in which the rules let them come."""
        now = self._clock.now()
        while True:
            with self._held_lock:
                known = len(self._held)
                waiting = sum(plan.until > now for plan in self._held.values())
            among = limit if self._faults.is_quiet("callback") and not known else max(limit, PLANNED_AT_ONCE)
            planned = [(callback, self._plan_of(callback)) for callback in self._queue.due(now, waiting + among)]
            ripe = [found for found in planned if found[1].until <= now]
            # All of these wait: look whether there are others behind them, until there is nobody new.
            if ripe or len(planned) < waiting + among:
                return sorted(ripe, key=lambda found: found[1].until)[:limit]

    def _plan_of(self, callback: Callback) -> _Plan:
        # The dice are thrown once per attempt; a callback that waits keeps what was decided.
        with self._held_lock:
            plan = self._held.get((callback.id, callback.attempt))
            if plan is not None:
                return plan
            if self._faults.is_quiet("callback"):
                return _Plan(callback.due_at, [])
            faults = self._faults.decide("callback", callback.event, callback.source)
            # From when it was due: however far the clock jumps, what is ripe by then comes, in its order.
            plan = _Plan(callback.due_at + hold_s(faults), faults)
            self._held[callback.id, callback.attempt] = plan
            return plan

    def _forget(self, callback: Callback) -> None:
        with self._held_lock:
            self._held.pop((callback.id, callback.attempt), None)

    @staticmethod
    def _carry(callback: Callback, faults: list[Fault], post: Post) -> Answer:
        end = ending(faults)
        if end is not None and end.kind in ("lose", "drop_request"):
            return None, "lost on the way by a fault rule"
        if end is not None and end.kind in ON_THE_WAY:
            return end.status or ON_THE_WAY[end.kind], end.code or "answered by a fault rule"
        answer = post(callback)
        for _ in range(copies(faults) - 1):
            post(callback)
        return (None, "the answer was lost by a fault rule") if end is not None else answer


def gateway_urls(port: int, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    """Return where callbacks go when the functions here take them: the gateway's own webhook routes."""
    return {source: f"http://127.0.0.1:{port}/webhook/{source}/{secret}" for source in TIMEOUT_S}


class HttpPost:
    """Carries callbacks over HTTP on kept-alive connections. ``urls``: source (``ses``, ``sendcloud``) to receiver."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = dict(urls)
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS, retries=False)

    def __call__(self, callback: Callback) -> Answer:
        """POST the callback's body; an unreachable or slow receiver, or none at all, is no answer."""
        url = self._urls.get(callback.source)
        if url is None:
            return None, "no receiver is set for these callbacks"
        try:
            response = self._pool.request(
                "POST",
                url,
                body=callback.body,
                headers={"Content-Type": callback.content_type},
                timeout=TIMEOUT_S[callback.source],
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return None, f"{type(error).__name__}: {error}"[:KEPT_ANSWER_CHARS]
        return response.status, response.data.decode("utf-8", "replace")[:KEPT_ANSWER_CHARS]

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()
