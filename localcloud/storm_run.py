"""A storm under way: deliveries go out on a few connections, and what came back is counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from localcloud.callbacks import Callback
from localcloud.problems import Invalid, Problem
from localcloud.when import iso_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.clock import Clock
    from localcloud.delivery import Post
    from localcloud.storm import Delivery, Storm
    from localcloud.storm_inputs import Asked


class StormRun:
    """One storm, delivered by ``post`` in threads of its own; ``progress`` may be asked at any time."""

    def __init__(self, asked: Asked, post: Post, clock: Clock) -> None:
        self.storm = asked.build()
        self._asked = asked
        self._post = post
        self._clock = clock
        self._summary = _summary(self.storm)
        self._answers: Counter[str] = Counter()
        self._acknowledged = bytearray(self.storm.events)
        self._source = self._rounds()
        self._next_at = self._began = time.monotonic()
        self._ended: float | None = None
        self._failure = ""
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"localcloud-storm-{n}", daemon=True)
            for n in range(asked.connections)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_running(self) -> bool:
        """Whether deliveries are still to come."""
        return any(thread.is_alive() for thread in self._threads)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it is over; False when ``timeout_s`` real seconds were not enough."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        return not self.is_running

    def stop(self) -> None:
        """End it after the deliveries under way."""
        self._stopping.set()
        self.wait()

    def progress(self) -> dict[str, Any]:
        """Return how far it is, what was answered, and the truth that the receiver must arrive at, as JSON."""
        running = self.is_running
        with self._lock:
            answers = dict(self._answers)
            acknowledged = sum(self._acknowledged)
            seconds = (self._ended if self._ended is not None and not running else time.monotonic()) - self._began
        told = sum(answers.values())
        state = "running" if running else "failed" if self._failure else "stopped" if self._is_cut(told) else "done"
        return {
            "state": state,
            "error": self._failure or None,
            "now": iso_utc(self._clock.now()),
            "asked": self._asked._asdict(),
            "deliveries": self.storm.deliveries,
            "delivered": told,
            "answers": answers,
            "acknowledged": acknowledged,
            "unacknowledged": self.storm.events - acknowledged,
            "seconds": round(seconds, 3),
            "truth": self._summary,
        }

    def _is_cut(self, told: int) -> bool:
        return self._stopping.is_set() and told < self.storm.deliveries

    def _rounds(self) -> Iterator[Delivery]:
        yield from self.storm
        for _ in range(self._asked.redeliveries):
            missing = [number for number, known in enumerate(self._acknowledged) if not known]
            yield from map(self.storm.event, missing)

    def _work(self) -> None:
        try:
            while (delivery := self._take()) is not None:
                status, _ = self._post(_callback(delivery))
                with self._lock:
                    self._answers["none" if status is None else str(status)] += 1
                    if status is not None and 200 <= status < 300:
                        self._acknowledged[delivery.number] = 1
        except Exception as error:  # noqa: BLE001 - whatever the carrier raised is told by `progress`
            self._failure = f"{type(error).__name__}: {error}"
            self._stopping.set()
        self._ended = time.monotonic()

    def _take(self) -> Delivery | None:
        with self._lock:
            wait_s = 0.0
            if self._asked.rate_per_s:
                # What could not be sent in time is not caught up with: that would be a burst above the rate.
                self._next_at = max(self._next_at, time.monotonic()) + 1 / self._asked.rate_per_s
                wait_s = self._next_at - time.monotonic()
            delivery = None if self._stopping.is_set() else next(self._source, None)
        return None if self._stopping.wait(wait_s) and wait_s else delivery


class Storms:
    """At most one storm at a time; the latest can be asked about when it is over."""

    def __init__(self, clock: Clock, carrier: Callable[[], Post | None]) -> None:
        self._clock = clock
        self._carrier = carrier
        self._lock = threading.Lock()
        self.latest: StormRun | None = None

    def start(self, asked: Asked) -> StormRun:
        """Start one. Raises problems.Invalid when one is under way, or when nobody receives callbacks."""
        post = self._carrier()
        with self._lock:
            if self.latest is not None and self.latest.is_running:
                raise Invalid([Problem("", "a storm is under way; DELETE it or wait")])
            if post is None:
                raise Invalid([Problem("", "nobody receives callbacks: no function has the route /webhook/ses/…")])
            self.latest = StormRun(asked, post, self._clock)
            return self.latest

    def run(self) -> StormRun:
        """Return the latest. Raises LookupError when there was none."""
        if self.latest is None:
            raise LookupError("There was no storm yet.")
        return self.latest

    def stop(self) -> None:
        """End the one under way, if any."""
        if self.latest is not None:
            self.latest.stop()

    def reset(self) -> None:
        """End the one under way and forget it."""
        self.stop()
        self.latest = None


def _callback(delivery: Delivery) -> Callback:
    return Callback(
        id=delivery.number,
        source="ses",
        due_at=float(delivery.occurred_at),
        body=delivery.body,
        content_type="application/json",
        message_id=delivery.message_id,
        recipient=delivery.recipient,
        event=delivery.event,
        attempt=delivery.copy,
    )


def _summary(storm: Storm) -> dict[str, Any]:
    states: Counter[str] = Counter()
    engaged: Counter[str] = Counter()
    for truth in storm.truths():
        states["/".join(filter(None, (truth.type, truth.class_)))] += 1
        for name in ("opened", "clicked", "complained", "unsubscribed"):
            engaged[name] += getattr(truth, name)
    return {"events": storm.events, "pairs": storm.pairs, "states": dict(states), "engagements": dict(engaged)}
