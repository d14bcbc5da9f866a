"""Sealed days for the tests of what reads them: status rows in parts under a manifest, as the snapshot leaves them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from functions.snapshot.rows import sendcloud_status_record, ses_status_record
from localcloud import defaults
from shared.trail.layout import manifest_key
from shared.trail.records import encode_lines, iso
from shared.upstream.sendcloud import SendCloudClient
from shared.upstream.ses import SesClient
from shared.upstream.signing import Credential
from tests.closed_hours import trail
from tests.handlers import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localcloud import LocalCloud

    Row = dict[str, Any]

SEALED_AFTER_S = 4 * 86400
"""From any time of a day, the time at which it has been closed for three days."""


def rows_of(cloud: LocalCloud, source: str = "status", day: str = DAY) -> list[Row]:
    """Ask the cloud for a day's rows; return their records, sorted as a snapshot sorts them."""
    at = iso(int(cloud.clock.now()))
    records = _ses_rows(cloud, day, at) if source == "status" else _sendcloud_rows(day, at)
    return sorted(records, key=lambda row: (row["message_id"] or "", row["recipient"] or ""))


def seal(
    cloud: LocalCloud,
    source: str = "status",
    day: str = DAY,
    *,
    rows: Sequence[Row] | None = None,
    rows_per_part: int = 1000,
    **changes: Any,
) -> Row:
    """Write a day's rows, by default the cloud's, and a manifest that seals them now; return the manifest.

    ``changes``: members of the manifest that are to be others.
    """
    found = rows_of(cloud, source, day) if rows is None else list(rows)
    pieces = [found[at : at + rows_per_part] for at in range(0, len(found), rows_per_part)]
    parts = [_write_part(source, day, number, piece) for number, piece in enumerate(pieces)]
    now = iso(int(cloud.clock.now()))
    requested = [row["requested_at"] for row in found if row["requested_at"]]
    manifest = {
        "v": 1,
        "source": source,
        "day": day,
        "passes": 2,
        "pages": len(found) // 100 + 1,
        "rows": len(found),
        "parts": parts,
        "superseded": [],
        "first_at": min(requested, default=None),
        "last_at": max(requested, default=None),
        "started_at": now,
        "finished_at": now,
        "gained": 0,
        "missed": 0,
        "changed": 0,
        "unseen": 0,
        "requests": 2 * (len(found) // 100 + 1),
        "complete": True,
        "agreed": True,
        "sealed": True,
        "sealed_at": now,
        **changes,
    }
    trail().put(manifest_key(source, day), json.dumps(manifest).encode(), content_type="application/json")
    return manifest


def _write_part(source: str, day: str, number: int, rows: Sequence[Row]) -> Row:
    body = encode_lines(rows)
    key = f"{source}/dt={day}/pass=2/part-{number:05d}.jsonl"
    trail().put(key, body)
    return {"key": key, "rows": len(rows), "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def _ses_rows(cloud: LocalCloud, day: str, at: str) -> Iterator[Any]:
    client = SesClient(Credential(defaults.SECRET_ID, defaults.SECRET_KEY, ""), site="cn", clock=cloud.clock.now)
    offset = 0
    while page := client.get_send_email_status(day, offset=offset):
        yield from (ses_status_record(row, day, at) for row in page)
        offset += len(page)


def _sendcloud_rows(day: str, at: str) -> Iterator[Any]:
    client = SendCloudClient(
        defaults.SENDCLOUD_USER, defaults.SENDCLOUD_KEY, endpoint="https://api.sendcloud.net/apiv2"
    )
    start = 0
    while page := client.email_status(day, day, start=start).rows:
        yield from (sendcloud_status_record(row, day, at, defaults.UTC_OFFSET_S) for row in page)
        start += len(page)
