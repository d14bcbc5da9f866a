"""Tags of objects and buckets: the header form, the document form, and what is allowed in them.

Sources: https://cloud.tencent.com/document/product/436/42997 (objects), /34838 (buckets).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from localcloud.cos.documents import document, element, group, iter_texts, parse_document
from localcloud.cos.errors import CosError

if TYPE_CHECKING:
    from collections.abc import Sequence

OBJECT_LIMIT, BUCKET_LIMIT = 10, 50
_KEY_LIMIT_BYTES, _VALUE_LIMIT_BYTES = 127, 255
_ALLOWED = re.compile(r"[\w +\-=.:/@]*")
"""Letters of any script, digits, space and ``+ - = . _ : /``; ``@`` is in the SDKs' own examples."""

Tags = dict[str, str]


def parse_header(text: str, limit: int = OBJECT_LIMIT) -> Tags:
    """Read ``x-cos-tagging``: ``key=value&key=value``, percent-encoded. Raises CosError InvalidTag."""
    return _checked(parse_qsl(text, keep_blank_values=True), limit)


def header_text(tags: Tags) -> str:
    """Write tags as ``x-cos-tagging`` has them."""
    return urlencode(tags)


def parse_tagging(body: bytes, limit: int) -> Tags:
    """Read a Tagging document. Raises CosError MalformedXML, MissingRequestBodyError, InvalidTag."""
    tree = parse_document(body, "Tagging")
    empty = [node for node in tree.iterfind("TagSet/Tag/Value") if not node.text]
    for node in empty:
        node.text = "\0"  # an empty value is allowed, an absent one is not
    pairs = [(key, "" if value == "\0" else value) for key, value in iter_texts(tree, "TagSet/Tag", "Key", "Value")]
    return _checked(pairs, limit)


def tagging_document(tags: Tags) -> bytes:
    """Write a Tagging document."""
    listed = (group("Tag", element("Key", key), element("Value", value)) for key, value in tags.items())
    return document("Tagging", group("TagSet", *listed))


def _checked(pairs: Sequence[tuple[str, str]], limit: int) -> Tags:
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise CosError("InvalidTag", "A tag key is there twice.")
    if len(tags) > limit:
        raise CosError("InvalidTag", f"There may be at most {limit} tags.")
    for key, value in tags.items():
        if not key or len(key.encode()) > _KEY_LIMIT_BYTES or len(value.encode()) > _VALUE_LIMIT_BYTES:
            raise CosError("InvalidTag", "A tag key may have 1 to 127 bytes, a value up to 255.")
        if not (_ALLOWED.fullmatch(key) and _ALLOWED.fullmatch(value)):
            raise CosError("InvalidTag", "A tag holds a character that is not allowed.")
    return tags
