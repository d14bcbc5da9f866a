"""A callback whose time runs out while nothing comes back, such as a name server's answer, which knows no time-out.

The platform ends an invocation that is late, with whatever it held. One thread of a warm instance looks in a few times
a second; what is late by then goes into the log, encrypted, before that. It costs an invocation an entry in a dict.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from functions.webhook.receive import Callback

STEP_S = 0.2
LATE_S = 0.5
"""Seconds after the time for attempts is up; the function has a second then, and has answered in most of it."""


class _Watched(NamedTuple):
    callback: Callback
    time_left_s: Callable[[], float]
    request_id: str


class Watch:
    """The callbacks that are being stored, and the thread that looks after them."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._thread: threading.Thread | None = None

    def over(self, callback: Callback, time_left_s: Callable[[], float], request_id: str) -> _Watching:
        """Return a context in which ``callback`` is watched."""
        if self._thread is None or not self._thread.is_alive():  # none outlives a fork
            self._thread = threading.Thread(target=self._look_in, name="watch", daemon=True)
            self._thread.start()
        return _Watching(self._watched, _Watched(callback, time_left_s, request_id))

    def _look_in(self) -> None:
        while True:
            time.sleep(STEP_S)
            for key, one in list(self._watched.items()):
                if one.time_left_s() < -LATE_S and key in self._watched:
                    self._watched.pop(key, None)
                    _keep(one)


class _Watching:
    def __init__(self, watched: dict[int, _Watched], one: _Watched) -> None:
        self._watched, self._one = watched, one

    def __enter__(self) -> None:
        self._watched[id(self)] = self._one

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watched.pop(id(self), None)


def _keep(one: _Watched) -> None:
    from functions.webhook.rescue import keep_late  # noqa: PLC0415 - rare, and it brings cryptography

    keep_late(one.callback, one.request_id)


watch = Watch()
"""This instance's."""
