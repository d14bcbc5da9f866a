"""The mails as JSON and as documents: lists, one mail, its HTML, source, request and attachments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.console.archive import metadata_of
from localcloud.console.assets import download, framed
from localcloud.console.content import compose, dissect
from localcloud.console.inputs import parse_page
from localcloud.console.mime import build_message, source_of
from localcloud.console.query import outcome_condition, parse_query
from localcloud.console.timeline import build_recipients
from localcloud.inputs import parse_whole_number
from localcloud.ses.days import format_utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.console.archive import Archive, Mail
    from localcloud.console.content import Content
    from localcloud.exchange import Response
    from localcloud.world import LocalCloud

    Query = Mapping[str, str]

CALLBACKS_LIMIT = 2000
_LINKS_ELSEWHERE = '<base target="_blank">'
"""A link opens another window, and the frame may not open any: following one does nothing, and says nothing outside."""


class Mails:
    """Every method raises LookupError for a mail that is not there."""

    def __init__(self, cloud: LocalCloud, archive: Archive) -> None:
        self._cloud = cloud
        self._archive = archive

    def page(self, query: Query) -> dict[str, Any]:
        """``query``, ``outcome``, ``before``, ``limit`` → ``mails``, ``next`` (null: no more) and ``total`` of all."""
        before, limit = parse_page(query)
        conditions = parse_query(query.get("query", ""))
        if query.get("outcome"):
            conditions.append(outcome_condition(query["outcome"]))
        mails, following = self._archive.page(conditions, before, limit)
        return {"mails": mails, "next": following or None, "total": self._archive.count()}

    def one(self, query: Query) -> dict[str, Any]:
        """``message_id`` → everything about a mail but its HTML and the bytes of its attachments."""
        mail, content = self._find(query)
        message = build_message(mail, content)
        anatomy = dissect(content.html)
        callbacks = self._cloud.callbacks.history(mail.message_id, CALLBACKS_LIMIT)
        rows, upcoming = self._archive.status_rows(mail.message_id), self._archive.upcoming(mail.message_id)
        return {
            **{name: getattr(mail, name) for name in ("message_id", "to", "cc", "bcc", "subject", "smtp_message_id")},
            "from": mail.sender,
            "accepted_at": format_utc(mail.accepted_at),
            "task_id": mail.task_id,
            "template_id": mail.template_id,
            "template": content.template,
            "variables": content.variables,
            "metadata": metadata_of(mail.echo),
            "has_html": bool(content.html),
            "text": content.text,
            "headers": [[name, str(value)] for name, value in message.items()],
            "links": [{"address": address, "text": text} for address, text in anatomy.links],
            "remote": anatomy.remote,
            "attachments": [{"name": one.name, "size_bytes": len(one.content)} for one in content.attachments],
            "request": _without_content(mail.request),
            "recipients": build_recipients(mail, rows, callbacks, upcoming),
        }

    def html(self, query: Query) -> Response:
        """Return its HTML, for a sandboxed frame."""
        _, content = self._find(query)
        doctype, end, rest = content.html.partition(">")
        if end and doctype.strip().lower().startswith("<!doctype"):
            return framed(f"{doctype}>{_LINKS_ELSEWHERE}{rest}")
        return framed(_LINKS_ELSEWHERE + content.html)

    def source(self, query: Query) -> Response:
        """Return its MIME message, as a file."""
        mail, content = self._find(query)
        return download(source_of(build_message(mail, content)), f"{mail.message_id}.eml")

    def request(self, query: Query) -> Response:
        """Return the parameters of SendEmail as they came, as a file."""
        mail = self._archive.mail(query["message_id"])
        return download(json.dumps(mail.request, ensure_ascii=False, indent=2).encode(), f"{mail.message_id}.json")

    def attachment(self, query: Query) -> Response:
        """Return the attachment of that ``number``, as a file."""
        _, content = self._find(query)
        number = parse_whole_number(query["number"], "number")
        if not 0 <= number < len(content.attachments):
            raise LookupError(f"There is no attachment {number}")
        return download(content.attachments[number].content, content.attachments[number].name)

    def _find(self, query: Query) -> tuple[Mail, Content]:
        mail = self._archive.mail(query["message_id"])
        return mail, compose(mail, self._archive.template(mail.template_id))


def _without_content(request: dict[str, Any]) -> dict[str, Any]:
    """Leave out the bytes of attachments: they are downloads of their own, and so is the whole request."""
    shown = [
        {**one, "Content": f"({len(one.get('Content') or '')} characters of base64)"}
        for one in request.get("Attachments") or ()
    ]
    return {**request, "Attachments": shown} if shown else request
