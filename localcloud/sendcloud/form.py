"""A request's parameters: query, form or multipart, every name with all its values."""

from __future__ import annotations

from email import message_from_bytes
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

from localcloud.sendcloud.codes import SendCloudError

if TYPE_CHECKING:
    from localcloud.exchange import Request


class Form(NamedTuple):
    """``values``: name → every value given. ``file_bytes``: raw size of all files of a multipart form."""

    values: dict[str, list[str]]
    file_bytes: int = 0

    def get(self, name: str) -> str | None:
        """Return the first value, None when the name is absent."""
        return self.values.get(name, [None])[0]

    def items(self, name: str, separators: str = ";") -> list[str]:
        """Return every part of every value, cut at any of ``separators``, without blanks and empty ones."""
        text = "\n".join(self.values.get(name, ()))
        for separator in separators:
            text = text.replace(separator, "\n")
        return [part.strip() for part in text.split("\n") if part.strip()]


def parse_form(request: Request) -> Form:
    """Read the query, and for a POST the body too. Raises SendCloudError for a body that is no form."""
    values = parse_qs(request.query, keep_blank_values=True)
    if request.method != "POST":
        return Form(values)
    content_type = request.headers.get("content-type", "")
    if content_type.lower().startswith("multipart/form-data"):
        return _parse_multipart(content_type, request.body, values)
    for name, given in parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True).items():
        values.setdefault(name, []).extend(given)
    return Form(values)


def _parse_multipart(content_type: str, body: bytes, values: dict[str, list[str]]) -> Form:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = message_from_bytes(head + body)
    if not message.is_multipart():
        raise SendCloudError(501, "multipart")
    file_bytes = 0
    for part in message.get_payload():
        # message_from_bytes makes Message objects all the way down.
        content = part.get_payload(decode=True) or b""  # type: ignore[union-attr]
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        if part.get_filename() is not None:  # type: ignore[union-attr]
            file_bytes += len(content)
        elif isinstance(name, str) and isinstance(content, bytes):
            values.setdefault(name, []).append(content.decode("utf-8", "replace"))
    return Form(values, file_bytes)
