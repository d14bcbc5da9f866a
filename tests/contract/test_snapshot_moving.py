"""A day whose rows come, change and move while it is read is there in the end: each row once, and as it was.

With a million rows: benchmarks/snapshot_million.py, which has the same movement and the same judge.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.snapshot_movement import Movement, Plan
from functions.snapshot import merging, paging, spills
from tests.handlers import NOW
from tests.moving_days import DAY, Watched, compare, leftovers, move_time, objects, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud import LocalCloud

ROWS = 1200
QUERIES = 3 * (ROWS // 100 + 1)
"""Those of three passes, in which the rows move."""


def moving(cloud: LocalCloud, order: str, share: float, seed: int) -> Movement:
    """Make a day whose rows move with each tenth query from now on."""
    cloud.ses.seed(day=DAY, messages=ROWS, tasks=0, seed=seed)
    cloud.ses.switches.update({"row_order": order})
    movement = Movement(cloud.ses._account.database, DAY, Plan(ROWS, share, QUERIES), seed=seed)
    ticks = itertools.count(int(NOW))
    Watched(cloud, lambda offset: movement.before_query(next(ticks), offset))
    return movement


def take_until_agreed() -> dict[str, Any]:
    """Fire the timer until the passes agree."""
    for _ in range(6):
        told = take()
        if told["agreed"]:
            return told
    raise AssertionError(f"not agreed: {told}")


@pytest.mark.parametrize("order", ["updated_last", "newest_first", "insertion"])
@pytest.mark.parametrize(("share", "seed"), [(0.05, 1), (0.05, 2), (0.2, 3)])
def test_rows_that_move_while_they_are_read_are_there_once(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, order: str, share: float, seed: int
) -> None:
    """5 % and 20 % of the rows come, change and move to the end; what was read is kept in several runs and parts."""
    move_time(monkeypatch)
    monkeypatch.setattr(spills, "SPILL_ROWS", 350)
    monkeypatch.setattr(merging, "ROWS_PER_PART", 250)
    movement = moving(cloud, order, share, seed)
    told = take_until_agreed()
    verdict = compare(cloud, movement.history, began=movement.began)
    assert (verdict.wrong, verdict.stale, verdict.examples) == (0, 0, [])
    assert movement.inserted > 0
    assert movement.updated > ROWS * share / 3
    assert verdict.rows + verdict.missing == ROWS + movement.inserted == told["rows"]
    assert told["passes"] > 2  # two passes do not see what moves
    assert leftovers(cloud) == []


def test_so_are_they_when_pages_are_asked_for_ahead(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that take long have several pages under way at once."""
    move_time(monkeypatch)
    monkeypatch.setattr(paging, "_MOST_AT_ONCE", 4)
    monkeypatch.setattr(paging, "_PAGES_FOR_ONE_AHEAD", 2)
    monkeypatch.setattr(paging.Pages, "_at_once", lambda pages: 1 + min(3, pages._pages))
    movement = moving(cloud, "updated_last", 0.05, 4)
    take_until_agreed()
    verdict = compare(cloud, movement.history, began=movement.began)
    assert (verdict.double, verdict.invented, verdict.untrue, verdict.damaged) == (0, 0, 0, 0)
    assert verdict.missing + verdict.stale <= 1  # threads take turns as they like, and agreement is an estimate


def test_whoever_reads_meanwhile_sees_whole_passes(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each query of any pass, what the manifest names is there and is what it says, and each row is one of SES's."""
    move_time(monkeypatch)
    monkeypatch.setattr(merging, "ROWS_PER_PART", 250)
    movement = moving(cloud, "updated_last", 0.05, 5)
    seen: list[tuple[int, int]] = []

    def look(_offset: int) -> None:
        if (objects(cloud) / f"status/dt={DAY}/manifest.json").exists() and len(movement.history) % 4 == 0:
            verdict = compare(cloud, movement.history)
            seen.append((verdict.damaged + verdict.double + verdict.invented, verdict.missing))

    Watched(cloud, look)
    take_until_agreed()
    assert len(seen) >= 10
    assert {wrong for wrong, _ in seen} == {0}
    assert max(missing for _, missing in seen) < ROWS * 0.05


def test_the_union_of_passes_is_what_is_kept(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that this pass misses stays as an earlier one saw it."""
    move_time(monkeypatch)
    movement = moving(cloud, "updated_last", 0.1, 6)
    take_until_agreed()
    manifest = json.loads((objects(cloud) / f"status/dt={DAY}/manifest.json").read_bytes())
    assert manifest["missed"] > 0
    assert manifest["rows"] == ROWS + movement.inserted


def _first_part(day: Path) -> Path:
    return min(day.glob("pass=*/part-*.jsonl"))


def _change_manifest(day: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = day / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_bytes(json.dumps(manifest).encode())


def _lose_part(day: Path) -> None:
    _first_part(day).unlink()


def _tear_part(day: Path) -> None:
    path = _first_part(day)
    path.write_bytes(path.read_bytes()[:-9])


def _flip_byte(day: Path) -> None:
    path = _first_part(day)
    path.write_bytes(path.read_bytes().replace(b'"UserOpened":true', b'"UserOpened":null', 1))


def _double_row(day: Path) -> None:
    path = _first_part(day)
    line = path.read_bytes().split(b"\n")[0]
    path.write_bytes(path.read_bytes() + line + b"\n")


def _forget_part(day: Path) -> None:
    _change_manifest(day, lambda manifest: manifest["parts"].pop())


def _unsay(day: Path) -> None:
    _change_manifest(day, lambda manifest: manifest.update(agreed=False))


@pytest.mark.parametrize("harm", [_lose_part, _tear_part, _flip_byte, _double_row, _forget_part, _unsay])
def test_the_judge_notices(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], None]) -> None:
    """A part that is lost, cut, changed or doubled, and a manifest that was touched; without harm there is nothing."""
    move_time(monkeypatch)
    monkeypatch.setattr(merging, "ROWS_PER_PART", 120)
    cloud.ses.seed(day=DAY, messages=350, tasks=0, seed=7)
    take()
    assert compare(cloud).wrong == 0
    harm(objects(cloud) / f"status/dt={DAY}")
    assert compare(cloud).wrong > 0


def test_the_judge_knows_what_a_row_said_and_when(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed after the last pass began may be read either way; what changed before must not be as of old."""
    move_time(monkeypatch)
    cloud.ses.seed(day=DAY, messages=350, tasks=0, seed=8)
    movement = Movement(cloud.ses._account.database, DAY, Plan(350, 0, 1), seed=8)
    movement.before_query(NOW, 0)
    take()
    movement.queries += 1
    movement.move(20, NOW)
    assert compare(cloud).untrue == len(movement.history) > 15
    assert compare(cloud, movement.history, began=movement.began).wrong == 0
    assert compare(cloud, movement.history, began=movement.queries).stale == len(movement.history)
