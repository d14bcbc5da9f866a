"""Where snapshots are tried: localcloud in this process, the function in processes of its own, one time for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from select import select
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from benchmarks.goals import BenchmarkError
from benchmarks.snapshot_gate import Gate
from benchmarks.snapshot_time import SharedTime
from localcloud import defaults
from localcloud.gateway.environment import account_environment, endpoint_environment
from localcloud.server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[1]
RUN_S = 900.0
"""What SCF gives an invocation at most, and the seconds between two of the timer."""


class Asked(NamedTuple):
    """One request at SES as the function sent it."""

    at: float
    action: str
    day: str
    offset: int


class Run(NamedTuple):
    """One invocation; ``told`` is None when it was killed."""

    told: dict[str, Any] | None
    asked: list[Asked]


class Site:
    """A context manager. ``folder`` takes everything; ``now``: the time at which it begins; ``rate``: SES_RATE.

    Without ``sendcloud`` the function knows no SendCloud.
    """

    def __init__(self, folder: Path, *, now: float, rate: float, sendcloud: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.time = SharedTime(folder / "time")
        self.time.move_to(now)
        self._rate = rate
        self._has_sendcloud = sendcloud
        self._stack = ExitStack()
        self.gate: Gate

    @property
    def objects(self) -> Path:
        """Where the bucket's objects lie on the disk."""
        return self.folder / "data" / "cos" / defaults.BUCKET / "objects"

    @property
    def database(self) -> Path:
        """SES's own, in SQLite."""
        return self.folder / "data" / "ses.sqlite3"

    def manifest(self, day: str) -> dict[str, Any] | None:
        """Read a day's manifest from the disk."""
        path = self.objects / f"status/dt={day}/manifest.json"
        found: dict[str, Any] | None = json.loads(path.read_bytes()) if path.exists() else None
        return found

    def has_kept_pages(self, day: str) -> bool:
        """Whether pages of the pass that is under way, or next, lie in the bucket."""
        path = self.objects / f"state/snapshot/status/dt={day}/checkpoint.json"
        if not path.exists():
            return False
        checkpoint, manifest = json.loads(path.read_bytes()), self.manifest(day)
        return bool(checkpoint["offset"] and checkpoint["number"] == (manifest["passes"] if manifest else 0) + 1)

    def instance(self, name: str) -> Instance:
        """Make a place where the function runs, once at a time."""
        return self._stack.enter_context(Instance(name, self.folder, self._environment()))

    def _environment(self) -> dict[str, str]:
        settings = {**account_environment(), **endpoint_environment(self._server.ports), "SES_RATE": f"{self._rate:g}"}
        if not self._has_sendcloud:
            settings = {name: value for name, value in settings.items() if not name.startswith("SENDCLOUD_API_")}
        return {"PATH": os.environ.get("PATH", ""), "LOG_LEVEL": "WARNING", **settings}

    def __enter__(self) -> Self:
        self._server = self._stack.enter_context(LocalServer(0, self.folder / "data", ses_rate_per_s=0))
        self.cloud = self._server.cloud
        self.cloud.clock.move_to(self.time.now())
        self.gate = Gate(self.cloud, self.time)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()


class Instance:
    """One invocation after the other, each a process of its own (benchmarks/snapshot_worker.py); a context manager."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder / name
        self._time = folder / "time"
        self._environment = environment
        self._number = 0
        self.pid = 0

    def start(self, *, message: str = "", limit_s: float = RUN_S, still: float | None = None) -> int:
        """Begin an invocation; returns its process id. ``still``: when its wall clock stands still."""
        self._number += 1
        order = {
            "time": str(self._time),
            "asked": str(self._path("asked")),
            "told": str(self._path("told")),
            "log": str(self._folder / "log"),
            "limit_s": limit_s,
            "message": message,
            "still": still,
        }
        self._orders.write(json.dumps(order).encode() + b"\n")
        self.pid = self._read()
        return self.pid

    def is_over(self, within_s: float = 0.0) -> bool:
        """Whether the invocation has ended, or does so within some real seconds."""
        return bool(select([self._answers], [], [], within_s)[0])

    def wait(self) -> Run:
        """Wait for the end. Raises BenchmarkError when it failed by itself."""
        if status := self._read():
            if not os.WIFSIGNALED(status):
                raise BenchmarkError(f"the snapshot function failed: {(self._folder / 'log').read_text()[-2000:]}")
            return Run(None, list(self._asked()))
        return Run(json.loads(self._path("told").read_bytes()), list(self._asked()))

    def run(self, **options: Any) -> Run:
        """Run an invocation from its beginning to its end."""
        self.start(**options)
        return self.wait()

    def _asked(self) -> Iterator[Asked]:
        path = self._path("asked")
        for line in path.read_text().splitlines() if path.exists() else ():
            at, action, day, offset = line.split()
            yield Asked(float(at), action, day, int(offset))

    def _path(self, what: str) -> Path:
        return self._folder / f"{what}-{self._number:05d}"

    def _read(self) -> int:
        line = self._answers.readline()
        if not line:
            raise BenchmarkError("the snapshot function's processes do not start, or have died")
        return int(line)

    def __enter__(self) -> Self:
        self._folder.mkdir()
        command = (sys.executable, "-m", "benchmarks.snapshot_worker")
        self._process = subprocess.Popen(  # unbuffered: what is not read yet can be waited for
            command, cwd=ROOT, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._orders: IO[bytes] = self._process.stdin  # type: ignore[assignment]
        self._answers: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._orders.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, 9)
            self._process.wait()
        self._answers.close()
