"""Instances of a function behind one port, each a process of its own, and somebody who kills them at random."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.goals import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[1]
BACKLOG = 128


class Workers:
    """``count`` instances that take connections from one listening socket; a context manager.

    ``environment``: the function's settings. ``logs``: a folder for what they print, a file for each process that ever
    ran. The socket is ours: while an instance is replaced, who wants to connect waits. An instance stays with a
    connection until that ends, so senders may keep as many open as there are instances.
    """

    def __init__(
        self,
        count: int,
        environment: Mapping[str, str],
        logs: Path,
        *,
        time_limit_s: float = 10.0,
        function: str = "webhook",
    ) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        descriptor = self._socket.fileno()
        arguments = map(str, (descriptor, time_limit_s, count, logs, function))
        self._process = subprocess.Popen(
            (sys.executable, "-m", "benchmarks.webhook_worker", *arguments),
            cwd=ROOT,
            env={"PATH": os.environ.get("PATH", ""), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(descriptor,),
        )
        self.pids = [int(pid) for pid in self._read().split()]
        """The instances, by their place."""
        self.kills = 0

    @property
    def url(self) -> str:
        """Where they listen."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def kill(self, place: int) -> None:
        """SIGKILL one, whatever it is doing, and have another in its place."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{place}\n")
            self._process.stdin.flush()
        self.pids[place] = int(self._read())
        self.kills += 1

    @contextlib.contextmanager
    def being_killed(self, *, every_s: float, seed: int) -> Iterator[None]:
        """Kill one at random every so many seconds on average while the block runs."""
        die = random.Random(f"kill/{seed}")  # noqa: S311 - a die that must be repeatable
        over = threading.Event()

        def kill() -> None:
            while not over.wait(die.expovariate(1 / every_s)):
                self.kill(die.randrange(len(self.pids)))

        killer = threading.Thread(target=kill, name="killer")
        killer.start()
        try:
            yield
        finally:
            over.set()
            killer.join()

    def close(self) -> None:
        """End them all."""
        self._socket.close()
        self._process.communicate()

    def _read(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            self.close()
            raise BenchmarkError("the instances do not start, or have died")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
