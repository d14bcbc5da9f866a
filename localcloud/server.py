"""The server door: gateway, SES, COS and SendCloud on four consecutive loopback ports of one process."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.routing import Router

from localcloud.console.guard import guarded
from localcloud.control import Control
from localcloud.defaults import PORT, SES_SITE
from localcloud.delivery import HttpPost, gateway_urls
from localcloud.door import service_app
from localcloud.gateway.app import FunctionGateway
from localcloud.gateway.environment import LOOPBACK, Ports, account_environment, endpoint_environment
from localcloud.gateway.events import build_timer_event
from localcloud.gateway.project import Project, load_project
from localcloud.gateway.runtime import Outcome, Runtime
from localcloud.listening import ListeningThread, bind_ports
from localcloud.pump import Pump
from localcloud.world import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

    from localcloud.door import Asgi
    from localcloud.gateway.project import Function, Timer

# Three pools, because functions call the services and the control plane calls functions: in one, they would wait
# for each other's threads.
SERVICE_THREADS, FUNCTION_THREADS, CONTROL_THREADS = 16, 64, 8


class LocalServer:
    """A running localcloud; a context manager, or ``start`` and ``stop``.

    ``port``: the first of four, 0 finds free ones. ``data``: the folder that is kept, None for one that is not.
    ``code_root``: where ``serverless.yml`` and the functions' entry files are; None serves no functions, and
    callbacks wait in the queue. ``shape``: ``apigw``, ``function-url`` or ``clb``. ``timers``: whether cron fires them.
    ``environment``: variables for the functions, over the local ones. ``ses_rate_per_s``, ``ses_site``: see LocalCloud.
    ``callback_urls``: ``ses`` and ``sendcloud`` to a receiver of your own, instead of the webhook function here.
    Raises OSError for a taken port, problems.Invalid for a serverless.yml that cannot be used.
    """

    def __init__(  # noqa: PLR0913 - independent knobs of one machine
        self,
        port: int = 0,
        data: Path | str | None = None,
        code_root: Path | str | None = None,
        *,
        shape: str = "apigw",
        timers: bool = False,
        environment: Mapping[str, str] | None = None,
        ses_rate_per_s: int = 20,
        ses_site: str = SES_SITE,
        callback_urls: Mapping[str, str] | None = None,
    ) -> None:
        self._asked_port = port
        self._data = data
        self._code_root = None if code_root is None else Path(code_root)
        self._shape = shape
        self._has_timers = timers
        self._extra_environment = dict(environment or {})
        self._ses_rate_per_s = ses_rate_per_s
        self._ses_site = ses_site
        self._callback_urls = dict(callback_urls or {})
        self._project = Project((), {})
        self._stack = ExitStack()
        self.cloud: LocalCloud
        self.ports: Ports

    def start(self) -> Self:
        """Start everything; what was started is stopped again when a part fails."""
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        """Stop everything, in the reverse order; nothing of it is left running or open."""
        self._stack.close()

    @property
    def port(self) -> int:
        """The gateway's port."""
        return self.ports.gateway

    @property
    def url(self) -> str:
        """The gateway."""
        return f"http://{LOOPBACK}:{self.ports.gateway}"

    @property
    def ses_url(self) -> str:
        """SES, as SES_ENDPOINT takes it."""
        return f"http://{LOOPBACK}:{self.ports.ses}"

    @property
    def cos_url(self) -> str:
        """COS, as COS_ENDPOINT takes it."""
        return f"http://{LOOPBACK}:{self.ports.cos}"

    @property
    def sendcloud_url(self) -> str:
        """SendCloud, without the path of its version."""
        return f"http://{LOOPBACK}:{self.ports.sendcloud}"

    def fire_timer(self, name: str, message: str | None = None, time_limit_s: float | None = None) -> Outcome | None:
        """Fire a timer now, by its name or its function's, and wait. None when there is no such timer."""
        found = self._project.find_timer(name)
        return None if found is None else self._fire(*found, message=message, time_limit_s=time_limit_s)

    def _start(self, stack: ExitStack) -> None:
        sockets = bind_ports(self._asked_port)
        for one in sockets:
            stack.callback(one.close)
        self.ports = Ports(*(one.getsockname()[1] for one in sockets))
        root = self._code_root
        self._project = Project((), {}) if root is None else load_project(root)
        self.cloud = stack.enter_context(
            LocalCloud(self._data, ses_rate_per_s=self._ses_rate_per_s, ses_site=self._ses_site)
        )
        self._runtime = Runtime(root or Path.cwd(), self._environment)
        stack.callback(self._runtime.close)
        listening = ListeningThread(self._apps(stack), sockets)
        stack.callback(listening.stop)
        listening.start()
        stack.callback(self._plane.end_streams)
        stack.callback(self.cloud.interrupt_delays)
        pump = Pump(self.cloud, self._ticker())
        stack.callback(pump.stop)
        pump.start()

    def _apps(self, stack: ExitStack) -> dict[int, Asgi]:
        services, self._functions, control = (
            stack.enter_context(ThreadPoolExecutor(size, f"localcloud-{name}"))
            for size, name in (
                (SERVICE_THREADS, "service"),
                (FUNCTION_THREADS, "function"),
                (CONTROL_THREADS, "control"),
            )
        )
        gateway = FunctionGateway(self._project, self._runtime, self._functions, self.cloud.clock, shape=self._shape)
        own = gateway_urls(self.ports.gateway) if self._project.find("POST", "/webhook/ses/secret") else {}
        if receivers := {**own, **self._callback_urls}:
            self.cloud.post = post = HttpPost(receivers)
            stack.callback(post.close)
        timers = [
            {"name": timer.name, "function": function.name, "cron": timer.cron, "enabled": timer.enabled}
            for function in self._project.functions
            for timer in function.timers
        ]
        self._plane = Control(self.cloud, self.ports, control, fire_timer=self.fire_timer, timers=timers)
        stack.callback(self._plane.close)
        return {
            self.ports.gateway: guarded(Router(self._plane.routes(), default=gateway, redirect_slashes=False)),
            self.ports.ses: service_app(self.cloud, "ses", services),
            self.ports.cos: service_app(self.cloud, "cos", services),
            self.ports.sendcloud: service_app(self.cloud, "sendcloud", services),
        }

    def _ticker(self) -> Callable[[], object]:
        if not self._has_timers:
            return lambda: None
        from localcloud.gateway.timers import Schedule  # noqa: PLC0415 - croniter only when it is needed

        return Schedule(self._project, self.cloud.clock, self._fire_later).tick

    def _fire_later(self, function: Function, timer: Timer) -> None:
        self._functions.submit(self._fire, function, timer)

    def _fire(
        self, function: Function, timer: Timer, *, message: str | None = None, time_limit_s: float | None = None
    ) -> Outcome:
        event = build_timer_event(timer.name, timer.message if message is None else message, self.cloud.clock.now())
        return self._runtime.invoke(function, event, time_limit_s=time_limit_s)

    def _environment(self) -> dict[str, str]:
        chosen = {name for name, value in self._project.environment.items() if value}
        return {
            **self._project.environment,
            **account_environment(),
            **self.cloud.role.environment(),
            **endpoint_environment(self.ports),
            **{name: value for name, value in self.cloud.environment().items() if name not in chosen},
            **self._extra_environment,
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def serve(
    port: int = PORT,
    data: Path | str | None = "./.mailtrail",
    code_root: Path | str | None = ".",
    *,
    shape: str = "apigw",
    timers: bool = True,
    callback_urls: Mapping[str, str] | None = None,
    on_ready: Callable[[LocalServer], None] | None = None,
) -> None:
    """Run until SIGINT or SIGTERM, then stop cleanly. From the main thread; ``on_ready`` is called once it answers."""
    stopping = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with LocalServer(port, data, code_root, shape=shape, timers=timers, callback_urls=callback_urls) as server:
            if on_ready is not None:
                on_ready(server)
            stopping.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
