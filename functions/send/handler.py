"""HTTP trigger: authorize, do what ``routes.py`` finds, answer. Status codes: README, "Errors"."""

from __future__ import annotations

import os
from typing import Any

from functions.send.office import Office
from functions.send.routes import answer_request
from functions.send.trail_trouble import problem_of
from shared.edge.clock import clock, time_left_to_answer
from shared.edge.environment import SettingsError
from shared.edge.http_event import HttpRequest, Problem, bearer_token, json_reply, parse_http_event, problem_reply
from shared.edge.log import log
from shared.edge.settings import SendSettings, send_settings
from shared.trail.store import Place, Store, StoreError
from shared.upstream.ses import SesClient
from shared.upstream.signing import Credential, equals_any


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Parse, act, answer."""
    request_id = str(context.get("request_id") or "")
    try:
        request = parse_http_event(event, context)
        request_id = request.request_id
        # Read at each invocation: the role's temporary key changes under a warm instance.
        settings = send_settings(os.environ)
        _authorize(request, settings)
        status, answer = answer_request(request, _office(settings, context))
    except Problem as problem:
        log("WARNING", "refused", request_id=request_id, code=problem.code, status=problem.status)
        return problem_reply(problem, request_id)
    except StoreError as error:
        log("ERROR", "trail unavailable", request_id=request_id, operation=error.operation, code=error.code)
        return problem_reply(problem_of(error), request_id)
    except SettingsError as error:
        log("ERROR", "misconfigured", request_id=request_id, problems=error.problems)
        return problem_reply(Problem(500, "misconfigured", "the function's settings are incomplete"), request_id)
    log("INFO", "answered", request_id=request_id, status=status, message_id=answer.get("message_id"))
    after_s = answer.get("retry_after_s")  # of a batch, when there is something to come back for
    return json_reply(status, answer, {"Retry-After": str(after_s)} if after_s else None)


def _authorize(request: HttpRequest, settings: SendSettings) -> None:
    if not equals_any(settings.send_keys, bearer_token(request)):
        raise Problem(401, "unauthorized", "give a live key as Authorization: Bearer")


def _office(settings: SendSettings, context: dict[str, Any]) -> Office:
    left_s, now = time_left_to_answer(context), clock(os.environ)
    store = Store(Place(*settings.credential, *settings.bucket), left_s)
    site, region, endpoint, _ = settings.ses
    credential = Credential(*settings.credential)
    ses = SesClient(credential, site=site, clock=now, region=region, endpoint=endpoint, time_left_s=left_s)
    return Office(store, ses, settings, now, left_s)
