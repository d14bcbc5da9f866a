"""What a server's words mean: whose fault it is above all, for that decides who is never written to again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trail.bounce import Diagnosis, diagnose, refine
from shared.trail.vocabulary import Meaning

HARD = Meaning("bounced", "hard")
SOFT = Meaning("bounced", "soft")

ABOUT_US = [
    # Exim's callout, which tells of our address in the words that are used of recipients.
    (
        "550-Verification failed for <noreply@mail.example.com> 550-Called: 9.8.7.6 550-Sent: RCPT TO:"
        "<noreply@mail.example.com> 550-Response: 550 No such user here 550 Sender verify failed"
    ),
    "501 5.1.7 Invalid sender; user not found",
    "550 MAIL FROM domain does not exist",
    "550 Sender must exist: no such user",
    "550 Domain may not exist or DNS check failed",
    "550 Reverse DNS record does not exist",
    "550 5.7.1 Service unavailable, Client host [203.0.113.7] blocked using zen.spamhaus.org",
    "554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked using Barracuda Reputation",
    "554 IP in blacklist",
    "554 Your IP (203.0.113.7) is on our blocklist",
    "550 5.1.1 IP 203.0.113.7 is in the black list, no such user",
    "550 5.7.1 Unfortunately, messages from [203.0.113.7] weren't sent. Part of their network is on our block list (S3150).",
    "550 发信IP被拒绝",
    "554 您的IP 203.0.113.7 已被列入黑名单",
    "450 DT:RBL 163 smtp",
    "554 Blocked - see https://ipcheck.proofpoint.com/?ip=203.0.113.7",
    "550 your host is not allowed to send to this user",
    "550 Ip frequency limited",
    "421 4.7.0 Message from 203.0.113.7 refused",
    "554 5.7.1 Sender address rejected: Access denied",
    "550 5.7.1 [203.0.113.7] Our system has detected that this message is likely unsolicited mail",
]
"""Refusals of our own address or domain. Whoever they were sent to has done nothing."""

DIALECTS = [
    # Gmail, of a mailbox that gets too much at once
    (
        (
            "550-5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from "
            "being delivered"
        ),
        "rate_limited",
        "recipient_system",
        "soft",
    ),
    (
        "450-4.2.1 The user you are trying to contact is receiving mail too quickly",
        "rate_limited",
        "recipient_system",
        "soft",
    ),
    # Nobody there, in other words
    (
        "554 delivery error: dd This user doesn't have a yahoo.com account (x@yahoo.com) [0]",
        "invalid_recipient",
        "recipient",
        "hard",
    ),
    ("550 Mailbox doesn't exist", "invalid_recipient", "recipient", "hard"),
    ("550 unknown recipient", "invalid_recipient", "recipient", "hard"),
    # NetEase: 163, 126, yeah
    ("421 HL:REP 163 smtp", "reputation", "sender_reputation", "block"),
    ("421 HL:ICC 163 smtp", "rate_limited", "sender_reputation", "block"),
    ("421 HL:IFC 163 smtp", "rate_limited", "sender_reputation", "block"),
    ("421 HL:MEP 163 smtp", "auth_failed", "sender_auth", "block"),
    ("450 MI:CEL 163 smtp", "rate_limited", "sender_reputation", "block"),
    ("450 MI:DMC 163 smtp", "rate_limited", "sender_reputation", "block"),
    ("450 MI:CCL 163 smtp", "rate_limited", "sender_reputation", "block"),
    ("451 MI:SFQ 163 smtp", "rate_limited", "sender_reputation", "block"),
    ("450 RP:DRC 163 smtp", "rate_limited", "sender_reputation", "block"),
    ("451 RP:CEL 163 smtp", "rate_limited", "sender_reputation", "block"),
    ("450 DT:RBL 163 smtp", "spam_block", "sender_reputation", "block"),
    ("450 WM:BLI 163 smtp", "spam_block", "sender_reputation", "block"),
    ("450 WM:BLU 163 smtp", "spam_block", "sender_reputation", "block"),
    ("554 DT:SPM 163 smtp5", "spam_content", "content", "block"),
    ("451 DT:SPM 163 smtp5, please try again", "spam_content", "content", "block"),
    ("550 MI:SPF 163 smtp", "auth_failed", "sender_auth", "block"),
    ("550 Invalid User", "invalid_recipient", "recipient", "hard"),
    ("550 User suspended", "inactive_mailbox", "recipient", "hard"),
    # QQ and exmail
    ("550 Mailbox not found. http://service.mail.qq.com/", "invalid_recipient", "recipient", "hard"),
    ("550 该用户不存在", "invalid_recipient", "recipient", "hard"),
    ("550 该用户未开通QQ邮箱", "invalid_recipient", "recipient", "hard"),
    ("550 收件人空间不足", "mailbox_full", "recipient", "soft"),
    ("550 Error: content rejected. http://mail.qq.com", "spam_content", "content", "block"),
    ("550 Mail content denied. http://service.mail.qq.com", "spam_content", "content", "block"),
    ("550 Connection frequency limited", "rate_limited", "sender_reputation", "block"),
    # Aliyun
    ("559 Invalid rcptto [@sm012053]", "invalid_recipient", "recipient", "hard"),
    ("554 Reject by content spam @sm010102", "spam_content", "content", "block"),
    ("526 Failed to resolve the domain", "dns", "network", "hard"),
    # Gmail
    (
        "550-5.7.26 This mail has been blocked because the sender is unauthenticated.",
        "auth_failed",
        "sender_auth",
        "block",
    ),
    ("421-4.7.28 Gmail has detected an unusual rate of unsolicited mail", "rate_limited", "sender_reputation", "block"),
    ("550-5.7.1 very low reputation of the sending domain", "reputation", "sender_reputation", "block"),
    (
        "550-5.1.1 The email account that you tried to reach does not exist. NoSuchUser",
        "invalid_recipient",
        "recipient",
        "hard",
    ),
    ("552-5.2.2 The recipient's inbox is out of storage space. OverQuotaPerm", "mailbox_full", "recipient", "soft"),
    ("550 5.2.1 The email account that you tried to reach is disabled", "inactive_mailbox", "recipient", "hard"),
    # Microsoft
    (
        "550 5.7.515 Access denied, sending domain example.com does not meet the required level",
        "auth_failed",
        "sender_auth",
        "block",
    ),
    (
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        "invalid_recipient",
        "recipient",
        "hard",
    ),
    # Yahoo, Postfix, Exim and other plain words
    ("554 30 Sorry, this mailbox is disabled (554.30)", "inactive_mailbox", "recipient", "hard"),
    (
        "550 5.1.1 <a@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
        "invalid_recipient",
        "recipient",
        "hard",
    ),
    ("550 Unrouteable address", "invalid_recipient", "recipient", "hard"),
    ("450 4.1.8 <a@example.com>: Sender address rejected: Domain not found", "sender_config", "sender_config", "block"),
    (
        "450 4.2.0 <a@example.com>: Recipient address rejected: Greylisted, see http://postgrey",
        "greylisted",
        "recipient_system",
        "soft",
    ),
    ("451 Server busy, please try again later", "greylisted", "recipient_system", "soft"),
    ("connect to mx.example.com[198.51.100.1]:25: Connection timed out", "no_answer", "network", "hard"),
    ("address is in the blacklist", "suppressed", "recipient", "admin"),
    ("recipient has unsubscribed", "unsubscribed", "recipient", "admin"),
]
"""Text, then reason, fault and class of what the provider called a hard bounce."""

ENHANCED = [
    *((f"1.{x}", "invalid_recipient", "recipient", "hard") for x in range(5)),
    ("1.6", "inactive_mailbox", "recipient", "hard"),
    ("2.1", "inactive_mailbox", "recipient", "hard"),
    ("7.13", "inactive_mailbox", "recipient", "hard"),
    ("1.10", "bad_domain", "recipient", "hard"),
    ("1.7", "sender_config", "sender_config", "hard"),
    ("1.8", "sender_config", "sender_config", "hard"),
    ("2.2", "mailbox_full", "recipient", "soft"),
    ("2.3", "too_large", "content", "hard"),
    ("3.4", "too_large", "content", "hard"),
    ("4.1", "no_answer", "recipient_system", "hard"),
    ("4.2", "network", "network", "hard"),
    ("4.3", "dns", "network", "hard"),
    ("4.6", "routing", "recipient_system", "hard"),
    ("4.7", "expired", "recipient_system", "soft"),
    ("5.0", "protocol", "recipient_system", "hard"),
    ("5.3", "rate_limited", "sender_config", "hard"),
    ("6.1", "protocol", "recipient_system", "hard"),
    ("7.1", "policy", "unknown", "block"),
    ("7.999", "policy", "unknown", "block"),
    ("0.0", "other", "unknown", "hard"),
    ("3.0", "other", "unknown", "hard"),
]


def refined(text: str, meaning: Meaning = HARD) -> Meaning:
    """Refine with the codes of the text itself."""
    return refine(meaning, text, diagnose(text))


@pytest.mark.parametrize("text", ABOUT_US)
def test_a_hard_bounce_caused_by_our_own_address_is_never_the_recipients_fault(text: str):
    """It is a block: nobody is to be struck off a list for it, whatever code stands beside it."""
    meaning = refined(text)
    assert meaning.class_ == "block"
    assert meaning.fault in ("sender_reputation", "sender_auth", "sender_config")


@pytest.mark.parametrize(("text", "reason", "fault", "class_"), DIALECTS)
def test_dialects_of_mailbox_providers(text: str, reason: str, fault: str, class_: str):
    """What nobody else's rules know: NetEase, QQ, Aliyun; and what everybody's do."""
    assert refined(text) == Meaning("bounced", class_, reason, fault)


@pytest.mark.parametrize(("suffix", "reason", "fault", "class_"), ENHANCED)
def test_enhanced_codes_without_words(suffix: str, reason: str, fault: str, class_: str):
    """RFC 3463 codes speak where the words do not; 4.x as 5.x, as hard or soft as the provider says."""
    assert refined(f"550 5.{suffix} x") == Meaning("bounced", class_, reason, fault)
    softened = "soft" if class_ == "hard" else class_
    assert refined(f"450 4.{suffix} x", SOFT) == Meaning("bounced", softened, reason, fault)


def test_a_domain_without_a_place_for_mail_is_bad_only_for_good():
    """5.4.4 says that the domain has none; 4.4.4 that none could be found today."""
    assert refined("550 5.4.4 x") == Meaning("bounced", "hard", "bad_domain", "recipient")
    assert refined("450 4.4.4 x", SOFT) == Meaning("bounced", "soft", "routing", "recipient_system")


@pytest.mark.parametrize(
    "text",
    [
        "550 5.7.1 Message blocked due to policy",
        "550 blocked",
        "550 5.7.1 recipient: message blocked",
        "554 5.7.1 Relay access disabled for TLS",
        "550 zip attachment blocked",
        "550 5.0.0 refused",
        "",
    ],
)
def test_words_are_matched_whole(text: str):
    """``blocked`` is not ``locked``, ``zip`` and ``recipient`` are not ``ip``: nobody is blamed by a syllable."""
    assert refined(text).fault == "unknown"


def test_what_says_nothing_changes_nothing():
    """Reason other, fault unknown; what the provider knew already stays."""
    assert refined("550 no") == Meaning("bounced", "hard", "other", "unknown")
    known = Meaning("rejected", "admin", "policy", "recipient_system")
    assert refined("", known) == known
    assert refined("550 5.1.1 user unknown", Meaning("deferred", "soft")).type == "deferred"


@pytest.mark.parametrize(
    ("text", "smtp", "enhanced"),
    [
        ("551 5.1.1 no", "551", "5.1.1"),
        ("Remote host said: 550.", "550", None),
        ("550-5.7.26 x", "550", "5.7.26"),
        ("see 5.1.1.", None, "5.1.1"),
        ("(554.30)", None, None),
        ("connect to 203.0.113.5: refused", None, None),
        ("10.250.5.1 and 5.1.1.4", None, None),
        ("[198.51.100.250] said 421 later", "421", None),
        ("after 300 s, port 25, 12550 bytes", None, None),
        ("", None, None),
    ],
)
def test_codes_are_found_and_addresses_are_not_taken_for_codes(text: str, smtp: str | None, enhanced: str | None):
    """Reply code and enhanced code, wherever they stand."""
    assert diagnose(text) == Diagnosis(smtp, enhanced)


@given(st.text(max_size=200), st.sampled_from([HARD, SOFT, Meaning("deferred", "soft"), Meaning("rejected", "admin")]))
def test_any_text_has_a_reason_and_a_fault(text: str, meaning: Meaning):
    """Nothing raises, the type stays, and no bounce goes without a word on why."""
    result = refined(text, meaning)
    assert result.type == meaning.type
    assert result.reason
    assert result.fault
    assert result.class_


def test_a_long_text_does_not_stop_the_clock():
    """A stranger's text of 200 KB is looked through in well under a second."""
    refined("sender domain address " * 10_000)
    refined("recipient " * 20_000)
