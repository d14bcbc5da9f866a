"""The mails of a batch, side by side: one SendEmail each, within the time that the function has.

Each is what ``POST /send`` would do with a key of its own, and what befalls one befalls nobody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.send.batch_keys import derived_key
from functions.send.batch_turns import Turns
from functions.send.service import send_mail
from functions.send.trail_trouble import problem_of
from shared.edge.http_event import Problem
from shared.edge.log import log, place_of
from shared.trail.store import StoreError
from shared.upstream.errors import UNKNOWN
from shared.upstream.transport import warm_session

if TYPE_CHECKING:
    from functions.send.batch_request import Batch, Recipient
    from functions.send.office import Office

    Result = dict[str, Any]

MOST_AT_ONCE = 8
"""Mails under way: 20 a second at the 0.3 s that SES takes are six, and the trail takes its time, too."""
MOST_BYTES_AT_ONCE = 4 * 1024 * 1024
"""What the mails under way may weigh together: each is in memory several times over, and that is 256 MB."""
PAUSE_S = 0.2
"""Seconds that a batch waits for the rate when the guard has no turn for it."""
MOST_LOOKED_INTO = 8
"""Mails in doubt that are looked into while somebody waits; the others are the timer's."""


def send_batch(office: Office, batch: Batch, key: str, *, size_bytes: int) -> list[Result]:
    """Send to everybody of ``batch``; return what came of it, in their order. ``size_bytes``: of the whole request.

    ``key``: the caller's Idempotency-Key, empty without. What there was no time for was not touched, and says so.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - a single mail does without

    turns = Turns(office.settings.ses.rate_per_s)
    at_once = max(1, min(MOST_AT_ONCE, MOST_BYTES_AT_ONCE // max(1, size_bytes)))
    # What is in doubt is not looked into before everybody else has had their mail: looking takes time.
    passing = office._replace(may_look=False)
    warm_session()  # eight threads that find none would make eight
    with ThreadPoolExecutor(at_once) as pool:
        results = list(pool.map(lambda one: _result(passing, batch, one, key, turns), batch.recipients))
        doubtful = [place for place, told in enumerate(results) if told.get("code") == "outcome_uncertain"]
        looked_into = doubtful[:MOST_LOOKED_INTO]
        again = pool.map(lambda place: _result(office, batch, batch.recipients[place], key, turns), looked_into)
        for place, told in zip(looked_into, again, strict=True):
            # Whoever could not look has learnt nothing: the mail may be out all the same.
            results[place] = told if told.get("code") not in ("out_of_time", "trail_unavailable") else results[place]
    return results


def _result(office: Office, batch: Batch, one: Recipient, key: str, turns: Turns) -> Result:
    own_key = derived_key(key, one.to) if key else ""
    told = {"to": one.to, **({"key": own_key} if own_key else {})}
    detail = "the batch did not come to this mail; nothing was sent"
    answer = _members(Problem(503, "out_of_time", detail, retry_safe=True, retry_after_s=1))
    while turns.take(office.spare_s()):
        answer = _send_one(office, batch, one, own_key)
        if answer.get("duplicate") or (answer["status"] != 202 and "upstream" not in answer):
            turns.give_back()
        if answer.get("code") != "rate_limited" or "upstream" in answer:
            break
        # Others take of the account's rate, too. Nothing was asked or written: all wait a moment and try again.
        turns.pause(PAUSE_S)
    return {**told, **answer}


def _send_one(office: Office, batch: Batch, one: Recipient, own_key: str) -> Result:
    """Send to one; what befalls them is their result, so that nobody else's answer is lost. Never raises."""
    try:
        return {"status": 202, **send_mail(office, batch.mail_to(one), batch.body_to(one), own_key)}
    except Problem as problem:
        return _members(problem)
    except StoreError as error:
        log("ERROR", "trail unavailable", operation=error.operation, code=error.code)
        return _members(problem_of(error))
    except Exception as error:  # noqa: BLE001 - a bug that one mail meets must not cost the others their answer
        log("ERROR", "unexpected", error=type(error).__name__, at=place_of(error))
        detail = "a bug of mailtrail's: nobody knows whether the mail was sent"
        return _members(Problem(500, "unexpected", detail, extra={"outcome": UNKNOWN}))


def _members(problem: Problem) -> Result:
    told = {"status": problem.status, "code": problem.code, "detail": problem.detail, "retry_safe": problem.retry_safe}
    after = {"retry_after_s": problem.retry_after_s} if problem.retry_after_s else {}
    return {**told, **after, **({"errors": problem.errors} if problem.errors else {}), **problem.extra}
