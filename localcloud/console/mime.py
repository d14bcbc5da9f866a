"""The MIME message as a recipient's server would get it, as far as that is known. Pure."""

from __future__ import annotations

import json
import mimetypes
import re
from email.headerregistry import (
    ContentDispositionHeader,
    ContentTransferEncodingHeader,
    ContentTypeHeader,
    HeaderRegistry,
)
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from localcloud.defaults import SIMULATOR_DOMAIN

if TYPE_CHECKING:
    from localcloud.console.archive import Mail
    from localcloud.console.content import Content

_REGISTRY = HeaderRegistry(use_default_map=False)
_STRUCTURED: tuple[tuple[str, Any], ...] = (
    ("content-type", ContentTypeHeader),
    ("content-disposition", ContentDispositionHeader),
    ("content-transfer-encoding", ContentTransferEncodingHeader),
)
for _name, _kind in _STRUCTURED:
    _REGISTRY.map_to_type(_name, _kind)
# Header values are text: SES takes much that Python's parsers of addresses, dates and ids stumble over.
# Unfolded up to the limit of RFC 5322 §2.1.1: Python folds a long Message-ID into something that is none.
POLICY = SMTP.clone(max_line_length=998, header_factory=_REGISTRY)
_NAME = re.compile(r"[!-9;-~]+")
_SPECIAL = re.compile(r'[()<>@,:;\\".\[\]]')  # of RFC 5322 §3.2.3: a name with one of them is quoted
_LINE_BREAK = re.compile(r"[\r\n]+")
_OURS = frozenset({"content-type", "content-transfer-encoding", "content-disposition", "mime-version"})
_WITHOUT_UNSUBSCRIBE = "0"


def build_message(mail: Mail, content: Content) -> EmailMessage:
    """Put headers and parts together. What SES itself would add (DKIM, tracking, its footer) is not imitated."""
    message = EmailMessage(policy=POLICY)
    for name, value in _headers(mail):
        _set(message, name, value)
    _fill(message, content)
    for attachment in content.attachments:
        kind, _ = mimetypes.guess_type(attachment.name)
        main, sub = (kind or "application/octet-stream").split("/")
        message.add_attachment(attachment.content, maintype=main, subtype=sub, filename=attachment.name)
    for number, part in enumerate(message.walk()):
        if number:
            del part["MIME-Version"]  # add_alternative gives every part one
        if part.is_multipart():
            # The same source whenever it is looked at.
            part.set_boundary(f"=_localcloud_{number}_{mail.message_id[-12:]}")
    return message


def source_of(message: EmailMessage) -> bytes:
    """Write a message as it stands on the wire, CRLF and all."""
    return message.as_bytes()


def _headers(mail: Mail) -> list[tuple[str, str]]:
    request = mail.request
    shown = str(request.get("HeaderFrom") or mail.sender)
    headers = [("From", _mailbox(shown)), ("To", ", ".join(mail.to)), ("Cc", ", ".join(mail.cc))]
    headers += [("Sender", _mailbox(mail.sender))] if shown != mail.sender else []
    headers += [
        ("Reply-To", str(request.get("ReplyToAddresses") or "")),
        ("Subject", mail.subject),
        ("Date", formatdate(mail.accepted_at)),
        ("Message-ID", mail.smtp_message_id),
    ]
    if str(request.get("Unsubscribe") or _WITHOUT_UNSUBSCRIBE) != _WITHOUT_UNSUBSCRIBE:
        link = f"https://unsubscribe.{SIMULATOR_DOMAIN}/{mail.message_id}"
        headers += [("List-Unsubscribe", f"<{link}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]
    return [*headers, *_given_headers(request.get("SmtpHeaders"))]


def _given_headers(text: object) -> list[tuple[str, str]]:
    try:
        given = json.loads(str(text or "{}"))
    except ValueError:
        return []
    pairs = given.items() if isinstance(given, dict) else ()
    return [(str(name), str(value)) for name, value in pairs if str(name).lower() not in _OURS]


def _mailbox(text: str) -> str:
    alias, _, address = text.rpartition(" <")
    if not alias or alias.startswith('"') or not _SPECIAL.search(alias):
        return text
    quoted = re.sub(r'([\\"])', r"\\\1", alias)
    return f'"{quoted}" <{address}'


def _set(message: EmailMessage, name: str, value: str) -> None:
    if value and _NAME.fullmatch(name):
        del message[name]  # the caller's own wins
        message[name] = _LINE_BREAK.sub(" ", value)


def _fill(message: EmailMessage, content: Content) -> None:
    if content.text or not content.html:
        message.set_content(content.text, cte="quoted-printable")
    if content.html and content.text:
        message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    elif content.html:
        message.set_content(content.html, subtype="html", cte="quoted-printable")
