"""What the function serves: path and method -> what is done, and the answer's status and members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.send import doubt, ledger
from functions.send.request import parse_body, parse_mail
from functions.send.service import send_mail
from shared.edge.http_event import Problem
from shared.upstream.sites import SITES

if TYPE_CHECKING:
    from functions.send.service import Office
    from shared.edge.http_event import HttpRequest

Answer = tuple[int, dict[str, Any]]
"""HTTP status, and the members of the JSON object."""


def answer_request(request: HttpRequest, office: Office) -> Answer:
    """Do what ``request`` asks for. Raises Problem for whatever is refused, StoreError when the trail is down."""
    # A Function URL of its own, or a CLB rule without X-Uri, leaves no path to go by.
    rest = request.segments_after("send") if request.path.strip("/") else []
    if rest is None:
        raise Problem(404, "not_found", "the paths here are /send and /send/{idempotency_key}")
    if request.method == "GET" and rest:
        return _look_up("/".join(rest), office)
    if request.method != "POST" or rest:
        raise Problem(405, "method_not_allowed", "POST /send, or GET /send/{idempotency_key}")
    return _send_one(request, office)


def _send_one(request: HttpRequest, office: Office) -> Answer:
    key = _idempotency_key(request)
    body = parse_body(request.body)
    languages, sizes = SITES[office.settings.ses.site].unsubscribe, office.settings.guard.size
    mail = parse_mail(body, languages, body_bytes=len(request.body), sizes=sizes)
    return 202, send_mail(office, mail, body, key)


def _idempotency_key(request: HttpRequest) -> str:
    """Return the key of a request, empty when it has none. Raises Problem (400)."""
    key = request.headers.get("idempotency-key", "").strip()
    if key and not ledger.KEY.fullmatch(key):
        raise Problem(400, "invalid_request", f"Idempotency-Key: {ledger.KEY_RULE}")
    return key


def _look_up(key: str, office: Office) -> Answer:
    key_sha256 = ledger.key_hash(key)
    entry = ledger.look_up(office.store, key_sha256)
    if entry is not None and doubt.look_into(office, key_sha256, entry):
        entry = ledger.look_up(office.store, key_sha256)
    if entry is None or entry.state == ledger.EXPIRING:
        raise Problem(404, "not_found", "this Idempotency-Key was never used")
    state = ledger.UNCERTAIN if ledger.is_in_doubt(entry, now=office.clock()) else entry.state
    return 200, {"state": state, "claimed_at": entry.claim["at"], "generation": entry.generation, **entry.answer}
