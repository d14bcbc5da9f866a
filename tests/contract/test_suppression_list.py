"""Who the callbacks put on the suppression list: at once, by the report timer, and never for a fault of ours."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from functions.report import suppression as report_suppression
from localcloud.mock import mock_tencent
from localcloud.storm import Storm
from shared.trail import suppression_list
from shared.trail.layout import applied_key, suppression_key
from shared.trail.lease import give_back, take
from shared.trail.records import iso
from shared.trail.suppression import Removal, Selection, entry
from tests.handlers import DAY, EVENT, NOW, bucket, call_back, records, run, timer, write_report
from tests.suppressed import BOUNCE, COMPLAINT, holding, listed, store

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud import LocalCloud
    from localcloud.exchange import Request

AT = EVENT["timestamp"]


def remove(address: str, at: float) -> None:
    """Take everything up to ``at`` back."""
    removal = Removal(iso(at), "cli", Selection(until=iso(at)))
    assert suppression_list.add(store(), entry(address, removals=[removal]))


@pytest.fixture
def meddle(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Request], Any]], None]:
    """Let a test look at every request for COS, and answer it: what is returned is the answer, None lets it pass."""
    dispatch = cloud.dispatch

    def put(look: Callable[[Request], Any]) -> None:
        def looked_at(service: str, request: Request, **options: Any) -> Any:
            return look(request) or dispatch(service, request, **options)

        monkeypatch.setattr(cloud, "dispatch", looked_at)

    return put


def test_a_hard_bounce_for_want_of_the_address_suppresses_its_recipient_at_once(cloud: LocalCloud) -> None:
    assert call_back({**BOUNCE, "email": "Alice@Example.com"}).body == {"stored": 1}
    (event,) = records("events/")
    told = listed()["alice@example.com"]
    assert {name: told[name] for name in ("v", "reason", "since", "until", "source", "event_id", "message_id")} == {
        "v": 1, "reason": "hard_bounce", "since": "2026-11-20T08:00:00Z", "until": None, "source": "ses",
        "event_id": event["event_id"], "message_id": EVENT["bulkId"],
    }  # fmt: skip
    assert holding() == {"alice@example.com": "hard_bounce"}


@pytest.mark.parametrize(
    ("provider", "told", "reason"),
    [
        ("ses", {**EVENT, "event": "spamreport"}, "complaint"),
        ("ses", {**EVENT, "event": "unsubscribe"}, "unsubscribe"),
        ("ses", {**EVENT, "event": "dropped", "reason": "the recipient has unsubscribed"}, "unsubscribe"),
        ("ses", [{**EVENT, "event": "spamreport"}], "complaint"),  # an array of one is one event
    ],
)
def test_so_do_complaints_and_unsubscribes(provider: str, told: Any, reason: str, cloud: LocalCloud) -> None:
    assert call_back(told, provider=provider).status == 200
    assert holding() == {"alice@example.com": reason}


@pytest.mark.parametrize(
    "told",
    [
        {**BOUNCE, "reason": "554 5.7.1 Client host [1.2.3.4] blocked using zen.spamhaus.org, user unknown"},
        {**BOUNCE, "reason": "550 5.7.26 DMARC check failed"},
        {**BOUNCE, "reason": "554 DT:SPM 163 smtp10"},
        {**BOUNCE, "reason": "552 5.2.2 mailbox full"},
        {**BOUNCE, "reason": "421 4.4.2 connection timed out"},
        {**BOUNCE, "reason": ""},
        {**BOUNCE, "bounceType": "soft_bounce"},
        {**EVENT, "event": "deferred", "reason": "550 no such user"},
        {**EVENT, "event": "dropped", "reason": "the recipient address is in the blocklist"},
        {**BOUNCE, "email": None},
        EVENT,
    ],
)
def test_a_block_of_ours_or_a_bounce_that_passes_suppresses_nobody(
    told: dict[str, Any], cloud: LocalCloud, calls: list[str]
) -> None:
    """Neither at once nor by the timer; and it costs the callback no request."""
    assert call_back(told).body == {"stored": 1}
    assert calls == ["cos:PutObject"]
    assert write_report()["suppression"]["addresses"] == 0
    assert bucket("suppression/") == {}


def test_it_is_the_recipient_of_the_event_never_the_others_of_the_mail(cloud: LocalCloud) -> None:
    """usesend/useSend#337: one bounce suppressed everybody the mail went to."""
    call_back({**EVENT, "email": "bob@example.com"})
    call_back(BOUNCE)
    write_report()
    assert set(holding()) == {"alice@example.com"}


def test_the_entry_is_written_beside_the_event_not_after_it(
    cloud: LocalCloud, meddle: Callable[[Callable[[Request], Any]], None]
) -> None:
    """Both requests are under way at once, so a bounce is answered in one round trip. Each PUT waits for the other."""
    both = threading.Barrier(2, timeout=20)
    seen: list[str] = []

    def meet(request: Request) -> None:
        seen.append(request.method)
        both.wait()

    meddle(meet)
    assert call_back(BOUNCE).status == 200
    assert seen == ["PUT", "PUT"]
    assert call_back({**BOUNCE, "timestamp": AT + 1}).status == 200  # also when the entry is there
    assert seen == ["PUT"] * 4


def test_an_entry_that_is_there_is_never_overwritten_by_a_callback(cloud: LocalCloud) -> None:
    call_back(BOUNCE)
    remove("alice@example.com", NOW)
    before = bucket("suppression/")
    call_back(BOUNCE)
    call_back({**BOUNCE, "timestamp": AT + 1})
    assert bucket("suppression/") == before


@pytest.mark.parametrize("claim", ["forbid-overwrite", "append"])
def test_either_way_of_claiming_will_do(claim: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILTRAIL_CLAIM", claim)
    call_back(BOUNCE)
    call_back({**BOUNCE, "timestamp": AT + 1})
    assert len(listed()["alice@example.com"]["causes"]) == 1
    write_report()
    assert len(listed()["alice@example.com"]["causes"]) == 2


def test_a_callback_of_several_events_leaves_the_list_to_the_timer(cloud: LocalCloud, calls: list[str]) -> None:
    """An array of events of one hour is one PUT."""
    assert call_back([BOUNCE, COMPLAINT]).body == {"stored": 2}
    assert calls == ["cos:PutObject"]
    assert bucket("suppression/") == {}
    told = write_report()["suppression"]
    assert holding() == {"alice@example.com": "hard_bounce", "bob@example.com": "complaint"}
    assert told == {
        "addresses": 2, "by_reason": {"complaint": 1, "hard_bounce": 1}, "entries": 2, "entries_complete": True, "pending": 0,
    }  # fmt: skip


def test_the_timer_a_second_time_changes_no_byte(cloud: LocalCloud) -> None:
    call_back([BOUNCE, COMPLAINT, {**BOUNCE, "timestamp": AT + 60}])
    write_report()
    first = bucket("suppression/") | bucket("state/report/suppression/dt=")
    write_report()
    assert bucket("suppression/") | bucket("state/report/suppression/dt=") == first
    store().delete(applied_key(DAY))  # as if the run had died before it noted what it had done
    write_report()
    assert bucket("suppression/") | bucket("state/report/suppression/dt=") == first


def test_the_order_in_which_events_come_changes_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [BOUNCE, {**BOUNCE, "timestamp": AT + 60}, {**EVENT, "event": "spamreport", "timestamp": AT + 30}]
    found = []
    for order in (told, told[::-1]):
        with mock_tencent() as cloud:
            cloud.move_to(NOW)
            for one in order:
                call_back(one)
                write_report()
            found.append(bucket("suppression/"))
    assert found[0] == found[1] != {}


def test_of_copies_of_an_event_that_differ_any_may_suppress(cloud: LocalCloud) -> None:
    """In whichever order they are read: two bounces of one second, one of them a block of ours."""
    block = {**BOUNCE, "reason": "550 5.7.1 blocked using zen.spamhaus.org"}
    for other in range(4):  # the others of the callback move its name, which is the order of reading
        beside = {**EVENT, "email": f"u{other}@example.com"}
        cloud.cos.reset()
        call_back([BOUNCE, beside])
        call_back([block, beside])
        report = write_report()
        assert holding() == {"alice@example.com": "hard_bounce"}, other
        assert report["suppression"]["addresses"] == 1
        assert report["events"]["by_type"] == {"bounced": 1, "delivered": 1}


def test_what_was_removed_stays_removed_until_something_new_happens(cloud: LocalCloud) -> None:
    """postal#1282: after a false mass-suppression nobody could get off the list."""
    call_back(BOUNCE)
    write_report()
    remove("alice@example.com", NOW)
    call_back([{**BOUNCE, "timestamp": AT + 5}, EVENT])  # of before the removal, told late
    write_report()
    store().delete(applied_key(DAY))
    write_report()
    assert holding() == {}
    assert len(listed()["alice@example.com"]["causes"]) == 2
    cloud.advance(3600)
    call_back({**BOUNCE, "timestamp": round(NOW) + 1800})
    write_report()
    assert holding() == {"alice@example.com": "hard_bounce"}


def test_a_list_that_cannot_be_written_costs_no_callback_and_the_timer_makes_it_good(
    cloud: LocalCloud, meddle: Callable[[Callable[[Request], Any]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    is_down = True

    def refuse(request: Request) -> Any:
        if is_down and request.path.startswith("/suppression/") and request.method == "PUT":
            return cloud.cos.error_response(request, "ServiceUnavailable", 503)
        return None

    meddle(refuse)
    assert call_back(BOUNCE).body == {"stored": 1}
    assert call_back([COMPLAINT, EVENT]).body == {"stored": 2}
    logged = capsys.readouterr().out
    assert '"suppression left to the report"' in logged
    assert "alice" not in logged
    assert bucket("suppression/") == {}
    is_down = False
    assert write_report()["suppression"]["pending"] == 0
    assert holding() == {"alice@example.com": "hard_bounce", "bob@example.com": "complaint"}


def test_the_report_is_written_also_when_the_list_cannot_be(
    cloud: LocalCloud,
    meddle: Callable[[Callable[[Request], Any]], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says how many events wait, and the next one applies those and no others."""
    monkeypatch.setattr(report_suppression, "BUDGET_S", 0.3)
    call_back([BOUNCE, COMPLAINT])
    is_down = True

    def refuse(request: Request) -> Any:
        if is_down and request.path == f"/{suppression_key('bob@example.com')}":
            return cloud.cos.error_response(request, "ServiceUnavailable", 503)
        return None

    meddle(refuse)
    assert write_report()["suppression"]["pending"] == 1
    assert b"not in the list yet: 1" in bucket("reports/")[f"reports/dt={DAY}/report.html"]
    logged = capsys.readouterr().out
    assert '"suppression pending"' in logged
    assert "@" not in logged
    assert holding() == {"alice@example.com": "hard_bounce"}
    is_down = False
    assert write_report()["suppression"]["pending"] == 0
    assert holding() == {"alice@example.com": "hard_bounce", "bob@example.com": "complaint"}


def test_the_report_is_written_also_when_nobody_knows_what_was_applied(
    cloud: LocalCloud, meddle: Callable[[Callable[[Request], Any]], None]
) -> None:
    call_back([BOUNCE, COMPLAINT])

    def refuse(request: Request) -> Any:
        is_note = request.path == f"/{applied_key(DAY)}".replace("=", "%3D") or request.path == f"/{applied_key(DAY)}"
        return cloud.cos.error_response(request, "AccessDenied", 403) if is_note else None

    meddle(refuse)
    assert write_report()["suppression"]["pending"] == 2
    assert bucket("suppression/") == {}


def test_somebodys_own_file_among_the_entries_is_left_as_it_is(cloud: LocalCloud) -> None:
    theirs = suppression_key("alice@example.com")
    store().put(theirs, b"not ours")
    assert call_back(BOUNCE).status == 200
    call_back([COMPLAINT, EVENT])
    assert write_report()["suppression"]["pending"] == 1
    assert bucket(theirs) == {theirs: b"not ours"}
    assert suppression_key("bob@example.com") in bucket("suppression/")


def test_while_somebody_else_writes_the_list_the_timer_stands_aside(cloud: LocalCloud) -> None:
    call_back([BOUNCE, COMPLAINT])
    lease = take(store(), suppression_list.SCOPE, now=NOW, ttl_s=600)
    assert lease is not None
    assert write_report()["suppression"]["pending"] == 2
    assert bucket("suppression/") == {}
    give_back(store(), lease)
    assert write_report()["suppression"]["pending"] == 0
    assert len(holding()) == 2


def test_an_entry_that_was_erased_does_not_come_back_from_old_events(cloud: LocalCloud) -> None:
    """Somebody who asks to be forgotten: the day's events were applied once, and that is noted."""
    call_back(BOUNCE)
    write_report()
    store().delete(suppression_key("alice@example.com"))
    write_report()
    assert bucket("suppression/") == {}


def test_a_webhook_that_comes_between_the_timers_two_steps_loses_nothing(
    cloud: LocalCloud, meddle: Callable[[Callable[[Request], Any]], None]
) -> None:
    """The timer has read that there is no entry; a callback makes one; the timer overwrites it. The next run heals."""
    call_back([BOUNCE, EVENT])
    key = f"/{suppression_key('alice@example.com')}"
    is_first = True

    def slip_in(request: Request) -> None:
        nonlocal is_first
        if is_first and request.method == "PUT" and request.path == key:
            is_first = False
            assert call_back({**EVENT, "event": "spamreport"}).status == 200

    meddle(slip_in)
    write_report()
    assert [cause["reason"] for cause in listed()["alice@example.com"]["causes"]] == ["hard_bounce"]
    write_report()
    assert [cause["reason"] for cause in listed()["alice@example.com"]["causes"]] == ["complaint", "hard_bounce"]


def test_addresses_are_counted_once_for_each_reason_of_the_day(cloud: LocalCloud) -> None:
    call_back([BOUNCE, {**BOUNCE, "timestamp": AT + 1}, {**BOUNCE, "event": "spamreport"}, COMPLAINT])
    told = write_report()["suppression"]
    assert (told["addresses"], told["by_reason"]) == (2, {"complaint": 2, "hard_bounce": 1})
    page = bucket("reports/")[f"reports/dt={DAY}/report.html"].decode()
    assert "Suppressed" in page
    assert "2\naddresses on file" in page
    assert run("report", timer("2026-11-01"), time_limit_s=900)["days"] == ["2026-11-01"]


def test_the_count_of_entries_says_when_it_is_not_all(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_suppression, "COUNTED", 1)
    call_back([BOUNCE, COMPLAINT])
    told = write_report()["suppression"]
    assert (told["entries"], told["entries_complete"]) == (1, False)
    assert b"More than 1\naddresses" in bucket("reports/")[f"reports/dt={DAY}/report.html"]


def test_after_a_storm_those_are_suppressed_whom_its_truth_names(cloud: LocalCloud) -> None:
    """Any order, every event several times, lone callbacks and arrays: the list is that of the storm's own account."""
    whole = Storm(400, 11, max_copies=3, day=DAY)
    cloud.move_to(NOW + 3 * 86400)
    deliveries = [json.loads(one.body) for one in whole]
    for start in range(0, len(deliveries), 10):
        batch = deliveries[start : start + 10]
        call_back(batch if start % 20 else batch[0])
        for one in batch if start % 20 == 0 else ():
            call_back(one)
    for day in ("2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"):
        write_report(day)
    wanted = {
        truth.recipient.lower()
        for truth in whole.truths()
        if (truth.type, truth.class_) == ("bounced", "hard") or truth.complained or truth.unsubscribed
    }
    assert len(wanted) > 5
    assert {address for address, told in listed().items() if told["reason"]} == wanted
