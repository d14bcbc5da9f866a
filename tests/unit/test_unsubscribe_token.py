"""The token of an unsubscribe link: gives back what it was made of, under a live key, and tells nobody else."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.upstream.unsubscribe_token import Unsubscribe, build_unsubscribe_token, parse_unsubscribe_token

KEY, OTHER = "a-key-of-the-first-kind", "a-key-of-the-other-kind"
WISH = Unsubscribe("alice@example.com", "mail.example.com", 1795162200)
TOKEN = build_unsubscribe_token(KEY, WISH)
URL_SAFE = set(string.ascii_letters + string.digits + "-_")

local = st.text(string.ascii_lowercase + string.digits + "!#$%&'*+/=?^_`{|}~.-", min_size=1, max_size=64)
domain = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?(\.[a-z]{2,8}){1,4}", fullmatch=True)
wishes = st.builds(lambda a, d, s, t: Unsubscribe(f"{a}@{d}", s, t), local, domain, domain, st.integers(0, 2**40 - 1))


def test_a_token_of_this_version_stays_what_it_is() -> None:
    """Links lie in mailboxes for years: a change of the format needs a new version beside this one."""
    assert TOKEN == (
        "AXDOCHIMOAogQSK1wtRibr9bz3EU3nC9rBg5rZgsXW3tIt9kD2_dhvMefofzHo484NJih4W5hP0"
    )  # fmt: skip


@given(wishes)
def test_what_was_put_in_comes_out(wish: Unsubscribe) -> None:
    token = build_unsubscribe_token(KEY, wish)
    assert parse_unsubscribe_token([OTHER, KEY], token) == wish
    assert set(token) <= URL_SAFE


def test_letter_case_does_not_make_another_person() -> None:
    assert build_unsubscribe_token(KEY, WISH._replace(address=" Alice@Example.COM")) == TOKEN


def test_the_longest_address_and_domain_leave_room_in_a_header_line() -> None:
    """RFC 5322: 998 octets; 254 characters of address, 253 of domain."""
    longest = Unsubscribe("a" * 64 + "@" + "b" * 189, "c" * 253, 2**32 - 1)
    assert len(build_unsubscribe_token(KEY, longest)) <= 710


def test_neither_address_nor_domain_can_be_read_from_a_token() -> None:
    raw = base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4))
    for word in (b"alice", b"example", b"mail"):
        assert word not in raw
    other = base64.urlsafe_b64decode(build_unsubscribe_token(KEY, WISH._replace(issued_at_s=1)) + "===")
    same = sum(a == b for a, b in zip(raw[1:], other[1:], strict=False))
    assert same < len(raw) / 4, "two tokens of one person have nothing in common"


@given(st.data())
def test_a_token_that_was_changed_anywhere_is_refused(data: st.DataObject) -> None:
    """Every character counts, the last one too, whose low bits base64 ignores; so do those that it skips."""
    at = data.draw(st.integers(0, len(TOKEN) - 1))
    changed = data.draw(st.characters(codec="utf-8").filter(lambda c: c != TOKEN[at]))
    for forged in (
        TOKEN[:at] + changed + TOKEN[at + 1 :],
        TOKEN[:at],
        TOKEN[:at] + changed + TOKEN[at:],
        TOKEN + "=" * at,
    ):
        if forged != TOKEN:
            with pytest.raises(ValueError, match=r"^not a token of ours$"):
                parse_unsubscribe_token([KEY, OTHER], forged)


@given(st.text())
def test_whatever_a_stranger_writes_is_refused_with_one_message(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a token of ours$"):
        parse_unsubscribe_token([KEY], text)


def test_a_key_that_is_not_live_any_more_ends_its_links() -> None:
    assert parse_unsubscribe_token([OTHER, KEY], TOKEN) == WISH
    for keys in ([OTHER], []):
        with pytest.raises(ValueError, match=r"^not a token of ours$"):
            parse_unsubscribe_token(keys, TOKEN)


def test_another_version_is_refused() -> None:
    raw = base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4))
    later = base64.urlsafe_b64encode(b"\x02" + raw[1:]).decode().rstrip("=")
    with pytest.raises(ValueError, match=r"^not a token of ours$"):
        parse_unsubscribe_token([KEY], later)


def test_the_person_is_not_in_the_repr() -> None:
    assert "alice" not in repr(WISH)
