"""HTTP trigger: ``POST /send`` and ``GET /send/{idempotency_key}``. Status codes: README, "Errors"."""

from __future__ import annotations

import os
from typing import Any

from functions.send import doubt, ledger
from functions.send.request import parse_body, parse_mail
from functions.send.service import Office, send_mail
from shared.edge.clock import clock, time_left
from shared.edge.environment import SettingsError
from shared.edge.http_event import HttpRequest, Problem, bearer_token, json_reply, parse_http_event, problem_reply
from shared.edge.log import log
from shared.edge.settings import SendSettings, send_settings
from shared.trail.store import Place, Store, StoreError
from shared.upstream.ses import SesClient
from shared.upstream.signing import Credential, equals_any
from shared.upstream.sites import SITES


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Parse, act, answer."""
    request_id = str(context.get("request_id") or "")
    try:
        request = parse_http_event(event, context)
        request_id = request.request_id
        # Read at each invocation: the role's temporary key changes under a warm instance.
        settings = send_settings(os.environ)
        _authorize(request, settings)
        status, answer = _route(request, _office(settings, context))
    except Problem as problem:
        log("WARNING", "refused", request_id=request_id, code=problem.code, status=problem.status)
        return problem_reply(problem, request_id)
    except StoreError as error:
        log("ERROR", "trail unavailable", request_id=request_id, operation=error.operation, code=error.code)
        return problem_reply(_unavailable(error), request_id)
    except SettingsError as error:
        log("ERROR", "misconfigured", request_id=request_id, problems=error.problems)
        return problem_reply(Problem(500, "misconfigured", "the function's settings are incomplete"), request_id)
    log("INFO", "answered", request_id=request_id, status=status, message_id=answer.get("message_id"))
    return json_reply(status, answer)


def _unavailable(error: StoreError) -> Problem:
    if isinstance(error, ledger.ClaimInDoubtError):
        return Problem(
            503, "trail_unavailable", "nothing was sent; this Idempotency-Key may be in doubt for half an hour"
        )
    return Problem(503, "trail_unavailable", "nothing was sent", retry_safe=True, retry_after_s=5)


def _authorize(request: HttpRequest, settings: SendSettings) -> None:
    if not equals_any(settings.send_keys, bearer_token(request)):
        raise Problem(401, "unauthorized", "give a live key as Authorization: Bearer")


def _office(settings: SendSettings, context: dict[str, Any]) -> Office:
    left_s, now = time_left(context, margin_s=1.0), clock(os.environ)
    store = Store(Place(*settings.credential, *settings.bucket), left_s)
    site, region, endpoint, _ = settings.ses
    credential = Credential(*settings.credential)
    ses = SesClient(credential, site=site, clock=now, region=region, endpoint=endpoint, time_left_s=left_s)
    return Office(store, ses, settings, now, left_s)


def _route(request: HttpRequest, office: Office) -> tuple[int, dict[str, Any]]:
    # A Function URL of its own, or a CLB rule without X-Uri, leaves no path to go by.
    rest = request.segments_after("send") if request.path.strip("/") else []
    if rest is None:
        raise Problem(404, "not_found", "the paths here are /send and /send/{idempotency_key}")
    if request.method == "GET" and rest:
        return 200, _look_up("/".join(rest), office)
    if request.method != "POST" or rest:
        raise Problem(405, "method_not_allowed", "POST /send, or GET /send/{idempotency_key}")
    key = request.headers.get("idempotency-key", "").strip()
    if key and not ledger.KEY.fullmatch(key):
        raise Problem(400, "invalid_request", f"Idempotency-Key: {ledger.KEY_RULE}")
    body = parse_body(request.body)
    mail = parse_mail(body, SITES[office.settings.ses.site].unsubscribe)
    return 202, send_mail(office, mail, body, key)


def _look_up(key: str, office: Office) -> dict[str, Any]:
    key_sha256 = ledger.key_hash(key)
    entry = ledger.look_up(office.store, key_sha256)
    if entry is not None and doubt.look_into(office, key_sha256, entry):
        entry = ledger.look_up(office.store, key_sha256)
    if entry is None or entry.state == ledger.EXPIRING:
        raise Problem(404, "not_found", "this Idempotency-Key was never used")
    state = ledger.UNCERTAIN if ledger.is_in_doubt(entry, now=office.clock()) else entry.state
    return {"state": state, "claimed_at": entry.claim["at"], "generation": entry.generation, **entry.answer}
