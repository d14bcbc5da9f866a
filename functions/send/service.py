"""One mail: admit, claim, send, remember. What is told to the caller, and what is kept."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from functions.send import doubt, ledger
from functions.send.addresses import bare_address
from functions.send.extras import take_refusal
from functions.send.guard.admission import admit
from functions.send.refusals import kept, told_again
from functions.send.submit import Marks, submit
from shared.edge.http_event import Problem
from shared.edge.log import log
from shared.trail.evidence import Attempt
from shared.trail.layout import send_key
from shared.trail.records import VERSION, content_hash, day_of, encode_line, iso
from shared.trail.store import StoreError
from shared.upstream.errors import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.guard.admission import Admission
    from functions.send.office import Office
    from functions.send.request import Mail

TIME_TO_NOTE_S = 0.5
"""Seconds that the caller waits, once in an instance's life, for what only the report wants to know."""


def send_mail(office: Office, mail: Mail, body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Send, once for each idempotency key; return the members of the 202.

    Raises Problem for every refusal and for an outcome that nobody knows.
    """
    key_sha256 = ledger.key_hash(key) if key else None
    try:
        admission = admit(office, mail)
    except Problem:
        # Most keys are new, so the ledger is asked only now: a mail that is out gets its answer all the same.
        entry = _recall(office, mail, body, key_sha256) if key_sha256 else None
        if entry is None:
            raise
        return _answer_again(entry, body, office.clock())
    with admission:
        if key_sha256 is None:
            answer = _send_once(office, mail, admission)
        else:
            claim = _take_claim(office, mail, body, key_sha256)
            if isinstance(claim, ledger.Entry):
                admission.withdraw()
                return _answer_again(claim, body, office.clock())
            answer = _send_claimed(office, mail, claim, admission)
        # After the outcome: without that the key stays in doubt, without this line a report lacks one send.
        _keep(office, mail, answer, key_sha256=key_sha256)
        _note_refusal(office)
        admission.accepted(answer["message_id"])
        return answer


def _recall(office: Office, mail: Mail, body: Mapping[str, Any], key_sha256: str) -> ledger.Entry | None:
    """Return what the ledger knows of a key under which nothing may be sent once more; None: it is as good as new."""
    body_sha256 = content_hash(body)
    entry = ledger.look_up(office.store, key_sha256)
    if entry is not None and _may_settle(office, mail, entry, body_sha256, key_sha256):
        entry = ledger.look_up(office.store, key_sha256)
    return None if entry is None or ledger.gives_way(entry, body_sha256, office.clock()) else entry


def _may_settle(office: Office, mail: Mail, entry: ledger.Entry, body_sha256: str, key_sha256: str) -> bool:
    """Look into an entry that is in doubt; whether the ledger knows more now."""
    is_same = ledger.is_in_doubt(entry, now=office.clock()) and entry.claim["body_sha256"] == body_sha256
    return is_same and office.may_look and doubt.look_into(office, key_sha256, entry, _line(mail, key_sha256))


def _take_claim(office: Office, mail: Mail, body: Mapping[str, Any], key_sha256: str) -> ledger.Claim | ledger.Entry:
    """Take the right to send; where a claim in doubt stands in the way, look into that first."""
    addressed = ledger.Addressed(bare_address(mail.sender), mail.recipients, mail.message_id)

    def take() -> ledger.Claim | ledger.Entry:
        return ledger.take_claim(
            office.store, key_sha256, body, addressed, at=office.clock(), check_time=office.check_time
        )

    claim = take()
    if isinstance(claim, ledger.Claim):
        return claim
    return take() if _may_settle(office, mail, claim, content_hash(body), key_sha256) else claim


def _send_once(office: Office, mail: Mail, admission: Admission) -> dict[str, Any]:
    """Send without a key. Should nobody hear of it, that is noted: its rows must not be taken for another mail's."""
    reference, at = secrets.token_hex(16), office.clock()
    try:
        return _send(office, mail, Marks(reference), admission)
    except Problem as problem:
        if problem.extra.get("outcome") == UNKNOWN:
            sender, people = bare_address(mail.sender), tuple(mail.recipients)
            attempt = Attempt(ledger.key_hash(f"no key {reference}"), 0, at, reference, "", sender, people)
            doubt.note(office, attempt, _line(mail, None), has_key=False)
        raise


def _send_claimed(office: Office, mail: Mail, claim: ledger.Claim, admission: Admission) -> dict[str, Any]:
    try:
        answer = _send(office, mail, Marks(claim.attempt.reference, claim.attempt.smtp_message_id), admission)
    except Problem as problem:
        is_unknown = problem.extra.get("outcome") == UNKNOWN
        _settle(office, claim, ledger.UNCERTAIN if is_unknown else ledger.REFUSED, kept(problem))
        if is_unknown:
            doubt.note(office, claim.attempt, _line(mail, claim.key_sha256))
        raise
    _settle(office, claim, ledger.SENT, answer)
    return answer


def _settle(office: Office, claim: ledger.Claim, state: str, answer: Mapping[str, Any]) -> None:
    """Write the outcome. SES has answered: the caller must learn what, whatever becomes of the ledger."""
    try:
        ledger.settle(office.briefly(), claim, state, answer, at=office.clock())
    except StoreError as error:
        log("ERROR", "outcome not kept", key_sha256=claim.key_sha256, generation=claim.generation, code=error.code)


def _answer_again(entry: ledger.Entry, body: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Give a repeat the answer of the first, or say why there is none."""
    if entry.state == ledger.EXPIRING:
        raise Problem(409, "in_flight", "an old use of this key is being removed", retry_safe=True, retry_after_s=2)
    if entry.claim["body_sha256"] != content_hash(body):
        raise Problem(409, "idempotency_conflict", "this Idempotency-Key was used with another body")
    if entry.state == ledger.SENT:
        return {**entry.answer, "duplicate": True}
    if entry.state == ledger.REFUSED:
        raise told_again(entry.answer)
    if ledger.is_in_doubt(entry, now=now):
        detail = "the first attempt got no answer from SES; the mail may have been sent, so it is not sent again"
        after_s = doubt.retry_after_s(entry, now)
        raise Problem(409, "outcome_uncertain", detail, retry_after_s=after_s, extra={"outcome": UNKNOWN})
    raise Problem(409, "in_flight", "another request with this key is being served", retry_safe=True, retry_after_s=2)


def _send(office: Office, mail: Mail, marks: Marks, admission: Admission) -> dict[str, Any]:
    office.check_time()
    admission.begin()
    at, spare_s, heed = office.clock(), office.spare_s, admission.heed
    accepted, warnings = submit(office.ses, office.settings, mail, marks, at=at, spare_s=spare_s, heed=heed)
    warnings = [*mail.warnings, *admission.warnings, *warnings]
    answer: dict[str, Any] = {
        "message_id": accepted.message_id,
        "request_id": accepted.request_id,
        "recipients": len(mail.recipients),
        "duplicate": False,
    }
    return {**answer, "warnings": warnings} if warnings else answer


def _line(mail: Mail, key_sha256: str | None) -> dict[str, Any]:
    """Return the line of a send, as far as it is known before SES has answered."""
    return {
        "key_sha256": key_sha256,
        "sender": bare_address(mail.sender),
        "recipients": mail.recipients,
        "template_id": mail.template_id,
        "subject": mail.subject,
        "metadata": mail.metadata,
    }


def _keep(office: Office, mail: Mail, answer: Mapping[str, Any], *, key_sha256: str | None) -> None:
    """Write the line of an accepted send. The mail is out, so a failure here is logged, never answered."""
    now = office.clock()
    message_id, request_id = answer["message_id"], answer["request_id"]
    told = {"v": VERSION, "message_id": message_id, "request_id": request_id}
    line = {**told, **_line(mail, key_sha256), "accepted_at": iso(now)}
    try:
        office.briefly().put(send_key(day_of(now, office.settings.utc_offset_s), message_id), encode_line(line))
    except StoreError as error:
        log("ERROR", "send not kept", message_id=message_id, request_id=request_id, code=error.code)


def _note_refusal(office: Office) -> None:
    """Tell the report when SES has just refused a header of ours. The mail is out and kept; a failure is logged."""
    noted = take_refusal()
    if noted is None:
        return
    key, refusal = noted
    line = {"v": VERSION, "at": iso(office.clock()), **refusal._asdict()}
    store = office.store.within(TIME_TO_NOTE_S)
    try:
        store.put(key, encode_line(line), content_type="application/json")
    except StoreError as error:
        log("WARNING", "refusal of an extra not noted", code=error.code)
