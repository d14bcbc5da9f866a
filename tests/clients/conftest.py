"""One server for every client, and the table at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from localcloud.server import LocalServer
from tests.clients import recording

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """Run a localcloud, empty, for one client."""
    with LocalServer(0) as running:
        yield running


@pytest.fixture
def proxy(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the local COS the HTTP proxy of this process: the cloud's own host names lead to it."""
    url = f"http://127.0.0.1:{server.ports.cos}"
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", url)
    return url


def pytest_sessionfinish() -> None:
    """Write the table when asked to."""
    if os.environ.get(recording.WRITE_VARIABLE) == "1" and recording.rows():
        recording.write_table()
