"""HTTP trigger: SES and SendCloud event callbacks into COS as JSON lines. 200 only after COS has acknowledged.

The links for unsubscribing are answered here as well (``unsubscribe.py``).

What was authenticated and could not be stored is answered 503 and leaves its content, encrypted, in the log.
"""

from __future__ import annotations

import os
from typing import Any

from functions.webhook.authenticate import Refused
from functions.webhook.ingest import Desk
from functions.webhook.receive import authenticate, store_callback
from functions.webhook.refusals import refusals
from functions.webhook.watch import watch
from shared.edge.clock import clock, time_left_to_answer
from shared.edge.http_event import Problem, json_reply, parse_http_event, problem_reply
from shared.edge.log import log
from shared.edge.settings import webhook_settings
from shared.trail.store import Place, Store


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Authenticate, parse, store, answer."""
    time_left_s = time_left_to_answer(context)
    request_id, request, callback = str(context.get("request_id") or ""), None, None
    try:
        request = parse_http_event(event, context, as_it_comes=True)  # quarantine takes what nobody can decode
        request_id = request.request_id
        if request.segments_after("unsubscribe") is not None:
            from functions.webhook.unsubscribe import answer  # noqa: PLC0415 - people are rare beside callbacks

            return answer(request, time_left_s)
        settings = webhook_settings(os.environ)
        received_s = clock(os.environ)()
        store = Store(Place(*settings.credential, *settings.bucket), time_left_s)
        callback = authenticate(request, settings.secrets, settings.sendcloud_app_keys, received_s=received_s)
        if callback is None:
            refusals.settle(store, at=received_s)
            return json_reply(200, {"status": "ok"})
        with watch.over(callback, time_left_s, request_id):
            stored = store_callback(callback, Desk(store, settings.utc_offset_s, received_s), settings.token_keys)
    except Refused as refused:
        log("WARNING", "callback refused", request_id=request_id, reason=refused.reason)
        refusals.add(refused.reason, store, at=received_s, utc_offset_s=settings.utc_offset_s)
        return problem_reply(refused, request_id)
    except Problem as problem:
        return problem_reply(problem, request_id)
    except Exception as error:  # noqa: BLE001 - a bug of ours must not lose an event: it is logged, and asked for again
        from functions.webhook.rescue import not_stored  # noqa: PLC0415 - rare, and it brings cryptography

        return not_stored(error, request, callback, request_id)
    log("INFO", "callback stored", request_id=request_id, **stored._asdict())
    refusals.settle(store, at=received_s)
    return json_reply(
        200, {"stored": stored.events} | ({"quarantined": stored.quarantined} if stored.quarantined else {})
    )
