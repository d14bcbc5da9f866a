"""What a request is about: bucket, key and parameters, from Host, path and query.

Virtual-hosted style is ``<name>-<appid>.<any suffix>``; any other Host means path style, ``/<bucket>/<key>``.
Text from the wire is kept with ``surrogateescape``, so that odd bytes come back as they were.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus, unquote_to_bytes

if TYPE_CHECKING:
    from localcloud.exchange import Request

_BUCKET_HOST = re.compile(r"([a-z0-9][a-z0-9-]*-[0-9]+)\.")


class Call(NamedTuple):
    """A request with its address resolved.

    ``bucket``: empty for GET Service. ``key``: decoded bytes without the leading slash, empty for bucket operations.
    ``params``: decoded query; a valueless parameter has the value "". ``signed_paths``: the paths a client may have
    signed; two in path style, where the COS SDK's ``Domain='host:port/<bucket>'`` signs the key only.
    ``dialect``: cos, or s3 once translated. ``is_digest_known``: the body was compared with a digest other than
    Content-MD5.
    """

    request: Request
    bucket: str
    key: bytes
    params: dict[str, str]
    signed_paths: tuple[bytes, ...]
    dialect: str = "cos"
    is_digest_known: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the request, lower-case names."""
        return dict(self.request.headers)

    @property
    def is_path_style(self) -> bool:
        """Whether the bucket stood in the path."""
        return bool(self.bucket) and len(self.signed_paths) > 1

    @property
    def resource(self) -> str:
        """What the ``Resource`` of an error names: host and path, still percent-encoded, never empty."""
        return f"{self.request.host}{self.request.path or '/'}"


def is_hosted(host: str) -> bool:
    """Whether a Host begins with a bucket."""
    return _BUCKET_HOST.match(host.lower()) is not None


def resolve(request: Request) -> Call:
    """Find bucket, key and parameters. Never raises: an address that leads nowhere is answered later."""
    raw_path = request.path or "/"
    path = unquote_to_bytes(raw_path)
    params = parse_query(request.query)
    hosted = _BUCKET_HOST.match(request.host.lower())
    if hosted:
        return Call(request, hosted[1], path[1:], params, (path,))
    bucket, _, raw_key = raw_path[1:].partition("/")
    key = unquote_to_bytes(raw_key)
    return Call(request, unquote_to_bytes(bucket).decode("utf-8", "replace"), key, params, (path, b"/" + key))


def parse_query(raw: str) -> dict[str, str]:
    """Decode a query; ``+`` is a space, as the SDK's ``urlencode`` writes it. The first of repeated names wins."""
    params: dict[str, str] = {}
    for part in raw.split("&"):
        name, _, value = part.partition("=")
        if name:
            params.setdefault(_decode(name), _decode(value))
    return params


def _decode(text: str) -> str:
    return unquote_plus(text, errors="surrogateescape")


def to_bytes(text: str) -> bytes:
    """Undo the decoding of a parameter: the bytes the client meant."""
    return text.encode("utf-8", "surrogateescape")
