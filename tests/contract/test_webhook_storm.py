"""20 000 callbacks in bad weather: nothing lost, nothing doubled, and every mail's state is the truth.

The storm itself, what it does and how it is judged: benchmarks/storm.py, which also runs it with 300 000 and more.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.storm_course import LATE_S, Outcome, Size, run_storm
from benchmarks.storm_truth import Sent, Stored, compare, compare_report, compare_suppression, missing
from localcloud import defaults
from localcloud.storm import Storm
from tests.handlers import call_back, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud import LocalCloud

SIZE = Size(events=3333, deliveries=20_000, workers=12, kill_every_s=0.4)
DAY = "2026-11-16"


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Let one storm pass, with everything that follows it."""
    return run_storm(tmp_path_factory.mktemp("storm"), SIZE)


@pytest.mark.timeout(600)  # a minute on two idle cores; the limit is for a hang
def test_every_event_is_stored_once_verbatim_and_folds_to_the_truth(outcome: Outcome) -> None:
    """Distinct stored is distinct sent, and fold is truth: after the storm, during compaction, and after it."""
    assert list(outcome.differences) == []
    for when in ("after the storm", "beside the merged objects", "after compaction"):
        assert outcome.numbers[when]["events"] == SIZE.events


def test_what_was_acknowledged_is_stored_though_nobody_repeats_it(outcome: Outcome) -> None:
    """SES documents no repeat: at the end of the storm every event that got a 2xx was on the disk."""
    assert outcome.lost_after_ack == 0


def test_what_was_refused_is_stored_after_a_replay_of_the_logs(outcome: Outcome) -> None:
    """A 503 leaves a log line that ``mailtrail replay`` puts back; no part of a callback is missing in any."""
    assert outcome.lost_after_replay == 0
    assert set(outcome.numbers["replay"]["results"]) <= {"stored", "already there"}


def test_the_weather_was_bad(outcome: Outcome) -> None:
    """What the other tests rest on: 5 % of COS failing, instances killed, senders refused and left without an answer."""
    numbers = outcome.numbers
    weather = dict(numbers["weather_in_storm"])
    attempts = weather.pop("attempts to put")
    assert 0.04 < sum(weather.values()) / attempts < 0.06
    assert set(weather) >= {"error 500", "throttle", f"delay {LATE_S}", f"lose {LATE_S}"}
    assert all(fired > 20 for name, fired in weather.items() if not name.startswith("list_lag"))
    assert numbers["kills_in_storm"] > 10
    assert numbers["answers_in_storm"]["503"] > 20
    assert numbers["answers_in_storm"]["none"] > 5
    assert sum(numbers["answers_in_storm"].values()) == SIZE.deliveries


def test_compaction_leaves_few_objects_and_each_event_on_one_line(outcome: Outcome) -> None:
    """Also of the events that were told again after their hour had been merged and its objects deleted."""
    after = outcome.numbers["after compaction"]
    assert after["lines"] == after["events"] == SIZE.events
    assert after["objects"] < 40


def _wipe(path: Path) -> None:
    path.unlink()


def _tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _forge(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"timestamp":', b'"timestamp": '[:-1] + b"1"))


def _double(path: Path) -> None:
    record = json.loads(path.read_bytes())
    record["event_id"] = "0" * 64
    path.write_bytes(path.read_bytes() + json.dumps(record).encode() + b"\n")


def _relabel(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"type":"', b'"type":"un'))


@pytest.mark.parametrize("harm", [_wipe, _tear, _forge, _double, _relabel])
def test_the_judge_notices(cloud: LocalCloud, harm: Callable[[Path], None]) -> None:
    """One object of many that is lost, cut, changed or doubled is a difference; without harm there is none."""
    storm = Storm(90, 3, max_copies=2, day=DAY)
    for one in storm:
        assert call_back(one.body).status == 200
    sent, objects = Sent(storm), Path(cloud.data) / "cos" / defaults.BUCKET / "objects"
    assert list(compare(storm, sent, Stored(objects, seed=1))) == []
    harm(sorted((objects / "events").rglob("*.jsonl"))[40])
    stored = Stored(objects, seed=2)
    assert compare(storm, sent, stored).count > 0
    assert missing(sent, stored, range(storm.events)) == (1 if harm in (_wipe, _tear, _forge) else 0)


def test_the_judge_reads_reports_and_the_suppression_list(cloud: LocalCloud) -> None:
    """Both are right when all events are there, and a difference when one is not."""
    storm = Storm(90, 3, max_copies=1, day=DAY)
    *most, last = sorted(storm, key=lambda one: b"hard_bounce" in one.body)
    sent, reports = Sent(storm), Path(cloud.data) / "cos" / defaults.BUCKET / "objects" / "reports"

    def differences() -> list[str]:
        event = {"Type": "Timer", "Message": json.dumps({"days": [DAY]})}
        run("report", event, time_limit_s=900)
        report: dict[str, Any] = json.loads((reports / f"dt={DAY}" / "report.json").read_bytes())
        return [*compare_report(sent, DAY, report), *compare_suppression(sent, reports.parent)]

    for one in most:
        assert call_back(one.body).status == 200
    assert len(differences()) == 5  # events, by type, recipients, outcomes; and who is suppressed
    assert call_back(last.body).status == 200
    assert differences() == []
