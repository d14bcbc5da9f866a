"""The in-process door: ``mock_tencent`` answers what ``requests`` sends to Tencent Cloud's hosts, without a socket.

Works for everything built on ``requests``: the COS SDK, the API 3.0 SDKs, our own clients. ``http.client`` and bare
urllib3 go past it; use localcloud.server for those. Hosts that are neither Tencent's nor loopback are refused.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from localcloud.clock import Clock
from localcloud.decorating import decorate
from localcloud.defaults import SECRET_ID, SECRET_KEY
from localcloud.gateway.environment import account_environment
from localcloud.interception import open_door
from localcloud.world import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable

    from responses import RequestsMock

    Decorated = TypeVar("Decorated", bound=Callable[..., Any])

TOLD = ("SEND_GUARD", "SES_HOURLY")
"""Variables by which the functions are told which limits this SES does not have."""
REMOVED = (
    "SES_ENDPOINT",
    "COS_ENDPOINT",
    "SENDCLOUD_ENDPOINT",
    "TENCENTCLOUD_SESSIONTOKEN",
    "TENCENTCLOUD_TOKEN",
)
"""Variables that would lead a client past the mock, or sign with a token that no local service gave out."""


@overload
def mock_tencent(target: Decorated) -> Decorated: ...
@overload
def mock_tencent(target: None = None, **options: Any) -> Mock: ...
def mock_tencent(target: Any = None, **options: Any) -> Any:
    """Put Tencent Cloud inside this process: a context manager or a decorator.

    It decorates functions, coroutines, generators and classes.
    The context manager yields the LocalCloud: its ``clock``, ``faults``, ``messages()``, ``deliver_callbacks(…)``.
    While it lasts, ``os.environ`` holds the local account's keys and settings. An inner use joins the outer one, so
    that a decorated test gets its cloud with ``with mock_tencent() as cloud``. State ends with the outermost use.
    On a class, every method named ``test…`` is wrapped, inherited ones too, each in a cloud of its own that lasts from
    ``setUp`` or ``setup_method`` to the end of ``tearDown`` or ``teardown_method``. What is set up once for the whole
    class (``setUpClass``, ``setup_class``) is outside: use the context manager there.
    ``options`` are LocalCloud's: ``data``, ``seed``, ``ses_rate_per_s``; an inner use ignores its own.
    The pytest fixture is ``tencent`` of localcloud.pytest_plugin.
    """
    made = Mock(options)
    return made if target is None else made(target)


class Mock:
    """What ``mock_tencent()`` returns."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options

    def __call__(self, target: Decorated) -> Decorated:
        """Decorate ``target``. Raises TypeError for what cannot be called."""
        # Each call enters a mock of its own: this object may decorate many.
        return cast("Decorated", decorate(target, lambda: Mock(self._options)))

    def __enter__(self) -> LocalCloud:
        with _active.lock:
            if _active.cloud is None:
                _active.cloud = _MockedCloud(clock=_EnvironmentClock(), **self._options)
                _active.door = open_door(_active.cloud)
                _enter_environment(_active.cloud)
            _active.depth += 1
            return _active.cloud

    def __exit__(self, *exc_info: object) -> None:
        with _active.lock:
            _active.depth -= 1
            if _active.depth == 0 and _active.cloud is not None and _active.door is not None:
                _active.door.stop(allow_assert=False)
                _leave_environment()
                _active.cloud.close()
                _active.cloud = _active.door = None


class _Active:
    """The one mock of this process: entered as often as one likes, undone by the last exit."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.depth = 0
        self.cloud: LocalCloud | None = None
        self.door: RequestsMock | None = None
        self.environment: dict[str, str | None] = {}


_active = _Active()


class _EnvironmentClock(Clock):
    """A clock whose offset the functions can read, as they do behind the server door."""

    def advance(self, seconds: float) -> float:
        """Move, and say so in the environment."""
        now = super().advance(seconds)
        os.environ["MAILTRAIL_CLOCK_OFFSET_S"] = str(self.offset_s)
        return now

    def move_to(self, now: float) -> float:
        """Move, and say so in the environment."""
        moved = super().move_to(now)
        os.environ["MAILTRAIL_CLOCK_OFFSET_S"] = str(self.offset_s)
        return moved


class _MockedCloud(LocalCloud):
    """A LocalCloud of whose ways the functions of this process read in its environment, also when they change."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # A guard that was chosen is the caller's wish.
        self._told = {*TOLD} - {*os.environ}
        self.ses.switches.on_change = self._tell

    def reset(self) -> None:
        """Back to how it was born, under another name."""
        super().reset()
        self._tell()

    def environment(self) -> dict[str, str]:
        """Build what the functions are told, less what the caller has told them."""
        return {name: value for name, value in super().environment().items() if name in self._told or name not in TOLD}

    def _tell(self) -> None:
        if _active.cloud is not self:  # whoever changes it afterwards changes nothing in the environment any more
            return
        for name in self._told:
            os.environ.pop(name, None)
        os.environ.update(self.environment())


def _enter_environment(cloud: LocalCloud) -> None:
    fake = {
        **account_environment(),
        # The official SDKs read the spelling with underscores.
        "TENCENTCLOUD_SECRET_ID": SECRET_ID,
        "TENCENTCLOUD_SECRET_KEY": SECRET_KEY,
        **cloud.environment(),
    }
    _active.environment = {name: os.environ.get(name) for name in (*fake, *REMOVED, *TOLD)}
    for name in REMOVED:
        os.environ.pop(name, None)
    os.environ.update(fake)


def _leave_environment() -> None:
    for name, value in _active.environment.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
