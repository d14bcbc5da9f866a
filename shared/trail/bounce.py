"""What the recipient's server said -> class, reason and fault. Rules in order; never a guess.

Order: a block of our own address first (it says nothing of the recipient), then the dialects of mailbox providers,
then the enhanced code (RFC 3463, https://www.iana.org/assignments/smtp-enhanced-status-codes), then plain wording.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.trail.vocabulary import Meaning

_SMTP = re.compile(r"(?<![\d.])([245]\d\d)(?![\d.])")
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")


class Diagnosis(NamedTuple):
    """The codes in a reason text. ``smtp`` like ``551``, ``enhanced`` like ``5.1.1``; None where there is none."""

    smtp: str | None
    enhanced: str | None


class Rule(NamedTuple):
    """One rule: a pattern over the text, and what it says."""

    pattern: re.Pattern[str]
    reason: str
    fault: str
    class_: str | None = None  # None: as hard or soft as the provider says


def _rule(pattern: str, reason: str, fault: str, class_: str | None = None) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), reason, fault, class_)


_TEXT_RULES = (
    _rule(
        r"spamhaus|\brbl\b|dnsbl|DT:RBL|blocklisted|blacklisted ip|ip.{0,20}(blocked|拒绝)",
        "spam_block",
        "sender_reputation",
        "block",
    ),
    _rule(r"HL:(REP|ICC|IFC)|RP:(DRC|CEL|QRC)", "rate_limited", "sender_reputation", "block"),  # NetEase
    _rule(r"HL:MEP|MI:(DMC|SFQ)|\b(spf|dkim|dmarc)\b|5\.7\.26|5\.7\.515", "auth_failed", "sender_auth", "block"),
    _rule(r"DT:SPM|content reject|reject by content|垃圾邮件|\bspam\b", "spam_content", "content", "block"),
    _rule(
        r"mailbox not found|no such user|user (unknown|not found)|unknown user|not exist|does not exist|"
        r"invalid rcptto|用户不存在|未开通|nosuchuser|unrouteable address",
        "invalid_recipient",
        "recipient",
    ),
    _rule(r"mailbox.{0,12}full|over ?quota|quota exceeded|空间不足", "mailbox_full", "recipient", "soft"),
    _rule(r"disabled|inactive|suspended|locked", "inactive_mailbox", "recipient"),
    _rule(r"gr[ae]ylist|try again later", "greylisted", "recipient_system", "soft"),
    _rule(r"too many|rate limit|frequency|too fast", "rate_limited", "sender_reputation", "block"),
    _rule(r"blocklist|blacklist|suppress", "suppressed", "recipient", "admin"),
    _rule(r"unsubscribed", "unsubscribed", "recipient", "admin"),
    _rule(r"timed? ?out|connection (refused|reset)|unreachable", "no_answer", "network"),
)

_ENHANCED_REASONS = (
    (("1.0", "1.1", "1.2", "1.3", "1.4"), "invalid_recipient", "recipient", None),
    (("1.6", "2.1", "7.13"), "inactive_mailbox", "recipient", None),
    (("1.10", "4.4"), "bad_domain", "recipient", None),
    (("1.7", "1.8"), "sender_config", "sender_config", None),
    (("2.2",), "mailbox_full", "recipient", "soft"),  # soft even as 5.2.2
    (("2.3", "3.4"), "too_large", "content", None),
    (("4.1",), "no_answer", "recipient_system", None),
    (("4.2",), "network", "network", None),
    (("4.3",), "dns", "network", None),
    (("4.6",), "routing", "recipient_system", None),
    (("4.7",), "expired", "recipient_system", "soft"),
)
_ENHANCED_TABLE = {
    suffix: Meaning("bounced", class_, reason, fault)
    for suffixes, reason, fault, class_ in _ENHANCED_REASONS
    for suffix in suffixes
}
_ENHANCED_FAMILIES = {
    "5": Meaning("bounced", None, "protocol", "recipient_system"),
    "6": Meaning("bounced", None, "protocol", "recipient_system"),
    "7": Meaning("bounced", "block", "policy", "unknown"),
}


def diagnose(text: str) -> Diagnosis:
    """Find the SMTP reply code and the enhanced status code in a reason text."""
    smtp, enhanced = _SMTP.search(text), _ENHANCED.search(text)
    return Diagnosis(smtp.group(1) if smtp else None, enhanced.group(1) if enhanced else None)


def refine(meaning: Meaning, text: str, diagnosis: Diagnosis) -> Meaning:
    """Sharpen a bounced, rejected or deferred meaning by what the text says; leave it alone where it says nothing."""
    found = _by_text(text) or _by_enhanced(diagnosis.enhanced)
    if found is None:
        return meaning._replace(reason=meaning.reason or "other", fault=meaning.fault or "unknown")
    return meaning._replace(class_=found.class_ or meaning.class_, reason=found.reason, fault=found.fault)


def _by_text(text: str) -> Meaning | None:
    for rule in _TEXT_RULES:
        if rule.pattern.search(text):
            return Meaning("bounced", rule.class_, rule.reason, rule.fault)
    return None


def _by_enhanced(code: str | None) -> Meaning | None:
    if code is None:
        return None
    suffix = code[2:]
    return _ENHANCED_TABLE.get(suffix) or _ENHANCED_FAMILIES.get(suffix.partition(".")[0])
