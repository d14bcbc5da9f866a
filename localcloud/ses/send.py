"""SendEmail: https://www.tencentcloud.com/document/api/1084/39502."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.ses import outbox
from localcloud.ses.addresses import check_header_from, check_optional, parse_recipients, parse_sender
from localcloud.ses.attachments import check_attachments
from localcloud.ses.content import parse_content, parse_echo, parse_smtp_message_id, parse_subject, render
from localcloud.ses.days import day_number
from localcloud.ses.errors import ApiError
from localcloud.ses.refusals import refusals_among
from localcloud.ses.reputation import check_quota

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.addresses import Sender
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
        parse_smtp_message_id(account, params),
    )
    now = account.clock.now()
    with account.database.transaction():
        refused = refusals_among(account, recipients.everyone, sender.domain, now)
        check_quota(account, sender.domain, day_number(now), len(recipients.everyone))
        return {"MessageId": outbox.accept(account, mail, now, refused)}


def check_sender(account: Account, params: Params) -> Sender:
    """Read FromEmailAddress; its domain must be verified, and itself created if the account is that strict."""
    sender = parse_sender(params)
    if not account.is_verified(sender.domain):
        raise ApiError("FailedOperation.NotAuthenticatedSender", f"`{sender.domain}`")
    if account.switches.senders == "created" and not account.has_sender(sender.address):
        raise ApiError("FailedOperation.NotAuthenticatedSender", f"`{sender.address}`")
    return sender


def check_unsubscribe(account: Account, params: Params) -> None:
    """Check Unsubscribe, a number as text."""
    if params.text_or("Unsubscribe", "0") not in UNSUBSCRIBE[account.site]:
        raise ApiError("InvalidParameterValue", "`Unsubscribe` is not an allowed value.")
