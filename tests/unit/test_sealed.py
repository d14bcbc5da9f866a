"""A callback as text for a log: any callback comes back whole, nothing else comes out of anything."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhook.receive import MOST_BYTES, Callback
from functions.webhook.sealed import MOST_CHARACTERS, Part, UnsealError, find_parts, seal, unseal

SECRET = "a-secret-of-ours-81c2"
callbacks = st.builds(
    Callback,
    provider=st.sampled_from(["ses", "sendcloud"]),
    headers=st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=3),
    body=st.binary(max_size=400) | st.text(st.characters(exclude_categories=["Cs"]), max_size=200).map(str.encode),
    received_s=st.floats(0, 4e9),
    verified=st.booleans(),
)


@given(callback=callbacks, around=st.tuples(st.text(max_size=20), st.text(max_size=20)), wraps=st.integers(0, 3))
def test_any_callback_comes_back_from_any_line_that_its_text_stands_in(
    callback: Callback, around: tuple[str, str], wraps: int
) -> None:
    """To the bit of its time and the byte of its body, out of JSON in JSON in JSON."""
    (text,) = seal(callback, SECRET)
    # What would be part of the text itself cannot be told from it; a log line has a quote there.
    line = f'{around[0]}"{text}"{around[1]}'
    for _ in range(wraps):
        line = json.dumps({"SCF_Message": line})
    parts = list(find_parts(line))
    assert unseal(parts, ["another-secret-77", SECRET]) == callback


@given(callback=callbacks, place=st.integers(0, 10**6), character=st.sampled_from("ABCwxyz019-_"))
def test_no_character_of_a_text_can_be_changed(callback: Callback, place: int, character: str) -> None:
    """What is read was written by us, as a whole. Bits that Base64 leaves over at the end say nothing."""
    (text,) = seal(callback, SECRET)
    at = len("mtr1.") + place % (len(text) - len("mtr1.") - 1)
    changed = text[:at] + character + text[at + 1 :]
    found = list(find_parts(changed))
    if changed == text or not found:
        return
    try:
        assert unseal(found, [SECRET]) == callback, "only what names the text, and counts its parts, may be odd"
        assert changed.rpartition(".")[2] == text.rpartition(".")[2]
    except UnsealError:
        pass


@given(payload=st.text("ABCabc012_-", min_size=1, max_size=200), number=st.integers(0, 3), parts=st.integers(0, 3))
def test_what_nobody_sealed_is_told_and_never_a_crash(payload: str, number: int, parts: int) -> None:
    key_id = seal(Callback("ses", {}, b"", 0.0, verified=False), SECRET)[0].split(".")[1]
    with pytest.raises(UnsealError):
        unseal([Part(key_id, "0" * 16, number, parts, payload)], [SECRET])
    with pytest.raises(UnsealError):
        unseal([Part("00000000", "0" * 16, 1, 1, payload)], [SECRET])


def test_the_largest_callback_is_cut_into_as_few_parts_as_fit() -> None:
    callback = Callback("ses", {}, bytes(range(256)) * (MOST_BYTES // 256), 1.5, verified=True)
    texts = seal(callback, SECRET)
    assert all(len(text.rpartition(".")[2]) <= MOST_CHARACTERS for text in texts)
    assert len(texts) == math.ceil(sum(len(text.rpartition(".")[2]) for text in texts) / MOST_CHARACTERS)
    parts = [part for text in reversed(texts) for part in find_parts(text)]
    assert unseal(parts + parts[:1], [SECRET]) == callback


def test_a_callback_never_shows_its_content() -> None:
    """It may end in a traceback."""
    assert repr(Callback("ses", {}, b"alice@example.com", 0.0, verified=False)) == "Callback(ses, 17 bytes)"
