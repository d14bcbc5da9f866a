"""A day in the bucket, read from the disk, beside the same day in SES's own database.

Neither side goes through the product: not its reader, not its records, not localcloud's pages.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.snapshot_movement import COLUMNS, Row, Version, versions_after
from localcloud.ses.days import parse_day

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SHOWN = 10
_RAW = (
    "MessageId", "ToEmailAddress", "FromEmailAddress", "SendStatus", "DeliverStatus", "DeliverMessage", "RequestTime",
    "DeliverTime", "UserOpened", "UserClicked", "UserUnsubscribed", "UserComplained",
)  # fmt: skip
"""SES's names of ``COLUMNS``, in their order."""


class Verdict(NamedTuple):
    """How a day in the bucket compares. ``damaged``: parts and manifest that are not what they say.

    ``missing``, ``double``, ``invented`` and ``untrue`` rows; ``stale`` ones: true once, but of before a change that
    the last pass could have seen, and missed; ``apart``: that came after the last pass began, whether they are there or
    not. ``examples``: the first of what is wrong, in words.
    """

    rows: int
    missing: int
    double: int
    invented: int
    untrue: int
    stale: int
    damaged: int
    apart: int
    examples: list[str]

    @property
    def wrong(self) -> int:
        """How much is not as it must be; a stale row is renewed by a later pass."""
        return self.missing + self.double + self.invented + self.untrue + self.damaged


def judge(
    objects: Path,
    database: Path,
    day: str,
    history: Mapping[tuple[str, str], list[Version]] | None = None,
    *,
    began: int = 0,
) -> Verdict:
    """Compare ``day``.

    ``history``: of rows that changed while they were read, and ``began``: the query with which the last pass began: a
    row may say what it said then, or later. Without it each must say what it says now.
    """
    return _Judge(objects, day, history or {}, began).judge(_truth(database, day))


def _truth(database: Path, day: str) -> dict[tuple[str, str], Row]:
    """Read what SES has."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM status WHERE day = ?", (parse_day(day),))  # noqa: S608
        return {(row[0], row[1]): row for row in rows}


class _Judge:
    def __init__(self, objects: Path, day: str, history: Mapping[tuple[str, str], list[Version]], began: int) -> None:
        self._objects = objects
        self._day = day
        self._history = history
        self._began = began
        self._counts = dict.fromkeys(("missing", "double", "invented", "untrue", "stale", "damaged", "apart"), 0)
        self._examples: list[str] = []

    def judge(self, truth: dict[tuple[str, str], Row]) -> Verdict:
        rows, seen = 0, set()
        for record in self._records():
            rows += 1
            key = (record["message_id"], record["recipient"])
            if key in seen:
                self._add("double", f"{key} is there twice")
                continue
            seen.add(key)
            if (now := truth.pop(key, None)) is None:
                self._add("invented", f"{key} is no row of SES")
            else:
                self._compare(key, record, now)
        for key in truth:
            if self._is_late(key):
                self._counts["apart"] += 1
            else:
                self._add("missing", f"{key} is missing")
        return Verdict(rows, **self._counts, examples=self._examples)

    def _compare(self, key: tuple[str, str], record: dict[str, Any], now: Row) -> None:
        raw = record["raw"]
        row = tuple(int(value) if isinstance(value, bool) else value for value in map(raw.get, _RAW))
        self._counts["apart"] += self._is_late(key)
        history = self._history.get(key, [Version(0, now)])
        if row not in versions_after(history, self._began):
            was_true = any(row == version.row for version in history)
            self._add("stale" if was_true else "untrue", f"{key} says {row}, and SES {now}")
        told = (record["day"], record["sender"], record["opened"], record["clicked"])
        if told != (self._day, raw["FromEmailAddress"], raw["UserOpened"], raw["UserClicked"]):
            self._add("untrue", f"{key} says {told} beside {raw}")

    def _is_late(self, key: tuple[str, str]) -> bool:
        """Whether a row came after the last pass began."""
        return key in self._history and self._history[key][0].since > self._began

    def _records(self) -> Iterator[dict[str, Any]]:
        """Yield what lies in the parts that the manifest names; each is proved first."""
        path = self._objects / f"status/dt={self._day}/manifest.json"
        if not path.exists():
            self._add("damaged", "there is no manifest")
            return
        manifest = json.loads(path.read_bytes())
        digest = manifest.pop("digest")
        if hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest() != digest:
            self._add("damaged", "the manifest is not what its digest says")
        if manifest["rows"] != sum(part["rows"] for part in manifest["parts"]):
            self._add("damaged", "the manifest's parts have not its rows")
        for part in manifest["parts"]:
            yield from self._part(part)

    def _part(self, part: dict[str, Any]) -> Iterator[dict[str, Any]]:
        path = self._objects / part["key"]
        body = path.read_bytes() if path.exists() else b""
        *lines, _ = body.split(b"\n")
        said = (part["sha256"], part["bytes"], part["rows"])
        if said != (hashlib.sha256(body).hexdigest(), len(body), len(lines)):
            self._add("damaged", f"{part['key']} is not what the manifest says")
        try:
            yield from map(json.loads, lines)
        except ValueError:
            self._add("damaged", f"{part['key']} has a line that is no JSON")

    def _add(self, what: str, example: str) -> None:
        self._counts[what] += 1
        if len(self._examples) < SHOWN:
            self._examples.append(example)
