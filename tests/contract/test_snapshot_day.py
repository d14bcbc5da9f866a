"""A day's status rows and tasks in the bucket: complete, provable by the manifest, and never half a day taken for one."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from tencentcloud.common.credential import Credential
from tencentcloud.ses.v20201002 import models
from tencentcloud.ses.v20201002.ses_client import SesClient

from functions.snapshot import handler as snapshot
from functions.snapshot.pace import Pace
from localcloud import defaults
from shared.edge.environment import SettingsError
from shared.edge.timer_event import TimerMessageError
from tests.event_files import load_event
from tests.handlers import bucket, records, run, timer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud import LocalCloud

DAY = "2026-11-19"
MANIFEST = f"status/dt={DAY}/manifest.json"


class Stopwatch:
    """Time for ``Pace`` that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept_s = 0.0

    def sleep(self, seconds: float) -> None:
        """Pass the time."""
        self.now += seconds
        self.slept_s += seconds


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """Make the time by which the function paces itself."""
    watch = Stopwatch()

    def pace(rate: float, **options: Any) -> Pace:
        return Pace(rate, monotonic=lambda: watch.now, sleep=watch.sleep, **options)

    monkeypatch.setattr(snapshot, "Pace", pace)
    return watch


@pytest.fixture
def seeded(cloud: LocalCloud, stopwatch: Stopwatch) -> LocalCloud:
    """Make a day of 350 mails at SES, 130 tasks, and 230 mails at SendCloud."""
    cloud.seed(day=DAY, messages=350, tasks=130, sendcloud=230, seed=7)
    return cloud


def take(day: str | None = DAY, time_limit_s: float = 900.0) -> dict[str, Any]:
    """Run the function for ``day``, which is over: passes are made until two agree."""
    result: dict[str, Any] = run("snapshot", timer(day), time_limit_s=time_limit_s)
    return result


def told(result: dict[str, Any], source: str) -> dict[str, Any]:
    """Return what the run says of one source."""
    (one,) = [one for one in result["snapshots"] if one["source"] == source]
    return dict(one)


def manifest(source: str = "status") -> dict[str, Any]:
    """Read the day's manifest."""
    found: dict[str, Any] = json.loads(bucket(f"{source}/dt={DAY}/manifest.json")[f"{source}/dt={DAY}/manifest.json"])
    return found


def rows_by_sdk() -> Iterator[dict[str, Any]]:
    """Read the same day as the vendor's own SDK reads it."""
    client = SesClient(Credential(defaults.SECRET_ID, defaults.SECRET_KEY), defaults.REGION)
    for offset in itertools.count(0, 100):
        request = models.GetSendEmailStatusRequest()
        request.RequestDate, request.Offset, request.Limit = DAY, offset, 100
        page = json.loads(client.GetSendEmailStatus(request).to_json_string())["EmailStatusList"]
        yield from page
        if len(page) < 100:
            return


def test_every_row_is_there_once_and_the_manifest_proves_it(seeded: LocalCloud) -> None:
    result = take()
    assert result["complete"] is True
    assert told(result, "status") == {
        "source": "status",
        "day": DAY,
        "complete": True,
        "agreed": True,
        "sealed": False,
        "rows": 350,
        "pages": 4,
        "passes": 2,
        "requests": 8,
    }
    found = manifest()
    assert (found["rows"], found["pages"], found["passes"], found["requests"]) == (350, 4, 2, 8)
    assert (found["complete"], found["agreed"], found["sealed"], found["sealed_at"]) == (True, True, False, None)
    assert (found["gained"], found["missed"], found["changed"], found["unseen"]) == (0, 0, 0, 0.0)
    assert (found["v"], found["day"], found["source"], found["superseded"]) == (1, DAY, "status", [])
    parts = bucket(f"status/dt={DAY}/pass=1/")
    assert list(parts) == [part["key"] for part in found["parts"]]
    for part in found["parts"]:
        body = parts[part["key"]]
        assert (hashlib.sha256(body).hexdigest(), len(body), body.count(b"\n")) == (
            part["sha256"],
            part["bytes"],
            part["rows"],
        )
    kept = records(f"status/dt={DAY}/pass=1/")
    by_sdk = sorted(rows_by_sdk(), key=lambda row: (row["MessageId"], row["ToEmailAddress"]))
    assert len(by_sdk) == 350
    assert [{name: record["raw"][name] for name in row} for record, row in zip(kept, by_sdk, strict=True)] == by_sdk
    times = [record["requested_at"] for record in kept]
    assert (found["first_at"], found["last_at"]) == (min(times), max(times))


def test_a_row_becomes_exactly_this_record(seeded: LocalCloud) -> None:
    """All members, from one delivered and one bounced row."""
    take()
    kept = records(f"status/dt={DAY}/pass=1/")
    bounced = next(record for record in kept if "Mailbox not found" in record["raw"]["DeliverMessage"])
    raw = bounced["raw"]
    assert {
        name: value
        for name, value in bounced.items()
        if name not in ("raw", "requested_at", "delivered_at", "fetched_at")
    } == {
        "v": 1,
        "day": DAY,
        "message_id": raw["MessageId"],
        "recipient": raw["ToEmailAddress"],
        "sender": raw["FromEmailAddress"],
        "send_status": 0,
        "deliver_status": 3,
        "type": "bounced",
        "class": "hard",
        "reason": "invalid_recipient",
        "fault": "recipient",
        "deliver_message": raw["DeliverMessage"],
        "opened": False,
        "clicked": False,
        "unsubscribed": False,
        "complained": False,
    }
    for record in kept:
        assert record["opened"] is record["raw"]["UserOpened"]
        assert record["complained"] is record["raw"]["UserComplained"]
        assert (
            record["requested_at"][:13] in (f"{DAY}T{hour:02d}" for hour in range(24))
            or record["requested_at"] < f"{DAY}T"
        )
        assert (record["delivered_at"] is None) is (record["raw"]["DeliverTime"] == 0)


def test_the_manifest_is_written_last(seeded: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds it finds the parts."""
    written = []
    dispatch = seeded.cos.dispatch

    def note(request: Any) -> Any:
        if request.method == "PUT":
            written.append(request.path)
        return dispatch(request)

    monkeypatch.setattr(seeded.cos, "dispatch", note)
    take()
    status = [path for path in written if path.startswith("/status/")]
    assert [path.rpartition("/")[2] for path in status] == ["part-00000.jsonl", "manifest.json", "manifest.json"]


def test_rows_are_cut_into_parts(seeded: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.snapshot.merging.ROWS_PER_PART", 120)
    take()
    assert [part["rows"] for part in manifest()["parts"]] == [120, 120, 110]
    assert len(records(f"status/dt={DAY}/pass=1/")) == 350


def test_a_day_without_mail_is_complete_and_empty(cloud: LocalCloud, stopwatch: Stopwatch) -> None:
    assert told(take(), "status")["rows"] == 0
    assert (manifest()["parts"], manifest()["complete"]) == ([], True)


@pytest.mark.parametrize("rows", [99, 100, 101, 200])
def test_the_last_page_is_found_without_a_total(rows: int, cloud: LocalCloud, stopwatch: Stopwatch) -> None:
    cloud.ses.seed(day=DAY, messages=rows, tasks=0, seed=1)
    assert told(take(), "status")["rows"] == rows
    assert len({record["message_id"] for record in records(f"status/dt={DAY}/pass=1/")}) == rows


def test_a_pass_that_brings_something_new_replaces_parts_and_the_old_ones_go_half_an_hour_later(
    seeded: LocalCloud,
) -> None:
    """Readers of the older manifest still find what it names."""
    take()
    first = manifest()
    seeded.ses.seed(day=DAY, messages=50, tasks=0, seed=8)
    assert told(take(), "status")["passes"] == 4
    second = manifest()
    assert (second["rows"], second["passes"], second["gained"]) == (400, 4, 0)
    assert second["superseded"] == [part["key"] for part in first["parts"]]
    kept = bucket(f"status/dt={DAY}/")
    assert all(
        hashlib.sha256(kept[part["key"]]).hexdigest() == part["sha256"] for part in first["parts"] + second["parts"]
    )
    seeded.advance(1801)
    take()
    kept = bucket(f"status/dt={DAY}/")
    assert [key.split("/")[2] for key in kept] == ["manifest.json", "pass=3"]


def test_a_pass_that_brings_nothing_new_writes_no_row(seeded: LocalCloud) -> None:
    """Timers that are doubled, and who asks again by hand, leave the same bytes, but for times and counts."""
    take()
    first, before = bucket(f"status/dt={DAY}/"), manifest()
    seeded.advance(3600)
    take()
    again, after = bucket(f"status/dt={DAY}/"), manifest()
    assert {key: body for key, body in again.items() if key != MANIFEST} == {
        key: body for key, body in first.items() if key != MANIFEST
    }
    differing = {name for name, value in after.items() if before[name] != value}
    assert differing == {"passes", "phase_passes", "requests", "started_at", "finished_at", "digest"}


def test_throttling_is_waited_out_and_the_day_is_complete(seeded: LocalCloud, stopwatch: Stopwatch) -> None:
    seeded.add_faults({"service": "ses", "action": "GetSendEmailStatus", "kind": "throttle", "times": 3})
    seeded.add_faults({"service": "sendcloud", "kind": "throttle", "times": 1})
    result = take()
    assert result["complete"] is True
    assert (manifest()["rows"], told(result, "status")["requests"]) == (350, 8 + 3)
    assert stopwatch.slept_s >= 1 + 2 + 4 + 60


def test_an_upstream_that_stays_throttled_fails_its_own_part_alone(seeded: LocalCloud) -> None:
    """The tasks and SendCloud's rows are there all the same, and no manifest says otherwise."""
    seeded.add_faults({"service": "ses", "action": "GetSendEmailStatus", "kind": "throttle"})
    result = take()
    assert result["complete"] is False
    assert told(result, "status") == {"source": "status", "day": DAY, "complete": False, "why": "RequestLimitExceeded"}
    assert told(result, "tasks")["complete"] is True
    assert told(result, "sendcloud")["rows"] == 230
    assert MANIFEST not in bucket("status/")


def test_time_that_is_nearly_up_leaves_the_old_manifest_standing(
    seeded: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run stops between two pages; what stood before stands, and nothing else is seen of the day."""
    take()
    before = bucket(f"status/dt={DAY}/")
    seeded.ses.seed(day=DAY, messages=50, tasks=0, seed=8)
    asked: list[Any] = []
    dispatch = seeded.ses.dispatch
    monkeypatch.setattr(seeded.ses, "dispatch", lambda request: asked.append(request) or dispatch(request))
    monkeypatch.setattr(snapshot, "time_left", lambda *_, **__: lambda: 5.0 if len(asked) > 2 else 100.0)
    result = take()
    assert told(result, "status") == {"source": "status", "day": DAY, "complete": False, "why": "out of time"}
    assert bucket(f"status/dt={DAY}/") == before
    monkeypatch.undo()
    asked.clear()
    assert told(take(), "status")["rows"] == 400


def test_a_run_that_starts_too_late_asks_no_upstream_and_writes_nothing(seeded: LocalCloud, calls: list[str]) -> None:
    result = take(time_limit_s=10.0)
    assert result["complete"] is False
    assert not any(call.startswith(("ses", "sendcloud")) for call in calls)
    assert {key for key in bucket() if "/lease/" not in key} == set()


def test_a_part_that_cos_refuses_is_an_incomplete_pass(seeded: LocalCloud) -> None:
    seeded.add_faults({"service": "cos", "action": "PutObject", "kind": "error", "code": "AccessDenied", "status": 403})
    result = take()
    assert {one["why"] for one in result["snapshots"]} == {"AccessDenied"}
    assert bucket() == {}


def test_tasks_are_kept_with_their_ids_as_text(seeded: LocalCloud) -> None:
    """SES gives numbers, its page shows "123"."""
    result = take()
    assert told(result, "tasks")["rows"] == 130
    (key,) = bucket("tasks/")
    assert key == told(result, "tasks")["key"]
    assert key.startswith("tasks/dt=2026-11-20/2026-11-20T0810")
    kept = records("tasks/")
    assert len({record["task_id"] for record in kept}) == 130
    for record in kept:
        raw = record["raw"]
        assert (type(record["task_id"]), record["task_id"], type(raw["TaskId"])) == (str, str(raw["TaskId"]), int)
        assert (record["requested"], record["sent"], record["status"]) == (
            raw["RequestCount"],
            raw["SendCount"],
            raw["TaskStatus"],
        )
        assert record["error"] == (raw["ErrMsg"] or None)
    assert all(record["created_at"].endswith("Z") for record in kept)


def test_sendclouds_rows_have_the_shape_of_sess(seeded: LocalCloud) -> None:
    take()
    assert (manifest("sendcloud")["rows"], manifest("sendcloud")["pages"]) == (230, 3)
    ours, theirs = records(f"status/dt={DAY}/pass=1/"), records(f"sendcloud/dt={DAY}/pass=1/")
    assert {tuple(record) for record in ours} == {tuple(record) for record in theirs}
    assert len({record["message_id"] for record in theirs}) == 230
    for record in theirs:
        raw = record["raw"]
        assert record["recipient"] == raw["recipients"]
        assert record["type"] == {"送达": "delivered", "请求中": "accepted"}.get(raw["status"], record["type"])
        if raw["subStatus"] == "406":
            assert (record["type"], record["class"], record["send_status"]) == ("bounced", "hard", 406)


def test_sendcloud_is_not_asked_for_a_second_opinion_while_it_would_repeat_the_first(
    seeded: LocalCloud, calls: list[str]
) -> None:
    """Its answers are ten minutes old at most, so a day named twice would agree with itself."""
    take()
    first = manifest("sendcloud")
    calls.clear()
    seeded.advance(500)
    again = take()
    assert told(again, "sendcloud") == {
        "source": "sendcloud",
        "day": DAY,
        "complete": True,
        "agreed": False,
        "sealed": False,
        "rows": 230,
        "pages": 3,
        "passes": 1,
        "requests": 3,
    }
    assert (manifest("sendcloud"), again["complete"]) == (first, True)
    assert not any(call.startswith("sendcloud") for call in calls)
    seeded.advance(200)
    assert (told(take(), "sendcloud")["agreed"], manifest("sendcloud")["passes"]) == (True, 2)


def test_without_sendcloud_only_ses_is_asked(
    seeded: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SENDCLOUD_API_USER")
    monkeypatch.delenv("SENDCLOUD_API_KEY")
    assert [one["source"] for one in take()["snapshots"]] == ["tasks", "status"]
    assert not any(call.startswith("sendcloud") for call in calls)


@pytest.mark.parametrize("event", ["snapshot/timer-empty.json", "snapshot/timer-day.json"])
def test_the_timers_events(event: str, cloud: LocalCloud, stopwatch: Stopwatch) -> None:
    """Without a message: every day that SES still knows, the first time."""
    result = run("snapshot", load_event(event), time_limit_s=900)
    every = [f"2026-10-{day}" for day in range(21, 32)] + [f"2026-11-{day:02d}" for day in range(1, 21)]
    assert result["days"] == (["2026-11-20"] if "day" in event else every)
    assert result["complete"] is True


@pytest.mark.parametrize("function", ["snapshot", "report"])
@pytest.mark.parametrize(
    "message",
    ["not JSON", "[]", "7", '"2026-11-20"', '{"day": 20261120}', '{"day": "20.11.2026"}', '{"day": "2026-13-40"}',
     '{"day": null}', '{"days": "2026-11-20"}', '{"days": ["2026-11-20", "../../x"]}', '{"day": "2026-11-20\\n"}'],
)  # fmt: skip
def test_a_message_that_makes_no_sense_raises_and_touches_nothing(
    function: str, message: str, calls: list[str]
) -> None:
    """The platform records a failure; a made-up day never becomes part of a key."""
    with pytest.raises(TimerMessageError):
        run(function, {**timer(), "Message": message}, time_limit_s=900)
    assert calls == []


@pytest.mark.parametrize("function", ["snapshot", "report"])
@pytest.mark.parametrize("case", ["timer-not-json", "timer-bad-day"])
def test_the_event_files_that_make_no_sense(function: str, case: str, calls: list[str]) -> None:
    with pytest.raises(TimerMessageError):
        run(function, load_event(f"{function}/{case}.json"), time_limit_s=900)
    assert calls == []


@pytest.mark.parametrize("function", ["snapshot", "report"])
def test_missing_settings_are_all_named_at_once(
    function: str, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MAILTRAIL_BUCKET", "MAILTRAIL_REGION"):
        monkeypatch.delenv(name)
    with pytest.raises(SettingsError) as caught:
        run(function, timer(DAY))
    assert [problem.split()[0] for problem in caught.value.problems] == ["MAILTRAIL_BUCKET", "MAILTRAIL_REGION"]
    assert calls == []
