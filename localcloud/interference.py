"""What fault rules do to one request at a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.exchange import Dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.exchange import Request, Response, Service
    from localcloud.faults import Rule

ERRORS = {
    ("ses", "error"): ("InternalError", 200),
    ("ses", "throttle"): ("RequestLimitExceeded", 200),
    ("cos", "error"): ("InternalError", 500),
    ("cos", "throttle"): ("SlowDown", 503),
    ("sendcloud", "error"): ("501", 200),
    ("sendcloud", "throttle"): ("50000", 200),
}
"""What a service answers when a rule names no code: API 3.0 puts errors in HTTP 200, COS in the status, SendCloud
in ``statusCode`` (50000 is its documented answer above 3 000 calls a minute)."""


def interfere(
    target: Service,
    request: Request,
    rules: Sequence[Rule],
    *,
    wait: Callable[[float], object],
    patience_s: float | None = None,
) -> Response:
    """Dispatch ``request`` to ``target`` as the fired ``rules`` have it. ``wait``: sleeps so many real seconds.

    Raises Dropped when the connection must close without an answer, TimeoutError when ``patience_s`` ran out: the
    service has acted all the same.
    """
    waited_s = sum(rule.seconds or 0.0 for rule in rules if rule.kind == "delay")
    is_late = patience_s is not None and waited_s > patience_s
    # Real time: it is the client's patience that is tried, and that does not know the simulated clock.
    wait(patience_s if is_late and patience_s is not None else waited_s)
    response = _ending(target, request, [rule for rule in rules if rule.kind != "delay"])
    if is_late:
        raise TimeoutError(f"{target.name} answered after {waited_s} s")
    return response


def _ending(target: Service, request: Request, rules: Sequence[Rule]) -> Response:
    if not rules:
        return target.dispatch(request)
    rule = rules[0]
    if rule.kind == "drop_request":
        raise Dropped
    if rule.kind == "drop_response":
        target.dispatch(request)
        raise Dropped
    code, status = ERRORS[target.name, rule.kind]
    return target.error_response(request, rule.code or code, rule.status or status)
