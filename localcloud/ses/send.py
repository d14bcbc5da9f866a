"""SendEmail: https://www.tencentcloud.com/document/api/1084/39502."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.ses import outbox
from localcloud.ses.addresses import check_header_from, check_optional, parse_recipients, parse_sender
from localcloud.ses.attachments import check_attachments
from localcloud.ses.content import parse_content, parse_echo, parse_smtp_message_id, parse_subject, render
from localcloud.ses.errors import ApiError

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.addresses import Recipients, Sender
    from localcloud.ses.params import Params

PARAMETERS = (
    "FromEmailAddress",
    "Subject",
    "Destination",
    "Cc",
    "Bcc",
    "ReplyToAddresses",
    "Template",
    "Simple",
    "Attachments",
    "Unsubscribe",
    "TriggerType",
    "SmtpMessageId",
    "SmtpHeaders",
    "HeaderFrom",
)
UNSUBSCRIBE = {"cn": tuple(map(str, range(13))), "intl": tuple(map(str, range(12)))}
"""Languages of the unsubscribe link: the China site knows a twelfth one (Vietnamese)."""


def send_email(account: Account, params: Params) -> dict[str, Any]:
    """Check one mail, accept it, and answer its MessageId, which is one for all its recipients."""
    params.allow(*PARAMETERS)
    sender = check_sender(account, params)
    recipients = parse_recipients(params)
    subject = parse_subject(params)
    check_optional(params, "ReplyToAddresses")
    check_header_from(params, sender)
    check_unsubscribe(account, params)
    params.one_of("TriggerType", (0, 1), default=0)
    content = parse_content(account, params)
    check_attachments(params)
    mail = outbox.Mail(
        sender,
        recipients,
        render(subject, content.variables),
        content.template_id,
        params.values,
        parse_echo(account, params),
        parse_smtp_message_id(params),
    )
    now = account.clock.now()
    with account.database.transaction():
        _check_frequency(account, recipients, now)
        return {"MessageId": outbox.accept(account, mail, now)}


def check_sender(account: Account, params: Params) -> Sender:
    """Read FromEmailAddress; its domain must be verified."""
    sender = parse_sender(params)
    if not account.is_verified(sender.domain):
        raise ApiError("FailedOperation.NotAuthenticatedSender", f"`{sender.domain}`")
    return sender


def check_unsubscribe(account: Account, params: Params) -> None:
    """Check Unsubscribe, a number as text."""
    if params.text_or("Unsubscribe", "0") not in UNSUBSCRIBE[account.site]:
        raise ApiError("InvalidParameterValue", "`Unsubscribe` is not an allowed value.")


def _check_frequency(account: Account, recipients: Recipients, now: float) -> None:
    # https://tencentcloud.com/document/product/1084/39649: the same recipient at most 10 times an hour.
    limit = account.switches.hourly_per_recipient
    if limit and any(outbox.sent_since(account, person, now - 3600) >= limit for person in recipients.everyone):
        raise ApiError("FailedOperation.FrequencyLimit")
