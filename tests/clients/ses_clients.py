"""The vendor's SES clients, each behind each door it can go through, all answering to the same two verbs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud import mock_tencent
from localcloud.server import LocalServer
from tests.clients.ses_controls import control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Say = Callable[[dict[str, Any]], dict[str, Any]]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
INTL_PIN = "tencentcloud-sdk-python-intl-en==3.1.193"
INTL_FOLDER = ROOT / "build" / "clients" / INTL_PIN.replace("==", "-")
"""Where ``pip install --no-deps --target`` puts the International SDK: its package has the China SDK's name."""
NODE_MODULES = Path(os.environ.get("MAILTRAIL_NODE_ROOT", ROOT)) / "node_modules"
NODE_PACKAGES = ("tencentcloud-sdk-nodejs-common", "tencentcloud-sdk-nodejs-ses")


class Way(NamedTuple):
    """A client and the door it goes through. ``region``, ``site``: which cloud it was made for."""

    client: str
    door: str
    region: str = "ap-guangzhou"
    site: str = "cn"

    @property
    def title(self) -> str:
        """The client as the table in docs/localcloud.md names it."""
        return f"{self.client} ({self.door})"


WAYS = (
    Way("tencentcloud-sdk-python-ses", "server"),
    Way("tencentcloud-sdk-python-ses", "mock_tencent"),
    Way("tencentcloud-sdk-python-intl-en", "server", "ap-singapore", "intl"),
    Way("tencentcloud-sdk-python-intl-en", "mock_tencent", "ap-singapore", "intl"),
    Way("tencentcloud-sdk-nodejs-ses", "server"),
)


class Session(NamedTuple):
    """An open way: ``call`` sends a command to the client, ``control`` acts on the cloud."""

    way: Way
    call: Say
    control: Say


def why_not(way: Way) -> str:
    """Say why ``way`` cannot be gone on this machine; empty when it can."""
    if way.client.endswith("intl-en") and not INTL_FOLDER.is_dir():
        return f"{INTL_PIN} is not in {INTL_FOLDER.relative_to(ROOT)}: pip install --no-deps --target"
    if way.client.startswith("tencentcloud-sdk-nodejs"):
        if shutil.which("node") is None:
            return "there is no node"
        if not all((NODE_MODULES / name).is_dir() for name in NODE_PACKAGES):
            return f"{' and '.join(NODE_PACKAGES)} are not installed (npm ci)"
    return ""


def version_of(way: Way) -> str:
    """Return the version of the client of ``way``."""
    if way.client.startswith("tencentcloud-sdk-nodejs"):
        return str(json.loads((NODE_MODULES / way.client / "package.json").read_text())["version"])
    return INTL_PIN.partition("==")[2] if way.client.endswith("intl-en") else metadata.version(way.client)


@contextmanager
def open_session(way: Way) -> Iterator[Session]:
    """Start the cloud and the client of ``way``; end both afterwards."""
    if way.door == "server":
        with LocalServer(ses_rate_per_s=0, ses_site=way.site) as server, _client_of(way, server) as call:
            yield Session(way, call, lambda asked: control(server.cloud, asked))
    elif way.client.endswith("intl-en"):
        # The door is inside the client's own process, and so is the cloud.
        with _talking_to(_python_command(way, "")) as say:
            yield Session(way, say, lambda asked: say({"control": asked})["done"])
    else:
        with mock_tencent(ses_rate_per_s=0) as cloud:
            yield Session(way, _in_process(way, ""), lambda asked: control(cloud, asked))


@contextmanager
def _client_of(way: Way, server: LocalServer) -> Iterator[Say]:
    endpoint = f"127.0.0.1:{server.ports.ses}"
    if way.client == "tencentcloud-sdk-python-ses":
        yield _in_process(way, endpoint)
        return
    driver = str(HERE / "node" / "ses_driver.js")
    is_node = way.client.startswith("tencentcloud-sdk-nodejs")
    command = ("node", driver, endpoint, way.region) if is_node else _python_command(way, endpoint)
    with _talking_to(command) as say:
        yield say


def _in_process(way: Way, endpoint: str) -> Say:
    from tests.clients.ses_python_driver import PythonClient  # noqa: PLC0415 - imports the SDK

    client = PythonClient(way.region, endpoint)
    return lambda command: client.call(command["call"], command["request"], **command["as"])


def _python_command(way: Way, endpoint: str) -> tuple[str, ...]:
    driver = str(HERE / "ses_python_driver.py")
    return (sys.executable, driver, "--region", way.region, "--site", way.site, "--endpoint", endpoint)


@contextmanager
def _talking_to(command: tuple[str, ...]) -> Iterator[Say]:
    """One JSON line there, one back."""
    environment = {**os.environ, "PYTHONPATH": f"{INTL_FOLDER}{os.pathsep}{ROOT}", "NODE_PATH": str(NODE_MODULES)}
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        environment.pop(name, None)
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:

        def say(told: dict[str, Any]) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(told) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            assert line, f"{command[0]} ended with {process.wait()}"
            return dict(json.loads(line))

        try:
            yield say
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=30)
