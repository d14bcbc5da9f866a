"""APPEND Object: add to the end of an object, if its length is what the caller thinks it is.

Source: https://cloud.tencent.com/document/product/436/7741.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from localcloud.cos.errors import CosError
from localcloud.cos.integrity import crc64
from localcloud.cos.metadata import written_headers
from localcloud.cos.store import Content
from localcloud.cos.writing import check_upload, headers_to_keep
from localcloud.exchange import Response

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.index import ObjectRow
    from localcloud.cos.state import CosState
    from localcloud.cos.store import Store

APPENDABLE_LIMIT_BYTES = 5 << 30


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
        row = _append(cos.store, call, content, position=int(position), now=cos.clock.now())
    return Response(200, written_headers(row) | {"x-cos-next-append-position": str(row.size)})


def _append(store: Store, call: Call, content: Content, *, position: int, now: float) -> ObjectRow:
    """Add to an appendable object, creating it at position 0. Raises CosError of length, kind and size."""
    with store.lock:
        old = store.find(call.bucket, call.key)
        if old and old.kind != "appendable":
            raise CosError("ObjectNotAppendable")
        if position != (old.size if old else 0):
            raise CosError("AppendPositionErr")
        if position + content.staged.size > APPENDABLE_LIMIT_BYTES:
            raise CosError("EntityTooLarge")
        if old is None:
            return store.commit(call.bucket, call.key, content, old=None, now=now, kind="appendable")
        return _extend(store, call.bucket, old, content.staged.path.read_bytes(), now=now)


def _extend(store: Store, bucket: str, old: ObjectRow, data: bytes, *, now: float) -> ObjectRow:
    # Bytes first, row second: a death in between leaves bytes beyond the recorded size, which nobody reads and the
    # next append writes over.
    with store.files.path_of(bucket, old.file).open("r+b") as stream:
        stream.seek(old.size)
        stream.write(data)
        stream.truncate()
    row = old._replace(
        size=old.size + len(data),
        # Not an MD5 of the content, as on the real service's appendable objects; it changes with every append.
        etag=hashlib.md5(old.etag.encode() + hashlib.md5(data).digest()).hexdigest(),
        crc64=str(crc64(data, int(old.crc64))),
        modified_at=now,
    )
    store.index.put(bucket, row)
    return row
