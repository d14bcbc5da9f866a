"""Lifecycle rules: read, and carried out by the clock.

Rules are looked at from 00:00 UTC+8 on, the day after they or the objects are due; here they are carried out when the
first request after that midnight comes. Appendable objects take no part (https://cloud.tencent.com/document/product/436/7741).

Source: https://cloud.tencent.com/document/product/436/8280, /17028 (elements and times).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localcloud.cos import tags
from localcloud.cos.deletion import delete
from localcloud.cos.documents import parse_document
from localcloud.cos.errors import CosError
from localcloud.cos.listing import after_prefix
from localcloud.cos.metadata import TAGS, load_headers
from localcloud.cos.uploads import Uploads
from localcloud.cos.versions import shown_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree import ElementTree as ET

    from localcloud.cos.index import ObjectRow
    from localcloud.cos.state import CosState

DAY_S = 86_400
ZONE_S = 8 * 3600
RULE_LIMIT = 1000
_BATCH = 1000


class Rule(NamedTuple):
    """One enabled rule. Ages in days, None where the rule has none. ``tags``: all must be there."""

    prefix: bytes
    tags: tags.Tags
    expire_days: int | None
    transition: tuple[int, str] | None
    noncurrent_days: int | None
    abort_days: int | None

    def is_about(self, row: ObjectRow) -> bool:
        """Whether an object is of the kind that this rule is for. The prefix was looked at before."""
        if row.kind == "appendable":
            return False
        if not self.tags:
            return True
        has = tags.parse_header(load_headers(row).get(TAGS, ""))
        return self.tags.items() <= has.items()


def midnight_before(now: float) -> float:
    """Return the last 00:00 UTC+8; both in seconds since the epoch."""
    return (now + ZONE_S) // DAY_S * DAY_S - ZONE_S


def parse_rules(body: bytes) -> list[Rule]:
    """Read a LifecycleConfiguration; disabled rules are checked and left out. Raises CosError MalformedXML."""
    found = parse_document(body, "LifecycleConfiguration").findall("Rule")
    if not 1 <= len(found) <= RULE_LIMIT:
        raise CosError("MalformedXML")
    rules = [(_rule(node), node.findtext("Status")) for node in found]
    if any(status not in ("Enabled", "Disabled") for _, status in rules):
        raise CosError("MalformedXML")
    return [rule for rule, status in rules if status == "Enabled"]


def _rule(node: ET.Element) -> Rule:
    prefix = next((text for text in (node.findtext(path) for path in _PREFIXES) if text), "")
    wanted = {tag.findtext("Key") or "": tag.findtext("Value") or "" for tag in node.iterfind("Filter//Tag")}
    days = _days(node.findtext("Transition/Days"))
    storage_class = (node.findtext("Transition/StorageClass") or "").upper()
    return Rule(
        prefix=prefix.encode(),
        tags=wanted,
        expire_days=_days(node.findtext("Expiration/Days")),
        transition=None if days is None or not storage_class else (days, storage_class),
        noncurrent_days=_days(node.findtext("NoncurrentVersionExpiration/NoncurrentDays")),
        abort_days=_days(node.findtext("AbortIncompleteMultipartUpload/DaysAfterInitiation")),
    )


_PREFIXES = ("Filter/Prefix", "Filter/And/Prefix", "Prefix")


def _days(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.strip().isascii() and text.strip().isdigit()):
        raise CosError("InvalidArgument", "Days must be a whole number.")
    return int(text)


def sweep(cos: CosState) -> None:
    """Carry out every rule that was there at the last midnight on everything that was due by then. Repeatable."""
    midnight = midnight_before(cos.clock.now())
    with cos.store.lock:
        for bucket in cos.store.configurations.buckets_with("lifecycle"):
            kept = cos.store.configurations.get(bucket, "lifecycle")
            if kept and kept.put_at <= midnight:
                for rule in parse_rules(kept.document):
                    _carry_out(cos, bucket, rule, midnight)


def _carry_out(cos: CosState, bucket: str, rule: Rule, midnight: float) -> None:
    store, now = cos.store, cos.clock.now()
    if rule.transition:
        days, storage_class = rule.transition
        for row in list(_due(cos, bucket, rule, midnight - days * DAY_S)):
            store.replace_headers(bucket, row, load_headers(row) | {"x-cos-storage-class": storage_class})
    if rule.expire_days is not None:
        for row in list(_due(cos, bucket, rule, midnight - rule.expire_days * DAY_S)):
            delete(store, bucket, row.key, now=now)
    if rule.noncurrent_days is not None:
        for row in _noncurrent(cos, bucket, rule, midnight - rule.noncurrent_days * DAY_S):
            delete(store, bucket, row.key, now=now, version_id=shown_id(row))
    if rule.abort_days is not None:
        _abort(cos, bucket, rule, midnight - rule.abort_days * DAY_S)


def _noncurrent(cos: CosState, bucket: str, rule: Rule, archived_by: float) -> list[ObjectRow]:
    rows = [version.row for version in cos.store.versions.archived_by(bucket, archived_by)]
    return [row for row in rows if row.key.startswith(rule.prefix) and rule.is_about(row)]


def _abort(cos: CosState, bucket: str, rule: Rule, initiated_by: float) -> None:
    uploads = Uploads(cos.store)
    for upload in uploads.iter_all(bucket):
        if upload.key.startswith(rule.prefix) and upload.initiated_at <= initiated_by:
            uploads.end(upload)


def _due(cos: CosState, bucket: str, rule: Rule, modified_by: float) -> Iterator[ObjectRow]:
    start, end = rule.prefix, after_prefix(rule.prefix)
    while rows := cos.store.scan(bucket, start, end, limit=_BATCH):
        yield from (row for row in rows if row.modified_at <= modified_by and rule.is_about(row))
        start = rows[-1].key + b"\0"
