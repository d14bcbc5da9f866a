"""The day's report: every number recomputed here by plain code over what lies in the bucket."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest

from localcloud import defaults
from localcloud.simulator import PLANS
from shared.trail.store import StoreError
from tests.handlers import (
    DAY,
    VALID,
    bucket,
    call_back,
    records,
    report_table,
    run,
    schedule_task,
    send,
    timer,
    write_report,
)

if TYPE_CHECKING:
    from localcloud import LocalCloud
    from localcloud.callbacks import Callback

# What must come of each simulator address within ten seconds: outcome, class, engagements, events.
OUTCOMES: dict[str, tuple[str, str, set[str], int]] = {
    "delivered": ("delivered", "", set(), 1),
    "hard-bounce": ("bounced", "hard", set(), 1),
    "unknown-user": ("bounced", "hard", set(), 1),
    "soft-bounce": ("bounced", "soft", set(), 1),
    "deferred": ("deferred", "soft", set(), 1),
    "dropped": ("rejected", "", set(), 1),
    "blacklist": ("rejected", "admin", set(), 1),
    "open": ("delivered", "", {"opened"}, 2),
    "click": ("delivered", "", {"opened", "clicked"}, 3),
    "complaint": ("delivered", "", {"complained"}, 2),
    "unsubscribe": ("delivered", "", {"unsubscribed"}, 2),
}
ENGAGEMENTS = ("opened", "clicked", "complained", "unsubscribed")
HUMAN = ("opened_human", "clicked_human", "unsubscribed_human")


def deliver(cloud: LocalCloud, *, times: int = 1) -> None:
    """Hand every due callback to the webhook, each as often as told."""

    def carry(callback: Callback) -> int:
        for _ in range(times):
            answer = call_back(callback.body, provider=callback.source, content_type=callback.content_type)
            assert answer.status == 200
        return 200

    assert cloud.deliver_callbacks(carry) > 0


@pytest.fixture
def full_day(cloud: LocalCloud) -> LocalCloud:
    """Send a mail to every simulator address, each callback delivered three times, and take a snapshot."""
    assert set(OUTCOMES) == set(PLANS)
    for name in PLANS:
        assert send({**VALID, "to": [f"{name}@{defaults.SIMULATOR_DOMAIN}"], "metadata": {"n": name}}).status == 202
    cloud.seed(day=DAY, messages=0, tasks=3, sendcloud=5, seed=1)
    cloud.advance(10)
    deliver(cloud, times=3)
    assert run("snapshot", timer(DAY), time_limit_s=900)["complete"] is True
    return cloud


def test_every_simulator_address_shows_its_outcome(full_day: LocalCloud) -> None:
    """In events, in the status rows and in the report's table."""
    write_report()
    rows = {
        row["recipient"].partition("@")[0]: row
        for row in report_table()
        if row["recipient"].endswith(defaults.SIMULATOR_DOMAIN)
    }
    events = defaultdict(list)
    for event in {record["event_id"]: record for record in records("events/")}.values():
        events[event["recipient"].partition("@")[0]].append(event)
    assert set(rows) == set(events) == set(OUTCOMES)
    for name, (outcome, class_, engagements, count) in OUTCOMES.items():
        row = rows[name]
        assert row["outcome"] == outcome, name
        assert not class_ or row["class"] == class_, name
        assert {kind for kind in ENGAGEMENTS if row[kind] != "0"} == engagements, name
        assert row["told_by"] == "event send status", name
        assert len(events[name]) == count, name
        assert all(event["verified"] and event["metadata"] == {"n": name} for event in events[name]), name


def test_every_number_is_what_plain_counting_gives(full_day: LocalCloud) -> None:
    report = write_report()
    events = {record["event_id"]: record for record in records(f"events/dt={DAY}/")}
    assert report["sends"] == len(PLANS)
    assert report["events"]["distinct"] == sum(count for *_, count in OUTCOMES.values()) == len(events)
    assert report["events"]["by_type"] == Counter(event["type"] for event in events.values())
    outcomes = Counter(outcome for outcome, *_ in OUTCOMES.values())
    sendcloud = Counter(row["type"] for row in records(f"sendcloud/dt={DAY}/pass=1/"))
    assert report["recipients"]["by_outcome"] == outcomes + sendcloud
    assert report["recipients"]["total"] == len(PLANS) + 5
    for kind in ENGAGEMENTS:
        assert report["recipients"][kind] == sum(kind in engagements for _, _, engagements, _ in OUTCOMES.values())
    assert report["quarantined"] == 0
    assert (report["day"], report["utc_offset"], report["v"]) == (DAY, "+08:00", 1)


def test_a_callback_that_came_three_times_counts_once(full_day: LocalCloud) -> None:
    report = write_report()
    assert report["events"]["distinct"] == report["events"]["lines"]
    (event, *_) = records("events/")
    stranger = {"event": "delivered", "timestamp": event["raw"]["timestamp"], "bulkId": "m", "email": "new@example.com"}
    assert call_back([event["raw"], stranger]).body == {"stored": 2}  # in other company: another object
    again = write_report()
    assert again["events"]["lines"] == report["events"]["lines"] + 2
    assert again["events"]["distinct"] == report["events"]["distinct"] + 1


def test_by_domain(full_day: LocalCloud) -> None:
    report = write_report()
    domains: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in report_table():
        domain = row["recipient"].rpartition("@")[2]
        engaged = [kind for kind in (*ENGAGEMENTS, *HUMAN) if row[kind] != "0"]
        domains[domain].update(["recipients", row["outcome"], *engaged])
    assert {row.pop("domain"): row for row in report["by_domain"]} == domains
    assert domains[defaults.SIMULATOR_DOMAIN]["recipients"] == len(PLANS)
    counts = [row["recipients"] for row in report["by_domain"]]
    assert counts == sorted(counts, reverse=True)


def test_by_send_status_with_its_meaning(full_day: LocalCloud) -> None:
    status = write_report()["status"]
    assert status["by_send_status"] == [
        {"send_status": 0, "meaning": "accepted by SES", "rows": len(PLANS) - 1},
        {"send_status": 1007, "meaning": "address in the blocklist", "rows": 1},
    ]
    assert (status["rows"], status["complete"], status["passes"]) == (len(PLANS), True, 1)


def test_the_tasks_of_the_latest_list(full_day: LocalCloud) -> None:
    full_day.seed(day=DAY, messages=0, tasks=2, sendcloud=0, seed=2)
    full_day.advance(3600)
    run("snapshot", timer(DAY), time_limit_s=900)
    tasks = write_report()["tasks"]
    latest = list(bucket("tasks/").values())[-1]
    kept = [json.loads(line) for line in latest.splitlines()]
    assert [task["task_id"] for task in tasks] == [task["task_id"] for task in kept]
    assert len(tasks) == 5
    words = {1: "to start", 5: "sending", 6: "suspended today", 7: "error", 10: "done"}
    assert all(task["status_text"] == words[task["status"]] for task in tasks)


def test_a_mail_that_nobody_told_about_yet_is_accepted(cloud: LocalCloud) -> None:
    send({**VALID, "cc": ["bob@example.com"]})
    report = write_report()
    assert report["recipients"]["by_outcome"] == {"accepted": 2}
    assert report["status"]["rows"] == 0
    assert not report["status"]["complete"]


def test_events_without_a_send_or_a_row_are_counted(cloud: LocalCloud) -> None:
    """Mail that went out by another way than ours."""
    call_back({"event": "delivered", "timestamp": 1795161600, "bulkId": "elsewhere", "email": "Alice@Example.com"})
    call_back({"event": "open", "timestamp": 1795161601, "bulkId": "elsewhere", "email": "alice@example.com"})
    report = write_report()
    assert (report["sends"], report["recipients"]["total"], report["recipients"]["opened"]) == (0, 1, 1)


def test_quarantine_is_counted(cloud: LocalCloud) -> None:
    call_back(b"nonsense")
    call_back(b"more nonsense")
    assert write_report()["quarantined"] == 2


def test_a_day_of_nothing_is_a_report_of_nothing(cloud: LocalCloud) -> None:
    report = write_report("2026-11-01")
    assert (report["sends"], report["events"]["distinct"], report["recipients"]["total"]) == (0, 0, 0)
    assert (report["by_domain"], report["tasks"]) == ([], [])
    assert set(bucket("reports/")) == {f"reports/dt=2026-11-01/report.{name}" for name in ("csv", "html", "json")}


def test_the_same_trail_gives_the_same_report(full_day: LocalCloud) -> None:
    first = write_report()
    second = write_report()
    assert {**first, "generated_at": ""} == {**second, "generated_at": ""}


def test_without_a_message_yesterday_and_today_are_written(cloud: LocalCloud) -> None:
    assert run("report", timer(), time_limit_s=900)["days"] == ["2026-11-19", "2026-11-20"]


def test_a_bucket_that_is_down_is_a_failure_of_the_platform(cloud: LocalCloud) -> None:
    """A report of half the day is worse than none: it raises, and the next timer writes it."""
    send(VALID)
    cloud.add_faults({"service": "cos", "action": "GetObject", "kind": "error", "status": 503})
    with pytest.raises(StoreError):
        run("report", timer(DAY), time_limit_s=2.2)
    cloud.clear_faults()
    assert bucket("reports/") == {}


def test_a_task_of_a_real_batch_is_in_the_report(cloud: LocalCloud) -> None:
    schedule_task("Autumn news")
    run("snapshot", timer(DAY), time_limit_s=900)
    (task,) = write_report()["tasks"]
    assert (task["subject"], task["status_text"], task["requested"]) == ("Autumn news", "to start", len(PLANS))
