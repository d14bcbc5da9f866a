"""Days of status rows for the tests of snapshots: rows that move while they are read, runs that break off, and the truth.

The judge is that of the benchmarks: the parts on the disk beside SES's own database.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.snapshot_truth import Verdict, judge
from functions.snapshot import handler, merging, paging, passes, rounds, runs, spills
from functions.snapshot.pace import Pace
from localcloud import defaults
from shared.upstream import ses
from shared.upstream.ses import SesClient
from tests.handlers import run, timer

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from localcloud import LocalCloud

DAY = "2026-11-19"
PAGE_ROWS = 20
LEASE_S = rounds.LEASE_S
STATUS = "GetSendEmailStatus"


class Stopwatch:
    """Time for ``Pace`` that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        """Pass the time."""
        self.now += seconds


def move_time(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """Let the function pace itself by a stopwatch, and ask for one page after the other: that depends on no machine."""
    watch = Stopwatch()

    def pace(rate: float, **options: Any) -> Pace:
        return Pace(rate, monotonic=lambda: watch.now, sleep=watch.sleep, **options)

    monkeypatch.setattr(handler, "Pace", pace)
    monkeypatch.setattr(paging, "_MOST_AT_ONCE", 1)
    return watch


def make_small(monkeypatch: pytest.MonkeyPatch, *, kept_every_s: float = 0.0) -> None:
    """Let a hundred rows be many: small pages, runs and parts, each kept at once, or after some seconds."""
    whole = SesClient.get_send_email_status

    def small(client: SesClient, day: str, **options: Any) -> list[dict[str, Any]]:
        return whole(client, day, **options, limit=PAGE_ROWS)

    monkeypatch.setattr(SesClient, "get_send_email_status", small)
    monkeypatch.setattr(ses, "PAGE_ROWS", PAGE_ROWS)
    for module, name, size in (
        (spills, "SPILL_ROWS", PAGE_ROWS + 5),
        (spills, "KEPT_EVERY_S", kept_every_s),
        (passes, "_KEPT_FROM_PAGES", 0),
        (passes, "_MERGE_KEPT_EVERY_S", kept_every_s),
        (merging, "ROWS_PER_PART", PAGE_ROWS),
        (runs, "LARGEST_READ_BYTES", 12_000),
        (runs, "SMALLEST_READ_BYTES", 4_000),
    ):
        monkeypatch.setattr(module, name, size)


def take() -> dict[str, Any]:
    """Fire the timer for ``DAY``; return what it told of SES's rows."""
    told: dict[str, Any]
    *_, told = (one for one in run("snapshot", timer(DAY), time_limit_s=900)["snapshots"] if one["source"] == "status")
    return told


def objects(cloud: LocalCloud) -> Path:
    """Return where the bucket lies on the disk."""
    return Path(cloud.data) / "cos" / defaults.BUCKET / "objects"


def compare(cloud: LocalCloud, history: Any = None, *, began: int = 0) -> Verdict:
    """Compare the day in the bucket with SES's own."""
    return judge(objects(cloud), Path(cloud.data) / "ses.sqlite3", DAY, history, began=began)


def damage(cloud: LocalCloud) -> int:
    """Count what is not as the day's manifest says; 0 too when there is no manifest yet."""
    has_one = (objects(cloud) / f"status/dt={DAY}/manifest.json").exists()
    return compare(cloud).damaged if has_one else 0


def leftovers(cloud: LocalCloud) -> list[str]:
    """Name what a pass keeps while it is under way."""
    return sorted(path.name for path in (objects(cloud) / f"state/snapshot/status/dt={DAY}").glob("*"))


def checkpoint(cloud: LocalCloud) -> dict[str, Any] | None:
    """Read how far the pass under way has come; None when nothing was kept of it."""
    path = objects(cloud) / f"state/snapshot/status/dt={DAY}/checkpoint.json"
    kept: dict[str, Any] | None = json.loads(path.read_bytes()) if path.exists() else None
    manifest = objects(cloud) / f"status/dt={DAY}/manifest.json"
    done = json.loads(manifest.read_bytes())["passes"] if manifest.exists() else 0
    return kept if kept and kept["number"] == done + 1 and kept["offset"] else None


class Watched:
    """Notes what is asked of SES for the day, and calls ``before`` first.

    ``offsets``: of all queries; ``again``: how often the first page was asked for though later ones were kept.
    """

    def __init__(self, cloud: LocalCloud, before: Callable[[int], None] = lambda _offset: None) -> None:
        self.offsets: list[int] = []
        self.again = 0
        dispatch = cloud.ses.dispatch

        def watched(request: Any) -> Any:
            if cloud.ses.action_of(request) == STATUS:
                offset = json.loads(request.body)["Offset"]
                self.offsets.append(offset)
                self.again += offset == 0 and checkpoint(cloud) is not None
                before(offset)
            return dispatch(request)

        cloud.ses.dispatch = watched  # type: ignore[method-assign]


def intrude(cloud: LocalCloud, number: int, what: Callable[[], object]) -> None:
    """Have ``what`` happen before the request ``number`` from now on; its own requests are not counted."""
    dispatch, seen = cloud.dispatch, 0

    def intruded(service: str, request: Any, **options: Any) -> Any:
        nonlocal seen
        mine, seen = seen, seen + 1
        if mine == number:
            cloud.dispatch = dispatch  # type: ignore[method-assign]
            what()
        return dispatch(service, request, **options)

    cloud.dispatch = intruded  # type: ignore[method-assign]
