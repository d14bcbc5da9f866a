"""What the recipient's server said -> class, reason and fault. Rules in order; never a guess.

Order: what is about us first (it says nothing of the recipient), with the dialects of mailbox providers (NetEase, QQ,
Gmail, Microsoft), then plain wording, then the enhanced code (RFC 3463,
https://www.iana.org/assignments/smtp-enhanced-status-codes), then the few basic codes that mean one thing only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.trail.vocabulary import Meaning

_SMTP = re.compile(r"(?<![\d.])([245]\d\d)(?!\.?\d)")
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")


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


_BLOCKING = r"(block|black ?list|blacklist|banned|denied|reject|refused|not allowed|weren't sent|拒绝|黑名单)"
_WHO_SENDS = (  # not \b: Chinese characters are letters too
    r"((?<![a-z])(ips?|client host|your (server|host|network)|sending (host|server)|sender)(?![a-z])|"
    r"from \[?\d+(\.\d+){3})"
)

_TEXT_RULES = (
    # 1. Us: our address, our domain, a list that names it. Says nothing of the recipient, whatever code is beside it.
    _rule(
        r"spamhaus|spamcop|sorbs|barracuda|proofpoint|\brbl\b|dnsbl|DT:RBL", "spam_block", "sender_reputation", "block"
    ),
    _rule(
        r"HL:(ICC|IFC)|MI:(CEL|DMC|CCL|SFQ|STC)|RP:(DRC|CEL|CCL|QRC|TRC)|[45]\.7\.28|unusual rate",  # NetEase; Gmail
        "rate_limited",
        "sender_reputation",
        "block",
    ),
    _rule(r"HL:REP|\breputation\b|unsolicited", "reputation", "sender_reputation", "block"),
    _rule(r"HL:MEP|MI:(SPF|DMA)|\b(spf|dkim|dmarc)\b|5\.7\.26|5\.7\.515", "auth_failed", "sender_auth", "block"),
    _rule(r"WM:BL[IU]|HL:I(PB|HU)|MI:SPB", "spam_block", "sender_reputation", "block"),
    _rule(r"too many|rate limit|frequency|too fast", "rate_limited", "sender_reputation", "block"),
    _rule(r"DT:SPM|content.{0,10}(reject|denied)|by content|垃圾邮件|\bspam\b", "spam_content", "content", "block"),
    _rule(
        r"sender.{0,60}(domain|address).{0,40}(not (exist|found)|invalid)", "sender_config", "sender_config", "block"
    ),
    # Exim's callout: what follows tells of our own address, in the words that are used of recipients.
    _rule(
        r"verification failed for|verify failed|could not verify sender|callout|invalid sender|"
        r"mail from.{0,40}(not exist|invalid|not found|rejected)|sender.{0,30}(must exist|unknown|no such)|"
        r"reverse dns|\bptr\b|dns check failed",
        "sender_config",
        "sender_config",
        "block",
    ),
    # Gmail, of a mailbox that gets too much: https://support.google.com/a/answer/3726730
    _rule(r"receiving mail (at a rate|too quickly)", "rate_limited", "recipient_system", "soft"),
    _rule(f"{_WHO_SENDS}.{{0,60}}{_BLOCKING}|network is on our block", "spam_block", "sender_reputation", "block"),
    # 2. The recipient and the recipient's system.
    _rule(
        r"mailbox not found|no such (user|recipient|mailbox)|user (unknown|not found)|unknown (user|recipient)|"
        r"not exist|n['’]t exist|doesn['’]t have an? \S+ account|"
        r"invalid (rcptto|user|recipient|mailbox)|用户不存在|未开通|nosuchuser|recipientnotfound|unrouteable address",
        "invalid_recipient",
        "recipient",
    ),
    _rule(r"mailbox.{0,12}full|over ?quota|quota exceeded|空间不足", "mailbox_full", "recipient", "soft"),
    _rule(
        r"\b(account|mailbox|user|recipient)\b.{0,60}\b(disabled|inactive|suspended|locked)\b|"
        r"\b(disabled|inactive|suspended|locked) (account|mailbox|user|recipient)",
        "inactive_mailbox",
        "recipient",
    ),
    _rule(r"gr[ae]y ?list|try again later", "greylisted", "recipient_system", "soft"),
    _rule(r"blocklist|blacklist|suppress", "suppressed", "recipient", "admin"),  # SES's own words for its list
    _rule(r"unsubscribed", "unsubscribed", "recipient", "admin"),
    _rule(r"timed? ?out|connection (refused|reset)|unreachable", "no_answer", "network"),
)

_ENHANCED_REASONS = (
    (("1.0", "1.1", "1.2", "1.3", "1.4"), "invalid_recipient", "recipient", None),
    (("1.6", "2.1", "7.13"), "inactive_mailbox", "recipient", None),
    (("1.10",), "bad_domain", "recipient", None),
    (("1.7", "1.8"), "sender_config", "sender_config", None),
    (("2.2",), "mailbox_full", "recipient", "soft"),  # soft even as 5.2.2
    (("2.3", "3.4"), "too_large", "content", None),
    (("4.1",), "no_answer", "recipient_system", None),
    (("4.2",), "network", "network", None),
    (("4.3",), "dns", "network", None),
    (("4.4", "4.6"), "routing", "recipient_system", None),
    (("4.7",), "expired", "recipient_system", "soft"),
    (("5.3",), "rate_limited", "sender_config", None),
)
_NO_MX = Meaning("bounced", None, "bad_domain", "recipient")  # 5.4.4: the domain has no place for mail, and will not
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

_BASIC_TABLE = dict.fromkeys(("524", "526"), Meaning("bounced", None, "dns", "network"))
"""Replies of Aliyun's that no RFC gives another meaning."""


def diagnose(text: str) -> Diagnosis:
    """Find the SMTP reply code and the enhanced status code in a reason text."""
    smtp, enhanced = _SMTP.search(text), _ENHANCED.search(text)
    return Diagnosis(smtp.group(1) if smtp else None, enhanced.group(1) if enhanced else None)


def refine(meaning: Meaning, text: str, diagnosis: Diagnosis) -> Meaning:
    """Sharpen a bounced, rejected or deferred meaning by what the text says; leave it alone where it says nothing."""
    found = _by_text(text) or _by_enhanced(diagnosis.enhanced) or _BASIC_TABLE.get(diagnosis.smtp or "")
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
    if code == "5.4.4":
        return _NO_MX
    suffix = code[2:]
    return _ENHANCED_TABLE.get(suffix) or _ENHANCED_FAMILIES.get(suffix.partition(".")[0])
