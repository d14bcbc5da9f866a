"""Compaction by the report timer: fewer objects, the same events for every reader, before, during and after."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.report import compaction, compaction_hour, hours, merging
from functions.report.event_reading import Missed, iter_events
from shared.trail.layout import event_key, events_prefix
from shared.trail.lease import take
from shared.trail.records import epoch
from shared.trail.store import Store, StoreError
from tests.closed_hours import (
    GRACE_S,
    HOUR,
    OCCURRED,
    Facts,
    callback,
    deliver,
    facts,
    listed,
    maintain,
    naive,
    names,
    ours,
    read,
    trail,
)
from tests.handlers import DAY, NOW, bucket, run, timer, write_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud import LocalCloud
    from shared.trail.store import Entry

LOG = "state/report/merged/"
DAY_S = 86400


def small_merges(monkeypatch: pytest.MonkeyPatch, *, full: int) -> None:
    """Let merged objects be full with a few events, so that an hour needs several."""
    monkeypatch.setattr(compaction_hour, "FULL_BYTES", full)
    for module in (compaction_hour, hours):
        monkeypatch.setattr(module, "SEALED_BYTES", full // 2)
    monkeypatch.setattr(compaction_hour, "LONG_STRETCH", 1)


def check(truth: Facts, day: str = DAY) -> None:
    """Both readers see the truth."""
    assert naive(day) == truth
    assert ours(day) == truth


def test_an_hours_objects_become_one_and_go_after_the_grace(cloud: LocalCloud) -> None:
    """Merged at once; deleted half an hour later, when every listing has had the time to show the merged one."""
    deliver([callback(1), callback(2), callback(3, event="bounce"), callback(3, event="open")])
    truth = ours()
    assert len(truth.events) == len(names()) == 4
    told = maintain()
    assert (told["hours"], told["merged"], told["made"], told["deleted"]) == (1, 4, 1, 0)
    assert len(names()) == 5
    check(truth)
    cloud.advance(GRACE_S - 60)
    assert maintain()["deleted"] == 0
    cloud.advance(61)
    assert maintain()["deleted"] == 4
    (merged,) = names()
    assert merged.startswith("merged-")
    check(truth)
    assert maintain() == {"hours": 0, "merged": 0, "made": 0, "deleted": 0, "left_alone": 0, "damaged": 0,
                          "finished": True}  # fmt: skip


def test_the_merge_log_tells_what_went_where(cloud: LocalCloud) -> None:
    deliver([callback(1), callback(2)])
    before = names()
    maintain()
    ((key, line),) = bucket(LOG).items()
    told = json.loads(line)
    assert key == f"state/report/merged/dt={DAY}/hour={HOUR}/0.json"
    body = read(events_prefix(DAY, HOUR) + told["merged"]) or b""
    assert told["objects"] == before
    assert (told["v"], told["at"], told["lines"], told["bytes"]) == (1, told["at"], 2, len(body))
    assert NOW <= epoch(told["at"]) < NOW + 60
    assert told["merged"] == f"merged-{told['sha256']}.jsonl"
    assert merging.is_whole(told["merged"], body)


def test_an_hour_that_is_not_over_is_left(cloud: LocalCloud) -> None:
    """Nor one that was over less than ten minutes ago."""
    deliver([callback(number, occurred=OCCURRED + 3600) for number in range(3)])
    assert maintain()["hours"] == 0
    cloud.move_to(NOW + 3599)
    assert maintain()["hours"] == 0
    cloud.move_to(NOW + 3601)
    assert maintain()["made"] == 1


def test_late_events_of_days_ago_are_taken_in(cloud: LocalCloud) -> None:
    """And their hour stays at one object, however often some come; the day's report is written again."""
    early = OCCURRED - 3 * DAY_S
    deliver([callback(number, occurred=early) for number in range(3)])
    for number in range(3, 7):
        deliver([callback(number, occurred=early)])
        result = run("report", timer(), time_limit_s=900)
        assert result["days"] == ["2026-11-19", "2026-11-20", "2026-11-17"]
        assert json.loads(bucket("reports/dt=2026-11-17/")["reports/dt=2026-11-17/report.json"])["events"][
            "distinct"
        ] == (number + 1)
        cloud.advance(3600)
        check(ours("2026-11-17"), "2026-11-17")
    assert run("report", timer(), time_limit_s=900)["days"][2:] == ["2026-11-17"]
    cloud.advance(3600)
    assert run("report", timer(), time_limit_s=900)["days"] == ["2026-11-19", "2026-11-20"]
    assert len(names("2026-11-17")) == 1
    assert len(naive("2026-11-17").events) == 7


def test_a_redelivery_after_the_deletion_goes_again(cloud: LocalCloud) -> None:
    """Its name says that what it holds is in the merged object."""
    deliver([callback(1), callback(2)])
    truth = ours()
    maintain()
    cloud.advance(GRACE_S)
    maintain()
    deliver([callback(1)])
    assert len(names()) == 2
    check(truth)
    assert maintain()["deleted"] == 1
    assert len(names()) == 1
    check(truth)


def test_nothing_is_deleted_for_a_merged_object_that_is_not_whole(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """What went into it is merged again, and the log says so."""
    deliver([callback(1), callback(2)])
    truth = ours()
    maintain()
    (merged,) = [key for key in listed() if "merged-" in key]
    whole = read(merged)
    for damage in (b"{}\n", None):
        if damage is None:
            trail().delete(merged)
        else:
            trail().put(merged, damage)
        cloud.advance(GRACE_S)
        told = maintain()
        assert told["deleted"] == 0
        assert told["damaged"] >= 1
        assert "merged object damaged" in capsys.readouterr().out
        assert read(merged) == whole
        check(truth)
    cloud.advance(GRACE_S)
    assert maintain()["deleted"] == 2
    check(truth)


def test_what_is_not_ours_stays(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """A file with lines that are no JSON is left alone and logged once; a file of another name is not looked at."""
    deliver([callback(1), callback(2)])
    broken, named = event_key(DAY, HOUR, "0" * 64), f"{events_prefix(DAY, HOUR)}by-hand.jsonl"
    trail().put(broken, b'{"event_id": "1"}\nnot json\n')
    trail().put(named, b'{"mine": true}\n')
    told = maintain()
    assert (told["merged"], told["left_alone"]) == (2, 1)
    assert capsys.readouterr().out.count("object left alone") == 1
    cloud.advance(GRACE_S)
    maintain()
    told = maintain()
    assert (told["made"], told["left_alone"]) == (0, 0)
    assert "object left alone" not in capsys.readouterr().out
    assert read(broken) == b'{"event_id": "1"}\nnot json\n'
    assert read(named) == b'{"mine": true}\n'
    assert len(names()) == 3
    report = write_report()
    assert (report["events"]["distinct"], report["events"]["unreadable"]) == (2, 3)


@pytest.mark.parametrize("place", [(DAY, "16"), ("2026-01-01", "77")], ids=["open", "no hour"])
def test_a_name_that_sorts_last_in_an_hour_that_is_passed_over_holds_nothing_up(
    cloud: LocalCloud, place: tuple[str, str]
) -> None:
    """Somebody's file may be named in any way; the walk gets past it, and does not stand there until its time is up."""
    deliver([callback(1), callback(2)])
    for name in ("~lock", "\u65e5.txt"):
        trail().put(events_prefix(*place) + name, b"")
    told = maintain(time_limit_s=60)
    assert (told["hours"], told["made"], told["finished"]) == (1, 1, True)


@pytest.mark.parametrize(
    "member",
    [
        {"source": []}, {"type": {}}, {"class": 1}, {"reason": True}, {"fault": 1.5}, {"message_id": []}, {"recipient": 1},
        {"occurred_at": None}, {"occurred_at": "x"}, {"occurred_at": "2026-13-40T00:00:00Z"}, {"received_at": 1},
        {"occurred_at": "2026-11-20T08:00:00"}, {"machine": {}}, {"link": 7}, {"event_id": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_line_that_looks_like_an_event_and_is_none_costs_no_report(cloud: LocalCloud, member: dict[str, Any]) -> None:
    """Members of another kind, as a file of somebody else's may have: passed over and counted."""
    deliver([callback(1, event="unsubscribe")])
    (event,) = [json.loads(body) for body in bucket(events_prefix(DAY)).values()]
    line = json.dumps({**event, "event_id": "ab" * 32, **member}).encode()
    trail().put(f"{events_prefix(DAY, HOUR)}by-hand.jsonl", line)
    told = write_report()["events"]
    assert (told["distinct"], told["unreadable"]) == (1, 1)


def test_many_objects_become_as_few_as_their_size_allows(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they come little by little; what is full is not read again."""
    small_merges(monkeypatch, full=6000)
    for round_ in range(6):
        deliver([callback(number) for number in range(round_ * 10, round_ * 10 + 10)])
        maintain()
        cloud.advance(GRACE_S)
    maintain()
    truth = ours()
    assert len(truth.events) == 60
    total = sum(map(len, bucket(events_prefix(DAY, HOUR)).values()))
    assert all(name.startswith("merged-") for name in names())
    assert len(names()) <= total / 3000 + 1
    check(truth)
    assert maintain()["merged"] == 0


def test_another_merge_of_the_same_changes_nothing(cloud: LocalCloud) -> None:
    """The merged object is named by its bytes, and these by the contents alone: not by who merged what, and when."""
    deliver([callback(number) for number in range(4)])
    maintain()
    (merged,) = [name for name in names() if name.startswith("merged-")]
    for key in bucket(LOG):
        trail().delete(key)  # as if the function had died before its log
    cloud.advance(60)
    told = maintain()
    assert (told["made"], told["merged"]) == (1, 4)
    assert [name for name in names() if name.startswith("merged-")] == [merged]


def test_it_stops_in_time_and_goes_on(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that have time for one merge each do the work between them, none of it twice."""
    small_merges(monkeypatch, full=3000)
    deliver([callback(number) for number in range(30)])
    truth = ours()
    real = compaction_hour.HourCompaction._merge

    def slow(self: Any, batch: Any) -> bool:
        real(self, batch)
        self._work = self._work._replace(time_left_s=lambda: 0.0)
        return False

    monkeypatch.setattr(compaction_hour.HourCompaction, "_merge", slow)
    rounds = [maintain() for _ in range(12)]
    assert [(told["made"], told["finished"]) for told in rounds[:3]] == [(1, False)] * 3
    lines = [json.loads(line) for line in bucket(LOG).values()]
    singles = [name for line in lines for name in line["objects"] if not name.startswith("merged-")]
    assert len(singles) == len(set(singles)) == 30
    check(truth)


def test_without_time_nothing_is_begun(cloud: LocalCloud) -> None:
    """That the reports took all of it is no failure of compaction."""
    deliver([callback(1), callback(2)])
    for time_limit_s in (4, 8):
        assert maintain(time_limit_s=time_limit_s) == {"out_of_time": True}
    assert len(names()) == 2


def test_days_with_news_are_reported_again(cloud: LocalCloud) -> None:
    """A snapshot that was taken later, or a timer that did not run. What came within minutes before a report is reported once more."""
    usual = ["2026-11-19", "2026-11-20"]
    deliver([callback(1, occurred=OCCURRED - 4 * DAY_S), callback(1, occurred=OCCURRED - 6 * DAY_S)])
    cloud.advance(1100)
    assert run("report", timer(), time_limit_s=900)["days"] == [*usual, "2026-11-16", "2026-11-14"]
    cloud.advance(7200)
    assert run("report", timer(), time_limit_s=900)["days"] == usual
    assert run("snapshot", timer("2026-11-14"), time_limit_s=900)["complete"] is True
    cloud.advance(1100)
    assert run("report", timer(), time_limit_s=900)["days"] == [*usual, "2026-11-14"]
    cloud.advance(7200)
    assert run("report", timer(), time_limit_s=900)["days"] == usual
    deliver([callback(2, occurred=OCCURRED - 4 * DAY_S)])
    for days in ([*usual, "2026-11-16"], [*usual, "2026-11-16"], usual):
        assert run("report", timer(), time_limit_s=900)["days"] == days
        cloud.advance(3600)
    assert run("report", timer("2026-11-16"), time_limit_s=900)["days"] == ["2026-11-16"]


def test_somebody_elses_lease_is_waited_for(cloud: LocalCloud) -> None:
    """A dead holder's runs out."""
    deliver([callback(1), callback(2)])
    assert take(trail(), compaction.SCOPE, now=NOW, ttl_s=900)
    assert maintain() == {"held_elsewhere": True}
    cloud.advance(901)
    assert maintain()["made"] == 1


def test_one_hour_that_fails_does_not_stop_the_others(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it stop the reports; but the platform hears of it."""
    deliver([callback(number, occurred=OCCURRED - 3600 * hour) for hour in range(3) for number in range(2)])
    real = compaction_hour.HourCompaction.compact

    def failing(self: Any) -> bool:
        if self._place[1] == "14":
            raise StoreError("get", "InternalError", status=500, retry_safe=True)
        return real(self)

    monkeypatch.setattr(compaction_hour.HourCompaction, "compact", failing)
    with pytest.raises(StoreError, match="InternalError"):
        run("report", timer(), time_limit_s=900)
    assert [key.split("/")[2] for key in listed() if "merged-" in key] == ["hour=13", "hour=15"]
    assert f"reports/dt={DAY}/report.json" in bucket("reports/")


def test_a_day_that_fails_does_not_stop_the_rest(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others' reports are written, the hours are compacted, and the platform records the failure."""
    deliver([callback(1), callback(2)])
    trail().put("status/dt=2026-11-19/manifest.json", b"not json")
    with pytest.raises(ValueError, match="Expecting value"):
        run("report", timer(), time_limit_s=900)
    assert f"reports/dt={DAY}/report.json" in bucket("reports/")
    assert any("merged-" in name for name in names())


def test_what_vanished_without_a_word_is_told(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody deleted an object that a lagging LIST still shows, and no merged one has it: counted, not fatal."""
    deliver([callback(1), callback(2)])
    cloud.cos.switches.update({"list_lag_s": 60, "list_lag_deleted": True})
    cloud.advance(61)
    trail().delete(listed()[0])
    run("report", timer(DAY), time_limit_s=900)
    report = json.loads(read(f"reports/dt={DAY}/report.json") or b"")  # which LIST does not show yet
    assert (report["events"]["distinct"], report["events"]["vanished"]) == (1, 1)
    assert '"message": "events missed"' in capsys.readouterr().out


def test_a_merged_object_that_no_listing_shows_is_read_by_its_log(cloud: LocalCloud) -> None:
    """COS publishes no bound for the lag of LIST; our reader needs none."""
    deliver([callback(1), callback(2)])
    truth = ours()
    cloud.advance(3600)
    maintain()
    trail().delete_many([key for key in listed() if "merged-" not in key])
    cloud.cos.switches.update({"list_lag_s": 600})
    assert listed() == []
    assert ours() == truth


def test_merged_on_while_it_is_read(cloud: LocalCloud) -> None:
    """The reader's listing is old by two merges when it comes to read: it follows the log to where everything lies."""
    deliver([callback(1), callback(2)])
    maintain()
    cloud.advance(GRACE_S)
    maintain()
    deliver([callback(3), callback(4)])
    truth = ours()

    def move_on() -> None:
        for _ in range(2):
            maintain()
            cloud.advance(GRACE_S)
            maintain()
            deliver([callback(5, event="open")])

    missed = Missed()
    assert facts(iter_events(_ListsEarly(move_on), DAY, missed)).events >= truth.events
    assert missed.vanished == 0


class _ListsEarly(Store):
    """A bucket whose first listing is complete before ``then`` happens, and read after it."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__(trail()._place)
        self._then = then

    def iterate(self, prefix: str, *, after: str = "") -> Iterator[Entry]:
        listing = list(super().iterate(prefix, after=after))
        self._then()
        return iter(listing)
