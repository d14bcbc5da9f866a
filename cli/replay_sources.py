"""Where callbacks that can be put back are found: in exported log lines, and in quarantine."""

from __future__ import annotations

import base64
import gzip
import io
import json
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from functions.webhook.authenticate import PROVIDERS
from functions.webhook.receive import Callback
from functions.webhook.sealed import Part, UnsealError, find_parts, unseal
from shared.trail.layout import quarantine_prefix
from shared.trail.records import epoch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.trail.store import Store

_GZIP = b"\x1f\x8b"
_WITHOUT_CONTENT = b"not_encrypted"
"""Stands in a line whose callback could not be encrypted: it tells of a loss and holds nothing to put back."""


class Found(NamedTuple):
    """One callback to put back, or why it cannot be read. ``name``: its text id in the log, or its quarantine key.

    ``why``: why it lies in quarantine.
    """

    name: str
    callback: Callback | None
    problem: str = ""
    why: str = ""


class LogExport:
    """What log exports hold: lines as printed, JSON or CSV of CLS, gzipped or not; in any order, repeated or not.

    The text is looked for anywhere in a line, so it does not matter which field an export puts it in.
    """

    def __init__(self) -> None:
        self._parts: dict[str, list[Part]] = {}
        self.without_content = 0
        """Lines of callbacks that could not be encrypted when they were logged."""

    def read(self, file: BinaryIO) -> None:
        """Take in one export."""
        buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(file)  # type: ignore[type-var]
        is_gzip = buffered.peek(2).startswith(_GZIP)
        for line in gzip.GzipFile(fileobj=buffered) if is_gzip else buffered:
            self.without_content += _WITHOUT_CONTENT in line
            for part in find_parts(line.decode("utf-8", "replace")):
                self._parts.setdefault(part.text_id, []).append(part)

    def found(self, secrets: Sequence[str]) -> Iterator[Found]:
        """Yield every callback once, decrypted by whichever of ``secrets`` it was encrypted with."""
        for text_id, parts in self._parts.items():
            yield _unsealed(text_id, parts, secrets)


def _unsealed(text_id: str, parts: Sequence[Part], secrets: Sequence[str]) -> Found:
    try:
        return Found(text_id, unseal(parts, secrets))
    except UnsealError as error:
        return Found(text_id, None, str(error))


def read_exports(files: Iterable[BinaryIO]) -> LogExport:
    """Read every file to its end."""
    export = LogExport()
    for file in files:
        export.read(file)
    return export


def in_quarantine(store: Store, days: Sequence[str]) -> Iterator[Found]:
    """Yield what lies in quarantine, of ``days`` or of all. Raises StoreError."""
    for prefix in [quarantine_prefix(day) for day in days] or [quarantine_prefix()]:
        for entry, body in store.read_many(store.iterate(prefix)):
            if body is None:
                continue
            try:
                line = json.loads(body)
                yield Found(entry.key, _callback_of(line), why=str(line.get("why", "")))
            except (ValueError, KeyError, TypeError, AttributeError):
                yield Found(entry.key, None, "not an object that the webhook wrote")


def _callback_of(line: dict[str, Any]) -> Callback:
    if line["provider"] not in PROVIDERS:
        raise ValueError(line["provider"])
    body = base64.b64decode(line["body_base64"]) if "body_base64" in line else line["body"].encode()
    # Whether SendCloud signed it is not written there: its signature lies in the body and is checked again.
    return Callback(line["provider"], line["headers"], body, epoch(line["received_at"]), verified=False)
