"""serverless.yml as data: which functions there are, where they listen, when their timers fire."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import yaml

from localcloud.problems import Invalid, Problem

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "serverless.yml"
DEFAULT_TIMEOUT_S = 3
DEFAULT_MEMORY_MB = 128
DEFAULT_SERVICE_TIMEOUT_S = 15
"""How long the gateway waits when a route does not say (serverless-tencent-scf)."""


class Timer(NamedTuple):
    """A timer trigger; ``cron``: seven fields (s m h day month week year). Fires by itself only when ``enabled``."""

    name: str
    cron: str
    enabled: bool
    message: str


class Route(NamedTuple):
    """A path of the gateway, with ``{parameters}``; method ``ANY`` takes every one.

    ``timeout_s``: how long the gateway waits for the function.
    """

    method: str
    path: str
    pattern: re.Pattern[str]
    timeout_s: int = DEFAULT_SERVICE_TIMEOUT_S

    @property
    def rank(self) -> tuple[int, int]:
        """Sort key: fewer parameters first, an exact method before ANY."""
        return self.path.count("{"), self.method == "ANY"


class Function(NamedTuple):
    """One cloud function; ``handler`` is ``module.attribute`` at the root of the code."""

    name: str
    handler: str
    timeout_s: int
    memory_mb: int
    routes: tuple[Route, ...]
    timers: tuple[Timer, ...]


class Match(NamedTuple):
    """A function found for a request, by which route, with the decoded path parameters."""

    function: Function
    route: Route
    parameters: dict[str, str]


class Project(NamedTuple):
    """What serverless.yml says. ``environment``: its literal variables, without ``${…}`` placeholders."""

    functions: tuple[Function, ...]
    environment: dict[str, str]

    def find(self, method: str, path: str, *, any_method: bool = False) -> Match | None:
        """Find the function that answers ``method`` on the raw ``path``; None if no route does.

        ``any_method``: a Function URL and a CLB rule know no methods, they hand everything over.
        """
        found = [
            Match(function, route, {name: unquote(value) for name, value in hit.groupdict().items()})
            for function in self.functions
            for route in function.routes
            if (any_method or route.method in (method, "ANY")) and (hit := route.pattern.fullmatch(path))
        ]
        # With methods ignored, the route that does name the method still says best which function is meant.
        return min(found, key=lambda m: (m.route.rank[0], m.route.method != method), default=None)

    def find_timer(self, name: str) -> tuple[Function, Timer] | None:
        """Find a timer by its own name or by its function's (then the first of that function)."""
        pairs = [(function, timer) for function in self.functions for timer in function.timers]
        by_name = [pair for pair in pairs if pair[1].name == name] or [pair for pair in pairs if pair[0].name == name]
        return by_name[0] if by_name else None


def load_project(code_root: Path) -> Project:
    """Read ``serverless.yml`` under ``code_root``.

    Raises FileNotFoundError, or problems.Invalid naming every problem.
    """
    path = code_root / FILE_NAME
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    problems: list[Problem] = []
    entries = raw.get("functions") if isinstance(raw, dict) else None
    if not isinstance(entries, dict):
        raise Invalid([Problem("functions", f"is missing in {FILE_NAME}")])
    provider = raw.get("provider") or {}
    functions = [_parse_function(name, {**_limits(provider), **entry}, problems) for name, entry in entries.items()]
    if problems:
        raise Invalid(problems)
    variables = (provider.get("environment") or {}).get("variables") or {}
    return Project(tuple(functions), {k: str(v) for k, v in variables.items() if "${" not in str(v)})


def _limits(provider: dict[str, Any]) -> dict[str, Any]:
    return {
        "timeout": provider.get("timeout", DEFAULT_TIMEOUT_S),
        "memorySize": provider.get("memorySize", DEFAULT_MEMORY_MB),
    }


def _parse_function(name: str, entry: dict[str, Any], problems: list[Problem]) -> Function:
    field = f"functions.{name}"
    handler = str(entry.get("handler", ""))
    if not re.fullmatch(r"\w+\.\w+", handler):
        problems.append(Problem(f"{field}.handler", "must be module.attribute, the module at the root of the code"))
    numbers = [_whole_number(entry, key, field, problems) for key in ("timeout", "memorySize")]
    routes: list[Route] = []
    timers: list[Timer] = []
    for index, event in enumerate(entry.get("events") or []):
        for kind, trigger in event.items():
            parameters = (trigger or {}).get("parameters") or {}
            if kind == "apigw":
                routes.append(_parse_route(parameters, f"{field}.events[{index}]", problems))
            elif kind == "timer":
                timers.append(_parse_timer(str(trigger.get("name", f"{name}_timer")), parameters))
    return Function(name, handler, numbers[0], numbers[1], tuple(routes), tuple(timers))


def _whole_number(entry: dict[str, Any], key: str, field: str, problems: list[Problem]) -> int:
    value = entry[key]
    if isinstance(value, int) and value > 0:
        return value
    problems.append(Problem(f"{field}.{key}", "must be a whole number above 0"))
    return 1


def _parse_route(parameters: dict[str, Any], field: str, problems: list[Problem]) -> Route:
    path = str(parameters.get("path", ""))
    if not path.startswith("/"):
        problems.append(Problem(f"{field}.apigw.parameters.path", "must begin with /"))
    parts = re.split(r"\{(\w+)\}", path)
    pattern = "".join(f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    method = str(parameters.get("httpMethod", "ANY")).upper()
    timeout_s = _whole_number(
        {"serviceTimeout": DEFAULT_SERVICE_TIMEOUT_S, **parameters}, "serviceTimeout", field, problems
    )
    return Route(method, path, re.compile(pattern), timeout_s)


def _parse_timer(name: str, parameters: dict[str, Any]) -> Timer:
    # `enable` omitted creates the trigger closed (serverless-tencent-scf), so it does not fire here either.
    cron = str(parameters.get("cronExpression", ""))
    return Timer(name, cron, parameters.get("enable") is True, str(parameters.get("argument") or ""))
