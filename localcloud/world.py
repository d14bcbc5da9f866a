"""LocalCloud: one clock, one data folder, the three services over it, and the faults around them."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.callbacks import CallbackQueue
from localcloud.clock import Clock
from localcloud.cos.service import CosService
from localcloud.credentials import Credentials
from localcloud.defaults import SECRET_ID, SECRET_KEY, SENDCLOUD_APP_KEY, SENDCLOUD_KEY, SENDCLOUD_USER, SES_SITE
from localcloud.delivery import Courier
from localcloud.faults import Faults, list_lag_s
from localcloud.interference import interfere
from localcloud.role import Role
from localcloud.sendcloud.service import SendCloudService
from localcloud.ses.service import SesService
from localcloud.storm_run import Storms

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from localcloud.callbacks import Callback
    from localcloud.delivery import Post
    from localcloud.exchange import Request, Response, Service


class LocalCloud:
    """Everything local, over one folder; ``data=None`` is a temporary one, removed by ``close``.

    ``ses_rate_per_s``: SES refuses above it (documented: 20 a second for every action); raise it for load tests.
    ``ses_site``: ``cn`` or ``intl``, which differ in regions and languages. Usable as a context manager. The clock's
    offset is kept in the folder: a restart goes on in simulated time.
    """

    def __init__(
        self,
        data: Path | str | None = None,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        ses_rate_per_s: int = 20,
        ses_site: str = SES_SITE,
    ) -> None:
        self._is_temporary = data is None
        self.data = Path(tempfile.mkdtemp(prefix="localcloud-") if data is None else data)
        self.data.mkdir(parents=True, exist_ok=True)
        self.clock = clock or Clock()
        self._restore_clock()
        self.faults = Faults(seed)
        self.callbacks = CallbackQueue(self.data / "callbacks.sqlite3", self.clock)
        keys = {SECRET_ID: SECRET_KEY}
        self.credentials = Credentials(keys, self.clock)
        """Who may sign at SES and COS: the permanent key, and temporary ones that expire by the clock."""
        self.role = Role(self.credentials, self.clock)
        self.ses = SesService(
            self.data / "ses.sqlite3",
            self.clock,
            self.callbacks,
            keys=keys,
            credentials=self.credentials,
            rate_per_s=ses_rate_per_s,
            site=ses_site,
        )
        self.sendcloud = SendCloudService(
            self.data / "sendcloud.sqlite3",
            self.clock,
            self.callbacks,
            users={SENDCLOUD_USER: SENDCLOUD_KEY},
            app_key=SENDCLOUD_APP_KEY,
        )
        self.cos = CosService(self.data, self.clock, keys=keys, credentials=self.credentials)
        self.services: dict[str, Service] = {"ses": self.ses, "cos": self.cos, "sendcloud": self.sendcloud}
        self.post: Post | None = None
        """Who carries callbacks; None leaves them in the queue until ``deliver_callbacks``."""
        self._courier = Courier(self.callbacks, self.faults, self.clock)
        self.storms = Storms(self.clock, lambda: self.post)
        """Storms of invented callbacks; ``post`` carries them."""
        self._closing = threading.Event()
        self.name = uuid.uuid4().hex
        """Another after every reset: who remembers something of this cloud is to forget it then."""

    def environment(self) -> dict[str, str]:
        """Build what local functions are told of this cloud: its name, its time, and which limits it does not have."""
        limits = self.ses.switches.values()
        return {
            "MAILTRAIL_WORLD": self.name,
            "MAILTRAIL_CLOCK_OFFSET_S": str(self.clock.offset_s),
            **({} if limits["requests_per_s"] else {"SEND_GUARD": "rate=off"}),
            **({} if limits["hourly_per_recipient"] else {"SES_HOURLY": "0"}),
        }

    def dispatch(self, service: str, request: Request, *, patience_s: float | None = None) -> Response:
        """Answer one request at ``ses``, ``cos`` or ``sendcloud``, with the faults that the rules ask for.

        ``patience_s``: how long an in-process client would wait; over HTTP the client hangs up by itself.
        Raises Dropped when the connection must close without an answer, TimeoutError when patience ran out: the
        service has acted all the same.
        """
        target = self.services[service]
        if self.faults.is_quiet(service):
            return target.dispatch(request)
        faults = self.faults.decide(service, target.action_of(request))
        lagging = replace(request, list_lag_s=list_lag_s(faults))
        return interfere(target, lagging, faults, wait=self._closing.wait, patience_s=patience_s)

    def add_faults(self, raw: object) -> list[dict[str, Any]]:
        """Add fault rules (DESIGN §7). Raises problems.Invalid naming everything wrong; then none is added."""
        return self.faults.add(raw)

    def clear_faults(self) -> None:
        """Forget every fault rule, and let go of the callbacks that one held back."""
        self.faults.clear()
        self._courier.release()

    def pump(self, *, limit: int = 100) -> int:
        """Apply what is due by the clock; deliver at most ``limit`` due callbacks, if someone carries them.

        Returns how many events were applied and attempts settled; 0 means that nothing is due.
        """
        self._keep_clock()
        return self._apply_due() + (self._courier.deliver_due(self.post, limit=limit) if self.post else 0)

    def pump_until_idle(self) -> int:
        """Pump until nothing is due by the clock. Returns the sum."""
        total = 0
        while done := self.pump():
            total += done
        return total

    def deliver_callbacks(self, handler: Callable[[Callback], int]) -> int:
        """Hand every due callback to ``handler``, which returns the HTTP status it would answer.

        For tests without a server. Returns how many attempts were settled.
        """
        post: Post = lambda callback: (handler(callback), "")  # noqa: E731 - an adapter, not a function of its own
        total = 0
        self._apply_due()
        while done := self._courier.deliver_due(post):
            total += done
            self._apply_due()
        return total

    def advance(self, seconds: float) -> float:
        """Move the clock by ``seconds``, keep that, and return the new time (epoch seconds)."""
        self.clock.advance(seconds)
        self._keep_clock()
        return self.clock.now()

    def move_to(self, now: float) -> float:
        """Set the clock to ``now`` (epoch seconds), keep that, and return it."""
        self.clock.move_to(now)
        self._keep_clock()
        return self.clock.now()

    def messages(self, limit: int = 100) -> list[dict[str, Any]]:
        """List the mails that SES accepted, newest first."""
        return self.ses.messages(limit)

    def seed(self, *, day: str, messages: int, tasks: int, sendcloud: int, seed: int) -> dict[str, Any]:
        """Make a day of history, the same for the same ``seed``; no callback is sent for it."""
        return {
            "ses": self.ses.seed(day=day, messages=messages, tasks=tasks, seed=seed),
            "sendcloud": self.sendcloud.seed(day=day, messages=sendcloud, seed=seed),
        }

    def reset(self) -> None:
        """Back to how it was born: no mail, no objects, no callbacks, no faults, real time."""
        self.name = uuid.uuid4().hex
        self.storms.reset()
        self.role.reset()
        self.clear_faults()
        # First, because the services are born at the clock's time.
        self.clock.advance(-self.clock.offset_s)
        self._keep_clock()
        self.callbacks.reset()
        for service in (self.ses, self.sendcloud, self.cos):
            service.reset()
        self._courier.release()

    def interrupt_delays(self) -> None:
        """End every wait that a delay rule asked for, now and from now on."""
        self._closing.set()

    def close(self) -> None:
        """Close the stores, and remove the folder if it was temporary."""
        self.interrupt_delays()
        self.storms.stop()
        with suppress(OSError):
            self._keep_clock()
        for closable in (self.ses, self.sendcloud, self.cos, self.callbacks):
            closable.close()
        if self._is_temporary:
            shutil.rmtree(self.data, ignore_errors=True)

    def _apply_due(self) -> int:
        return self.ses.pump() + self.sendcloud.pump()

    def _restore_clock(self) -> None:
        self._clock_file = self.data / "clock.json"
        self._clock_lock = threading.Lock()
        self._kept_offset_s = 0.0
        with suppress(FileNotFoundError):
            self._kept_offset_s = float(json.loads(self._clock_file.read_text())["offset_s"])
            self.clock.advance(self._kept_offset_s - self.clock.offset_s)

    def _keep_clock(self) -> None:
        with self._clock_lock:
            if self.clock.offset_s != self._kept_offset_s:
                self._kept_offset_s = self.clock.offset_s
                fresh = self._clock_file.with_suffix(".new")
                fresh.write_text(json.dumps({"offset_s": self._kept_offset_s}))
                fresh.replace(self._clock_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
