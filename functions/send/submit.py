"""The one call to SES, with our callback token when it fits and is taken, and what its refusal means to the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.send.payload import CALLBACK_HEADER, build_payload
from shared.edge.http_event import Problem
from shared.edge.log import log
from shared.upstream.errors import UNKNOWN, UpstreamError
from shared.upstream.signing import build_callback_token
from shared.upstream.sites import SITES

if TYPE_CHECKING:
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
_extras_refused = False
_unwritten: list[TokenRefusal] = []


class TokenRefusal(NamedTuple):
    """What SES answered to the header that carries our token: its code, and the request that it refused."""

    code: str
    request_id: str


class Submitted(NamedTuple):
    """What SES accepted, and what went without one of our extras."""

    accepted: Accepted
    warnings: list[str]


def submit(ses: SesClient, settings: SendSettings, mail: Mail, reference: str) -> Submitted:
    """Call SendEmail; when our token is what SES refuses, once more without it: a mail never fails for an extra.

    Raises Problem for every refusal and for an outcome that nobody knows.
    """
    global _extras_refused  # noqa: PLW0603 - remembered for as long as the instance is warm
    languages = SITES[settings.ses.site].unsubscribe
    token = _callback_token(settings, mail, reference)
    try:
        try:
            accepted = ses.send_email(build_payload(mail, languages, token))
        except UpstreamError as error:
            if not token or error.code not in _REFUSES_AN_EXTRA:
                raise
            accepted, token = ses.send_email(build_payload(mail, languages)), ""
            _extras_refused = True
            _unwritten.append(TokenRefusal(error.code, error.request_id))
            log("WARNING", "callback token refused by SES", code=error.code)
    except UpstreamError as error:
        raise _problem_of(error) from error
    lost = bool(mail.metadata) and not token
    return Submitted(accepted, ["metadata will not come back in events; it is in the line of the send"] * lost)


def take_token_refusal() -> TokenRefusal | None:
    """Return what this instance has learned of our token and nobody has written down yet, once."""
    return _unwritten.pop() if _unwritten else None


def _callback_token(settings: SendSettings, mail: Mail, reference: str) -> str:
    """Build the token, or none: without a key, when SES refused it before, or when it does not fit a header line."""
    if _extras_refused or not settings.token_keys:
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
