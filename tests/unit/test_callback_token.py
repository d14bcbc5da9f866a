"""The token that comes back with every event of a mail: what it carries, whom it covers, and that nothing of it can be changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.upstream import signing

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/,="), min_size=1, max_size=40)
WORDS = st.text(max_size=20)
ADDRESSES = st.emails()


@given(KEYS, WORDS, st.lists(ADDRESSES, max_size=5), st.dictionaries(WORDS, WORDS, max_size=4))
def test_a_token_gives_back_reference_metadata_and_recipients(
    key: str, reference: str, recipients: list[str], metadata: dict[str, str]
) -> None:
    """Round trip, with a retired key still in the list."""
    token = signing.build_callback_token(key, reference, recipients, metadata)
    parsed = signing.parse_callback_token(["retired", key], token)
    assert (parsed.reference, parsed.metadata) == (reference, metadata)
    assert all(parsed.covers(address) for address in recipients)


@given(KEYS, WORDS, st.lists(ADDRESSES, max_size=5), ADDRESSES)
def test_a_token_covers_the_recipients_of_its_mail_and_nobody_else(
    key: str, reference: str, recipients: list[str], stranger: str
) -> None:
    """covers() is exact, but for letter case and blanks around an address."""
    parsed = signing.parse_callback_token([key], signing.build_callback_token(key, reference, recipients))
    assert parsed.covers(stranger) is (stranger.lower() in {address.lower() for address in recipients})
    assert all(parsed.covers(f" {address.upper()} ") for address in recipients if address.isascii())


@given(KEYS, WORDS, st.lists(ADDRESSES, max_size=3), st.dictionaries(WORDS, WORDS, max_size=3))
def test_a_token_is_a_header_value_that_shows_no_address(
    key: str, reference: str, recipients: list[str], metadata: dict[str, str]
) -> None:
    """It travels in a mail header: printable ASCII, no blank, and the same for the same mail."""
    token = signing.build_callback_token(key, reference, recipients, metadata)
    assert token.isascii()
    assert token.isprintable()
    assert " " not in token
    assert not any(address in token for address in recipients)
    assert token == signing.build_callback_token(key, reference, recipients[::-1], dict(reversed(metadata.items())))


@given(st.data(), WORDS, st.lists(ADDRESSES, min_size=1, max_size=2), st.characters(codec="utf-8"))
def test_a_token_with_any_character_changed_is_refused(
    data: st.DataObject, reference: str, recipients: list[str], char: str
) -> None:
    """Any character in any place, whatever the mail."""
    token = signing.build_callback_token("key", reference, recipients, {"order": "42"})
    position = data.draw(st.integers(min_value=0, max_value=len(token) - 1))
    tampered = token[:position] + char + token[position + 1 :]
    if tampered != token:
        with pytest.raises(ValueError, match="not a token of ours"):
            signing.parse_callback_token(["key"], tampered)


def test_a_token_is_refused_with_each_byte_changed_each_way() -> None:
    """Exhaustive over one token: no bit of it is free (base64 has spare bits where the length is odd)."""
    token = signing.build_callback_token("key", "order-42", ["alice@example.com"], {"order": "42"}).encode()
    for position in range(len(token)):
        for bit in range(7):
            tampered = bytearray(token)
            tampered[position] ^= 1 << bit
            with pytest.raises(ValueError, match="not a token of ours"):
                signing.parse_callback_token(["key"], tampered.decode())


@given(WORDS, st.integers(min_value=0))
def test_a_token_cut_or_lengthened_is_refused(reference: str, seed: int) -> None:
    """Neither end of a token is free."""
    token = signing.build_callback_token("key", reference, ["alice@example.com"])
    for other in (token[: seed % len(token)], token + "A", token + ".", "." + token, token + token):
        with pytest.raises(ValueError, match="not a token of ours"):
            signing.parse_callback_token(["key"], other)


@given(KEYS, KEYS)
def test_a_token_of_another_key_is_refused(key: str, other: str) -> None:
    """Only a live key opens a token, and no key opens none."""
    token = signing.build_callback_token(key, "order-42", ["alice@example.com"])
    if key != other:
        with pytest.raises(ValueError, match="not a token of ours"):
            signing.parse_callback_token([other], token)
    with pytest.raises(ValueError, match="not a token of ours"):
        signing.parse_callback_token([], token)


@given(st.text())
def test_text_that_is_no_token_is_refused(text: str) -> None:
    """Anything at all may stand in the field; the answer is always the same."""
    with pytest.raises(ValueError, match="not a token of ours"):
        signing.parse_callback_token(["key"], text)


@given(WORDS, st.text())
def test_the_reference_of_a_token_can_be_read_again_and_of_anything_else_none(reference: str, other: str) -> None:
    """For events whose token was verified when they came; the key may have been rotated since."""
    token = signing.build_callback_token("key", reference, ["alice@example.com"], {"order": "42"})
    assert signing.callback_reference(token) == reference
    assert signing.callback_reference(other) == ""
