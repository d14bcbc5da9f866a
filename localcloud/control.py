"""The control plane under ``/_local`` (DESIGN §7): health, reset, clock, faults, seed, messages, callbacks, timers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.responses import Response
from starlette.routing import Route

from localcloud.console.service import Console
from localcloud.control_hostile import HostileControl
from localcloud.exchange import Response as Plain
from localcloud.inputs import parse_clock, parse_limit, parse_seed, parse_timer, parse_whole_number
from localcloud.problems import Invalid, Problem, problem_response
from localcloud.when import iso_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from starlette.requests import Request

    from localcloud.console.service import Document
    from localcloud.gateway.environment import Ports
    from localcloud.gateway.runtime import Outcome
    from localcloud.world import LocalCloud

    Query = Mapping[str, str]
    FireTimer = Callable[[str, "str | None", "float | None"], "Outcome | None"]


class Answer(NamedTuple):
    """JSON on its way out."""

    content: Any
    status: int = 200


class Control:
    """Every operation takes the query and the parsed body and answers JSON; they run in ``pool``.

    ``fire_timer``: name, message and time limit (seconds) → what came of it; None for a timer that is not there.
    """

    def __init__(
        self, cloud: LocalCloud, ports: Ports, pool: Executor, *, fire_timer: FireTimer, timers: list[dict[str, Any]]
    ) -> None:
        self._cloud = cloud
        self._ports = ports
        self._pool = pool
        self._fire_timer = fire_timer
        self._timer_names = [str(timer["name"]) for timer in timers]
        self._console = Console(cloud, pool, timers)

    def routes(self) -> list[Route]:
        """Starlette routes of the control plane and of the console."""
        return [
            self._route("GET", "health", self._health),
            self._route("POST", "reset", self._reset),
            self._route("GET", "messages", self._messages),
            self._route("GET", "callbacks", self._callbacks),
            self._route("GET", "clock", self._get_clock),
            self._route("POST", "clock", self._move_clock),
            self._route("POST", "seed", self._seed),
            self._route("GET", "faults", self._get_faults),
            self._route("POST", "faults", self._add_faults),
            self._route("DELETE", "faults", self._clear_faults),
            self._route("POST", "timers/{name}", self._timer),
            *(self._route(*one) for one in self._further_operations()),
            *(self._document_route(*one) for one in self._console.documents()),
            self._console.stream_route(),
        ]

    def end_streams(self) -> None:
        """Let the pages go that wait for changes; before the server stops."""
        self._console.end_streams()

    def close(self) -> None:
        """Close what the console opened; after the server has stopped."""
        self._console.close()

    def _further_operations(self) -> list[tuple[str, str, Callable[[Query, Any], Answer]]]:
        def answering(operation: Callable[[Query, Any], Any]) -> Callable[[Query, Any], Answer]:
            return lambda query, body: Answer(operation(query, body))

        operations = [*HostileControl(self._cloud).operations(), *self._console.operations()]
        return [(method, path, answering(one)) for method, path, one in operations]

    def _route(self, method: str, path: str, operation: Callable[[Query, Any], Answer]) -> Route:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            query = {**request.query_params, **request.path_params}
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, _operate, operation, query, body)
            return Response(answer.body, answer.status, answer.headers)

        return Route(f"/_local/{path}", endpoint, methods=[method])

    def _document_route(self, path: str, document: Document) -> Route:
        async def endpoint(request: Request) -> Response:
            query = {**request.query_params, **request.path_params}
            headers = dict(request.headers)
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, _fetch, document, query, headers)
            return Response(answer.body, answer.status, answer.headers)

        return Route(path, endpoint, methods=["GET"])

    def _health(self, _query: Query, _body: Any) -> Answer:
        return Answer({"status": "ok", "ports": self._ports._asdict(), "now": iso_utc(self._cloud.clock.now())})

    def _reset(self, _query: Query, _body: Any) -> Answer:
        self._cloud.reset()
        return Answer({"status": "ok", "now": iso_utc(self._cloud.clock.now())})

    def _messages(self, query: Query, _body: Any) -> Answer:
        return Answer(self._cloud.messages(parse_limit(query)))

    def _callbacks(self, query: Query, _body: Any) -> Answer:
        return Answer(self._cloud.callbacks.history(query.get("message_id"), parse_limit(query)))

    def _get_clock(self, _query: Query, _body: Any) -> Answer:
        return Answer({"now": iso_utc(self._cloud.clock.now())})

    def _move_clock(self, _query: Query, body: Any) -> Answer:
        self._cloud.move_to(parse_clock(body, self._cloud.clock.now()))
        # What has become due has happened by the time we answer.
        self._cloud.pump_until_idle()
        return Answer({"now": iso_utc(self._cloud.clock.now())})

    def _seed(self, _query: Query, body: Any) -> Answer:
        return Answer(self._cloud.seed(**parse_seed(body)))

    def _get_faults(self, _query: Query, _body: Any) -> Answer:
        return Answer(self._cloud.faults.rules)

    def _add_faults(self, query: Query, body: Any) -> Answer:
        seed = parse_whole_number(query["seed"], "seed") if "seed" in query else None
        self._cloud.add_faults(body)
        if seed is not None:
            self._cloud.faults.reseed(seed)
        return Answer(self._cloud.faults.rules)

    def _clear_faults(self, _query: Query, _body: Any) -> Answer:
        self._cloud.clear_faults()
        return Answer([])

    def _timer(self, query: Query, body: Any) -> Answer:
        message, time_limit_s = parse_timer(body)
        outcome = self._fire_timer(query["name"], message, time_limit_s)
        if outcome is None:
            known = ", ".join(self._timer_names) or "none"
            raise LookupError(f"There is no timer {query['name']}. There are: {known}")
        return Answer(outcome.value) if outcome.error is None else Answer(outcome.error, 500)


def _operate(operation: Callable[[Query, Any], Answer], query: Query, body: bytes) -> Plain:
    def answering() -> Plain:
        answer = operation(query, _parse_json(body))
        # A key of an object may hold what UTF-8 cannot.
        content = json.dumps(answer.content, ensure_ascii=False).encode("utf-8", "surrogateescape")
        return Plain(answer.status, {"Content-Type": "application/json"}, content)

    return _with_problems(answering)


def _fetch(document: Document, query: Query, headers: Mapping[str, str]) -> Plain:
    return _with_problems(lambda: document(query, headers))


def _with_problems(answering: Callable[[], Plain]) -> Plain:
    try:
        return answering()
    except Invalid as error:
        return problem_response(400, "invalid_request", str(error), error.problems)
    except LookupError as error:
        return problem_response(404, "not_found", str(error.args[0]))


def _parse_json(body: bytes) -> Any:
    try:
        return json.loads(body) if body.strip() else None
    except (ValueError, RecursionError) as error:
        raise Invalid([Problem("", f"the body is not JSON: {error}")]) from error
