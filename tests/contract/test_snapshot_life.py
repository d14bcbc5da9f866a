"""The life of a day: looked at while it is open, agreed on when it is over, sealed when it has settled, never lost."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from functions.snapshot import handler as snapshot
from functions.snapshot.pace import Pace
from shared.edge.settings import snapshot_settings
from shared.trail.store import Place, Store
from tests.handlers import NOW, VALID, bucket, records, run, send, timer

if TYPE_CHECKING:
    from localcloud import LocalCloud

DAY_S = 86400
TODAY = "2026-11-20"
"""The day of ``NOW``; it ends 7 h 50 min later."""
ENDS = 1795190400


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass while the function waits for its turn."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def pace(rate: float, **options: Any) -> Pace:
        return Pace(rate, monotonic=lambda: now[0], sleep=sleep, **options)

    monkeypatch.setattr(snapshot, "Pace", pace)


@pytest.fixture
def asked(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each day that a page of status rows is asked for."""
    days: list[str] = []
    dispatch = cloud.dispatch

    def note(service: str, request: Any, **options: Any) -> Any:
        if service == "ses" and b"RequestDate" in request.body:
            days.append(json.loads(request.body)["RequestDate"])
        return dispatch(service, request, **options)

    monkeypatch.setattr(cloud, "dispatch", note)
    return days


def take() -> dict[str, Any]:
    """Run the timer."""
    result: dict[str, Any] = run("snapshot", timer(), time_limit_s=900)
    assert result["complete"], result
    return result


def manifest(day: str = TODAY, source: str = "status") -> dict[str, Any]:
    """Read a day's manifest."""
    key = f"{source}/dt={day}/manifest.json"
    found: dict[str, Any] = json.loads(bucket(key)[key])
    return found


def status_of(day: str = TODAY, source: str = "status") -> Counter[str]:
    """Count a day's rows by type, of the parts that the manifest names."""
    lines = [line for part in manifest(day, source)["parts"] for line in records(part["key"])]
    return Counter(line["type"] for line in lines)


def test_a_day_from_its_first_mail_to_its_seal(cloud: LocalCloud, asked: list[str]) -> None:
    """A deferred mail is delivered or given up within 72 hours: the sealed day tells that, and costs a stated number."""
    send({**VALID, "to": ["deferred@simulator.mailtrail.test", "delivered@simulator.mailtrail.test"]})
    cloud.advance(60)
    cloud.pump_until_idle()
    take()
    assert (manifest()["phase"], manifest()["sealed"], status_of()) == ("open", False, {"deferred": 1, "delivered": 1})
    cloud.move_to(ENDS + 300)
    take()
    closed = manifest()
    assert (closed["phase"], closed["agreed"], closed["sealed"]) == ("closed", True, False)
    asked.clear()
    take()
    assert TODAY not in asked  # it agreed; a look a day is enough
    cloud.move_to(ENDS + 2 * DAY_S)
    take()
    assert asked.count(TODAY) == 1
    assert status_of() == {"deferred": 1, "delivered": 1}
    cloud.move_to(ENDS + 3 * DAY_S + 1)
    cloud.pump_until_idle()
    take()
    sealed = manifest()
    assert (sealed["phase"], sealed["agreed"], sealed["sealed"]) == ("settled", True, True)
    assert sealed["sealed_at"] == sealed["finished_at"]
    assert status_of() == {"bounced": 1, "delivered": 1}
    assert sealed["requests"] <= 24 + 2 + 3 + 2
    asked.clear()
    for _ in range(3):
        cloud.advance(DAY_S)
        take()
    assert TODAY not in asked
    assert manifest() == sealed | {"superseded": [], "digest": manifest()["digest"]}


def test_how_long_a_day_takes_to_settle_is_a_setting(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAPSHOT_SETTLE_DAYS", "0.25")
    cloud.seed(day=TODAY, messages=10, tasks=0, sendcloud=0, seed=1)
    cloud.move_to(ENDS + DAY_S / 4 - 60)
    take()
    assert not manifest()["sealed"]
    cloud.advance(120)
    take()
    assert manifest()["sealed"]


def test_after_an_outage_of_29_days_no_day_is_lost_and_the_oldest_is_asked_for_first(
    cloud: LocalCloud, asked: list[str]
) -> None:
    days = [f"2026-10-{day}" for day in range(22, 32)] + [f"2026-11-{day:02d}" for day in range(1, 20)]
    for number, day in enumerate(days):
        cloud.seed(day=day, messages=20 + number, tasks=0, sendcloud=0, seed=number)
    cloud.move_to(NOW + 3600)
    take()
    assert list(dict.fromkeys(asked))[1:-1] == days  # after the day before them, which has no mail; today last
    for number, day in enumerate(days):
        found = manifest(day)
        assert (found["rows"], found["complete"], found["agreed"]) == (20 + number, True, True)
        assert found["sealed"] is (day <= "2026-11-16")
    every_day_once = list(dict.fromkeys(asked))[:-1]
    assert asked[: len(every_day_once)] == every_day_once  # first one pass over each, then second opinions


def test_a_day_that_ses_forgot_before_it_agreed_is_sealed_as_it_is_and_says_so(cloud: LocalCloud) -> None:
    """There will be nothing better; the rows that are there stay."""
    cloud.seed(day=TODAY, messages=10, tasks=0, sendcloud=0, seed=1)
    take()
    cloud.move_to(ENDS + 31 * DAY_S)
    take()
    found = manifest()
    assert (found["sealed"], found["agreed"], found["rows"], found["complete"]) == (True, False, 10, True)


def test_a_day_out_of_reach_is_told_and_stops_no_other(cloud: LocalCloud) -> None:
    """By hand, for days that SES refuses."""
    event = {**timer(), "Message": json.dumps({"days": ["2026-09-01", "2026-11-19"]})}
    result = run("snapshot", event, time_limit_s=900)
    told = {(one["source"], one.get("day")): one for one in result["snapshots"]}
    assert told["status", "2026-09-01"]["why"] == "FailedOperation.NotSupportDate"
    assert told["status", "2026-11-19"]["complete"] is True
    assert result["complete"] is False


def test_sendclouds_second_opinion_is_not_its_memory_of_the_first(cloud: LocalCloud) -> None:
    """It answers the same question from memory for 10 minutes: until then two passes would always agree."""
    cloud.seed(day="2026-11-19", messages=0, tasks=0, sendcloud=150, seed=1)
    take()
    assert (manifest("2026-11-19", "sendcloud")["passes"], manifest("2026-11-19", "sendcloud")["agreed"]) == (1, False)
    cloud.seed(day="2026-11-19", messages=0, tasks=0, sendcloud=30, seed=2)  # SendCloud has not shown these yet
    cloud.advance(300)
    take()
    assert manifest("2026-11-19", "sendcloud")["passes"] == 1
    cloud.advance(301)
    take()
    found = manifest("2026-11-19", "sendcloud")
    assert (found["passes"], found["agreed"], found["rows"], found["gained"]) == (2, False, 180, 30)
    cloud.advance(900)
    take()
    found = manifest("2026-11-19", "sendcloud")
    assert (found["passes"], found["agreed"], found["rows"]) == (3, True, 180)


def test_sendcloud_takes_no_more_than_its_part_of_the_time(
    cloud: LocalCloud, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits of the two have nothing to do with each other: a long list at one must not cost the other its days."""
    cloud.seed(day="2026-11-19", messages=120, tasks=0, sendcloud=400, seed=1)
    clock = [0.0]
    dispatch = cloud.dispatch

    def slow(service: str, request: Any, **options: Any) -> Any:
        clock[0] += 100.0 * (service == "sendcloud")
        return dispatch(service, request, **options)

    monkeypatch.setattr(cloud, "dispatch", slow)
    monkeypatch.setattr(snapshot, "time_left", lambda *_, **__: lambda: 900.0 - clock[0])
    result = run("snapshot", timer("2026-11-19"), time_limit_s=900)
    told = {one["source"]: one for one in result["snapshots"]}
    assert told["sendcloud"]["why"] == "out of time"
    assert (told["status"]["rows"], told["status"]["agreed"]) == (120, True)
    clock[0] = 0.0
    again = {one["source"]: one for one in run("snapshot", timer("2026-11-19"), time_limit_s=900)["snapshots"]}
    assert again["sendcloud"]["rows"] == 400
    assert again["sendcloud"]["requests"] == 5


def test_a_bug_in_one_source_does_not_cost_the_days_of_another(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.seed(day="2026-11-19", messages=20, tasks=2, sendcloud=20, seed=1)
    monkeypatch.setattr(snapshot, "sendcloud_status_record", lambda row, *_: row["no such member"])
    result = run("snapshot", timer("2026-11-19"), time_limit_s=900)
    told = {one["source"]: one for one in result["snapshots"]}
    assert (told["tasks"]["rows"], told["status"]["rows"], told["status"]["agreed"]) == (2, 20, True)
    assert (told["sendcloud"]["complete"], told["sendcloud"]["why"], result["complete"]) == (False, "KeyError", False)
    assert '"message": "snapshot failed", "source": "sendcloud", "error": "KeyError"' in capsys.readouterr().out


@pytest.mark.parametrize("damage", [b"{", b"[]", b'"x"', b"", b'{"v": 1, "rows": 5}'])
def test_a_manifest_that_was_damaged_stops_no_other_day_and_its_day_begins_anew(
    damage: bytes, cloud: LocalCloud
) -> None:
    cloud.seed(day="2026-11-18", messages=5, tasks=0, sendcloud=0, seed=1)
    cloud.seed(day="2026-11-19", messages=7, tasks=0, sendcloud=0, seed=1)
    whole = {**timer(), "Message": '{"days": ["2026-11-18", "2026-11-19"]}'}
    run("snapshot", whole, time_limit_s=900)
    settings = snapshot_settings(os.environ)
    Store(Place(*settings.credential, *settings.bucket)).put("status/dt=2026-11-18/manifest.json", damage)
    take()
    assert [manifest(day)["rows"] for day in ("2026-11-18", "2026-11-19")] == [5, 7]
    assert manifest("2026-11-18")["agreed"]
