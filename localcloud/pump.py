"""The background of the server: events happen, callbacks go out, timers fire, as the clock says."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.world import LocalCloud

INTERVAL_S = 0.05
"""Real seconds between two looks at the clock."""
BATCH = 20
"""Callbacks between two looks at whether to stop."""

log = logging.getLogger("localcloud")


class Pump(threading.Thread):
    """Pumps the cloud, then ticks the timers, until stopped."""

    def __init__(self, cloud: LocalCloud, tick: Callable[[], object]) -> None:
        super().__init__(name="localcloud-pump", daemon=True)
        self._cloud = cloud
        self._tick = tick
        self._stopping = threading.Event()

    def run(self) -> None:
        """Thread body; an error is logged and the next round tries again."""
        while not self._stopping.wait(INTERVAL_S):
            self._round()

    def _round(self) -> None:
        try:
            self._tick()
            while self._cloud.pump(limit=BATCH) and not self._stopping.is_set():
                self._tick()
        except Exception:
            log.exception("the background of localcloud failed; it goes on")

    def stop(self) -> None:
        """Finish the callback under way and end."""
        self._stopping.set()
        self.join()
