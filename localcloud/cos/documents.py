"""XML as COS writes and reads it: text built from escaped elements, bodies parsed with ``xml.etree``."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from collections.abc import Iterator

DECLARATION = "<?xml version='1.0' encoding='utf-8' ?>\n"
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Parsers turn a bare carriage return into a line feed, so it travels as a reference.
_REFERENCES = {"\r": "&#13;"}


def element(name: str, text: str | float = "") -> str:
    """``<name>text</name>``, escaped; what XML 1.0 cannot carry becomes U+FFFD (``encoding-type=url`` avoids it)."""
    return f"<{name}>{escape(_ILLEGAL.sub(chr(0xFFFD), str(text)), _REFERENCES)}</{name}>"


def group(name: str, *elements: str) -> str:
    """``<name>`` around elements that are XML already."""
    return f"<{name}>{''.join(elements)}</{name}>"


def document(name: str, *elements: str) -> bytes:
    """Build a whole document, UTF-8, whose root is ``name``."""
    return (DECLARATION + group(name, *elements)).encode()


def key_text(key: bytes, *, encoded: bool = False) -> str:
    """Show a key in a document: percent-encoded when ``encoding-type=url`` was asked for, else as its characters."""
    return quote(key, safe="-_.~/") if encoded else key.decode("utf-8", "replace")


def iso_time(at: float) -> str:
    """``2026-11-21T03:00:00.000Z``, the only form COS documents use. ``at``: seconds since the epoch."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))


def parse_document(body: bytes, root: str) -> ET.Element:
    """Parse a request body, without its namespaces.

    Raises CosError MissingRequestBodyError for an empty body, MalformedXML for what is not a ``root`` document.
    """
    if not body:
        raise CosError("MissingRequestBodyError")
    if b"<!" in body.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        raise CosError("MalformedXML")  # no DTD, hence no entity that could expand without end
    try:
        tree = ET.fromstring(body)  # noqa: S314 - a DTD was refused above
    except ET.ParseError as error:
        raise CosError("MalformedXML") from error
    for node in tree.iter():
        node.tag = node.tag.rpartition("}")[2]
    if tree.tag != root:
        raise CosError("MalformedXML")
    return tree


def iter_texts(tree: ET.Element, path: str, *names: str) -> Iterator[tuple[str, ...]]:
    """Texts of the children ``names`` of every element at ``path``. Raises CosError MalformedXML when one is absent."""
    for node in tree.iterfind(path):
        texts = tuple(node.findtext(name) for name in names)
        if not all(texts):
            raise CosError("MalformedXML")
        yield tuple(text for text in texts if text)
