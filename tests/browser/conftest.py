"""A localcloud with the real functions, and Debian's Chromium to look at it with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Root may not have Chromium's own sandbox, and nothing of ours may call home."""


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(code_root=ROOT, ses_rate_per_s=0) as running:
        yield running


@pytest.fixture(autouse=True)
def _born_again(server: LocalServer) -> None:
    server.cloud.reset()
    server.cloud.ses.switches.update({"hourly_per_recipient": 0, "requests_per_s": 0})


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the browser tests need Playwright: pip install playwright"
    )
    if CHROMIUM is None:
        pytest.skip("the browser tests need Chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, server: LocalServer) -> Iterator[Any]:
    """Open a fresh page, with what it said and asked for in ``page.errors`` and ``page.asked``."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    opened.errors, opened.asked = [], []
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.on("request", lambda request: opened.asked.append(request.url))
    yield opened
    context.close()
