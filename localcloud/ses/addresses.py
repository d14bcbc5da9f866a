"""Senders and recipients as SendEmail wants them written. Pure.

Source: https://www.tencentcloud.com/document/api/1084/39502.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from localcloud.ses.errors import ApiError

if TYPE_CHECKING:
    from localcloud.ses.params import Params

LIMITS = {"Destination": 50, "Cc": 20, "Bcc": 20}
"""Most recipients per field."""

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@(?:{_LABEL}\.)+[A-Za-z][A-Za-z0-9-]{{1,62}}")
_WITH_ALIAS = re.compile(r"(?P<alias>[^:<>\r\n]*[^:<>\s]) <(?P<address>[^<>\s]+)>")


class Sender(NamedTuple):
    """FromEmailAddress as given, and the bare address inside it."""

    text: str
    address: str

    @property
    def domain(self) -> str:
        """The part after the @, lower-cased."""
        return domain_of(self.address)


class Recipients(NamedTuple):
    """Who the mail goes to, per field, in the order given."""

    to: list[str]
    cc: list[str]
    bcc: list[str]

    @property
    def everyone(self) -> list[str]:
        """Every address once (letter case aside), To first."""
        seen: dict[str, str] = {}
        for address in (*self.to, *self.cc, *self.bcc):
            seen.setdefault(address.lower(), address)
        return list(seen.values())


def domain_of(address: str) -> str:
    """Return what follows the @, lower-cased."""
    return address.rpartition("@")[2].lower()


def is_address(text: str) -> bool:
    """Whether ``text`` is one bare address (ASCII, at most 254 characters)."""
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def parse_sender(params: Params) -> Sender:
    """Read FromEmailAddress: a bare address, or ``alias <address>`` with exactly one space and no colon."""
    text = params.text("FromEmailAddress")
    if not text.strip():
        raise ApiError("InvalidParameterValue.EmailAddressIsNULL")
    with_alias = _WITH_ALIAS.fullmatch(text)
    address = with_alias["address"] if with_alias else text
    if not is_address(address):
        raise ApiError("FailedOperation.IncorrectSender")
    return Sender(text, address)


def parse_recipients(params: Params) -> Recipients:
    """Read Destination, Cc and Bcc: one recipient at least, the limit of each field, Bcc apart from Destination."""
    fields = {name: params.texts(name) for name in LIMITS}
    if not any(fields.values()):
        raise ApiError("MissingParameter", "At least one of `Destination`, `Cc` and `Bcc` is required.")
    for name, limit in LIMITS.items():
        if len(fields[name]) > limit:
            raise ApiError("FailedOperation.TooManyRecipients", f"`{name}` takes at most {limit}.")
        for address in fields[name]:
            _check_recipient(address)
    if {a.lower() for a in fields["Bcc"]} & {a.lower() for a in fields["Destination"]}:
        raise ApiError("InvalidParameterValue.RepeatEmailAddress", "Bcc and Destination must not overlap.")
    return Recipients(fields["Destination"], fields["Cc"], fields["Bcc"])


def check_optional(params: Params, name: str) -> str:
    """Read an optional address field (ReplyToAddresses); empty means none."""
    text = params.text_or(name, "")
    if text and not is_address(_bare(text)):
        raise ApiError("FailedOperation.IncorrectEmail", f"`{name}` is not an address.")
    return text


def check_header_from(params: Params, sender: Sender) -> str:
    """Read HeaderFrom: an address, with or without alias, of the sender's own domain; empty means none."""
    text = check_optional(params, "HeaderFrom")
    if text and domain_of(_bare(text)) != sender.domain:
        raise ApiError("FailedOperation.IncorrectSender", "HeaderFrom must be of the domain of FromEmailAddress.")
    return text


def _bare(text: str) -> str:
    with_alias = _WITH_ALIAS.fullmatch(text)
    return with_alias["address"] if with_alias else text


def _check_recipient(address: str) -> None:
    if not address.strip():
        raise ApiError("InvalidParameterValue.EmailAddressIsNULL")
    if not is_address(address):
        raise ApiError("InvalidParameterValue.ReceiverEmailInvalid", f"`{address[:100]}`")
