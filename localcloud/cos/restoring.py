"""POST Object restore: archived objects come back for some days, after the hours that their tier takes by the clock.

Source: https://cloud.tencent.com/document/product/436/12633.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

from localcloud.cos import customer_keys
from localcloud.cos.documents import parse_document
from localcloud.cos.errors import CosError
from localcloud.cos.metadata import RESTORE, load_headers
from localcloud.exchange import Response

if TYPE_CHECKING:
    from localcloud.cos.address import Call
    from localcloud.cos.index import ObjectRow
    from localcloud.cos.state import CosState

ARCHIVED = ("ARCHIVE", "DEEP_ARCHIVE")
_WAIT_S = {"Expedited": 300, "Standard": 5 * 3600, "Bulk": 12 * 3600}
_DAY_S = 86_400


def restore_object(cos: CosState, call: Call) -> Response:
    """POST ?restore: 202 when it begins, 200 when the object is back already (for longer, then).

    Raises CosError NoSuchKey, InvalidRequest for what is not archived, RestoreAlreadyInProgress, MalformedXML.
    """
    tree = parse_document(call.request.body, "RestoreRequest")
    days, tier = tree.findtext("Days") or "", tree.findtext("CASJobParameters/Tier") or "Standard"
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= 365) or tier not in _WAIT_S:
        raise CosError("InvalidArgument", "Days must be from 1 to 365, the tier Expedited, Standard or Bulk.")
    now = cos.clock.now()
    with cos.store.lock:
        row = cos.store.head(call.bucket, call.key, version_id=call.params.get("versionId", ""))
        customer_keys.require_key(load_headers(row), call.headers)
        if row.storage_class not in ARCHIVED:
            raise CosError("InvalidRequest", "The object is not archived.")
        ready_at, until = _times(row)
        if now < ready_at:
            raise CosError("RestoreAlreadyInProgress")
        is_back = ready_at <= now < until
        ready_at = ready_at if is_back else now + _WAIT_S[tier]
        until = max(now, ready_at) + int(days) * _DAY_S
        cos.store.replace_headers(call.bucket, row, load_headers(row) | {RESTORE: f"{ready_at} {until}"})
    return Response(200 if is_back else 202)


def require_readable(cos: CosState, row: ObjectRow) -> None:
    """Refuse to read what lies in the archive. Raises CosError InvalidObjectState."""
    ready_at, until = _times(row)
    if row.storage_class in ARCHIVED and not ready_at <= cos.clock.now() < until:
        raise CosError("InvalidObjectState")


def restore_header(cos: CosState, row: ObjectRow) -> dict[str, str]:
    """Header ``x-cos-restore`` of GET and HEAD; none when nothing was asked for or it is over."""
    ready_at, until = _times(row)
    if cos.clock.now() >= until:
        return {}
    if cos.clock.now() < ready_at:
        return {"x-cos-restore": 'ongoing-request="true"'}
    return {"x-cos-restore": f'ongoing-request="false", expiry-date="{formatdate(until, usegmt=True)}"'}


def _times(row: ObjectRow) -> tuple[float, float]:
    if row.storage_class not in ARCHIVED:
        return 0.0, 0.0
    ready_at, _, until = load_headers(row).get(RESTORE, "0 0").partition(" ")
    return float(ready_at), float(until)
