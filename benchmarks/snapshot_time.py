"""Time that several processes share and that nobody waits for: the machine's, plus what was slept.

Whoever sleeps moves it on for all. What takes time (a request, a merge) takes the machine's own: nobody jumps while a
request is under way, because its answer would seem to have taken as long.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_JUMPED = struct.Struct("d")
_BUSY = struct.Struct("q")
_SIZE = _JUMPED.size + _BUSY.size
_POLL_S = 0.0005


class SharedTime:
    """The time as ``path`` has it, which is made if need be: now that of the machine, moved by ``move_to``.

    One object for each process: what is forked opens its own, or it would not be locked out by its parent.
    """

    def __init__(self, path: Path | str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, _SIZE)
        self._shared = mmap.mmap(self._file, _SIZE)
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the time, seconds since the epoch."""
        return time.time() + self._jumped()

    def monotonic(self) -> float:
        """Return a time that only ``move_to`` can set back."""
        return time.monotonic() + self._jumped()

    def sleep(self, seconds: float) -> None:
        """Have the time passed, at once if no request is under way."""
        end = self.monotonic() + seconds
        while True:
            with self._locked():
                left_s = end - self.monotonic()
                if left_s <= 0:
                    return
                if not self._busy():
                    _JUMPED.pack_into(self._shared, 0, self._jumped() + left_s)
                    return
            time.sleep(min(left_s, _POLL_S))

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Take only the machine's time for a block."""
        self._add_busy(1)
        try:
            yield
        finally:
            self._add_busy(-1)

    def move_to(self, now: float) -> None:
        """Set the time, with nothing under way: who was killed in the middle of a request has left that."""
        with self._locked():
            _JUMPED.pack_into(self._shared, 0, now - time.time())
            _BUSY.pack_into(self._shared, _JUMPED.size, 0)

    def _jumped(self) -> float:
        jumped: float = _JUMPED.unpack_from(self._shared, 0)[0]
        return jumped

    def _busy(self) -> int:
        busy: int = _BUSY.unpack_from(self._shared, _JUMPED.size)[0]
        return busy

    def _add_busy(self, number: int) -> None:
        with self._locked():
            _BUSY.pack_into(self._shared, _JUMPED.size, self._busy() + number)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
