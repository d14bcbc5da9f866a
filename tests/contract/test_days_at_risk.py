"""The report says which days' status rows are safe, which SES will soon forget, and which are gone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from tests.closed_hours import trail
from tests.contract.test_report_hostile import Elements, page
from tests.handlers import DAY, run, timer, write_report
from tests.sealed_days import seal

if TYPE_CHECKING:
    from localcloud import LocalCloud


def before(days: int) -> str:
    """Return the day that was so many days before today."""
    return str(dt.date.fromisoformat(DAY) - dt.timedelta(days=days))


def seal_all(cloud: LocalCloud, ages: range, **changes: Any) -> None:
    for age in ages:
        seal(cloud, day=before(age), rows=[], **changes)


def standing(source: str = "status") -> Any:
    return write_report()["days"][source]


def test_every_day_is_sealed_complete_or_open(cloud: LocalCloud) -> None:
    """Of the last 31 days, today among them; what is closed and not sealed is listed with its age, the oldest first."""
    seal_all(cloud, range(4, 31))
    seal_all(cloud, range(2, 4), sealed=False)
    seal_all(cloud, range(1), sealed=False)
    told = standing()
    assert (told["sealed"], told["complete"], told["open"]) == (27, 3, 1)
    assert told["unsealed"] == [
        {"day": before(3), "age_days": 3, "complete": True},
        {"day": before(2), "age_days": 2, "complete": True},
        {"day": before(1), "age_days": 1, "complete": False},
    ]
    assert (told["at_risk"], told["lost"], told["unagreed"]) == ([], [], [])
    assert "Days of SES in safety: 27 sealed, 3 complete and not sealed yet, 1 open" in text()


def test_a_source_that_is_not_used_is_not_told_of(cloud: LocalCloud) -> None:
    assert write_report()["days"] == {"status": None, "sendcloud": None}
    assert "No snapshot of any day lies here yet" in text()
    for age in range(31):
        seal(cloud, "sendcloud", day=before(age), rows=[])
    days = write_report()["days"]
    assert (days["status"], days["sendcloud"]["sealed"]) == (None, 31)
    assert "Days of SendCloud in safety" in text()


def test_a_day_of_25_days_that_is_not_sealed_is_at_risk(cloud: LocalCloud) -> None:
    """SES forgets it after 30."""
    seal_all(cloud, range(31))
    seal(cloud, day=before(24), rows=[], sealed=False, complete=False)
    assert standing()["at_risk"] == []
    seal(cloud, day=before(25), rows=[], sealed=False)
    seal(cloud, day=before(30), rows=[], sealed=False, complete=False)
    assert standing()["at_risk"] == [before(30), before(25)]
    assert f"{before(30)} (30 days old), {before(25)} (25 days old, one whole pass is kept)." in text()
    assert "At risk" in text()
    assert "in safety" not in text()


def test_a_day_beyond_reach_without_a_whole_pass_is_lost(cloud: LocalCloud) -> None:
    """If the source was in use before it: what was before the first snapshot was never ours."""
    seal_all(cloud, range(33))
    seal(cloud, day=before(35), rows=[])
    told = standing()
    assert told["lost"] == [before(34), before(33)]
    assert (
        f"Lost: no whole pass over the status rows at SES was taken within 30 days for {before(34)}, {before(33)}."
        in text()
    )
    seal(cloud, day=before(34), rows=[], sealed=False, complete=False)
    seal(cloud, day=before(33), rows=[], sealed=False)
    assert standing()["lost"] == [before(34)]


def test_what_was_not_taken_since_the_beginning_is_at_risk_too(cloud: LocalCloud) -> None:
    """On the first day, whatever SES still knows can be taken, and the oldest will be forgotten next."""
    seal(cloud, rows=[], sealed=False)
    assert standing()["at_risk"] == [before(age) for age in range(30, 24, -1)]


def test_a_loss_is_told_of_for_ten_days(cloud: LocalCloud) -> None:
    seal_all(cloud, range(31))
    seal(cloud, day=before(100), rows=[])
    assert standing()["lost"] == [before(age) for age in range(40, 30, -1)]


def test_a_day_sealed_without_two_passes_that_agree_is_told_of(cloud: LocalCloud) -> None:
    """Manifests of before there was more than one pass do not say, and are left alone."""
    seal_all(cloud, range(32))
    seal(cloud, day=before(31), rows=[], agreed=False)
    seal(cloud, day=before(7), rows=[], agreed=False)
    seal(cloud, day=before(6), rows=[], agreed=None)
    assert standing()["unagreed"] == [before(31), before(7)]
    assert f"so some may be missing: {before(31)}, {before(7)}" in text()


@pytest.mark.parametrize("body", [b"not json", b"[]", b"7", b"null", b"{}", b"\xff"])
def test_a_manifest_that_is_none_keeps_nobody_elses_day_from_being_told(body: bytes, cloud: LocalCloud) -> None:
    """Nor from being reconciled, when somebody's own file seals nothing."""
    trail().put(f"status/dt={before(8)}/manifest.json", b'{"sealed": true}')
    assert run("report", timer(before(8)), time_limit_s=900)["reconciliation"] == {"days": [], "finished": True}
    seal_all(cloud, range(31))
    trail().put(f"status/dt={before(9)}/manifest.json", body)
    told = standing()
    assert (told["sealed"], told["open"], told["unsealed"][0]["day"]) == (30, 1, before(9))


def test_somebody_elses_file_beside_the_days_is_no_day(cloud: LocalCloud) -> None:
    trail().put("status/dt=/x.jsonl", b"")
    trail().put("status/dt=0000/x.jsonl", b"")
    seal(cloud, day=before(35), rows=[])
    assert standing()["lost"] == [before(34), before(33), before(32), before(31)]


def text() -> str:
    """Return the text of the report's page, its white space made one."""
    return " ".join(Elements(page()).text.split())
