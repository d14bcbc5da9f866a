"""What the function serves: path and method -> what is done, and the answer's status and members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.send import doubt, ledger
from functions.send.problems import Problems
from functions.send.request import parse_body, parse_mail
from functions.send.service import send_mail
from shared.edge.http_event import Problem
from shared.upstream.sites import SITES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.office import Office
    from shared.edge.http_event import HttpRequest

Answer = tuple[int, dict[str, Any]]
"""HTTP status, and the members of the JSON object."""


def answer_request(request: HttpRequest, office: Office) -> Answer:
    """Do what ``request`` asks for. Raises Problem for whatever is refused, StoreError when the trail is down."""
    if (rest := _tasks_path(request)) is not None:
        from functions.send.bulk.routes import answer_tasks  # noqa: PLC0415 - rare, and every cold start would pay

        return answer_tasks(request, rest, *_idempotency_key(request), office)
    # A Function URL of its own, or a CLB rule without X-Uri, leaves no path to go by.
    rest = request.segments_after("send") if request.path.strip("/") else []
    if rest is None:
        raise Problem(404, "not_found", "the paths here are /send, /send/batch, /tasks, /send/{key} and /tasks/{key}")
    if request.method == "GET" and rest:
        return _look_up("/".join(rest), office)
    if request.method == "POST" and rest == ["batch"]:
        return _send_many(request, office)
    if request.method != "POST" or rest:
        raise Problem(405, "method_not_allowed", "POST /send or /send/batch, or GET /send/{idempotency_key}")
    return _send_one(request, office)


def _tasks_path(request: HttpRequest) -> list[str] | None:
    """Return what follows ``/tasks``, or None for another path: a key after ``/send/`` may be ``tasks``, too."""
    rest, after_send = request.segments_after("tasks"), request.segments_after("send")
    return rest if rest is not None and (after_send is None or len(rest) > len(after_send)) else None


def _send_one(request: HttpRequest, office: Office) -> Answer:
    key, problems = _idempotency_key(request)
    body, size_bytes = parse_body(request.body), len(request.body)
    mail = parse_mail(body, _languages(office), problems, body_bytes=size_bytes, sizes=office.settings.guard.size)
    return 202, send_mail(office, mail, body, key)


def _send_many(request: HttpRequest, office: Office) -> Answer:
    from functions.send.batch import send_batch  # noqa: PLC0415 - every cold start would pay
    from functions.send.batch_answer import answer_of  # noqa: PLC0415 - as above
    from functions.send.batch_request import parse_batch  # noqa: PLC0415 - as above

    key, problems = _idempotency_key(request)
    body, size_bytes = parse_body(request.body), len(request.body)
    batch = parse_batch(body, _languages(office), problems, body_bytes=size_bytes, sizes=office.settings.guard.size)
    results = send_batch(office, batch, key, size_bytes=size_bytes)
    return answer_of(results, has_key=bool(key), request_id=request.request_id)


def _languages(office: Office) -> Mapping[str, str]:
    """Return the unsubscribe languages of the account's site."""
    return SITES[office.settings.ses.site].unsubscribe


def _idempotency_key(request: HttpRequest) -> tuple[str, Problems]:
    """Return the key of a request, empty when it has none, and the problem with it, for those of the body to follow."""
    given, problems = request.headers.get("idempotency-key"), Problems()
    key = (given or "").strip()
    if given is not None and not ledger.KEY.fullmatch(key):  # a blank one is a variable that nobody has set
        problems.add("Idempotency-Key", ledger.KEY_RULE)
    return key, problems


def _look_up(key: str, office: Office) -> Answer:
    key_sha256 = ledger.key_hash(key)
    entry = ledger.look_up(office.store, key_sha256)
    if entry is not None and doubt.look_into(office, key_sha256, entry):
        entry = ledger.look_up(office.store, key_sha256)
    if entry is None or entry.state == ledger.EXPIRING:
        raise Problem(404, "not_found", "this Idempotency-Key was never used")
    state = ledger.UNCERTAIN if ledger.is_in_doubt(entry, now=office.clock()) else entry.state
    return 200, {"state": state, "claimed_at": entry.claim["at"], "generation": entry.generation, **entry.answer}
