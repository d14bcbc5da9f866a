"""HTTP trigger: SES and SendCloud event callbacks into COS as JSON lines. 200 only after COS has acknowledged."""

from __future__ import annotations

import os
from typing import Any

from functions.webhook.receive import receive
from shared.edge.clock import time_left
from shared.edge.environment import SettingsError
from shared.edge.http_event import Problem, json_reply, parse_http_event, problem_reply
from shared.edge.log import log
from shared.edge.settings import webhook_settings
from shared.trail.store import StoreError


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Authenticate, parse, store, answer."""
    request_id = str(context.get("request_id") or "")
    try:
        request = parse_http_event(event, context)
        request_id = request.request_id
        stored = receive(request, webhook_settings(os.environ), time_left(context, margin_s=1.0))
    except Problem as problem:
        return problem_reply(problem, request_id)
    except StoreError as error:
        log("ERROR", "callback not stored", request_id=request_id, operation=error.operation, code=error.code)
        return problem_reply(_again("trail_unavailable", after_s=5), request_id)
    except SettingsError as error:
        log("ERROR", "misconfigured", request_id=request_id, problems=error.problems)
        return problem_reply(_again("misconfigured", after_s=60), request_id)
    if stored is None:
        return json_reply(200, {"status": "ok"})
    log("INFO", "callback stored", request_id=request_id, **stored._asdict())
    return json_reply(
        200, {"stored": stored.events} | ({"quarantined": stored.quarantined} if stored.quarantined else {})
    )


def _again(code: str, *, after_s: int) -> Problem:
    return Problem(503, code, "not stored, deliver again", retry_safe=True, retry_after_s=after_s)
