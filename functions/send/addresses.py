"""Addresses and sender names as SES takes them.

``alias <addr>`` with exactly one space, no colon in the alias: seed 002,
https://www.tencentcloud.com/document/api/1084/39387.
"""

from __future__ import annotations

import re

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_LOCAL}@(?:{_LABEL}\.)+{_LABEL}")
_NAMED = re.compile(r"(?P<alias>[^<>\x00-\x1f\x7f\x85\u2028\u2029]*[^<>\s\x00-\x1f\x7f]) <(?P<address>[^<>\s]+)>")


def is_address(text: str) -> bool:
    """Whether ``text`` is one bare e-mail address, at most 254 characters, 64 before the @."""
    return len(text) <= 254 and len(text.partition("@")[0]) <= 64 and _ADDRESS.fullmatch(text) is not None


def bare_address(sender: str) -> str:
    """Return the address of ``alias <addr>`` or of a bare address."""
    match = _NAMED.fullmatch(sender)
    return match["address"] if match else sender


def sender_problem(sender: str) -> str | None:
    """Say what is wrong with a sender, or None."""
    if is_address(sender):
        return None
    match = _NAMED.fullmatch(sender)
    if match is None:
        return "must be an address, or a name, one space and <address>"
    if ":" in match["alias"]:
        return "the name must not contain a colon"
    if match["alias"] != match["alias"].strip():
        return "exactly one space stands between the name and <address>"
    return None if is_address(match["address"]) else "the part in <> is not an address"
