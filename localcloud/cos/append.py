"""APPEND Object: add to the end of an object, if its length is what the caller thinks it is.

Source: https://cloud.tencent.com/document/product/436/7741.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.cos.errors import CosError
from localcloud.cos.metadata import written_headers
from localcloud.cos.store import Content
from localcloud.cos.writing import check_upload, headers_to_keep
from localcloud.exchange import Response

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.state import CosState


def append_object(cos: CosState, call: Call) -> Response:
    """POST ?append&position=N.

    Raises CosError OAZOperationNotSupportOnMAZBucket on a multi-AZ bucket (that it refuses is documented, its code is
    not), AppendPositionErr, ObjectNotAppendable, InvalidArgument, and what PUT raises.
    """
    cos.store.require_bucket(call.bucket)
    if cos.is_multi_az(call.bucket):
        raise CosError("OAZOperationNotSupportOnMAZBucket")
    position = call.params.get("position", "")
    if not (position.isascii() and position.isdigit()):
        raise CosError("InvalidArgument", "position must be a non-negative integer.")
    check_upload(cos, call)
    kept = headers_to_keep(cos, call)
    with cos.store.files.stage([call.request.body]) as staged:
        content = Content(staged, staged.md5.hex(), kept)
        row = cos.store.append(call.bucket, call.key, content, position=int(position), now=cos.clock.now())
    return Response(200, written_headers(row) | {"x-cos-next-append-position": str(row.size)})
