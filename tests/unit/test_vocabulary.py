"""Provider words -> our words, row by row, as the survey of the vendors' pages has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trail import bounce, vocabulary
from shared.trail.vocabulary import Meaning

TYPES = set(
    "accepted deferred delivered bounced rejected failed opened clicked complained unsubscribed unknown".split()
)
CLASSES = {"hard", "soft", "block", "admin", "undetermined", None}
REASONS = set(
    "invalid_recipient inactive_mailbox bad_domain mailbox_full too_large spam_content spam_block reputation auth_failed "
    "policy rate_limited greylisted no_answer dns network routing protocol expired suppressed unsubscribed "
    "invalid_address sender_unverified sender_config template quota billing provider_error other".split()
) | {None}
FAULTS = set(
    "recipient sender_reputation sender_auth content sender_config recipient_system network provider unknown".split()
) | {None}


def every_meaning() -> list[Meaning]:
    """Return everything the tables can say."""
    tables = [
        vocabulary.SES_EVENTS,
        vocabulary.SES_BOUNCES,
        vocabulary.DELIVER_STATUS,
        vocabulary.SENDCLOUD_EVENTS,
        vocabulary.SENDCLOUD_STATUS,
        vocabulary.SENDCLOUD_SUB_STATUS,
    ]
    said = [meaning for table in tables for meaning in table.values()]
    said += [row.meaning for row in vocabulary.SEND_STATUS.values()]
    said += [Meaning("bounced", rule.class_, rule.reason, rule.fault) for rule in bounce._TEXT_RULES]
    said += [*bounce._ENHANCED_TABLE.values(), *bounce._ENHANCED_FAMILIES.values(), *bounce._BASIC_TABLE.values()]
    return said


def test_no_table_says_a_word_that_readers_do_not_know():
    """Types, classes, reasons and faults are closed lists."""
    for meaning in every_meaning():
        assert meaning.type in TYPES
        assert meaning.class_ in CLASSES
        assert meaning.reason in REASONS
        assert meaning.fault in FAULTS


def test_only_what_did_not_arrive_has_a_class():
    """A class belongs to bounced, rejected and deferred."""
    assert {meaning.type for meaning in every_meaning() if meaning.class_} == {"bounced", "rejected", "deferred"}


@pytest.mark.parametrize(
    ("event", "bounce_type", "meaning"),
    [
        ("processed", "", Meaning("accepted")),
        ("delivered", "", Meaning("delivered")),
        ("dropped", "", Meaning("rejected", "admin")),
        ("bounce", "hard_bounce", Meaning("bounced", "hard")),
        ("bounce", "hard", Meaning("bounced", "hard")),
        ("bounce", "soft_bounce", Meaning("bounced", "soft")),
        ("bounce", "soft", Meaning("bounced", "soft")),
        ("bounce", "", Meaning("bounced", "undetermined")),
        ("bounce", "blocked", Meaning("bounced", "undetermined")),
        ("deferred", "", Meaning("deferred", "soft")),
        ("open", "", Meaning("opened")),
        ("click", "", Meaning("clicked")),
        ("spamreport", "", Meaning("complained", fault="content")),
        ("unsubscribe", "", Meaning("unsubscribed")),
        ("delivered", "hard_bounce", Meaning("delivered")),
        ("inbound", "", vocabulary.UNKNOWN),
        ("", "", vocabulary.UNKNOWN),
    ],
)
def test_ses_events(event: str, bounce_type: str, meaning: Meaning):
    """All documented events, both generations of bounceType; a bounce of a new kind is still a bounce."""
    assert vocabulary.ses_event(event, bounce_type) == meaning


def test_event_ids_name_the_documented_events():
    """Callback eventid 1 to 8."""
    assert sorted(vocabulary.EVENT_IDS) == list(range(1, 9))
    assert set(vocabulary.EVENT_IDS.values()) == set(vocabulary.SES_EVENTS) - {"processed"}


@pytest.mark.parametrize(
    ("code", "type_", "reason"),
    [
        (0, "accepted", None),
        (1001, "failed", "provider_error"),
        (1002, "failed", "provider_error"),
        (1003, "failed", "provider_error"),
        (1004, "failed", "provider_error"),
        (1005, "failed", "provider_error"),
        (1006, "rejected", "rate_limited"),
        (1007, "rejected", "suppressed"),
        (1008, "rejected", "policy"),
        (1009, "failed", "provider_error"),
        (1010, "rejected", "quota"),
        (1011, "failed", "template"),
        (1013, "rejected", "unsubscribed"),
        (2001, "unknown", None),
        (3007, "failed", "template"),
        (3008, "rejected", "rate_limited"),
        (3009, "failed", "template"),
        (3010, "failed", "template"),
        (3014, "failed", "sender_unverified"),
        (3020, "rejected", "policy"),
        (3024, "rejected", "invalid_address"),
        (3030, "rejected", "reputation"),
        (3033, "rejected", "billing"),
    ],
)
def test_every_send_status(code: int, type_: str, reason: str | None):
    """Row by row; whatever DeliverStatus says beside a refusal, SES's own refusal stands."""
    row = vocabulary.send_status(code)
    assert row.text
    assert (row.meaning.type, row.meaning.reason) == (type_, reason)
    if code:
        assert vocabulary.ses_status(code, 1) == row.meaning


def test_the_table_of_send_status_holds_no_other_row():
    """The rows above are all of them."""
    assert len(vocabulary.SEND_STATUS) == 23
    assert vocabulary.SEND_STATUS[1008].meaning.fault == "recipient_system"


@pytest.mark.parametrize(
    ("deliver", "type_", "class_"),
    [
        (0, "accepted", None),
        (1, "delivered", None),
        (2, "rejected", "admin"),
        (3, "bounced", "undetermined"),
        (8, "deferred", "soft"),
        (4, "unknown", None),
        (-1, "unknown", None),
    ],
)
def test_every_deliver_status(deliver: int, type_: str, class_: str | None):
    """0, 1, 2, 3 and 8; the numbers between are other events' and are kept as unknown."""
    meaning = vocabulary.ses_status(0, deliver)
    assert (meaning.type, meaning.class_) == (type_, class_)


@pytest.mark.parametrize("deliver", [1, 2, 3, 8])
def test_deliver_status_and_event_id_agree(deliver: int):
    """The same number, the same type: rows and callbacks can be reconciled."""
    assert vocabulary.ses_status(0, deliver).type == vocabulary.ses_event(vocabulary.EVENT_IDS[deliver]).type


@given(st.integers(), st.integers())
def test_any_status_has_a_meaning(send: int, deliver: int):
    """Numbers of no page are unknown, with a text for people; nothing raises."""
    assert vocabulary.ses_status(send, deliver).type in TYPES
    assert vocabulary.send_status(send).text
    if send not in vocabulary.SEND_STATUS:
        assert vocabulary.ses_status(send, deliver) == vocabulary.UNKNOWN


@pytest.mark.parametrize(
    ("words", "type_", "class_"),
    [
        ("request", "accepted", None),
        ("deliver delivered", "delivered", None),
        ("open", "opened", None),
        ("click", "clicked", None),
        ("unsubscribe", "unsubscribed", None),
        ("report_spam spam-report", "complained", None),
        ("invalid invalid_email", "bounced", "hard"),
        ("soft_bounce bounce", "bounced", "soft"),
    ],
)
def test_sendcloud_events_of_every_generation(words: str, type_: str, class_: str | None):
    """sendcloud.net of 2015 and 2017, aurorasendcloud.com."""
    for word in words.split():
        meaning = vocabulary.SENDCLOUD_EVENTS[word]
        assert (meaning.type, meaning.class_) == (type_, class_)
    assert "route" not in vocabulary.SENDCLOUD_EVENTS


@pytest.mark.parametrize(
    ("status", "type_", "class_"),
    [
        ("送达", "delivered", None),
        ("投递成功", "delivered", None),
        ("请求中", "accepted", None),
        ("无效邮件", "bounced", "hard"),
        ("软退信", "bounced", "soft"),
        ("别的", "unknown", None),
        ("", "unknown", None),
    ],
)
def test_sendcloud_status_words(status: str, type_: str, class_: str | None):
    """Alone, or beside a sub-status that no page lists."""
    for sub_status in (None, 0, 999):
        meaning = vocabulary.sendcloud_status(status, sub_status)
        assert (meaning.type, meaning.class_) == (type_, class_)


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (401, Meaning("rejected", "admin", "suppressed", "recipient")),
        (402, Meaning("rejected", "admin", "unsubscribed", "recipient")),
        (403, Meaning("bounced", "hard", "no_answer", "recipient_system")),
        (404, Meaning("rejected", "admin", "invalid_address", "recipient")),
        (405, Meaning("bounced", "block", "reputation", "sender_reputation")),
        (406, Meaning("bounced", "hard", "invalid_recipient", "recipient")),
        (407, Meaning("bounced", "block", "spam_content", "content")),
        (408, Meaning("bounced", "block", "policy", "unknown")),
        (409, Meaning("bounced", "undetermined", "other", "unknown")),
        (503, Meaning("bounced", "soft", "no_answer", "recipient_system")),
        (505, Meaning("bounced", "block", "reputation", "sender_reputation")),
        (506, Meaning("bounced", "soft", "invalid_recipient", "recipient")),
        (507, Meaning("bounced", "block", "spam_content", "content")),
        (508, Meaning("bounced", "block", "policy", "unknown")),
        (509, Meaning("bounced", "soft", "other", "unknown")),
    ],
)
def test_every_sendcloud_sub_status(code: int, meaning: Meaning):
    """It says more than the word beside it; 501, 502 and 504 do not exist."""
    assert vocabulary.sendcloud_status("无效邮件" if code < 500 else "软退信", code) == meaning
    assert len(vocabulary.SENDCLOUD_SUB_STATUS) == 15
