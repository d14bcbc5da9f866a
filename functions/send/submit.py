"""The call to SES, with our token and Message-Id where they are taken, and what its refusal means to the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.send.attempts import call_again
from functions.send.payload import CALLBACK_HEADER, build_payload
from shared.edge.http_event import Problem
from shared.edge.log import log
from shared.upstream.errors import UNKNOWN, UpstreamError
from shared.upstream.signing import build_callback_token
from shared.upstream.sites import SITES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.send.request import Mail
    from shared.edge.settings import SendSettings
    from shared.upstream.ses import Accepted, SesClient

FIELD_OF = {
    "sender_invalid": "from",
    "sender_unverified": "from",
    "recipient_invalid": "to",
    "recipient_suppressed": "to",
    "recipient_unsubscribed": "to",
    "recipient_refused": "to",
    "recipient_rate_limited": "to",
    "template_unusable": "template.id",
    "template_required": "template",
    "template_data_invalid": "template.data",
    "attachment_refused": "attachments",
    "content_refused": "html",
}
"""The member of the request that a refusal of SES is about."""

LONGEST_HEADER_LINE = 998
"""Octets of a header line, RFC 5322 section 2.1.1."""

_REFUSES_AN_EXTRA = frozenset({"InvalidParameter", "InvalidParameterValue", "UnknownParameter", "UnsupportedOperation"})
TOKEN, MESSAGE_ID = "SmtpHeaders", "SmtpMessageId"
_refused: set[str] = set()
"""Our extras that SES has refused, by the parameter that carries them, for as long as the instance is warm."""
_unwritten: list[TokenRefusal] = []


class TokenRefusal(NamedTuple):
    """What SES answered to the header that carries our token: its code, and the request that it refused."""

    code: str
    request_id: str


class Marks(NamedTuple):
    """What ties events to this attempt: the reference in our token, and a Message-Id, empty to leave it to SES."""

    reference: str
    message_id: str = ""


class Submitted(NamedTuple):
    """What SES accepted, and what went without one of our extras."""

    accepted: Accepted
    warnings: list[str]


def submit(
    ses: SesClient, settings: SendSettings, mail: Mail, marks: Marks, *, spare_s: Callable[[], float]
) -> Submitted:
    """Call SendEmail; without what is ours and SES refuses, once more: a mail never fails for an extra.

    ``spare_s``: seconds that there are to wait for what passes. Raises Problem for every refusal and for an outcome
    that nobody knows.
    """
    languages = SITES[settings.ses.site].unsubscribe
    extras = _extras(settings, mail, marks)
    blamed: dict[str, UpstreamError] = {}
    while True:
        payload = build_payload(mail, languages, extras.get(TOKEN, ""), extras.get(MESSAGE_ID, ""))
        try:
            accepted = call_again(lambda payload=payload: ses.send_email(payload), spare_s=spare_s)  # type: ignore[misc]
            break
        except UpstreamError as error:
            name = _blame(error, extras)
            if not name:
                raise _problem_of(error) from error
            del extras[name]
            blamed[name] = error
    _remember(blamed)
    lost = bool(mail.metadata) and TOKEN not in extras
    return Submitted(accepted, ["metadata will not come back in events; it is in the line of the send"] * lost)


def _extras(settings: SendSettings, mail: Mail, marks: Marks) -> dict[str, str]:
    """Return what the mail carries for us, by parameter, in the order in which it may be spared."""
    message_id = "" if mail.message_id else marks.message_id
    found = {MESSAGE_ID: message_id, TOKEN: _callback_token(settings, mail, marks.reference)}
    return {name: value for name, value in found.items() if value and name not in _refused}


def _blame(error: UpstreamError, extras: Mapping[str, str]) -> str:
    """Return which of our extras SES may have refused: the one that it names, or the first one; or none."""
    if error.code not in _REFUSES_AN_EXTRA:
        return ""
    return next((name for name in extras if name in error.message), next(iter(extras), ""))


def _remember(blamed: Mapping[str, UpstreamError]) -> None:
    """Note what the mail went without. It is not tried again while this instance is warm."""
    for name, error in blamed.items():
        _refused.add(name)
        what = "callback token refused by SES" if name == TOKEN else "message id refused by SES"
        log("WARNING", what, code=error.code)
    if refusal := blamed.get(TOKEN):
        _unwritten.append(TokenRefusal(refusal.code, refusal.request_id))


def take_token_refusal() -> TokenRefusal | None:
    """Return what this instance has learned of our token and nobody has written down yet, once."""
    return _unwritten.pop() if _unwritten else None


def _callback_token(settings: SendSettings, mail: Mail, reference: str) -> str:
    """Build the token, or none: without a key, when SES refused it before, or when it does not fit a header line."""
    if TOKEN in _refused or not settings.token_keys:
        return ""
    token = build_callback_token(settings.token_keys[0], reference, mail.recipients, mail.metadata)
    return token if len(f"{CALLBACK_HEADER}: {token}") <= LONGEST_HEADER_LINE else ""


def _problem_of(error: UpstreamError) -> Problem:
    """Translate what SES said into our contract."""
    rule = error.rule
    extra: dict[str, Any] = {"upstream": {"code": error.code, "request_id": error.request_id}}
    if rule.outcome == UNKNOWN:
        extra["outcome"] = UNKNOWN
    field = FIELD_OF.get(rule.code)
    errors = [{"field": field, "problem": error.message or rule.hint}] if field else None
    detail = f"{error.message or error.code}: {rule.hint}"
    return Problem(
        rule.status,
        rule.code,
        detail,
        retry_safe=rule.retry_safe,
        retry_after_s=rule.retry_after_s,
        errors=errors,
        extra=extra,
    )
