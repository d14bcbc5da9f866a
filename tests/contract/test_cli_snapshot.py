"""`mailtrail snapshot`: the days that are due, or those that are named, in as many runs as they take."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from rich.progress import Progress

from cli import snapshot, snapshot_backfill, snapshot_watch
from cli.main import main
from cli.trail import open_trail
from functions.snapshot.manifest import read_manifest
from functions.snapshot.rounds import SCOPES
from shared.trail.lease import give_back, take
from tests.handlers import NOW, bucket, run, timer
from tests.pacing import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud import LocalCloud

DAYS = [f"2026-11-{day}" for day in range(10, 20)]
RANGE = ("--from", "10d", "--to", "yesterday")
PAGES, PASSES = 4, 2
"""What each of DAYS takes at SES, until two passes agree."""


def mailtrail(*arguments: str, code: int = 0, **options: Any) -> Result:
    """Run `mailtrail snapshot …` in this process, over the cloud of the environment."""
    done = CliRunner(**options).invoke(main, ["snapshot", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def told(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Read what `--json` prints."""
    found: dict[str, Any] = json.loads(mailtrail(*arguments, "--json", code=code).stdout)
    return found


def of(result: dict[str, Any], source: str) -> dict[str, dict[str, Any]]:
    """Return what is told of each day of a source."""
    return {one["day"]: one for one in result["snapshots"] if one["source"] == source}


@pytest.fixture
def watch(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """Make the time by which the function paces itself."""
    return Stopwatch(monkeypatch)


@pytest.fixture
def seeded(cloud: LocalCloud, watch: Stopwatch) -> LocalCloud:
    """Make ten days of 350 mails at SES and 30 at SendCloud."""
    for number, day in enumerate(DAYS):
        cloud.seed(day=day, messages=350, tasks=0, sendcloud=30, seed=number)
    return cloud


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Any]]:
    """Let a wait last no time; what is put in here happens during it, one at each."""
    happens: list[Callable[[], Any]] = []

    def pause(_seconds: float) -> None:
        happens.pop(0)()

    monkeypatch.setattr(snapshot_backfill, "pause", pause)
    return happens


def status_calls(calls: list[str]) -> int:
    return calls.count("ses:GetSendEmailStatus")


def test_a_range_is_taken_until_every_day_is_complete_and_agreed(seeded: LocalCloud) -> None:
    result = told(*RANGE)
    assert (result["complete"], result["days"], result["runs"]) == (True, DAYS, 1)
    for day, one in of(result, "status").items():
        assert one == {
            "source": "status",
            "day": day,
            "complete": True,
            "agreed": True,
            "sealed": day <= "2026-11-16",
            "rows": 350,
            "pages": PAGES,
            "passes": PASSES,
            "requests": PAGES * PASSES,
        }
    assert len(of(result, "status")) == len(of(result, "sendcloud")) == 10
    manifests = [read_manifest(open_trail(None).store, "status", day) for day in DAYS]
    assert [one and (one["rows"], one["agreed"]) for one in manifests] == [(350, True)] * 10


def test_it_takes_as_many_runs_of_the_function_as_it_needs_and_asks_for_no_page_again(
    seeded: LocalCloud, watch: Stopwatch, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 pages, one in five seconds; SendCloud, which is done in the first run, is left in peace."""
    monkeypatch.setenv("SES_RATE", "0.2")
    watch.end_runs_after(220)
    result = told(*RANGE)
    assert (result["complete"], result["runs"]) == (True, 2)
    assert status_calls(calls) == len(DAYS) * PAGES * PASSES
    assert sum(call.startswith("sendcloud:") for call in calls) == len(DAYS)
    assert not any(key.endswith("checkpoint.json") for key in bucket("state/snapshot/"))


def test_the_bar_tells_days_and_the_pages_of_the_day_in_hand(
    seeded: LocalCloud, watch: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SES_RATE", "0.2")
    monkeypatch.setattr(snapshot_watch, "EVERY_S", 0.01)
    watch.end_runs_after(220)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200)

    class Shown(Progress):
        """Draws every change, not only what stands when it is time to draw."""

        def update(self, *given: Any, **changes: Any) -> None:
            super().update(*given, **{**changes, "refresh": True})

    monkeypatch.setattr(snapshot, "progress", lambda: Shown(console=console))
    mailtrail(*RANGE)
    assert "status 2026-11-10, 0 of 10 days" in screen.getvalue()
    assert "pages, 5 of 10 days" in screen.getvalue()


def test_a_range_leaves_out_what_was_done_before_and_a_single_day_is_taken_again(
    seeded: LocalCloud, calls: list[str]
) -> None:
    """So the same command goes on after Ctrl-C, and who wants the rows of now can have them."""
    told("--from", "2026-11-10", "--to", "2026-11-14")
    calls.clear()
    result = told(*RANGE)
    assert status_calls(calls) == 5 * PAGES * PASSES
    assert (result["complete"], result["runs"], len(of(result, "status"))) == (True, 1, 10)
    assert of(result, "status")["2026-11-10"]["why"] == "it was sealed before"
    assert of(result, "status")["2026-11-10"]["rows"] == 350
    again = told(*RANGE)
    assert (again["runs"], again["complete"]) == (0, True)
    assert of(again, "status")["2026-11-19"]["why"] == "passes agreed before"
    calls.clear()
    assert of(told("--day", "2026-11-10", "--day", "yesterday"), "status")["2026-11-10"]["passes"] == 3
    assert status_calls(calls) == 2 * PAGES


def test_a_day_that_was_only_taken_while_it_went_on_is_taken_again(seeded: LocalCloud) -> None:
    """A pass over half a day has not seen the other half."""
    today = "2026-11-20"
    seeded.seed(day=today, messages=5, tasks=0, sendcloud=0, seed=1)
    first = of(told("--from", "today"), "status")[today]
    assert (first["passes"], first["complete"], first["why"]) == (1, True, "the day is not over")
    seeded.advance(86400)
    second = of(told("--from", today, "--to", today), "status")[today]
    assert (second["passes"], second["agreed"]) == (2, True)


def test_the_second_opinion_of_sendcloud_is_the_timers(seeded: LocalCloud) -> None:
    """Its cache would only repeat the first; that is no failure, and said."""
    result = told(*RANGE)
    for one in of(result, "sendcloud").values():
        assert (one["complete"], one["agreed"], one["passes"]) == (True, False, 1)
        assert one["why"] == "a second opinion comes with the next timer"
    seeded.advance(700)
    run("snapshot", timer(), time_limit_s=900)
    assert of(told(*RANGE), "sendcloud")["2026-11-15"]["agreed"] is True


def test_where_sendcloud_lacks_days_that_ses_has_it_is_asked_for_them(
    seeded: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.delenv("SENDCLOUD_API_USER")
        without.delenv("SENDCLOUD_API_KEY")
        assert of(told(*RANGE), "sendcloud") == {}
    result = told("--from", "2026-11-08", "--to", "yesterday")
    assert (result["complete"], result["runs"]) == (True, 2)
    assert {one["rows"] for day, one in of(result, "sendcloud").items() if day in DAYS} == {30}
    assert sum(call.startswith("sendcloud:") for call in calls) == 12


def test_while_somebody_else_is_at_it_the_command_waits_and_says_so(
    seeded: LocalCloud, waits: list[Callable[[], Any]]
) -> None:
    """The timer's run, or another person's: both at once would ask for everything twice."""
    store = open_trail(None).store
    lease = take(store, SCOPES["status"], now=NOW, ttl_s=150)
    assert lease is not None
    waits += [lambda: None, lambda: give_back(store, lease)]
    done = mailtrail(*RANGE, "--json")
    assert waits == []
    assert done.stderr.count("status: somebody else is at it (the timer, or another command); waiting") == 1
    assert json.loads(done.stdout)["complete"] is True


def test_what_somebody_else_did_while_it_waited_is_not_done_again(
    seeded: LocalCloud, waits: list[Callable[[], Any]], calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    store = open_trail(None).store
    lease = take(store, SCOPES["status"], now=NOW, ttl_s=150)
    assert lease is not None

    def timers_run() -> None:
        give_back(store, lease)
        for day in DAYS[:-1]:
            run("snapshot", timer(day), time_limit_s=900)

    waits.append(timers_run)
    result = told(*RANGE)
    assert (result["complete"], result["runs"]) == (True, 2)
    assert status_calls(calls) == len(DAYS) * PAGES * PASSES


def test_a_day_that_ses_refuses_is_told_with_the_reason_and_the_others_are_taken(seeded: LocalCloud) -> None:
    refusal = {"service": "ses", "action": "GetSendEmailStatus", "kind": "error", "times": 1}
    seeded.add_faults({**refusal, "code": "FailedOperation.NotSupportDate"})
    result = told(*RANGE, code=1)
    first, *others = of(result, "status").values()
    assert (first["complete"], first["why"]) == (False, "FailedOperation.NotSupportDate: SES keeps 30 days")
    assert all(one["agreed"] for one in others)
    assert len(others) == 9


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"service": "ses", "action": "GetSendEmailStatus", "code": "AuthFailure.SecretIdNotFound"}, "AuthFailure"),
        ({"service": "cos", "action": "PutObject", "code": "AccessDenied", "status": 403}, "AccessDenied"),
    ],
)
def test_what_no_waiting_helps_is_given_up_at_once(seeded: LocalCloud, fault: dict[str, Any], why: str) -> None:
    seeded.add_faults({**fault, "kind": "error"})
    result = told(*RANGE, code=1)
    assert result["runs"] == 1
    assert {(one["complete"], one["why"].partition(".")[0]) for one in of(result, "status").values()} == {(False, why)}
    assert len(of(result, "status")) == 10


def test_what_may_pass_is_waited_for_but_not_for_ever(seeded: LocalCloud, waits: list[Callable[[], Any]]) -> None:
    """Once a run gets nowhere again and again, it is said what the upstream says; the days that are done stay so."""
    seeded.add_faults({"service": "ses", "action": "GetSendEmailStatus", "kind": "throttle"})
    waits += [lambda: None] * 3
    done = mailtrail(*RANGE, code=1)
    assert waits == []
    assert "status: RequestLimitExceeded; trying again every 15 s" in done.stderr
    assert done.stdout.count("RequestLimitExceeded") == 10
    waits.append(seeded.clear_faults)
    assert told(*RANGE)["complete"] is True


def test_a_day_that_will_not_agree_is_left_to_the_timer_and_is_a_failure(
    seeded: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.snapshot.passes.have_agreed", lambda *_args, **_options: False)
    result = told("--day", "2026-11-19", code=1)
    (one,) = of(result, "status").values()
    assert (one["complete"], one["agreed"], one["rows"]) == (True, False, 350)
    assert one["why"] == "no two of 8 passes agreed; the timer makes one a day"
    assert (result["runs"], status_calls(calls)) == (1, 8 * PAGES)


def test_ctrl_c_says_that_the_same_command_goes_on_and_it_does(
    seeded: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch = seeded.ses.dispatch

    def interrupt(request: Any) -> Any:
        if status_calls(calls) == 6 * PAGES * PASSES + 2:
            raise KeyboardInterrupt
        return dispatch(request)

    with monkeypatch.context() as interrupting:
        interrupting.setattr(seeded.ses, "dispatch", interrupt)
        done = mailtrail(*RANGE, "--json", code=1)
    assert "the same command goes on from there" in done.stderr
    stopped = of(json.loads(done.stdout), "status")
    assert [one["agreed"] for one in stopped.values() if one["complete"]] == [True] * 6
    assert [one["why"] for one in stopped.values() if not one["complete"]] == ["stopped"] * 4
    calls.clear()
    result = told(*RANGE)
    assert (result["complete"], of(result, "status")["2026-11-15"]["why"]) == (True, "it was sealed before")
    assert status_calls(calls) == 4 * PAGES * PASSES


def test_ctrl_c_ends_the_timers_run_likewise(seeded: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_request: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(seeded.ses, "dispatch", interrupt)
    assert "the same command goes on from there" in mailtrail(code=1).stderr


def test_without_days_it_is_one_run_of_the_timer(seeded: LocalCloud) -> None:
    result = told()
    assert (len(result["days"]), result["complete"]) == (31, True)
    assert "runs" not in result
    assert of(result, "status")["2026-11-15"]["sealed"] is True
    shown = mailtrail("--day", "2026-11-19").stdout
    assert "tasks" in shown
    assert "2026-11-19 │ 350  │ 4     │ 3" in shown


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        (
            (
                "--day",
                "2026-11-21",
                "--day",
                "20.11.2026",
                "--day",
                "2026-10-20",
                "--from",
                "31d",
                "--to",
                "2026-12-01",
            ),
            (
                "--day: 20.11.2026 is not YYYY-MM-DD",
                "--day: 2026-11-21 is to come; today is 2026-11-20",
                "--day: SES has forgotten 2026-10-20; the oldest day that it knows is 2026-10-21",
                "--from: SES has forgotten 2026-10-20",
                "--to: 2026-12-01 is to come",
            ),
        ),
        (("--from", "2026-11-19", "--to", "2026-11-18"), ("--to is before --from",)),
        (("--to", "2026-11-18"), ("--to: there is no --from",)),
        (("--from", "next"), ("--from: next is not YYYY-MM-DD",)),
        (("--from", ""), ("--from:  is not YYYY-MM-DD",)),
        (("--json", "days"), ("options belong behind the verb: mailtrail snapshot days",)),
        (("--day", "today", "verify"), ("options belong behind the verb",)),
    ],
)
def test_wrong_usage_names_every_problem_and_does_nothing(
    arguments: tuple[str, ...], problems: tuple[str, ...], seeded: LocalCloud, calls: list[str]
) -> None:
    done = mailtrail(*arguments, code=2)
    assert all(problem in done.stderr for problem in problems)
    assert calls == []


def test_the_oldest_day_that_ses_knows_and_today_may_be_named(cloud: LocalCloud, watch: Stopwatch) -> None:
    assert told("--from", "30d")["complete"] is True


def test_a_damaged_manifest_is_named_before_anything_is_done(seeded: LocalCloud, calls: list[str]) -> None:
    open_trail(None).store.put("status/dt=2026-11-19/manifest.json", b"{")
    assert "the manifest of status 2026-11-19 is damaged" in mailtrail(*RANGE, code=1).stderr
    assert status_calls(calls) == 0


def test_missing_settings_are_all_named(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SES_RATE", "many")
    monkeypatch.delenv("MAILTRAIL_REGION")
    done = mailtrail("--day", "today", code=1)
    assert "SES_RATE" in done.stderr
    assert "MAILTRAIL_REGION" in done.stderr
