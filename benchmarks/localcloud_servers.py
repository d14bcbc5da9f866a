"""Servers in processes of their own: localcloud's and moto's, and how long each takes until it answers."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.goals import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 30
WITHOUT_LIMIT = """
import sys, threading
from localcloud.server import LocalServer
with LocalServer(int(sys.argv[1]), sys.argv[2], sys.argv[3], ses_rate_per_s=0):
    threading.Event().wait()
"""


class Running(NamedTuple):
    """A server that has answered. ``up_s``: seconds from the start of its process to the first good answer."""

    port: int
    up_s: float


@contextmanager
def localcloud_up(data: Path) -> Iterator[Running]:
    """Run ``mailtrail up``, as a user does, with the functions of this checkout."""
    port = _free_port()
    mailtrail = Path(sys.executable).with_name("mailtrail")
    command = (str(mailtrail), "up", "--port", str(port), "--data", str(data), "--code", str(ROOT))
    with _running(command, port, "/_local/health") as running:
        yield running


@contextmanager
def localcloud_without_limit(data: Path) -> Iterator[Running]:
    """Run the server door without SES's 20 requests a second; the SES port is the one after."""
    port = _free_port()
    command = (sys.executable, "-c", WITHOUT_LIMIT, str(port), str(data), str(ROOT))
    with _running(command, port, "/_local/health") as running:
        yield running


@contextmanager
def moto_up() -> Iterator[Running]:
    """Run ``moto_server``, as its users do."""
    port = _free_port()
    command = (str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port))
    with _running(command, port, "/moto-api/") as running:
        yield running


@contextmanager
def _running(command: tuple[str, ...], port: int, path: str) -> Iterator[Running]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    begun = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while not _answers(port, path):
                if process.poll() is not None or time.perf_counter() - begun > PATIENCE_S:
                    raise BenchmarkError(f"{' '.join(command[:2])} does not answer at {path}")
                time.sleep(0.005)
            yield Running(port, round(time.perf_counter() - begun, 3))
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    """Find a port that has three free ones after it."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            if port < 65_000 and all(map(_is_free, range(port + 1, port + 4))):
                return port


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
