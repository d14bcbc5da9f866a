"""The gateway's function routes as an ASGI application: request → event → function → answer."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.door import read_request, write_response
from localcloud.gateway.events import SHAPES, Incoming
from localcloud.gateway.replies import TIMED_OUT, Reply, build_reply
from localcloud.gateway.runtime import Outcome, platform_answer
from localcloud.problems import problem_response

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from localcloud.clock import Clock
    from localcloud.door import Receive, Scope, Send
    from localcloud.exchange import Request
    from localcloud.gateway.project import Function, Match, Project
    from localcloud.gateway.runtime import Runtime

SHAPE_HEADER = "x-localcloud-event"


class FunctionGateway:
    """Answers every path that serverless.yml routes to a function.

    ``shape``: the event shape of requests that do not choose one with ``X-Localcloud-Event``.
    ``pool``: where handlers run; not the one that answers the services, which handlers call.
    """

    def __init__(self, project: Project, runtime: Runtime, pool: Executor, clock: Clock, *, shape: str) -> None:
        if shape not in SHAPES:
            raise ValueError(f"shape must be one of {', '.join(SHAPES)}, not {shape!r}")
        self._project = project
        self._runtime = runtime
        self._pool = pool
        self._clock = clock
        self._shape = shape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        request = await read_request(scope, receive)
        if request is None:
            return
        reply = await self._answer(request, tuple(scope["client"] or ("127.0.0.1", 0)), scope["server"][1])
        await write_response(send, *reply)

    async def _answer(self, request: Request, client: tuple[str, int], port: int) -> Reply:
        shape = request.headers.get(SHAPE_HEADER, self._shape)
        if shape not in SHAPES:
            detail = f"X-Localcloud-Event must be one of {', '.join(SHAPES)}"
            return _problem(400, "invalid_event_shape", detail)
        match = self._project.find(request.method, request.path, any_method=shape != "apigw")
        if match is None:
            return _problem(404, "no_such_route", self._explain_miss(request))
        event = SHAPES[shape](self._incoming(request, match, client, port))
        patience_s = match.route.timeout_s if shape == "apigw" else None
        outcome = await self._invoke(match.function, event, patience_s)
        if outcome is None:
            return _problem(504, "gateway_timeout", f"{match.function.name} took longer than {patience_s} s")
        return build_reply(outcome, shape)

    def _incoming(self, request: Request, match: Match, client: tuple[str, int], port: int) -> Incoming:
        return Incoming(
            request=_without_shape_header(request),
            route_path=match.route.path,
            path_parameters=match.parameters,
            request_id=str(uuid.uuid4()),
            client=client,
            port=port,
            received_at=self._clock.now(),
        )

    async def _invoke(self, function: Function, event: dict[str, object], patience_s: int | None) -> Outcome | None:
        call = asyncio.get_running_loop().run_in_executor(self._pool, self._runtime.invoke, function, event)
        is_impatient = patience_s is not None and patience_s < function.timeout_s
        try:
            return await asyncio.wait_for(call, patience_s if is_impatient else function.timeout_s)
        except asyncio.TimeoutError:
            # A thread cannot be killed; what it returns is dropped. On SCF a function of which only the gateway
            # has despaired runs on as well.
            if is_impatient:
                return None
            message = f"Invoking task timed out after {function.timeout_s} seconds"
            return Outcome("", error=platform_answer("", TIMED_OUT, message))

    def _explain_miss(self, request: Request) -> str:
        routes = [f"{route.method} {route.path}" for function in self._project.functions for route in function.routes]
        return f"No function answers {request.method} {request.path}. There are: {', '.join(routes) or 'none'}"


def _without_shape_header(request: Request) -> Request:
    headers = {name: value for name, value in request.headers.items() if name != SHAPE_HEADER}
    return replace(request, headers=headers)


def _problem(status: int, code: str, detail: str) -> Reply:
    response = problem_response(status, code, detail)
    return Reply(response.status, list(response.headers.items()), response.body)
