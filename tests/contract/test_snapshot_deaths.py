"""A snapshot whose run dies anywhere is gone on with: no row is lost, no part is wrong, and no pass begins again.

With hours of runs, half of them killed: benchmarks/snapshot_slow.py.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.snapshot_movement import Movement, Plan
from functions.snapshot.rounds import SOMEBODY_ELSE
from localcloud import defaults
from localcloud.cos.store import Content
from tests.closed_hours import Killed, die_at, trail
from tests.handlers import NOW, bucket
from tests.moving_days import (
    DAY,
    LEASE_S,
    PAGE_ROWS,
    STATUS,
    Watched,
    checkpoint,
    compare,
    damage,
    intrude,
    leftovers,
    make_small,
    move_time,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud import LocalCloud

ROWS = 50
"""Three pages, as many runs and parts."""
FETCHED = re.compile(rb'"fetched_at":"[^"]*"')


@pytest.fixture(autouse=True)
def _small(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a hundred rows be many, and SES alone be asked."""
    move_time(monkeypatch)
    make_small(monkeypatch)
    for name in ("SENDCLOUD_API_USER", "SENDCLOUD_API_KEY"):
        monkeypatch.delenv(name)


def new_day(cloud: LocalCloud) -> None:
    """Make a day that no pass has seen."""
    cloud.ses.seed(day=DAY, messages=ROWS, tasks=0, seed=1)


def changed_day(cloud: LocalCloud) -> None:
    """Make a day that was agreed, and of which some rows have changed since, and some came."""
    new_day(cloud)
    assert take()["agreed"]
    Movement(cloud.ses._account.database, DAY, Plan(ROWS, 0, 1), seed=2).move(15, NOW)
    cloud.ses.seed(day=DAY, messages=3, tasks=0, seed=3)


class Moment:
    """The bucket as it is now, to which ``restore`` brings it back, at the time of now."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._now = cloud.clock.now()
        self._objects = bucket()

    def restore(self) -> None:
        """Go back."""
        cos = self._cloud.cos
        cos.reset()
        self._cloud.move_to(self._now)
        for key, body in self._objects.items():
            with cos.store.files.stage([body]) as staged:
                cos.store.put(defaults.BUCKET, key.encode(), Content(staged, staged.md5.hex(), {}), now=self._now)


def requests_of_a_run(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> int:
    """Count the requests from the beginning of a run to the first manifest that it writes."""
    dispatch = cloud.dispatch
    asked: list[str] = []

    def count(service: str, request: Any, **options: Any) -> Any:
        asked.append(f"{request.method} {request.path}")
        return dispatch(service, request, **options)

    monkeypatch.setattr(cloud, "dispatch", count)
    assert take()["agreed"]
    monkeypatch.setattr(cloud, "dispatch", dispatch)
    written = next(n for n, one in enumerate(asked) if one.startswith("PUT") and one.endswith("/manifest.json"))
    return written + 5  # and what is forgotten after it


def die_at_page(cloud: LocalCloud, page: int) -> dict[str, Any]:
    """Have a run die when it asks for a page, from 0, of its first pass; return what it has kept."""
    dispatch, is_dead = cloud.dispatch, False

    def dying(service: str, request: Any, **options: Any) -> Any:
        nonlocal is_dead
        is_page = service == "ses" and cloud.ses.action_of(request) == STATUS
        is_dead = is_dead or (is_page and json.loads(request.body)["Offset"] == page * PAGE_ROWS)
        if is_dead:
            raise Killed
        return dispatch(service, request, **options)

    cloud.dispatch = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        take()
    cloud.dispatch = dispatch  # type: ignore[method-assign]
    kept = checkpoint(cloud)
    assert kept is not None
    assert kept["offset"] == page * PAGE_ROWS
    return kept


def finish(cloud: LocalCloud) -> None:
    """Fire the timer when a dead holder's lease is over: then all is as it must be, and nothing is left behind."""
    cloud.advance(LEASE_S + 1)
    told = take()
    assert told["complete"]
    assert told["agreed"]
    verdict = compare(cloud)
    assert (verdict.wrong, verdict.examples) == (0, [])
    assert leftovers(cloud) == []


@pytest.mark.parametrize("prepare", [new_day, changed_day])
def test_a_death_at_any_request_of_a_pass_is_gone_on_from(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[LocalCloud], None]
) -> None:
    """Before any request takes effect, which is after the one before it did, and nobody heard the answer.

    What the manifest names is whole at once; the next run ends the work, and asks for the first page again only when
    nothing of the pass was kept.
    """
    prepare(cloud)
    moment = Moment(cloud)
    last, dispatch = requests_of_a_run(cloud, monkeypatch), cloud.dispatch
    assert last > 25
    watched = Watched(cloud)
    for number in range(last):
        moment.restore()
        cloud.dispatch = die_at(number, after=False, dispatch=dispatch)  # type: ignore[method-assign]
        with pytest.raises(Killed):
            take()
        cloud.dispatch = dispatch  # type: ignore[method-assign]
        assert damage(cloud) == 0
        finish(cloud)
        assert watched.again == 0


def test_a_run_that_goes_on_asks_only_for_what_is_left(cloud: LocalCloud) -> None:
    """Page by page: whatever died, the offsets of a pass are those of one run."""
    new_day(cloud)
    watched, dispatch = Watched(cloud), cloud.dispatch
    seen: list[int] = []
    for _ in range(40):
        cloud.dispatch = die_at(11, after=True, dispatch=dispatch)  # type: ignore[method-assign]
        try:
            done = take()["agreed"]
        except Killed:
            done = False
        cloud.dispatch = dispatch  # type: ignore[method-assign]
        cloud.advance(LEASE_S + 1)
        seen.append(len(watched.offsets))
        if done:
            break
    finish(cloud)
    assert len(seen) > 5  # it took that many runs
    assert watched.again == 0
    once = list(range(0, ROWS + 1, PAGE_ROWS))
    assert sorted(set(watched.offsets)) == once
    assert watched.offsets.count(0) <= 4


def test_two_at_once_do_the_work_once(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the second comes, one of them is told that somebody else is at it, and asks SES for nothing."""
    new_day(cloud)
    moment, watched = Moment(cloud), Watched(cloud)
    last = requests_of_a_run(cloud, monkeypatch)
    alone, asked = rows_in_bucket(), len(watched.offsets)
    told: list[dict[str, Any]] = []
    for number in range(0, last, 2):
        moment.restore()
        watched.offsets.clear()
        intrude(cloud, number, lambda: told.append(take()))
        told.append(take())
        done = [one for one in told[-2:] if one["complete"]]
        assert all(one["why"] == SOMEBODY_ELSE for one in told[-2:] if one not in done)
        # Who comes after the work is done makes a pass, because it was asked for the day, and finds nothing new.
        assert len(watched.offsets) == asked or len(done) == 2
        assert compare(cloud).wrong == 0
        assert rows_in_bucket() == alone
    assert sum(not one["complete"] for one in told) > last * 0.3


def rows_in_bucket() -> dict[str, list[bytes]]:
    """Return every part with its lines, but for when they were fetched: clocks go on between two tries."""
    parts = bucket(f"status/dt={DAY}/pass=")
    return {key: [FETCHED.sub(b"", line) for line in body.split(b"\n")] for key, body in parts.items()}


def test_a_second_is_told_that_somebody_else_is_at_it_until_the_lease_is_over(cloud: LocalCloud) -> None:
    """A holder that died in the middle of a pass blocks the day for as long as its lease lasts, and no longer."""
    new_day(cloud)
    kept = die_at_page(cloud, 2)
    watched = Watched(cloud)
    for _ in range(2):
        assert take() == {"source": "status", "complete": False, "why": SOMEBODY_ELSE}
        cloud.advance(LEASE_S / 3)
    assert watched.offsets == []
    cloud.advance(LEASE_S / 3 + 1)
    assert take()["agreed"]
    assert watched.offsets[0] == kept["offset"]
    assert compare(cloud).wrong == 0


def test_a_holder_that_slept_too_long_leaves_the_work_to_the_other(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two requests of it its lease runs out, and another does all the work; then it wakes up."""
    changed_day(cloud)
    moment = Moment(cloud)
    last = requests_of_a_run(cloud, monkeypatch)

    def other() -> None:
        cloud.advance(LEASE_S + 1)
        assert take()["agreed"]

    for number in range(1, last, 2):
        moment.restore()
        intrude(cloud, number, other)
        take()
        assert damage(cloud) == 0
        finish(cloud)


@pytest.mark.parametrize("harm", ["lost", "torn"])
@pytest.mark.parametrize(("page", "goes_on_with"), [(1, []), (2, [2 * PAGE_ROWS])])
def test_a_checkpoint_whose_rows_are_lost_begins_again(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str], page: int, goes_on_with: list[int], harm: str
) -> None:
    """Of a run that is still written, which is missed at once; and of a full one, when runs are merged.

    It costs a pass, and no row; the log says so.
    """
    new_day(cloud)
    kept = die_at_page(cloud, page)
    spill = (kept["partial"] or kept["spills"][0])["key"]
    if harm == "lost":
        trail().delete(spill)
    else:
        trail().put(spill, bucket(spill)[spill][:-30])
    watched = Watched(cloud)
    finish(cloud)
    assert watched.offsets[: len(goes_on_with) + 3] == [*goes_on_with, 0, PAGE_ROWS, 2 * PAGE_ROWS]
    assert "checkpoint damaged" in capsys.readouterr().out
