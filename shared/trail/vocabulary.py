"""Provider words -> our words. One table a provider; what is in none of them is ``unknown``, and kept.

Types: accepted deferred delivered bounced rejected failed opened clicked complained unsubscribed unknown.
Classes (of bounced and rejected): hard soft block admin undetermined.
The names follow django-anymail where it has one. Sources:
callbacks https://www.tencentcloud.com/document/product/1084/39492, status rows
https://www.tencentcloud.com/document/api/1084/39502, SendCloud https://www.sendcloud.net/doc/en_US/email_v2/.
"""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """What a provider's word says in ours."""

    type: str
    class_: str | None = None
    reason: str | None = None
    fault: str | None = None


UNKNOWN = Meaning("unknown")

SES_EVENTS = {
    "processed": Meaning("accepted"),  # pages before 2024; "may not be called back"
    "delivered": Meaning("delivered"),
    "deferred": Meaning("deferred", "soft"),
    "dropped": Meaning("rejected", "admin"),
    "bounce": Meaning("bounced", "undetermined"),
    "open": Meaning("opened"),
    "click": Meaning("clicked"),
    "spamreport": Meaning("complained", fault="content"),
    "unsubscribe": Meaning("unsubscribed"),
}
"""The eight documented events and the one of older pages."""

SES_BOUNCES = {
    "hard_bounce": Meaning("bounced", "hard"),
    "soft_bounce": Meaning("bounced", "soft"),
    "hard": Meaning("bounced", "hard"),  # the 2021 page's words
    "soft": Meaning("bounced", "soft"),
}


class SendStatus(NamedTuple):
    """One SendStatus code: the vendor's meaning in English, and ours."""

    text: str
    meaning: Meaning


def _failed(text: str, reason: str, fault: str) -> SendStatus:
    return SendStatus(text, Meaning("failed", None, reason, fault))


def _rejected(text: str, reason: str, fault: str) -> SendStatus:
    return SendStatus(text, Meaning("rejected", "admin", reason, fault))


_INTERNAL = _failed("internal exception", "provider_error", "provider")

SEND_STATUS = {
    0: SendStatus("accepted by SES", Meaning("accepted")),
    1001: _INTERNAL,
    1002: _INTERNAL,
    1003: _INTERNAL,
    1004: _failed("sending timed out, outcome uncertain", "provider_error", "provider"),
    1005: _INTERNAL,
    1006: _rejected("too many mails to the same address", "rate_limited", "sender_config"),
    1007: _rejected("address in the blocklist", "suppressed", "recipient"),
    1008: _rejected("domain refused by the recipient", "policy", "recipient_system"),
    1009: _INTERNAL,
    1010: _rejected("daily limit exceeded", "quota", "sender_config"),
    1011: _failed("no permission for custom content, a template is required", "template", "sender_config"),
    1013: _rejected("recipient has unsubscribed", "unsubscribed", "recipient"),
    2001: SendStatus("no record found", UNKNOWN),
    3007: _failed("template invalid or unavailable", "template", "sender_config"),
    3008: _rejected("temporarily blocked by the recipient's domain", "rate_limited", "recipient_system"),
    3009: _failed("no permission for this template", "template", "sender_config"),
    3010: _failed("template data malformed", "template", "sender_config"),
    3014: _failed("sender domain not verified", "sender_unverified", "sender_config"),
    3020: _rejected("recipient's mailbox type is blocked", "policy", "recipient_system"),
    3024: _rejected("address failed the format check", "invalid_address", "recipient"),
    3030: _rejected("bounce rate too high, temporarily limited", "reputation", "sender_reputation"),
    3033: _rejected("balance insufficient", "billing", "sender_config"),
}
UNLISTED_STATUS = SendStatus("a code the vendor's pages do not list", UNKNOWN)

DELIVER_STATUS = {
    0: Meaning("accepted"),
    1: Meaning("delivered"),
    2: Meaning("rejected", "admin"),
    3: Meaning("bounced", "undetermined"),
    8: Meaning("deferred", "soft"),
}
"""1, 2, 3 and 8 are also the callback's eventid of delivered, dropped, bounce and deferred."""

TASK_STATUS = {1: "to start", 5: "sending", 6: "suspended today", 7: "error", 10: "done"}
"""TaskStatus of ListSendTasks: https://www.tencentcloud.com/document/product/1084/39499, seed 001."""

SUPPRESSING = frozenset({"bounced", "rejected", "complained", "unsubscribed"})
"""Types of event that may put a recipient on the suppression list; shared/trail/suppression_rules.py says which do."""

EVENT_IDS = {
    1: "delivered",
    2: "dropped",
    3: "bounce",
    4: "open",
    5: "click",
    6: "spamreport",
    7: "unsubscribe",
    8: "deferred",
}

SENDCLOUD_EVENTS = {
    "request": Meaning("accepted"),
    "deliver": Meaning("delivered"),
    "delivered": Meaning("delivered"),
    "open": Meaning("opened"),
    "click": Meaning("clicked"),
    "unsubscribe": Meaning("unsubscribed"),
    "report_spam": Meaning("complained", fault="content"),
    "spam-report": Meaning("complained", fault="content"),
    "invalid": Meaning("bounced", "hard"),
    "invalid_email": Meaning("bounced", "hard"),
    "soft_bounce": Meaning("bounced", "soft"),
    "bounce": Meaning("bounced", "soft"),  # the 2015 page's word for a soft bounce
}
"""Every generation of names: sendcloud.net and aurorasendcloud.com. ``route`` is inbound mail, not an event of ours."""

SENDCLOUD_STATUS = {
    "送达": Meaning("delivered"),
    "投递成功": Meaning("delivered"),
    "请求中": Meaning("accepted"),
    "无效邮件": Meaning("bounced", "hard"),
    "软退信": Meaning("bounced", "soft"),
}
"""The list answers Chinese names; the filter takes 1, 18, 4 and 5 for them."""

_OUR_FAULT = "sender_reputation"
SENDCLOUD_SUB_STATUS = {
    401: Meaning("rejected", "admin", "suppressed", "recipient"),
    402: Meaning("rejected", "admin", "unsubscribed", "recipient"),
    403: Meaning("bounced", "hard", "no_answer", "recipient_system"),
    404: Meaning("rejected", "admin", "invalid_address", "recipient"),
    405: Meaning("bounced", "block", "reputation", _OUR_FAULT),
    406: Meaning("bounced", "hard", "invalid_recipient", "recipient"),
    407: Meaning("bounced", "block", "spam_content", "content"),
    408: Meaning("bounced", "block", "policy", "unknown"),
    409: Meaning("bounced", "undetermined", "other", "unknown"),
    503: Meaning("bounced", "soft", "no_answer", "recipient_system"),
    505: Meaning("bounced", "block", "reputation", _OUR_FAULT),
    506: Meaning("bounced", "soft", "invalid_recipient", "recipient"),
    507: Meaning("bounced", "block", "spam_content", "content"),
    508: Meaning("bounced", "block", "policy", "unknown"),
    509: Meaning("bounced", "soft", "other", "unknown"),
}


def ses_event(event: str, bounce_type: str = "") -> Meaning:
    """Return the meaning of a callback's ``event``, with its ``bounceType`` when it is a bounce."""
    if event == "bounce":
        return SES_BOUNCES.get(bounce_type, SES_EVENTS[event])
    return SES_EVENTS.get(event, UNKNOWN)


def send_status(code: int) -> SendStatus:
    """Return the text and meaning of a SendStatus; gaps are kept as unknown."""
    return SEND_STATUS.get(code, UNLISTED_STATUS)


def ses_status(send: int, deliver: int) -> Meaning:
    """Return the meaning of a status row: what SES refused is final, otherwise the recipient's side decides."""
    if send != 0:
        return send_status(send).meaning
    return DELIVER_STATUS.get(deliver, UNKNOWN)


def sendcloud_status(status: str, sub_status: int | None) -> Meaning:
    """Return the meaning of an emailStatus row; the sub-status, where there is one, says more."""
    if sub_status is not None and sub_status in SENDCLOUD_SUB_STATUS:
        return SENDCLOUD_SUB_STATUS[sub_status]
    return SENDCLOUD_STATUS.get(status, UNKNOWN)
