"""A callback that could not be stored: it is asked for again, and kept in the log, encrypted, for ``mailtrail replay``.

SES documents no repeat, so the log line may be the last copy of an event. Nothing here may raise.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.webhook.authenticate import Refused
from functions.webhook.receive import Callback, authenticate
from shared.edge.clock import clock
from shared.edge.environment import SettingsError
from shared.edge.http_event import Problem, problem_reply
from shared.edge.log import log
from shared.edge.settings import callback_secrets
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.edge.http_event import HttpRequest
    from shared.edge.settings import CallbackSecrets


class _Cause(NamedTuple):
    """Why it was not stored: our code for the sender, when to come again, what the log says."""

    code: str
    after_s: int
    fields: Mapping[str, Any]


def not_stored(
    error: Exception, request: HttpRequest | None, callback: Callback | None, request_id: str
) -> dict[str, Any]:
    """Log ``error`` with what a replay needs, and build the answer: 503, deliver again.

    ``callback`` is None when it had not been authenticated yet. That is made up for, so that neither a stranger's
    request reaches the log nor a wrong setting costs an event.
    """
    cause = _cause(error)
    if isinstance(error, SettingsError):
        log("ERROR", "misconfigured", request_id=request_id, problems=error.problems)
    secrets = callback_secrets(os.environ)
    if callback is None and request is not None and secrets.path:
        try:
            callback = authenticate(request, secrets.path, secrets.sendcloud_app_keys, received_s=_now_s())
        except Problem as problem:
            if isinstance(problem, Refused):
                log("WARNING", "callback refused", request_id=request_id, reason=problem.reason)
            return problem_reply(problem, request_id)
        except Exception as second:  # noqa: BLE001 - the bug is in there; the line below tells of it
            cause = cause._replace(fields={**cause.fields, "second": type(second).__name__})
    if callback is not None:
        keep_in_log(callback, secrets, request_id, cause.fields)
    elif not isinstance(error, SettingsError):
        log("ERROR", "request failed", request_id=request_id, **cause.fields)
    again = Problem(503, cause.code, "not stored, deliver again", retry_safe=True, retry_after_s=cause.after_s)
    return problem_reply(again, request_id)


def _now_s() -> float:
    try:
        return clock(os.environ)()
    except SettingsError:  # the clock's own setting may be what is wrong
        return clock({})()


def keep_late(callback: Callback, request_id: str) -> None:
    """Log a callback whose invocation will be ended before it comes back."""
    keep_in_log(callback, callback_secrets(os.environ), request_id, {"code": "NotBackInTime"})


def keep_in_log(callback: Callback, secrets: CallbackSecrets, request_id: str, fields: Mapping[str, Any]) -> None:
    """Write ``callback not stored`` with the encrypted callback and ``fields``; in parts when it is long.

    Where it cannot be encrypted the line has a hash of the body and its size, never the content.
    """
    known = {**fields, "request_id": request_id, "provider": callback.provider, "bytes": len(callback.body)}
    try:
        from functions.webhook.sealed import seal  # noqa: PLC0415 - it brings cryptography

        parts = seal(callback, (*secrets.token_keys, *secrets.path)[0])
    except Exception as error:  # noqa: BLE001 - whatever it is, a trace must stay
        sha256 = hashlib.sha256(callback.body).hexdigest()
        log("ERROR", "callback not stored", **known, sha256=sha256, not_encrypted=type(error).__name__)
        return
    for part in parts:
        log("ERROR", "callback not stored", **known, replay=part)


def _cause(error: Exception) -> _Cause:
    if isinstance(error, StoreError):
        return _again("trail_unavailable", 5, operation=error.operation, code=error.code)
    if isinstance(error, SettingsError):
        return _again("misconfigured", 60, code="misconfigured")
    return _again("unexpected", 60, code="unexpected", error=type(error).__name__, place=place_of(error))


def _again(problem_code: str, after_s: int, **fields: str) -> _Cause:
    return _Cause(problem_code, after_s, fields)


def place_of(error: Exception) -> str:
    """Tell where it was raised, innermost last: files and lines, none of the values that a traceback may quote."""
    places, step = [], error.__traceback__
    while step is not None:
        places.append(f"{PurePath(step.tb_frame.f_code.co_filename).name}:{step.tb_lineno}")
        step = step.tb_next
    return " ".join(places[-5:])
