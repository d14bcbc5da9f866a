"""SendCloud signs a timestamp and a token, never the event: hence a window for the one and a memory for the other.

Who has seen one callback could otherwise say anything under its signature, for ever. How often SendCloud repeats a
callback depends on the page (5 times within 31 minutes, 6 times, 7 times within two days), and none says whether a
repeat carries the old timestamp and token. The window is wider than the longest of them; within it a token may say one
thing only, as often as it likes: a repeat of the same content passes, another content is refused.

Sources: https://aurorasendcloud.com/docs/Webhook/KonwWebhook (5 times; as the guide of 2017),
https://aurorasendcloud.com/docs/zh/Webhook/KonwWebhook (6 times).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from functions.webhook.authenticate import REPLAYED, STALE, Refused, signed_fields
from functions.webhook.body import UnreadableError, load_json
from shared.trail.layout import used_token_key
from shared.trail.records import VERSION, canonical_json, day_of, encode_line, plausible_epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.webhook.ingest import Desk

BEHIND_S = 72 * 3600
"""Seconds that a signed timestamp may lie in the past."""
AHEAD_S = 600
"""Seconds that it may lie in the future: clocks differ."""
AT_ONCE = 8
"""Tokens of one callback that are claimed side by side."""
WHY = {STALE: "a SendCloud timestamp outside the window", REPLAYED: "a SendCloud token used before"}
"""What quarantine says of a callback whose signature is right and which is refused all the same."""


def use_tokens(objects: Sequence[Any], desk: Desk) -> None:
    """Claim the token of every object for what it says, when all their signatures are right.

    Raises Refused when a timestamp lies outside the window or a token was used for something else, StoreError when COS
    did not tell: then nothing may be acknowledged. What was claimed stays so, for the repeat of the same content.
    """
    said: dict[str, list[bytes]] = {}
    for raw in objects:
        said.setdefault(_claim_key(raw, desk), []).append(_content(raw))
    # Several objects under one token are one thing said, in whatever order.
    claims = {key: hashlib.sha256(b"\n".join(sorted(contents))).hexdigest() for key, contents in said.items()}
    if not all(_claimed_all(claims, desk)):
        raise Refused(REPLAYED)


def _claim_key(raw: Any, desk: Desk) -> str:
    fields = signed_fields(raw)
    signed_at_s = _signed_at(fields["timestamp"])
    if signed_at_s is None or not desk.received_s - BEHIND_S <= signed_at_s <= desk.received_s + AHEAD_S:
        raise Refused(STALE)
    # Signed as one text, so kept as one: where the timestamp ends is for the sender to say, and nothing new.
    signed = (fields["timestamp"] + fields["token"]).encode("utf-8", "surrogatepass")
    return used_token_key(day_of(signed_at_s, desk.utc_offset_s), hashlib.sha256(signed).hexdigest())


def _signed_at(text: str) -> float | None:
    """Epoch seconds of digits, in seconds or milliseconds. Digits alone: ``1e3`` is a number, not a timestamp."""
    return plausible_epoch(text) if text.isascii() and text.isdigit() else None


def _claimed_all(claims: dict[str, str], desk: Desk) -> list[bool]:
    def claim(one: tuple[str, str]) -> bool:
        # The same bytes for the same content, so that a repeat is taken for the claim's own maker.
        return desk.store.create_if_absent(one[0], encode_line({"v": VERSION, "content_sha256": one[1]}))

    if len(claims) <= 1:
        return list(map(claim, claims.items()))
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - no page of SendCloud's knows an array

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(claim, claims.items()))


def _content(raw: dict[str, Any]) -> bytes:
    """Return the same bytes for the same event, as a form or as JSON, in whatever order its fields come.

    The signature is left out: it proves the token, and another APP KEY makes another one.
    """
    plain = {name: _plain(value) for name, value in raw.items() if name.lower() != "signature"}
    return canonical_json({name: value for name, value in plain.items() if value != ""})


def _plain(value: Any) -> Any:
    """Return text for whatever a form can only say as text; lists and objects stay so, also out of a form's text."""
    if isinstance(value, str) and value.startswith(("[", "{")):
        value = _parsed(value)
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    return str(value)


def _parsed(text: str) -> Any:
    try:
        return load_json(text)
    except UnreadableError:
        return text
