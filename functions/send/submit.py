"""The call to SES, with what we add where it takes that, and what its refusal means to the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.send.attempts import call_again
from functions.send.extras import TOKEN, UNSUBSCRIBE, extras_of, submit_with
from functions.send.payload import build_payload
from shared.edge.http_event import Problem
from shared.upstream.errors import UNKNOWN, UpstreamError
from shared.upstream.sites import SITES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from functions.send.extras import Ours
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


class Marks(NamedTuple):
    """What ties events to this attempt: the reference in our token, and a Message-Id, empty to leave it to SES."""

    reference: str
    message_id: str = ""


class Submitted(NamedTuple):
    """What SES accepted, and what went without one of our extras."""

    accepted: Accepted
    warnings: list[str]


def submit(
    ses: SesClient,
    settings: SendSettings,
    mail: Mail,
    marks: Marks,
    *,
    at: float,
    spare_s: Callable[[], float],
    heed: Callable[[UpstreamError], None],
) -> Submitted:
    """Call SendEmail; when SES refuses something of ours, again with less of it: a mail never fails for an extra.

    ``at``: epoch seconds. ``spare_s``: seconds that there are to wait for what passes. ``heed`` hears what SES refused.
    Raises Problem for every refusal and for an outcome that nobody knows.
    """
    languages = SITES[settings.ses.site].unsubscribe
    wanted = extras_of(settings, mail, marks.reference, marks.message_id, at=at)

    def call(ours: Ours) -> Accepted:
        payload = build_payload(mail, languages, *ours)
        return call_again(lambda: ses.send_email(payload), spare_s=spare_s, heed=heed)

    try:
        accepted, carried = submit_with(wanted, call)
    except UpstreamError as error:
        raise problem_of(error) from error
    return Submitted(accepted, list(_warnings(mail, wanted, carried)))


def _warnings(mail: Mail, wanted: Iterable[str], carried: Iterable[str]) -> Iterator[str]:
    if mail.metadata and TOKEN not in carried:
        yield "metadata will not come back in events; it is in the line of the send"
    if UNSUBSCRIBE in wanted and UNSUBSCRIBE not in carried:
        yield "the mail went out without List-Unsubscribe, which SES did not take"


def problem_of(error: UpstreamError, field_of: Mapping[str, str] = FIELD_OF) -> Problem:
    """Translate what SES said into our contract. ``field_of``: our code -> the member of the request it is about."""
    rule = error.rule
    extra: dict[str, Any] = {"upstream": {"code": error.code, "request_id": error.request_id}}
    if rule.outcome == UNKNOWN:
        extra["outcome"] = UNKNOWN
    field = field_of.get(rule.code)
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
