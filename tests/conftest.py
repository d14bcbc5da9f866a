"""Fixtures for the tests that drive the functions: Tencent Cloud inside this process, and what was asked of it."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from localcloud import mock_tencent
from tests.handlers import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud import LocalCloud


# No deadline: a busy machine is slow, not wrong. In CI the same examples every time; elsewhere new ones are looked for.
settings.register_profile("mailtrail", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("mailtrail")

# Whoever starts us in the background of a script has SIGINT ignored, and so would every command that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _fresh_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what an instance of ``send`` in this process has learnt of another test's SES, and was told of its limits."""
    for name in ("SEND_GUARD", "SES_HOURLY", "MAILTRAIL_WORLD"):
        monkeypatch.delenv(name, raising=False)
    admission = sys.modules.get("functions.send.guard.admission")
    if admission is not None:
        monkeypatch.setattr(admission, "instance", admission.Instance())


@pytest.fixture
def fresh_session() -> Iterator[None]:
    """Begin and end without a connection to any upstream."""
    from shared.upstream import transport  # noqa: PLC0415 - most tests need none

    transport.warm_session.cache_clear()
    yield
    transport.warm_session().close()
    transport.warm_session.cache_clear()


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """Open a fresh LocalCloud at ``NOW``, without limits of rate; fresh instances of ``send`` and ``webhook`` with it.

    Nor does ``send`` look at its rate, which is of real time, and at an address's hour.
    """
    from functions.send import attempts, doubt, extras  # noqa: PLC0415 - most tests need no function
    from functions.webhook import handler, refusals  # noqa: PLC0415 - most tests need no function

    monkeypatch.setattr(extras, "learnt", extras.Learnt())
    monkeypatch.setenv("SEND_GUARD", "rate=off")
    monkeypatch.setenv("SES_HOURLY", "0")
    monkeypatch.setattr(doubt, "_looked_at", {})
    monkeypatch.setattr(attempts, "PAUSE_S", 0.0)
    monkeypatch.setattr(handler, "refusals", refusals.Refusals())
    with mock_tencent(ses_rate_per_s=0) as opened:
        opened.move_to(NOW)
        opened.ses.switches.update({"hourly_per_recipient": 0})
        yield opened


@pytest.fixture
def calls(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every request that reaches for ``cloud``, as ``ses:SendEmail``, whatever becomes of it."""
    seen: list[str] = []
    dispatch = cloud.dispatch

    def note(service: str, request: Any, **options: Any) -> Any:
        seen.append(f"{service}:{cloud.services[service].action_of(request)}")
        return dispatch(service, request, **options)

    monkeypatch.setattr(cloud, "dispatch", note)
    return seen
