"""The event-loss meter: what the webhook was never told, counted, named and filled in."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

import pytest
import requests

from functions.report import handler, reconciliation_day
from functions.snapshot import handler as snapshot
from functions.snapshot.pace import Pace
from localcloud import defaults
from localcloud.sendcloud.webhooks import sign
from localcloud.simulator import PLANS
from shared.trail.fold import fold
from shared.trail.layout import parse_event_key
from shared.trail.records import epoch
from shared.trail.suppression import is_suppressed
from tests.closed_hours import trail
from tests.contract.test_days_at_risk import text
from tests.contract.test_report_hostile import ONLY, Elements, page
from tests.handlers import DAY, NOW, VALID, bucket, call_back, records, report_table, run, send, timer, write_report
from tests.sealed_days import SEALED_AFTER_S, rows_of, seal
from tests.suppressed import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud import LocalCloud
    from localcloud.callbacks import Callback

FINAL_EVENTS = {"delivered", "dropped", "bounce", "deliver", "invalid", "soft_bounce"}
SOURCES = ("status", "sendcloud")
PROVIDERS = {"ses": "status", "sendcloud": "sendcloud"}
AS_GOOD = {"rejected": {"rejected", "failed", "bounced"}, "failed": {"rejected", "failed", "bounced"}}
"""Type of a row -> types of an event that tell it; any other row is told by its own."""
HOUR_S = 3600


class Key(NamedTuple):
    """One message and recipient."""

    message_id: str
    recipient: str


def key_of(record: dict[str, Any]) -> Key:
    return Key(record["message_id"], record["recipient"].lower())


def send_ses(names: Iterable[str]) -> None:
    """Send one mail to each of these simulator addresses, fifty in a message."""
    people = [f"{name}@{defaults.SIMULATOR_DOMAIN}" for name in names]
    for start in range(0, len(people), 50):
        assert send({**VALID, "to": people[start : start + 50]}).status == 202


def send_sendcloud(names: Iterable[str]) -> None:
    """Likewise at SendCloud, a hundred in a message."""
    people = [f"{name}@{defaults.SIMULATOR_DOMAIN}" for name in names]
    for start in range(0, len(people), 100):
        form = {
            "apiUser": defaults.SENDCLOUD_USER,
            "apiKey": defaults.SENDCLOUD_KEY,
            "from": "noreply@mail.example.com",
        }
        form |= {"to": ";".join(people[start : start + 100]), "subject": "Hello", "html": "<p>Hi</p>"}
        assert requests.post("https://api.sendcloud.net/apiv2/mail/send", data=form, timeout=10).json()["result"]


def deliver(cloud: LocalCloud) -> None:
    """Hand every due callback to the webhook; those of SES a hundred at a time, to be quick."""
    waiting: list[Any] = []

    def post(*, least: int) -> None:
        if len(waiting) >= least:
            assert call_back(waiting).status == 200
            waiting.clear()

    def carry(callback: Callback) -> int:
        if callback.source == "ses":
            waiting.append(json.loads(callback.body))
            post(least=100)
        else:
            assert call_back(callback.body, provider="sendcloud", content_type=callback.content_type).status == 200
        return 200

    cloud.deliver_callbacks(carry)
    post(least=1)


def lose(cloud: LocalCloud, part: float) -> None:
    """Lose that part of all callbacks from now on."""
    cloud.clear_faults()
    cloud.add_faults({"service": "callback", "kind": "lose", "probability": part})


def lose_second_attempts(cloud: LocalCloud) -> None:
    """SendCloud repeats what was lost; let that be in vain, so that what was lost once is lost."""
    cloud.clear_faults()
    cloud.add_faults({"service": "callback", "action": "sendcloud", "kind": "lose"})
    for _ in range(6):
        cloud.advance(HOUR_S / 6)
        deliver(cloud)
    cloud.clear_faults()


def until_sealed(cloud: LocalCloud, part: float) -> None:
    """Let the day pass, losing that part of its callbacks, until its last status cannot change any more."""
    for moment in (10, 73 * HOUR_S):
        cloud.advance(moment)
        lose(cloud, part)
        deliver(cloud)
        lose_second_attempts(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)


def lost_by_localcloud(cloud: LocalCloud) -> dict[str, set[str]]:
    """Return, by source of rows, whose final callback localcloud says it lost. Every recipient has one mail."""
    found: dict[str, set[str]] = {source: set() for source in SOURCES}
    for story in cloud.callbacks.history(limit=100_000):
        assert story["state"] in ("delivered", "lost")
        if story["state"] == "lost" and story["event"] in FINAL_EVENTS:
            found[PROVIDERS[story["source"]]].add(story["recipient"].lower())
    return found


def filled_in() -> list[dict[str, Any]]:
    """Return the events that were made of status rows, each once."""
    return list({record["event_id"]: record for record in records("events/") if record["source"] == "status"}.values())


def states_by_events() -> dict[Key, dict[str, Any]]:
    """Fold what lies under ``events/``, and nothing else."""
    of: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
    for record in records("events/"):
        if record["type"] != "accepted":
            of[key_of(record)].append(record)
    return {key: fold(said).as_dict() for key, said in of.items()}


def result(source: str = "status", day: str = DAY) -> dict[str, Any]:
    key = f"state/report/reconciled/{source}/dt={day}.json"
    found: dict[str, Any] = json.loads(bucket(key)[key])
    return found


def reported(day: str = DAY) -> dict[str, Any]:
    """Read a day's report, whichever run wrote it."""
    found: dict[str, Any] = json.loads(bucket(f"reports/dt={day}/")[f"reports/dt={day}/report.json"])
    return found


def named(kind: str, count: int, name: str = "") -> list[str]:
    return [f"{kind}+{name}{number}" for number in range(count)]


@pytest.mark.parametrize("part", [0.005, 0.05, 0.30])
def test_the_meter_says_exactly_what_was_lost_and_the_filled_in_state_is_the_truth(
    cloud: LocalCloud, part: float
) -> None:
    """Simulator addresses of every kind, at SES and at SendCloud; callbacks of all kinds are lost alike."""
    send_ses(name for kind in PLANS for name in named(kind, 200))
    send_sendcloud(name for kind in PLANS for name in named(kind, 40, "s"))
    until_sealed(cloud, part)
    rows = {source: rows_of(cloud, source) for source in SOURCES}
    assert {len(rows["status"]), len(rows["sendcloud"])} == {2200, 440}
    truth = lost_by_localcloud(cloud)
    assert truth["status"]
    for source in SOURCES:
        seal(cloud, source)
    loss = write_report()["loss"]

    made = filled_in()
    for source in SOURCES:
        mine = [event for event in made if ("emailId" in event["raw"]) == (source == "sendcloud")]
        assert {event["recipient"].lower() for event in mine} == truth[source]
        told, lost = loss[source], len(truth[source])
        assert (told["rows"], told["expected"], told["lost"]) == (len(rows[source]), len(rows[source]), lost)
        assert abs(told["rate"] - lost / len(rows[source])) < 0.001
        assert (told["filled_in"], told["refusals_untold"], told["unsettled"]) == (lost, 0, 0)
        by_type = Counter(row["type"] for row in rows[source])
        lost_by_type = Counter(row["type"] for row in rows[source] if row["recipient"] in truth[source])
        assert {kind: (one["expected"], one["lost"]) for kind, one in told["by_type"].items()} == {
            kind: (count, lost_by_type[kind]) for kind, count in by_type.items()
        }

    states = states_by_events()
    for source in SOURCES:
        for row in rows[source]:
            state = states[key_of(row)]
            assert state["type"] in AS_GOOD.get(row["type"], {row["type"]})
            if row["recipient"] in truth[source]:
                assert [state[name] for name in ("type", "class", "reason", "fault")] == [
                    row[name] for name in ("type", "class", "reason", "fault")
                ]


def test_from_the_snapshots_timer_to_the_report(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealed by the snapshot itself, the day has its loss in the next report; before, it has none."""
    now = [0.0]
    monkeypatch.setattr(
        snapshot,
        "Pace",
        lambda rate, **options: Pace(
            rate, monotonic=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s), **options
        ),
    )
    send_ses([*named("delivered", 20), *named("hard-bounce", 5), "deferred"])
    send_sendcloud(named("delivered", 5, "s"))
    cloud.advance(10)
    lose(cloud, 0.5)
    deliver(cloud)
    lose_second_attempts(cloud)
    run("snapshot", timer(), time_limit_s=900)
    run("report", timer(), time_limit_s=900)
    assert reported()["loss"] is None
    cloud.advance(73 * HOUR_S)
    deliver(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)
    for _ in range(2):  # SendCloud answers from memory for ten minutes
        assert run("snapshot", timer(), time_limit_s=900)["complete"]
        cloud.advance(900)
    ran = run("report", timer(), time_limit_s=900)
    assert DAY in ran["reconciliation"]["days"]
    report, truth = reported(), lost_by_localcloud(cloud)
    for source, rows in (("status", 26), ("sendcloud", 5)):
        assert (report["loss"][source]["expected"], report["loss"][source]["lost"]) == (rows, len(truth[source]))
    assert truth["status"]
    assert {event["recipient"] for event in filled_in()} == truth["status"] | truth["sendcloud"]
    assert report["days"]["status"]["at_risk"] == report["days"]["status"]["lost"] == []


def test_flags_that_no_event_told_are_counted_and_not_filled_in(cloud: LocalCloud) -> None:
    """Neither the time nor the number of an open is in a row."""
    send_ses([*named("open", 5), *named("click", 4), *named("complaint", 3), *named("unsubscribe", 2)])
    cloud.advance(10)
    for event in ("open", "spamreport", "unsubscribe"):
        cloud.add_faults({"service": "callback", "action": event, "kind": "lose"})
    deliver(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)
    seal(cloud)
    report = write_report()
    assert report["loss"]["status"]["flags_untold"] == {"opened": 9, "clicked": 0, "complained": 3, "unsubscribed": 2}
    assert (report["loss"]["status"]["lost"], report["events"]["filled_in"]) == (0, 0)
    assert filled_in() == []


def test_refusals_that_no_callback_ever_tells_are_listed_apart(cloud: LocalCloud) -> None:
    """Nobody documents whether SES calls back for them: they are no loss until one is told on that day."""
    send_ses([*named("blacklist", 4), *named("delivered", 6)])
    cloud.advance(10)
    cloud.add_faults({"service": "callback", "action": "dropped", "kind": "lose"})
    deliver(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)
    seal(cloud)
    loss = write_report()["loss"]["status"]
    assert (loss["expected"], loss["lost"], loss["rate"], loss["refusals_untold"]) == (6, 0, 0.0, 4)
    assert list(loss["by_type"]) == ["delivered"]
    assert (loss["filled_in"], len(filled_in())) == (4, 4)
    assert {event["type"] for event in filled_in()} == {"rejected"}

    # One that comes late says that SES does call back for them: the other three were lost.
    (story,) = [one for one in cloud.callbacks.history() if one["recipient"].startswith("blacklist+2@")]
    assert call_back(json.loads(story["body"])).status == 200
    loss = write_report()["loss"]["status"]
    assert (loss["expected"], loss["lost"], loss["refusals_untold"]) == (10, 3, 0)
    assert loss["by_type"]["rejected"] == {"expected": 4, "lost": 3, "rate": 0.75}
    assert len(filled_in()) == 4


def test_callbacks_that_come_late_lower_the_loss(cloud: LocalCloud) -> None:
    """Put back after an outage: what was filled in stays, is not counted as told, and hides nothing."""
    send_ses([*named("delivered", 20), *named("hard-bounce", 10)])
    cloud.advance(10)
    lose(cloud, 1.0)
    deliver(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)
    seal(cloud)
    outage = [json.loads(story["body"]) for story in cloud.callbacks.history()]
    assert write_report()["loss"]["status"]["rate"] == 1.0
    assert write_report()["loss"]["status"]["rate"] == 1.0  # the meter does not believe itself
    cloud.advance(HOUR_S)
    assert call_back(outage[:12]).status == 200
    ran = run("report", timer(), time_limit_s=900)
    assert ran["reconciliation"]["days"] == [DAY]
    assert DAY in ran["days"]
    loss = reported()
    assert (loss["loss"]["status"]["lost"], loss["loss"]["status"]["expected"]) == (18, 30)
    assert (loss["events"]["distinct"], loss["events"]["lines"], loss["events"]["filled_in"]) == (12, 12, 30)
    assert loss["events"]["unverified"] == 0
    cloud.advance(HOUR_S)
    assert call_back(outage).status == 200
    run("report", timer(), time_limit_s=900)
    loss = reported()
    assert (loss["loss"]["status"]["lost"], loss["loss"]["status"]["rate"]) == (0, 0.0)
    assert loss["recipients"]["by_outcome"] == {"delivered": 20, "bounced": 10}


def test_news_of_the_days_after_are_looked_at_once_in_a_while(cloud: LocalCloud) -> None:
    """A bounce after three days lies there, with all the mail of those days: a day with a loss is not read every hour."""
    send_ses(named("delivered", 3))
    cloud.advance(10)
    lose(cloud, 1.0)
    deliver(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)
    seal(cloud)
    own = run("report", timer(), time_limit_s=900)["reconciliation"]["days"]
    cloud.advance(HOUR_S)
    own += run("report", timer(), time_limit_s=900)["reconciliation"]["days"]  # its own objects were news
    cloud.advance(HOUR_S)
    own += run("report", timer(), time_limit_s=900)["reconciliation"]["days"]
    assert own == [DAY, DAY]
    told = []
    for number in range(6):
        event = {"event": "delivered", "bulkId": f"other{number}", "email": "x@example.com"}
        assert call_back({**event, "timestamp": int(NOW + 3 * 86400)}).status == 200
        told.append(run("report", timer(), time_limit_s=900)["reconciliation"]["days"])
        cloud.advance(4.5 * HOUR_S)
    assert [days for days in told if days] == [[DAY]]


def test_a_day_without_loss_is_read_once(cloud: LocalCloud) -> None:
    send_ses(named("delivered", 3))
    cloud.advance(10)
    deliver(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)
    seal(cloud)
    days = []
    for _ in range(3):
        days.append(run("report", timer(), time_limit_s=900)["reconciliation"]["days"])
        call_back({"event": "open", "bulkId": "m", "email": "x@example.com", "timestamp": int(NOW)})
        cloud.advance(HOUR_S)
    assert days == [[DAY], [], []]


def test_the_page_says_it(cloud: LocalCloud) -> None:
    send_ses([*named("delivered", 3), *named("blacklist", 1), "deferred"])
    cloud.advance(10)
    cloud.add_faults({"service": "callback", "kind": "lose", "times": 1, "action": "delivered"})
    cloud.add_faults({"service": "callback", "kind": "lose", "action": "dropped"})
    deliver(cloud)
    cloud.move_to(NOW + 3600)
    write_report()
    assert "Known when the day's snapshot is sealed" in text()
    seal(cloud)
    write_report()
    told = text()
    assert "33.33 % of the final outcomes at SES were told by no callback: 1 of 3. 2 were filled in" in told
    assert "33.33 % told by no callback of SES" in told.replace("%told", "% told")
    assert "1 refusals by SES itself were not told and are not counted as lost" in told
    assert "1 rows had no final state." in told
    assert "opened 0, clicked 0, complained 0, unsubscribed 0." in told
    assert "Not among them: 2 filled in from status rows." in told
    assert Elements(page()).tags <= ONLY


def test_a_day_that_is_not_sealed_has_no_loss(cloud: LocalCloud) -> None:
    """Its rows may still change, and its callbacks may still come."""
    send_ses(named("delivered", 3))
    cloud.advance(10)
    assert write_report()["loss"] is None
    seal(cloud, sealed=False, sealed_at=None)
    assert write_report()["loss"] is None
    assert filled_in() == []
    assert bucket("state/report/reconciled/") == {}
    seal(cloud)
    report = write_report()
    assert report["loss"]["status"]["rate"] == 1.0
    assert report["loss"]["sendcloud"] is None


def test_a_manifest_of_before_the_newer_members_is_understood(cloud: LocalCloud) -> None:
    """Sealed by whatever, without saying when: then it was at the end of its last pass."""
    send_ses(named("delivered", 2))
    cloud.advance(10)
    manifest = seal(cloud)
    old = ("first_at", "last_at", "agreed", "sealed_at", "gained", "unseen", "requests")
    body = json.dumps({name: value for name, value in manifest.items() if name not in old})
    trail().put(f"status/dt={DAY}/manifest.json", body.encode())
    assert write_report()["loss"]["status"]["lost"] == 2
    assert {event["received_at"] for event in filled_in()} == {manifest["finished_at"]}


def test_what_is_filled_in_is_an_event_like_any_other_and_says_what_it_is(cloud: LocalCloud) -> None:
    send_ses(["hard-bounce", "dropped", "blacklist"])
    cloud.advance(10)
    cloud.move_to(NOW + SEALED_AFTER_S)
    manifest = seal(cloud)
    write_report()
    rows = {row["recipient"]: row for row in rows_of(cloud)}
    made = {event["recipient"]: event for event in filled_in()}
    assert made.keys() == rows.keys()
    for recipient, event in made.items():
        row = rows[recipient]
        assert (event["source"], event["verified"], event["raw"]) == ("status", False, row["raw"])
        assert [event[name] for name in ("type", "class", "reason", "fault", "message_id")] == [
            row[name] for name in ("type", "class", "reason", "fault", "message_id")
        ]
        assert event["occurred_at"] == (row["delivered_at"] or row["requested_at"])
        assert event["received_at"] == manifest["sealed_at"]
    bounced = made[f"hard-bounce@{defaults.SIMULATOR_DOMAIN}"]
    assert (bounced["smtp"], bounced["enhanced"]) == ("551", "5.1.1")
    assert made[f"blacklist@{defaults.SIMULATOR_DOMAIN}"]["smtp"] is None
    (key,) = bucket("events/")
    assert parse_event_key(key)[:2] == (DAY, "16")  # type: ignore[index]
    assert {row["told_by"] for row in report_table()} == {"send status"}


def test_events_lie_where_they_happened(cloud: LocalCloud) -> None:
    """A deferred mail is given up three days later: in that day's events its bounce is filled in."""
    send_ses(["deferred"])
    until_sealed(cloud, 1.0)
    seal(cloud)
    write_report()
    (event,) = filled_in()
    (key,) = bucket("events/")
    assert (event["type"], parse_event_key(key)[:2]) == ("bounced", ("2026-11-23", "16"))  # type: ignore[index]
    assert write_report("2026-11-23")["events"]["filled_in"] == 1


def test_who_complained_or_unsubscribed_by_a_row_alone_gets_no_mail_any_more(cloud: LocalCloud) -> None:
    """Their callbacks are lost; an operator who takes one of them off the list is not overruled by the next report."""
    names = ["complaint", "unsubscribe", "click", "delivered"]
    send_ses(names)
    until_sealed(cloud, 1.0)
    seal(cloud)
    write_report()
    assert {told["address"].partition("@")[0]: told["reason"] for told in listed().values()} == {
        "complaint": "complaint",
        "unsubscribe": "unsubscribe",
    }
    assert reported()["suppression"]["by_reason"] == {"complaint": 1, "unsubscribe": 1}
    answers = [send({**VALID, "to": [f"{name}@{defaults.SIMULATOR_DOMAIN}"]}) for name in names]
    assert [answer.body.get("code") for answer in answers] == ["recipient_suppressed"] * 2 + [None] * 2
    before = bucket("suppression/")
    write_report()
    assert bucket("suppression/") == before


def test_who_said_so_by_an_event_has_that_one_cause(cloud: LocalCloud) -> None:
    """Its time is the truth; the row adds nothing."""
    send_ses(["complaint"])
    until_sealed(cloud, 0.0)
    seal(cloud)
    write_report()
    (told,) = listed().values()
    assert [cause["source"] for cause in told["causes"]] == ["ses"]


def test_what_is_filled_in_suppresses_as_the_event_would_have(cloud: LocalCloud) -> None:
    """The recipient's fault, and only that; a soft bounce for want of the address counts when it is SendCloud's."""
    send_ses(["hard-bounce", "soft-bounce", "dropped", "blacklist", "delivered"])
    send_sendcloud(["unknown-user", "soft-bounce+s"])
    until_sealed(cloud, 1.0)
    rows = rows_of(cloud, "sendcloud")
    for row in rows:
        if row["recipient"].startswith("soft-bounce"):
            row.update({"class": "soft", "reason": "invalid_recipient", "fault": "recipient"})
    seal(cloud)
    seal(cloud, "sendcloud", rows=rows)
    write_report()
    now = cloud.clock.now()
    holding = {told["address"].partition("@")[0]: told for told in listed().values() if is_suppressed(told, now)}
    assert {name: told["reason"] for name, told in holding.items()} == {
        "hard-bounce": "hard_bounce",
        "unknown-user": "hard_bounce",
        "soft-bounce+s": "soft_bounce",
    }
    assert {told["source"] for told in holding.values()} == {"status"}

    # Told late all the same, it is one bounce and not the second that would hold for good.
    for story in cloud.callbacks.history(limit=1000):
        if story["source"] == "sendcloud" and story["event"] == "soft_bounce":
            fields = {name: values[0] for name, values in parse_qs(story["body"]).items()}
            raw = {**fields, "message": "550 5.1.1 no such user"}
            raw |= {"timestamp": str(int(now * 1000))}
            raw |= sign(defaults.SENDCLOUD_APP_KEY, now)
            assert call_back(raw, provider="sendcloud").status == 200
    write_report()
    write_report("2026-11-24")
    told = listed()[f"soft-bounce+s@{defaults.SIMULATOR_DOMAIN}"]
    assert len(told["causes"]) == 2
    assert told["until"] is not None


def test_repeated_runs_change_nothing(cloud: LocalCloud) -> None:
    """Neither the events nor, times apart, what is kept of the day; whoever reconciles twice writes the same."""
    send_ses([*named("delivered", 20), *named("hard-bounce", 5)])
    send_sendcloud(named("delivered", 10, "s"))
    cloud.advance(10)
    lose(cloud, 0.5)
    deliver(cloud)
    lose_second_attempts(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)
    for source in SOURCES:
        seal(cloud, source)
    write_report()
    before, kept = bucket("events/"), [result(source) for source in SOURCES]
    for _ in range(2):
        write_report()
        run("report", timer(), time_limit_s=900)
    assert bucket("events/") == before
    for source, known in zip(SOURCES, kept, strict=True):
        assert {**result(source), "at": known["at"]} == known


def test_many_rows_are_filled_in_by_chunks_that_do_not_depend_on_what_else_was_lost(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback that comes late changes the object that it would have been in, and no other."""
    monkeypatch.setattr(reconciliation_day, "ROWS_TOGETHER", 10)
    monkeypatch.setattr(handler, "STEPS", ())  # nothing is merged, so that the objects can be looked at
    send_ses(named("delivered", 50))
    cloud.advance(10)
    lose(cloud, 1.0)
    deliver(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)
    seal(cloud, rows_per_part=7)
    write_report()
    first = bucket("events/")
    assert len(first) == 5
    trail().delete_many(first)
    assert call_back(json.loads(cloud.callbacks.history()[0]["body"])).status == 200
    write_report()
    second = {key: body for key, body in bucket("events/").items() if b'"source":"status"' in body}
    assert len(set(second) & set(first)) == 4
    assert len(filled_in()) == 49


def test_a_part_that_was_changed_gives_no_numbers_and_stops_nobody_else(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    send_ses(named("delivered", 2))
    send_sendcloud(named("delivered", 2, "s"))
    cloud.move_to(NOW + SEALED_AFTER_S)
    manifest = seal(cloud)
    seal(cloud, "sendcloud")
    seal(cloud, "status", "2026-11-19", rows=[{**rows_of(cloud)[0], "day": "2026-11-19"}])
    trail().put(manifest["parts"][0]["key"], b"{}\n")
    with pytest.raises(Exception, match="is not what its manifest says"):
        run("report", timer(), time_limit_s=900)
    assert sorted(bucket("state/report/reconciled/")) == [
        f"state/report/reconciled/sendcloud/dt={DAY}.json",
        "state/report/reconciled/status/dt=2026-11-19.json",
    ]
    assert '"message": "day not reconciled"' in capsys.readouterr().out


def test_without_time_no_day_is_begun_and_nothing_failed(cloud: LocalCloud) -> None:
    send_ses(named("delivered", 2))
    cloud.move_to(NOW + SEALED_AFTER_S)
    seal(cloud)
    assert run("report", timer(), time_limit_s=20)["reconciliation"] == {"days": [], "finished": False}
    assert run("report", timer(), time_limit_s=900)["reconciliation"] == {"days": [DAY], "finished": True}


def test_the_oldest_day_comes_first(cloud: LocalCloud) -> None:
    """Days without a row have nothing to be told of: they cost no reading."""
    send_ses(["delivered"])
    (row,) = rows_of(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)
    days = ["2026-11-18", "2026-11-10", DAY, "2026-10-27"]
    for day in days:
        seal(cloud, day=day, rows=[{**row, "day": day}])
    seal(cloud, day="2026-11-12", rows=[])
    assert run("report", timer(), time_limit_s=900)["reconciliation"]["days"] == sorted(days)
    assert result(day="2026-11-10")["rows"] == 1


def test_a_row_requested_on_the_day_before_in_our_zone_finds_its_event(cloud: LocalCloud) -> None:
    """The zone of SES's days is not documented."""
    send_ses(["delivered"])
    cloud.advance(10)
    deliver(cloud)
    rows = [{**row, "day": "2026-11-21"} for row in rows_of(cloud)]
    cloud.move_to(NOW + SEALED_AFTER_S + 86400)
    seal(cloud, day="2026-11-21", rows=rows)
    write_report("2026-11-21")
    assert (result(day="2026-11-21")["lost"], result(day="2026-11-21")["events_from"]) == (0, DAY)


def test_a_day_sealed_late_is_compared_with_nine_days_at_most(cloud: LocalCloud) -> None:
    """After an outage of the snapshots."""
    send_ses(["delivered"])
    cloud.advance(10)
    deliver(cloud)
    cloud.move_to(NOW + 25 * 86400)
    seal(cloud)
    write_report()
    assert (result()["events_from"], result()["events_to"], result()["lost"]) == (DAY, "2026-11-28", 0)


def test_a_day_sealed_with_other_rows_is_reconciled_anew(cloud: LocalCloud) -> None:
    send_ses(named("delivered", 4))
    cloud.advance(10)
    deliver(cloud)
    cloud.move_to(NOW + SEALED_AFTER_S)
    rows = rows_of(cloud)
    seal(cloud, rows=rows[:3])
    write_report()
    assert result()["rows"] == 3
    seal(cloud, rows=rows)
    assert run("report", timer(), time_limit_s=900)["reconciliation"]["days"] == [DAY]
    assert result()["rows"] == 4


def test_a_row_without_any_time_lies_at_the_beginning_of_its_day(cloud: LocalCloud) -> None:
    send_ses(["delivered"])
    rows = [{**row, "type": "delivered", "requested_at": None, "delivered_at": None} for row in rows_of(cloud)]
    seal(cloud, rows=rows)
    write_report()
    (event,) = filled_in()
    assert epoch(event["occurred_at"]) == epoch(f"{DAY}T00:00:00Z") - defaults.UTC_OFFSET_S
