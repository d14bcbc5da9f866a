"""``POST /send``: untrusted JSON -> a mail, or every problem named by field. The contract: README, "Sending"."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.send import members
from functions.send.attachments import Attachment, parse_attachments
from functions.send.given import Given
from functions.send.sizes import check_sizes
from shared.edge.guard_modes import ON
from shared.edge.http_event import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.problems import Problems


class Recipient(NamedTuple):
    """Who gets a mail, and the member of the request that says so, such as ``to[0]``."""

    field: str
    address: str


class Mail(NamedTuple):
    """A mail that passed every check; the members of the contract, in our types."""

    sender: str
    to: list[str]
    cc: list[str]
    bcc: list[str]
    reply_to: str | None
    subject: str
    template_id: int | None
    template_data: dict[str, str]
    html: str | None
    text: str | None
    attachments: list[Attachment]
    unsubscribe: str | None
    transactional: bool
    headers: dict[str, str]
    header_from: str | None
    message_id: str | None
    metadata: dict[str, str]
    warnings: tuple[str, ...] = ()
    """What its caller is to be told of it when it went out."""

    @property
    def people(self) -> list[Recipient]:
        """Everyone who gets it, with the member that names them."""
        lists = (("to", self.to), ("cc", self.cc), ("bcc", self.bcc))
        return [Recipient(f"{name}[{n}]", address) for name, each in lists for n, address in enumerate(each)]

    @property
    def recipients(self) -> list[str]:
        """Everyone who gets it."""
        return [*self.to, *self.cc, *self.bcc]


# json.dumps with options makes an encoder at each call.
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
MEMBERS = frozenset(
    "from to cc bcc reply_to subject template html text attachments unsubscribe transactional headers header_from"
    " message_id metadata".split()
)


def parse_body(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request body. Raises Problem (400)."""
    try:
        value = json.loads(body.decode("utf-8-sig"))
        # NaN is not JSON, and half a surrogate pair has no UTF-8: neither can be sent on.
        _to_json(value).encode()
    except (ValueError, RecursionError) as error:
        raise Problem(400, "invalid_json", "the body is not JSON in UTF-8; nothing was sent") from error
    if not isinstance(value, dict):
        raise Problem(400, "invalid_json", "the body must be a JSON object; nothing was sent")
    return value


def parse_mail(
    body: Mapping[str, Any],
    languages: Mapping[str, str],
    problems: Problems,
    *,
    body_bytes: int = 0,
    sizes: str = ON,
) -> Mail:
    """Return the mail that ``body`` asks for. ``languages``: the unsubscribe languages of the account's site.

    ``problems``: what is wrong with the request besides, to be told with the rest; ``body_bytes``: its length as it
    came; ``sizes``: ``on``, ``warn`` or ``off``, what is done where that is too much.
    Raises Problem (400, or 413 for size alone) that names every problem at once.
    """
    problems.add_unknown("", set(body) - MEMBERS)
    given = Given(body, problems)
    mail = read_mail(given, languages, members.recipients(given), body_bytes=body_bytes, sizes=sizes)
    problems.check()
    return mail


def read_mail(
    given: Given,
    languages: Mapping[str, str],
    recipients: Mapping[str, list[str]],
    *,
    body_bytes: int = 0,
    sizes: str = ON,
) -> Mail:
    """Return the mail to ``recipients`` (to, cc, bcc); what is wrong with it is added to the problems of ``given``.

    ``body_bytes``, ``sizes``: as in ``parse_mail``.
    """
    template_id, template_data = members.template(given)
    mail = Mail(
        sender=members.sender(given, "from", required=True) or "",
        to=recipients["to"],
        cc=recipients["cc"],
        bcc=recipients["bcc"],
        reply_to=members.address(given, "reply_to"),
        subject=members.subject(given),
        template_id=template_id,
        template_data=template_data,
        html=given.text("html"),
        text=given.text("text"),
        attachments=parse_attachments(given.body.get("attachments"), given.problems),
        unsubscribe=members.language(given, languages),
        transactional=given.flag("transactional"),
        headers=members.headers(given),
        header_from=members.sender(given, "header_from", required=False),
        message_id=members.message_id(given),
        metadata=members.metadata(given),
    )
    _check_content(mail, given.problems)
    warnings = check_sizes(mail, languages, body_bytes, sizes, given.problems)
    return mail._replace(warnings=tuple(warnings)) if warnings else mail


def _check_content(mail: Mail, problems: Problems) -> None:
    legacy = mail.html is not None or mail.text is not None
    if mail.template_id is None and not legacy:
        problems.add("template", "is required (or html or text, for accounts that may send without a template)")
    if mail.template_id is not None and legacy:
        problems.add("template", "excludes html and text")
