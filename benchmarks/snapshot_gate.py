"""Where every request at localcloud passes: noted, with something done before it, or the last one of a process."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.exchange import Dropped

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.snapshot_time import SharedTime
    from localcloud.exchange import Request, Response
    from localcloud.world import LocalCloud

STATUS = "GetSendEmailStatus"
_ERROR = b'{"Response": {"Error"'


class Query(NamedTuple):
    """One request at SES as it arrived; ``answered``: by what was asked for, not by an error or by nothing."""

    at: float
    action: str
    day: str
    offset: int
    answered: bool


class Gate:
    """Stands before ``cloud.dispatch``, and keeps the cloud's clock at ``time``.

    ``before``: called before each status query takes effect, one at a time, with its day and its offset. ``queries``:
    what was asked of SES. ``requests``: of any service.
    """

    def __init__(self, cloud: LocalCloud, time: SharedTime) -> None:
        self._cloud = cloud
        self._time = time
        self._dispatch = cloud.dispatch
        self._lock = threading.Lock()
        self._fatal: tuple[int, int, bool] | None = None
        self.before: Callable[[str, int], None] = lambda _day, _offset: None
        self.queries: list[Query] = []
        self.requests = 0
        self.kills = 0
        cloud.dispatch = self  # type: ignore[method-assign]

    def kill_at(self, request: int, pid: int, *, is_done: bool) -> None:
        """Kill ``pid`` when so many more requests have come; that one is done all the same, or not."""
        self._fatal = (self.requests + request, pid, is_done)

    def spare(self) -> None:
        """Kill nobody after all."""
        self._fatal = None

    def __call__(self, service: str, request: Request, **options: Any) -> Response:
        """Let one request through."""
        with self._lock:
            now = self._time.now()
            self._cloud.clock.move_to(now)
            self.requests += 1
            lives = self._live_on()
            action = self._cloud.services[service].action_of(request)
            asked = json.loads(request.body) if service == "ses" else {}
            if action == STATUS:
                self.before(asked["RequestDate"], asked["Offset"])
        if not lives:
            raise Dropped
        if service != "ses":
            return self._dispatch(service, request, **options)
        query = Query(now, action, asked.get("RequestDate", ""), asked["Offset"], answered=False)
        try:
            response = self._dispatch(service, request, **options)
            query = query._replace(answered=not response.body.startswith(_ERROR))
        finally:
            with self._lock:
                self.queries.append(query)
        return response

    def _live_on(self) -> bool:
        """Whether the request takes effect."""
        if self._fatal is None or self.requests < self._fatal[0]:
            return True
        _, pid, is_done = self._fatal
        self._fatal = None
        os.kill(pid, signal.SIGKILL)
        self.kills += 1
        return is_done
