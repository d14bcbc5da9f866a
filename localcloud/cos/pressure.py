"""Too much of one key: the rate that COS allows it, and writes that meet. Both by real time, which clients live in.

Sources: https://cloud.tencent.com/document/product/436/14518 (50 a second), /7730 (PathConflict).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.switches import Switches

_UPLOADS = {"PUT", "POST"}


class Pressure:
    """Counts of the second that runs, and the last beginning of every write. Nothing while the switches are off."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._lock = threading.Lock()
        self._second = 0
        self._counts: dict[tuple[str, str, bytes], int] = {}
        self._begun: dict[tuple[str, bytes], float] = {}

    def admit(self, call: Call) -> None:
        """Let a request pass, or raise CosError SlowDown or PathConflict. Only writes and deletions count, no parts."""
        method = call.request.method
        if not call.key or method not in (*_UPLOADS, "DELETE") or "uploadId" in call.params:
            return
        if not (self._switches.key_qps or self._switches.path_conflict_ms):
            return
        with self._lock:
            self._count("upload" if method in _UPLOADS else "delete", call)
            if method in _UPLOADS:
                self._meet(call)

    def _count(self, kind: str, call: Call) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._counts.clear()
            self._begun = {
                key: at for key, at in self._begun.items() if second - at < 2 + self._switches.path_conflict_ms / 1000
            }
        name = (kind, call.bucket, call.key)
        self._counts[name] = self._counts.get(name, 0) + 1
        if 0 < self._switches.key_qps < self._counts[name]:
            raise CosError("SlowDown")

    def _meet(self, call: Call) -> None:
        now, name = time.monotonic(), (call.bucket, call.key)
        before = self._begun.get(name)
        if before is not None and (now - before) * 1000 < self._switches.path_conflict_ms:
            raise CosError("PathConflict")
        self._begun[name] = now
