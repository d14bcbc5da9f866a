"""ListObjectsV2, as S3 clients list: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from localcloud.cos.address import to_bytes
from localcloud.cos.documents import document, element, key_text
from localcloud.cos.errors import CosError
from localcloud.cos.listing import find_page, page_elements, parse_encoding, parse_limit, parse_selection
from localcloud.exchange import Response

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState


def list_objects_v2(cos: CosState, call: Call) -> Response:
    """GET ?list-type=2. Raises CosError NoSuchBucket, InvalidArgument, InvalidDelimiter."""
    params = call.params
    if params["list-type"] != "2":
        raise CosError("InvalidArgument", "list-type must be 2.")
    max_keys, encoded = parse_limit(params, "max-keys"), parse_encoding(params)
    selection = parse_selection(params, "start-after")
    token = params.get("continuation-token", "")
    if token:
        selection = selection._replace(marker=_marker(token))
    page = find_page(cos, call, selection, max_keys)
    following = base64.urlsafe_b64encode(page.next_marker).decode()
    start_after = to_bytes(params.get("start-after", ""))
    head = [
        element("Name", call.bucket),
        element("Prefix", key_text(selection.prefix, encoded=encoded)),
        *([element("StartAfter", key_text(start_after, encoded=encoded))] if start_after else []),
        element("MaxKeys", max_keys),
        element("KeyCount", len(page.contents) + len(page.common_prefixes)),
        *([element("Delimiter", key_text(selection.delimiter, encoded=encoded))] if selection.delimiter else []),
        *([element("EncodingType", "url")] if encoded else []),
        element("IsTruncated", "true" if page.next_marker else "false"),
        *([element("ContinuationToken", token)] if token else []),
        *([element("NextContinuationToken", following)] if following else []),
    ]
    with_owner = params.get("fetch-owner", "") == "true"
    listed = page_elements(cos, page, encoded=encoded, with_owner=with_owner)
    return Response(200, {"Content-Type": "application/xml"}, document("ListBucketResult", *head, *listed))


def _marker(token: str) -> bytes:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise CosError("InvalidArgument", "The continuation token is not valid.") from error
