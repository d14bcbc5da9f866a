"""What a mail says: its HTML and text with the variables in place, its attachments and links. Pure.

A template is taken as it is now: SES keeps no older version of one, and neither do we.
"""

from __future__ import annotations

import base64
import json
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.ses.content import render

if TYPE_CHECKING:
    from localcloud.console.archive import Mail

LINKS_LIMIT = 200


class Attachment(NamedTuple):
    """A file; ``content`` as it would arrive."""

    name: str
    content: bytes


class Content(NamedTuple):
    """``html`` or ``text`` is empty when the mail has none. ``template``: its name; None: not from a template."""

    html: str
    text: str
    template: str | None
    variables: dict[str, Any]
    attachments: list[Attachment]


class Anatomy(NamedTuple):
    """``links``: (address, text), in order, each address once. ``remote``: addresses that the HTML would load."""

    links: list[tuple[str, str]]
    remote: list[str]


def compose(mail: Mail, template: tuple[str, str, str] | None) -> Content:
    """Put a mail together; ``template``: name, HTML, text of the one it names."""
    request = mail.request
    attachments = [_attachment(one) for one in request.get("Attachments") or []]
    if not mail.template_id:
        simple = request.get("Simple") or {}
        return Content(_decode(simple.get("Html")), _decode(simple.get("Text")), None, {}, attachments)
    variables = _variables(request)
    name, html, text = template or (f"{mail.template_id} (deleted)", "", "")
    # SES refuses tags in values, and quotes can still break out of an attribute: a value is text, never markup.
    escaped = {name: escape(str(value)) for name, value in variables.items()}
    return Content(render(html, escaped), render(text, variables), name, variables, attachments)


def dissect(html: str) -> Anatomy:
    """Find the links and the remote parts of a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    links = {address: text.strip() for address, text in reader.links[:LINKS_LIMIT]}
    return Anatomy(list(links.items()), list(dict.fromkeys(reader.remote))[:LINKS_LIMIT])


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.remote: list[str] = []
        self._is_inside = False

    def parse_marked_section(self, i: int, report: int = 1) -> int:  # noqa: ARG002 - its signature
        """Pass over ``<![`` as browsers do; Python's own raises AssertionError for what it does not know."""
        return self.parse_bogus_comment(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element points at."""
        values = {name: value or "" for name, value in attrs}
        if tag == "a":
            self._is_inside = "href" in values
            if self._is_inside:
                self.links.append((values["href"], ""))
            return
        loaded = (values.get(name, "") for name in ("src", "background", "poster", "srcset"))
        loaded_also = values.get("href", "") if tag == "link" else ""
        self.remote += [one for one in (*loaded, loaded_also) if one.lower().startswith(("http:", "https:", "//"))]

    def handle_endtag(self, tag: str) -> None:
        """Leave a link."""
        if tag == "a":
            self._is_inside = False

    def handle_data(self, data: str) -> None:
        """Take the text of a link."""
        if self._is_inside:
            address, text = self.links[-1]
            self.links[-1] = (address, text + data)


def _attachment(given: dict[str, Any]) -> Attachment:
    return Attachment(str(given.get("FileName", "")), base64.b64decode(given.get("Content") or ""))


def _variables(request: dict[str, Any]) -> dict[str, Any]:
    variables = json.loads((request.get("Template") or {}).get("TemplateData") or "{}")
    return variables if isinstance(variables, dict) else {}


def _decode(text: str | None) -> str:
    return base64.b64decode(text or "").decode("utf-8", "replace")
