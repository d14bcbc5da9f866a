"""What faults do to one request at a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.exchange import Dropped
from localcloud.faults import copies, ending, hold_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.exchange import Request, Response, Service
    from localcloud.faults import Fault

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
    faults: Sequence[Fault],
    *,
    wait: Callable[[float], object],
    patience_s: float | None = None,
) -> Response:
    """Dispatch ``request`` to ``target`` as ``faults`` have it. ``wait``: sleeps so many real seconds.

    Raises Dropped when the connection must close without an answer, TimeoutError when ``patience_s`` ran out: the
    service has acted all the same, unless the request was lost.
    """
    end = ending(faults)
    waited_s = hold_s(faults) + (end.seconds if end is not None and end.kind == "lose" else 0.0)
    is_late = patience_s is not None and waited_s > patience_s
    # Real time: it is the client's patience that is tried, and that does not know the simulated clock.
    wait(patience_s if is_late and patience_s is not None else waited_s)
    try:
        response = _act(target, request, end, times=copies(faults))
    except Dropped:
        if not is_late:
            raise
    if is_late:
        raise TimeoutError(f"{target.name} answered after {waited_s} s")
    return response


def _act(target: Service, request: Request, end: Fault | None, *, times: int) -> Response:
    if end is None:
        return _dispatch(target, request, times)
    if end.kind in ("drop_request", "lose"):
        raise Dropped
    if end.kind == "drop_response":
        _dispatch(target, request, times)
        raise Dropped
    code, status = ERRORS[target.name, end.kind]
    return target.error_response(request, end.code or code, end.status or status)


def _dispatch(target: Service, request: Request, times: int) -> Response:
    # The client hears the first answer; what the repetitions are answered, nobody hears.
    response = target.dispatch(request)
    for _ in range(times - 1):
        target.dispatch(request)
    return response
