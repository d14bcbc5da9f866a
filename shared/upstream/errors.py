"""One table: what an upstream says went wrong -> what our caller is told, and whether a retry is safe.

    UpstreamError                 carries a Rule, the upstream's own code and request id
      UpstreamRefused             the upstream says, or the wire proves, that the request did not take effect
      UpstreamUncertain           nobody knows whether it took effect; never repeat a send blindly

How an answer is told from a failure: shared/upstream/envelope.py.
Codes: tencentcloud-sdk-python-ses 3.1.135 errorcodes.py (https://cloud.tencent.com/document/api/1288/51053),
common codes https://cloud.tencent.com/document/product/1778/111040, SendCloud https://www.sendcloud.net/doc/email_v2/.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

REFUSED = "refused"
UNKNOWN = "unknown"


class Rule(NamedTuple):
    """What one upstream code means to a caller of ours.

    ``retry_safe`` is true only when the request did not take effect and the same request may succeed later,
    ``retry_after_s`` seconds from now at the earliest.
    """

    status: int
    code: str
    retry_safe: bool
    hint: str
    outcome: str = REFUSED
    retry_after_s: int = 0


class UpstreamError(Exception):
    """A call to Tencent failed. ``rule`` says what that means; the upstream's own words are kept beside it."""

    def __init__(self, rule: Rule, *, code: str, message: str = "", request_id: str = "") -> None:
        super().__init__(rule.code, code, message, request_id)
        self.rule = rule
        self.code = code
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        """Code and request id only: an upstream's message may quote an address."""
        return f"{self.code} ({self.rule.code}, request {self.request_id or 'without id'})"


class UpstreamRefused(UpstreamError):
    """The request did not take effect."""


class UpstreamUncertain(UpstreamError):
    """The request may have taken effect."""


def _no(status: int, code: str, hint: str) -> Rule:
    return Rule(status, code, retry_safe=False, hint=hint)


def _later(status: int, code: str, after_s: int, hint: str) -> Rule:
    return Rule(status, code, retry_safe=True, hint=hint, retry_after_s=after_s)


def _unknown(status: int, code: str, hint: str) -> Rule:
    return Rule(status, code, retry_safe=False, hint=hint, outcome=UNKNOWN)


_OURS = "a parameter is wrong; mailtrail should have refused it first, please report it"
_TICKET = "ask Tencent support, quoting the upstream request id"
_ADDRESS = "correct the address"
_SENDER = "use a sender address of a domain that is verified in the SES console"
_TEMPLATE = "use the id of an approved template of this account"
_DATA = "give every variable of the template as plain text"
_ATTACHMENT = "see the attachment rules in README"
_ADMIN = "the request concerns the account's set-up, see the SES console"
_CREDENTIAL = "check the function's role or key pair"

RULES: dict[str, Rule] = {
    # --- sending: the recipient
    "FailedOperation.EmailAddrInBlacklist": _no(422, "recipient_suppressed", "remove it from the SES blocklist first"),
    "FailedOperation.IncorrectEmail": _no(422, "recipient_invalid", _ADDRESS),
    "FailedOperation.ReceiverHasUnsubscribed": _no(422, "recipient_unsubscribed", "the person asked for no more mail"),
    "FailedOperation.RejectedByRecipients": _no(422, "recipient_refused", "the recipient's side refuses this mail"),
    "FailedOperation.UnsupportMailType": _no(422, "recipient_refused", "SES does not deliver to this kind of mailbox"),
    "FailedOperation.TooManyRecipients": _no(400, "invalid_request", "50 to, 20 cc, 20 bcc at most"),
    "InvalidParameterValue.EmailAddressIsNULL": _no(400, "invalid_request", "give a sender and a recipient"),
    "InvalidParameterValue.IllegalEmailAddress": _no(422, "recipient_invalid", _ADDRESS),
    "InvalidParameterValue.ReceiverEmailInvalid": _no(422, "recipient_invalid", _ADDRESS),
    "InvalidParameterValue.RepeatEmailAddress": _no(400, "invalid_request", "name each recipient once"),
    # --- sending: the sender
    "FailedOperation.DKIMNotApplied": _no(422, "sender_unverified", _SENDER),
    "FailedOperation.IncorrectSender": _no(422, "sender_invalid", "alias, one space, <address>; no colon in the alias"),
    "FailedOperation.NotAuthenticatedSender": _no(422, "sender_unverified", _SENDER),
    "InvalidParameterValue.IllegalSenderName": _no(422, "sender_invalid", "the alias is not allowed"),
    "InvalidParameterValue.InvalidEmailIdentity": _no(422, "sender_unverified", _SENDER),
    "InvalidParameterValue.NoSuchSender": _no(422, "sender_unverified", _SENDER),
    "InvalidParameterValue.NotExistDomain": _no(422, "sender_unverified", _SENDER),
    "OperationDenied.DomainNotVerified": _no(422, "sender_unverified", _SENDER),
    "OperationDenied.SendAddressStatusError": _no(422, "sender_unverified", _SENDER),
    # --- sending: template and content
    "FailedOperation.InvalidTemplateID": _no(422, "template_unusable", _TEMPLATE),
    "FailedOperation.MissingEmailContent": _no(400, "invalid_request", "give a template"),
    "FailedOperation.WithOutPermission": _no(422, "template_required", "this account may send by template only"),
    "FailedOperation.WrongContentJson": _no(422, "template_data_invalid", _DATA),
    "FailedOperation.IllegalURL": _no(422, "content_refused", "a link is not allowed"),
    "FailedOperation.URLForbidden": _no(422, "content_refused", "with this delivery rate, links are not allowed"),
    "FailedOperation.EmailContentToolarge": _no(413, "too_large", "a mail is 4 MB at most"),
    "InvalidParameterValue.EmailContentIsWrong": _no(422, "content_refused", "html and text must be base64 of UTF-8"),
    "InvalidParameterValue.InValidTemplateData": _no(422, "template_data_invalid", "no HTML in template data"),
    "InvalidParameterValue.SubjectLengthError": _no(422, "content_refused", "a subject of 1 to 100 characters"),
    "InvalidParameterValue.TemplateDataError": _no(422, "template_data_invalid", _DATA),
    "InvalidParameterValue.TemplateDataInconsistent": _no(422, "template_data_invalid", _DATA),
    "InvalidParameterValue.TemplateDataLenLimit": _no(422, "template_data_invalid", "800 bytes at most"),
    "InvalidParameterValue.TemplateNotExist": _no(422, "template_unusable", _TEMPLATE),
    "InvalidParameterValue.TemplateNotMatchData": _no(422, "template_data_invalid", _DATA),
    "OperationDenied.TemplateStatusError": _no(422, "template_unusable", _TEMPLATE),
    # --- sending: attachments
    "FailedOperation.AttachContentToolarge": _no(413, "too_large", _ATTACHMENT),
    "FailedOperation.FileURLNotExist": _no(422, "attachment_refused", _ATTACHMENT),
    "FailedOperation.InvalidAttachName": _no(422, "attachment_refused", _ATTACHMENT),
    "FailedOperation.NoAttachPermission": _no(422, "attachment_refused", "this account may not send attachments"),
    "FailedOperation.TooManyAttachments": _no(422, "attachment_refused", "10 at most"),
    "InvalidParameterValue.AttachContentIsWrong": _no(422, "attachment_refused", "content must be base64"),
    # --- sending: limits. Refused before execution, so waiting and repeating is safe.
    "RequestLimitExceeded": _later(429, "rate_limited", 1, "20 requests a second for the account"),
    "RequestLimitExceeded.GlobalRegionUinLimitExceeded": _later(429, "rate_limited", 1, "the account is throttled"),
    "RequestLimitExceeded.IPLimitExceeded": _later(429, "rate_limited", 1, "the caller's IP is throttled"),
    "RequestLimitExceeded.UinLimitExceeded": _later(429, "rate_limited", 1, "the account is throttled"),
    "FailedOperation.FrequencyLimit": _later(429, "recipient_rate_limited", 3600, "10 mails an hour to one address"),
    "FailedOperation.ExceedSendLimit": _later(429, "daily_quota_exceeded", 3600, "the day's quota is used up"),
    "FailedOperation.TemporaryBlocked": _later(429, "temporarily_blocked", 600, "SES lifts it after 10 minutes"),
    "FailedOperation.HighRejectionRate": _later(429, "reputation_blocked", 3600, "too many bounces: clean the list"),
    "FailedOperation.ServiceNotAvailable": _later(503, "upstream_unavailable", 1, "SES says it did not take effect"),
    # --- the account
    "FailedOperation.InsufficientBalance": _no(503, "billing", "top the account up"),
    "FailedOperation.InsufficientQuota": _no(503, "billing", "buy a plan with more mails"),
    # --- queries
    "FailedOperation.InvalidLimit": _no(400, "invalid_request", "a page is 100 rows at most"),
    "FailedOperation.NotSupportDate": _no(422, "date_out_of_range", "SES keeps 30 days"),
    "InvalidParameterValue.WrongDate": _no(400, "invalid_request", "a date is YYYY-MM-DD"),
    "InternalError.QueryDataBaseFailed": _unknown(502, "upstream_failed", "a query timed out at SES"),
    # --- set-up: templates, domains, addresses, receiver lists
    "FailedOperation.ExceedTemplateLimit": _no(422, "account_limit", _ADMIN),
    "FailedOperation.TemplateContentToolarge": _no(413, "too_large", "shorten the template"),
    "InvalidParameterValue.BeginTimeBeforeNow": _no(400, "invalid_request", "begin in the future"),
    "InvalidParameterValue.CreatedByOther": _no(409, "conflict", "another account owns this domain"),
    "InvalidParameterValue.InvalidSmtpPassWord": _no(400, "invalid_request", _ADMIN),
    "InvalidParameterValue.ReceiverDescIllegal": _no(400, "invalid_request", "a description of 1 to 300 characters"),
    "InvalidParameterValue.ReceiverNameIllegal": _no(400, "invalid_request", "the list's name is not allowed"),
    "InvalidParameterValue.RepeatCreation": _no(409, "conflict", "it exists already"),
    "InvalidParameterValue.RepeatReceiverName": _no(409, "conflict", "a list of this name exists"),
    "InvalidParameterValue.TemplateContentIsNULL": _no(400, "invalid_request", "the template is empty"),
    "InvalidParameterValue.TemplateContentIsWrong": _no(400, "invalid_request", "html and text must be base64"),
    "InvalidParameterValue.TemplateNameIllegal": _no(400, "invalid_request", "the template's name is not allowed"),
    "InvalidParameterValue.TemplateNameIsNULL": _no(400, "invalid_request", "the template has no name"),
    "LimitExceeded.ExceedReceiverLimit": _no(422, "account_limit", _ADMIN),
    "LimitExceeded.ReceiverDetailCountLimit": _no(422, "account_limit", "50 000 addresses in a list at most"),
    "LimitExceeded.ReceiverDetailRequestLimit": _no(413, "too_large", "20 000 addresses in a request at most"),
    "MissingParameter.CycleParamNecessary": _no(400, "invalid_request", "a recurring task needs begin and interval"),
    "MissingParameter.EmailsNecessary": _no(400, "invalid_request", "give addresses"),
    "MissingParameter.ReceiverIdNecessary": _no(400, "invalid_request", "give a receiver list"),
    "MissingParameter.SendParamNecessary": _no(400, "invalid_request", "give sender, receiver list and template"),
    "MissingParameter.TimedParamNecessary": _no(400, "invalid_request", "a timed task needs its begin"),
    "OperationDenied.ExceedDomainLimit": _no(422, "account_limit", _ADMIN),
    "OperationDenied.ExceedSenderLimit": _no(422, "account_limit", _ADMIN),
    "OperationDenied.NotAllowDelete": _no(409, "conflict", _ADMIN),
    "OperationDenied.ReceiverIsOperating": _later(409, "conflict", 60, "the list is being uploaded"),
    "OperationDenied.ReceiverNotExist": _no(404, "not_found", "no such receiver list"),
    "OperationDenied.ReceiverStatusError": _no(409, "conflict", "the list is empty or not uploaded"),
    "OperationDenied.RepeatPassWord": _no(409, "conflict", _ADMIN),
    "OperationDenied.SenderWithDomainIsNotEmpty": _no(409, "conflict", _ADMIN),
    "InvalidParameter.AppIdIsRequired": _no(502, "upstream_auth_failed", _CREDENTIAL),
    "InvalidParameter.InvalidEndTimeFormat": _no(400, "invalid_request", _OURS),
    "InvalidParameter.InvalidStartTimeFormat": _no(400, "invalid_request", _OURS),
    # --- common codes of API 3.0
    "ActionOffline": _no(502, "upstream_unsupported", "Tencent withdrew this API"),
    "AuthFailure": _no(502, "upstream_auth_failed", _CREDENTIAL),
    "AuthFailure.InvalidAuthorization": _no(502, "upstream_auth_failed", _CREDENTIAL),
    "AuthFailure.InvalidSecretId": _no(502, "upstream_auth_failed", _CREDENTIAL),
    "AuthFailure.MFAFailure": _no(502, "upstream_auth_failed", _CREDENTIAL),
    "AuthFailure.SecretIdNotFound": _no(502, "upstream_auth_failed", _CREDENTIAL),
    # A later attempt is signed anew, with the clock and the token of then.
    "AuthFailure.SignatureExpire": _later(502, "upstream_auth_failed", 1, "the clock is off by over 5 minutes"),
    "AuthFailure.SignatureFailure": _no(502, "upstream_auth_failed", _CREDENTIAL),
    "AuthFailure.TokenFailure": _later(502, "upstream_auth_failed", 1, "the temporary credential expired"),
    "AuthFailure.UnauthorizedOperation": _no(502, "upstream_forbidden", "the role lacks the SES permission"),
    "DryRunOperation": _no(502, "upstream_unsupported", "a dry run has no effect"),
    "FailedOperation": _unknown(502, "upstream_failed", _TICKET),
    "FailedOperation.ProtocolCheckErr": _no(502, "upstream_unsupported", _OURS),
    "FailedOperation.SendEmailErr": _unknown(502, "upstream_failed", _TICKET),
    "InternalError": _unknown(502, "upstream_failed", "SES failed inside; the mail may have been sent"),
    "InvalidAction": _no(502, "upstream_unsupported", "this site or region does not offer the action"),
    "InvalidParameter": _no(502, "upstream_rejected", _OURS),
    "InvalidParameterValue": _no(502, "upstream_rejected", _OURS),
    "InvalidRequest": _no(502, "upstream_rejected", _OURS),
    "IpInBlacklist": _no(502, "upstream_forbidden", "the caller's IP is barred"),
    "IpNotInWhitelist": _no(502, "upstream_forbidden", "the caller's IP is not allowed"),
    "LimitExceeded": _no(422, "account_limit", _ADMIN),
    "MissingParameter": _no(502, "upstream_rejected", _OURS),
    "NoSuchProduct": _no(502, "upstream_unsupported", _OURS),
    "NoSuchVersion": _no(502, "upstream_unsupported", _OURS),
    "OperationDenied": _no(422, "operation_denied", _ADMIN),
    "RequestSizeLimitExceeded": _no(413, "too_large", "a request is 8 MB at most"),
    "ResourceInUse": _no(409, "conflict", _ADMIN),
    "ResourceInsufficient": _no(503, "upstream_unavailable", "SES lacks resources"),
    "ResourceNotFound": _no(404, "not_found", _ADMIN),
    "ResourceUnavailable": _no(503, "upstream_unavailable", "the resource cannot be used now"),
    # The action ran; only its answer was too large to be told.
    "ResponseSizeLimitExceeded": _unknown(502, "upstream_failed", "the answer was too large"),
    # Unlike FailedOperation.ServiceNotAvailable, nothing promises that this one had no effect.
    "ServiceUnavailable": _unknown(503, "upstream_unavailable", "SES is down; the mail may have been sent"),
    "UnauthorizedOperation": _no(502, "upstream_forbidden", "the role lacks the SES permission"),
    "UnknownParameter": _no(502, "upstream_rejected", _OURS),
    "UnsupportedOperation": _no(502, "upstream_unsupported", _OURS),
    "UnsupportedProtocol": _no(502, "upstream_unsupported", _OURS),
    "UnsupportedRegion": _no(502, "upstream_unsupported", "set SES_REGION to a region of this site"),
}

UNLISTED = _unknown(502, "upstream_unlisted", "a code this version does not know; " + _TICKET)
NOT_SENT = _later(503, "upstream_unreachable", 1, "no connection was made, nothing was sent")
NO_ANSWER = _unknown(504, "upstream_no_answer", "the request was written and no answer came")
NOT_JSON = _unknown(502, "upstream_unreadable", "the answer is not the API's; a proxy may be in between")

SENDCLOUD_RULES: dict[int, Rule] = {
    501: _unknown(502, "upstream_failed", "SendCloud failed inside"),
    6001: _no(502, "upstream_forbidden", "the API user lacks the permission"),
    40001: _no(400, "invalid_request", "start must be a whole number"),
    40002: _no(400, "invalid_request", "start must not be negative"),
    40003: _no(400, "invalid_request", "limit must be a whole number"),
    40004: _no(400, "invalid_request", "limit is 0 to 100"),
    40005: _no(502, "upstream_auth_failed", "check SENDCLOUD_API_USER, SENDCLOUD_API_KEY and the account's region"),
    40006: _no(400, "invalid_request", "days must be a whole number"),
    40007: _no(400, "invalid_request", "startDate is yyyy-MM-dd"),
    40008: _no(400, "invalid_request", "endDate is yyyy-MM-dd"),
    40011: _no(400, "invalid_request", "email is empty"),
    40012: _no(400, "invalid_request", "email is not an address"),
    40901: _unknown(502, "upstream_failed", "SendCloud could not send"),
    40902: _unknown(502, "upstream_failed", "SendCloud failed inside"),
    40904: _later(429, "daily_quota_exceeded", 3600, "the quota is used up"),
    50000: _later(429, "rate_limited", 60, "3000 calls a minute for the account"),
}


def rule_for(code: str) -> Rule:
    """Return the rule of an API 3.0 code: exact first, then its family (before the dot), then UNLISTED."""
    return RULES.get(code) or RULES.get(code.partition(".")[0], UNLISTED)


def sendcloud_rule_for(code: int) -> Rule:
    """Return the rule of a SendCloud ``statusCode``; 408xx are all faults of the mail's parameters."""
    if 40801 <= code <= 40870:
        return _no(400, "invalid_request", "a parameter of the mail is wrong")
    return SENDCLOUD_RULES.get(code, UNLISTED)


def raise_for(
    rule: Rule, *, code: str, message: str = "", request_id: str = "", cause: BaseException | None = None
) -> NoReturn:
    """Raise UpstreamRefused or UpstreamUncertain, as the rule says, from ``cause``."""
    kind = UpstreamUncertain if rule.outcome == UNKNOWN else UpstreamRefused
    raise kind(rule, code=code, message=message, request_id=request_id) from cause
