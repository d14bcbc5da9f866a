"""A warm SCF instance: loads handlers from the root of the code, gives them event, context and environment."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
import traceback
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.gateway.environment import build_context, platform_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localcloud.gateway.project import Function

MAX_EVENT_BYTES = 6 * 1024 * 1024
"""Of a synchronous event and of its answer (https://cloud.tencent.com/document/product/583/11637)."""


class Outcome(NamedTuple):
    """What came of an invocation: ``value`` the function returned, or ``error``, the platform's own answer."""

    request_id: str
    value: Any = None
    error: dict[str, Any] | None = None


class PlatformError(Exception):
    """The platform could not call the function; ``status_code`` is SCF's own (437 no handler, 443 import, …)."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code


class Runtime:
    """Calls functions. Handlers are loaded once; each call sees the environment as it is then, as on SCF.

    Unlike an SCF instance it takes several events at a time, each in its caller's thread.
    ``environment``: asked at every invocation, because it tells the moved clock.
    """

    def __init__(self, code_root: Path, environment: Callable[[], Mapping[str, str]]) -> None:
        self._root = code_root.resolve()
        self._environment = environment
        self._handlers: dict[str, Callable[[Any, Any], Any]] = {}
        self._modules: set[str] = set()
        self._before: dict[str, str | None] = {}
        self._lock = threading.RLock()
        self._is_closed = False
        self._path = list(sys.path)
        sys.path.insert(0, str(self._root))

    def invoke(self, function: Function, event: Mapping[str, Any], *, time_limit_s: float | None = None) -> Outcome:
        """Call ``function`` and wait for it. Never raises for what the function did."""
        request_id = str(uuid.uuid4())
        environment = dict(self._environment())
        limit_s = function.timeout_s if time_limit_s is None else time_limit_s
        context = build_context(function, request_id, environment, time_limit_s=limit_s)
        try:
            sent = _checked_size(json.dumps(event), 406, "event")
            self._set_environment({**environment, **platform_environment(function, str(self._root))})
            handler = self._load(function.handler)
            value = handler(json.loads(sent), json.loads(json.dumps(context)))
            return Outcome(request_id, json.loads(_checked_size(json.dumps(value), 407, "answer")))
        except PlatformError as error:
            return Outcome(request_id, error=platform_answer(request_id, error.status_code, str(error)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever user code raises is answered
            trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            return Outcome(request_id, error=platform_answer(request_id, 430, "user code exception caught", trace))

    def close(self) -> None:
        """Put the environment, the module table and the path back as they were."""
        with self._lock:
            self._is_closed = True
            for name in [*self._before]:
                self._put_back(name)
            for name in self._modules:
                sys.modules.pop(name, None)
            # Entry files may have added a folder of their own.
            sys.path[:] = [entry for entry in sys.path if entry in self._path or not self._is_ours(entry)]

    def _is_ours(self, entry: str) -> bool:
        return entry == str(self._root) or entry.startswith(f"{self._root}{os.sep}")

    def _put_back(self, name: str) -> None:
        before = self._before.pop(name)
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before

    def _set_environment(self, environment: Mapping[str, str]) -> None:
        with self._lock:
            if self._is_closed:  # whoever is late would leave its environment to the next
                raise PlatformError(500, "the instance is gone")
            for name in [name for name in self._before if name not in environment]:
                self._put_back(name)
            for name, value in environment.items():
                self._before.setdefault(name, os.environ.get(name))
                os.environ[name] = value

    def _load(self, handler: str) -> Callable[[Any, Any], Any]:
        with self._lock:
            if handler not in self._handlers:
                self._handlers[handler] = self._load_afresh(*handler.split("."))
            return self._handlers[handler]

    def _load_afresh(self, name: str, attribute: str) -> Callable[[Any, Any], Any]:
        # By file, as SCF does (imp.find_module at the root), so that a module of the same name elsewhere is not taken.
        path = self._root / f"{name}.py"
        if not path.is_file():
            raise PlatformError(437, f"{name}.py is not at the root of the code")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise PlatformError(443, f"{name}.py cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        self._modules.add(name)
        try:
            spec.loader.exec_module(module)
            return getattr(module, attribute)  # type: ignore[no-any-return]
        except Exception as error:
            sys.modules.pop(name, None)
            raise PlatformError(443, f"{name}.{attribute}: {type(error).__name__}: {error}") from error


def platform_answer(request_id: str, status_code: int, message: str, trace: str = "") -> dict[str, Any]:
    """Build what SCF answers in place of a function that failed."""
    return {
        "errorCode": -1,
        "errorMessage": message,
        "requestId": request_id,
        "stackTrace": trace,
        "statusCode": status_code,
    }


def _checked_size(text: str, status_code: int, what: str) -> str:
    if len(text) > MAX_EVENT_BYTES:
        raise PlatformError(status_code, f"the {what} is larger than {MAX_EVENT_BYTES} bytes")
    return text
