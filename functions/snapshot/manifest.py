"""A day's manifest: which parts are the day's rows, how sure that is, and what it cost. Written after its parts.

A reader takes the parts that the manifest names and nothing else, so a pass that broke off is never seen as whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, TypedDict

from shared.edge.log import log
from shared.trail.layout import manifest_key

if TYPE_CHECKING:
    from shared.trail.store import Store


class Part(TypedDict):
    """One part as its manifest names it. Parts are in order, each line of one before each line of the next."""

    key: str
    rows: int
    bytes: int
    sha256: str


class Manifest(TypedDict):
    """What a day's rows are.

    ``passes`` were made over the day, ``phase_passes`` of them in the ``phase`` of the last one (``open``, ``closed``,
    ``settled``), and all of them took ``requests``. Of the last pass: ``pages``; ``gained`` rows that none before had
    seen, ``missed`` ones that some had, ``changed`` ones. ``unseen``: how many rows no pass has seen, by estimate
    (functions/snapshot/agreement.py); None when nothing is known of that. ``superseded``: parts that older manifests
    name, kept for a while. ``digest``: SHA-256 of all the rest.
    """

    v: int
    day: str
    source: str
    passes: int
    phase: str
    phase_passes: int
    pages: int
    requests: int
    rows: int
    gained: int
    missed: int
    changed: int
    unseen: float | None
    first_at: str | None
    last_at: str | None
    started_at: str
    finished_at: str
    complete: bool
    agreed: bool
    sealed: bool
    sealed_at: str | None
    parts: list[Part]
    superseded: list[str]
    digest: str


def read_manifest(store: Store, source: str, day: str) -> Manifest | None:
    """Return a day's manifest, or None; also when it is not what was written, so that the day begins anew.

    Raises StoreError.
    """
    body = store.get(manifest_key(source, day))
    manifest: Manifest | None = None
    with contextlib.suppress(ValueError, TypeError, KeyError):
        found = json.loads(body or b"null")
        manifest = found if found is not None and found["digest"] == digest_of(found) else None
    if body and manifest is None:
        log("ERROR", "manifest damaged", source=source, day=day)
    return manifest


def write_manifest(store: Store, manifest: Manifest) -> None:
    """Write a day's manifest, its digest made anew. Raises StoreError."""
    manifest["digest"] = digest_of(manifest)
    store.put(
        manifest_key(manifest["source"], manifest["day"]), encode_manifest(manifest), content_type="application/json"
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as it lies in the bucket."""
    return json.dumps(manifest, indent=1).encode() + b"\n"


def digest_of(manifest: Manifest) -> str:
    """Return what ``digest`` must be."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
