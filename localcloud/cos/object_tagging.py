"""PUT, GET and DELETE Object tagging.

Sources: https://cloud.tencent.com/document/product/436/42997 (PUT), /42998 (GET), /42999 (DELETE).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.cos import tags
from localcloud.cos.metadata import TAGS, load_headers
from localcloud.exchange import Response

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.index import ObjectRow
    from localcloud.cos.state import CosState


def get_object_tagging(cos: CosState, call: Call) -> Response:
    """GET ?tagging: an empty TagSet when there are none. Raises CosError NoSuchKey, NoSuchVersion."""
    row = _row(cos, call)
    found = tags.parse_header(load_headers(row).get(TAGS, ""))
    return Response(200, {"Content-Type": "application/xml"} | _version(row), tags.tagging_document(found))


def put_object_tagging(cos: CosState, call: Call) -> Response:
    """PUT ?tagging. Raises CosError NoSuchKey, NoSuchVersion, MalformedXML, InvalidTag."""
    wanted = tags.parse_tagging(call.request.body, tags.OBJECT_LIMIT)
    return _replace(cos, call, wanted, status=200)


def delete_object_tagging(cos: CosState, call: Call) -> Response:
    """DELETE ?tagging. Raises CosError NoSuchKey, NoSuchVersion."""
    return _replace(cos, call, {}, status=204)


def _replace(cos: CosState, call: Call, wanted: tags.Tags, *, status: int) -> Response:
    with cos.store.lock:
        row = _row(cos, call)
        headers = {name: value for name, value in load_headers(row).items() if name != TAGS}
        cos.store.replace_headers(call.bucket, row, headers | ({TAGS: tags.header_text(wanted)} if wanted else {}))
    return Response(status, _version(row))


def _row(cos: CosState, call: Call) -> ObjectRow:
    return cos.store.head(call.bucket, call.key, version_id=call.params.get("versionId", ""))


def _version(row: ObjectRow) -> dict[str, str]:
    return {"x-cos-version-id": row.version_id} if row.version_id else {}
