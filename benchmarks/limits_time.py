"""Instances of ``send`` in one process, in a time that nobody waits for.

One of them runs at a time, and who sleeps lets the others go on. An instance serves one request at a time, as at SCF.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Instances:
    """``count`` instances; ``begin_turn`` is told which of them goes on, and that it is ``now`` (seconds, from 0)."""

    def __init__(self, count: int, begin_turn: Callable[[int, float], None]) -> None:
        self.now = 0.0
        self.turned_away = 0
        """Requests that met no free instance; SCF would have started another."""
        self._begin_turn = begin_turn
        self._main = threading.Semaphore(0)
        self._workers = [_Worker(number, self._main) for number in range(count)]
        self._asleep: list[tuple[float, int, _Worker]] = []
        self._order = itertools.count()
        self._current = self._workers[0]

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the others go on until that has passed. Called by a job."""
        worker = self._current
        heapq.heappush(self._asleep, (self.now + seconds, next(self._order), worker))
        self._main.release()
        worker.go.acquire()

    def run(self, jobs: Iterable[tuple[float, int, Callable[[], None]]]) -> None:
        """Run each job at its time, in order of time, on the instance of that number or on the next one that is free.

        Raises what a job raised.
        """
        for at, number, job in jobs:
            self._wake_until(at)
            self.now = at
            places = (number + more for more in range(len(self._workers)))
            free = next((w for n in places if (w := self._workers[n % len(self._workers)]).job is None), None)
            if free is None:
                self.turned_away += 1
                continue
            free.job = job
            self._turn(free)
        self._wake_until(float("inf"))
        for worker in self._workers:
            worker.end()

    def _wake_until(self, at: float) -> None:
        while self._asleep and self._asleep[0][0] <= at:
            self.now, _, worker = heapq.heappop(self._asleep)
            self._turn(worker)

    def _turn(self, worker: _Worker) -> None:
        self._current = worker
        self._begin_turn(worker.number, self.now)
        worker.go.release()
        self._main.acquire()
        if worker.error is not None:
            raise worker.error


class _Worker:
    """A thread that runs only while it has the turn."""

    def __init__(self, number: int, main: threading.Semaphore) -> None:
        self.number = number
        self.go = threading.Semaphore(0)
        self.job: Callable[[], None] | None = None
        self.error: BaseException | None = None
        self._main = main
        self._is_over = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Let it end."""
        self._is_over = True
        self.go.release()
        self._thread.join()

    def _work(self) -> None:
        while True:
            self.go.acquire()
            if self._is_over:
                return
            try:
                if self.job is not None:
                    self.job()
            except BaseException as error:  # noqa: BLE001 - the main thread raises it
                self.error = error
            self.job = None
            self._main.release()
