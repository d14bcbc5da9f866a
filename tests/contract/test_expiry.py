"""What has served its time goes, and at no instant of its going is a mail sent twice or an old answer given anew."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.report import expiry
from functions.report.expiry import AT_ONCE, KEYS_LAST_S, LEASED, expire
from functions.report.maintenance import Work, work_on
from functions.send import ledger
from functions.send.attempts import MOST
from functions.snapshot.rounds import SCOPES
from localcloud import defaults
from shared.trail import layout
from shared.trail.lease import take
from shared.trail.ledger import LONGEST_EXPIRING_S
from shared.trail.records import encode_line, iso
from shared.trail.store import Place, Store, StoreError
from tests.handlers import NOW, VALID, bucket, call_back, look_up, run, send, timer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud import LocalCloud

ROOT = Path(__file__).parents[2]
DAY_S = 86400
OLD_S = KEYS_LAST_S + 3600
LATE_S = 600
NO_SES = {"service": "ses", "action": "SendEmail", "kind": "error", "code": "RequestLimitExceeded", "times": MOST}
FOR_GOOD = {**NO_SES, "code": "FailedOperation.IncorrectEmail", "times": 1}
LOST = {"service": "ses", "action": "SendEmail", "kind": "drop_response", "times": 1}


class DiedError(BaseException):
    """The function was killed."""


class DyingStore(Store):
    """A bucket whose user dies at the n-th change, just before it takes effect or just after."""

    changes_left = 10**9
    takes_effect = False

    def once(self) -> Store:
        return self

    def _retried(self, operation: str, call: Callable[[], Any]) -> Any:
        if operation in ("put", "create", "delete"):
            DyingStore.changes_left -= 1
            if DyingStore.changes_left == 0:
                if DyingStore.takes_effect:
                    super()._retried(operation, call)
                raise DiedError
        return super()._retried(operation, call)


def place(claim: str = "forbid-overwrite") -> Place:
    return Place(defaults.SECRET_ID, defaults.SECRET_KEY, "", defaults.BUCKET, defaults.REGION, "", claim)


def work(cloud: LocalCloud, store: Store | None = None, *, left_s: float = 600.0) -> Work:
    return work_on(store or Store(place()), cloud.clock.now, defaults.UTC_OFFSET_S, lambda: left_s)


def ledger_keys() -> list[str]:
    return sorted(bucket(layout.LEDGER_PREFIX))


def count(cloud: LocalCloud) -> int:
    return len(cloud.messages(10_000))


def made(cloud: LocalCloud, story: str) -> int:
    """Use the key ``story`` as its name says; returns how many mails went out."""
    before = count(cloud)
    if story == "in flight":
        to_alice, key = ledger.Addressed("noreply@mail.example.com", VALID["to"], None), ledger.key_hash(story)
        ledger.take_claim(Store(place()), key, VALID, to_alice, at=cloud.clock.now(), check_time=lambda: None)
    elif story in ("uncertain", "never"):
        cloud.add_faults(LOST if story == "uncertain" else FOR_GOOD)
    elif story.startswith("refused"):
        for _ in range(2 if story == "refused twice" else 1):
            cloud.add_faults(NO_SES)
            assert send(VALID, key=story).status == 429
        return count(cloud) - before
    elif story == "sent at the third":
        for _ in range(2):
            cloud.add_faults(NO_SES)
            assert send(VALID, key=story).status == 429
    if story != "in flight":
        send(VALID, key=story)
    return count(cloud) - before


IN_DOUBT = ("in flight", "uncertain")
STORIES = ("sent", "in flight", "uncertain", "refused once", "refused twice", "sent at the third", "never")


@pytest.fixture(params=["forbid-overwrite", "append"])
def claim(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of claiming."""
    monkeypatch.setenv("MAILTRAIL_CLAIM", request.param)
    return str(request.param)


def test_a_key_is_kept_for_its_window_and_gone_after_it(cloud: LocalCloud, claim: str) -> None:
    """Whatever became of it; afterwards it is like a key that was never used."""
    for story in STORIES:
        made(cloud, story)
    cloud.advance(KEYS_LAST_S - LATE_S)
    before = bucket(layout.LEDGER_PREFIX)
    assert expire(work(cloud))["keys"] == 0
    assert bucket(layout.LEDGER_PREFIX) == before
    cloud.advance(DAY_S)
    told = expire(work(cloud, Store(place(claim))))
    settled = [story for story in STORIES if story not in IN_DOUBT]
    assert (told["walk"], told["keys"]) == ("finished", len(settled))
    assert {key.split("/")[2] for key in ledger_keys()} == {ledger.key_hash(story) for story in IN_DOUBT}
    for story in settled:
        assert look_up(story).status == 404
        assert send(VALID, key=story).body["duplicate"] is False


def test_a_key_in_doubt_is_remembered_for_a_month(cloud: LocalCloud, claim: str) -> None:
    """Forgotten after three days it would be sent by the next repeat, which comes because it was told to come again."""
    for story in IN_DOUBT:
        made(cloud, story)
    mails = count(cloud)
    for _ in range(29):
        cloud.advance(DAY_S)
        expire(work(cloud, Store(place(claim))))
        for story in IN_DOUBT:
            assert send(VALID, key=story).body["code"] == "outcome_uncertain"
    assert count(cloud) == mails
    cloud.advance(DAY_S + LATE_S)
    assert expire(work(cloud, Store(place(claim))))["keys"] == len(IN_DOUBT)
    assert ledger_keys() == []


@pytest.mark.parametrize("after_s", [400, 5 * DAY_S], ids=["soon", "after days"])
def test_a_key_that_was_in_doubt_once_is_remembered_for_a_month_too(cloud: LocalCloud, after_s: float) -> None:
    """Its caller was told to come again, and does not know yet that it was found out."""
    made(cloud, "uncertain")
    cloud.advance(after_s)
    expire(work(cloud))
    if after_s > KEYS_LAST_S:
        cloud.deliver_callbacks(lambda callback: call_back(callback.body).status)
    assert look_up("uncertain").body["state"] == "sent"
    for _ in range(20):
        cloud.advance(DAY_S)
        expire(work(cloud))
    assert send(VALID, key="uncertain").body["duplicate"] is True
    assert count(cloud) == 1


def test_a_key_used_again_lately_is_not_old_whatever_it_began_with(cloud: LocalCloud) -> None:
    """All objects of a key go together, by the newest of them."""
    made(cloud, "refused once")
    cloud.advance(OLD_S)
    assert send(VALID, key="refused once").status == 202
    cloud.advance(DAY_S)
    assert expire(work(cloud))["keys"] == 0
    assert send(VALID, key="refused once").body["duplicate"] is True
    assert count(cloud) == 1


@pytest.mark.parametrize("takes_effect", [False, True], ids=["before", "after"])
def test_a_death_at_any_change_leaves_every_key_old_or_new(cloud: LocalCloud, *, takes_effect: bool) -> None:
    """Then each key gives the old answer or one new mail, or says to wait; never two mails, never the old answer after a new.

    The next run finishes the work.
    """
    step, stories = 0, ("sent", "refused twice", "sent at the third")
    while True:
        step += 1
        cloud.cos.reset()
        cloud.move_to(NOW)
        mails = {story: made(cloud, story) for story in stories}
        cloud.advance(OLD_S)
        DyingStore.changes_left, DyingStore.takes_effect = step, takes_effect
        try:
            expire(work(cloud, DyingStore(place())))
        except DiedError:
            pass
        else:
            break
        finally:
            DyingStore.changes_left = 10**9
        for story in stories:
            check_used_again(cloud, story, mails[story])
        cloud.advance(LATE_S)
        expire(work(cloud))
        cloud.advance(LATE_S)
        for story in stories:
            check_used_again(cloud, story, mails[story])
        cloud.advance(OLD_S + DAY_S)
        expire(work(cloud))  # what a life before left in the way
        cloud.advance(DAY_S)
        expire(work(cloud))
        assert ledger_keys() == [], step
    assert step > 6


def check_used_again(cloud: LocalCloud, story: str, mails: int) -> None:
    before = count(cloud)
    first = send(VALID, key=story)
    sent = count(cloud) - before
    again = [send(VALID, key=story) for _ in range(2)]
    assert count(cloud) - before == sent <= 1
    if sent:
        assert first.status == 202
        assert {answer.body["message_id"] for answer in (first, *again)} == {first.body["message_id"]}
        assert [answer.body["duplicate"] for answer in (first, *again)] == [False, True, True]
        assert look_up(story).body["message_id"] == first.body["message_id"]
    elif first.status == 202:
        assert first.body["duplicate"] is True
    else:
        old = {"in flight": "outcome_uncertain", "uncertain": "outcome_uncertain", "never": "idempotency_conflict"}
        assert first.body["code"] in (old.get(story), "in_flight"), story
        if first.body["code"] == "in_flight":
            assert first.body["retry_safe"] is True


def test_a_request_between_any_two_changes_sends_once(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same key is used again while its old objects go: before and after each request of the expiry."""
    outcomes, between = set(), []
    for when in range(1, 60):
        cloud.cos.reset()
        cloud.move_to(NOW)
        for story in ("sent", "refused twice"):
            made(cloud, story)
        cloud.advance(OLD_S)
        before = count(cloud)
        store = Store(place())
        calls = {"left": when}
        original = Store._retried

        def interrupted(self: Store, operation: str, call: Any, *, calls: Any = calls, original: Any = original) -> Any:
            calls["left"] -= 1
            if calls["left"] == 0:
                between.extend(send(VALID, key=story) for story in ("sent", "refused twice"))
            return original(self, operation, call)

        monkeypatch.setattr(Store, "_retried", interrupted)
        expire(work(cloud, store))
        monkeypatch.setattr(Store, "_retried", original)
        if calls["left"] > 0:
            break
        told = [send(VALID, key=story) for story in ("sent", "refused twice")]
        outcomes |= {(answer.status, answer.body.get("duplicate")) for answer in told}
        assert count(cloud) - before <= 2, when
        mails = [message["message_id"] for message in cloud.messages(10_000)]
        assert len(mails) == len(set(mails))
        assert {answer.status for answer in told} == {202}, when
        assert all(answer.body["code"] == "in_flight" for answer in between if answer.status != 202)
    assert when > 15
    assert outcomes == {(202, False), (202, True)}


def test_running_twice_changes_nothing_and_a_walk_begins_once_a_day(cloud: LocalCloud) -> None:
    made(cloud, "sent")
    cloud.advance(OLD_S)
    assert expire(work(cloud))["keys"] == 1
    made(cloud, "never")
    assert expire(work(cloud))["walk"] == "done today"
    cloud.advance(OLD_S)
    told = expire(work(cloud))
    assert (told["walk"], told["keys"], told["objects"]) == ("finished", 1, 3)


def old_keys(cloud: LocalCloud, number: int) -> None:
    """Lay ``number`` sent keys into the bucket as the ledger would have."""
    at = iso(cloud.clock.now())
    line = {"v": 1, "at": at, "state": "claimed", "body_sha256": "", "nonce": "n"}
    sent = {"v": 1, "at": at, "state": "sent", "body_sha256": "", "answer": {}}
    store = Store(place())
    for n in range(number):
        sha256 = hashlib.sha256(str(n).encode()).hexdigest()
        store.put(layout.claim_key(sha256, 0), encode_line(line))
        store.put(layout.outcome_key(sha256, 0), encode_line(sent))


def test_a_run_stops_in_time_and_the_next_goes_on(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a cursor, so that no key is looked at twice in a walk."""
    monkeypatch.setattr(expiry, "AT_ONCE", 20)
    old_keys(cloud, 90)
    cloud.advance(OLD_S)
    told = []
    while not told or told[-1]["walk"] == "goes on":
        left_s = iter([60.0] * 11 + [0.0] * 100)  # some for the other partitions, a few for batches
        told.append(expire(work(cloud)._replace(time_left_s=lambda left=left_s: next(left, 0.0))))
        cloud.advance(3600)
    assert len(told) >= 2
    assert sum(one["keys"] for one in told) == 90
    assert sum(one["objects"] for one in told) == 270
    assert ledger_keys() == []


def test_requests_are_few(cloud: LocalCloud, calls: list[str]) -> None:
    """Three reads and a write a key, and three deletions for hundreds of keys."""
    old_keys(cloud, 60)
    cloud.advance(OLD_S)
    calls.clear()
    assert expire(work(cloud))["keys"] == 60
    assert calls.count("cos:DeleteMultipleObjects") == 3
    assert len([call for call in calls if call == "cos:GetObject"]) <= 3 * 60 + 10
    assert AT_ONCE >= 100


def test_a_deletion_that_got_no_answer_is_not_repeated_blindly(cloud: LocalCloud, calls: list[str]) -> None:
    """A late repeat could meet a claim that was made meanwhile; the next run reads first."""
    made(cloud, "sent")
    cloud.advance(OLD_S)
    cloud.add_faults({"service": "cos", "action": "DeleteMultipleObjects", "kind": "drop_response", "times": 1})
    with pytest.raises(StoreError):
        expire(work(cloud))
    assert calls.count("cos:DeleteMultipleObjects") == 1
    assert send(VALID, key="sent").body["code"] == "in_flight"
    cloud.advance(LONGEST_EXPIRING_S + 1)  # until then the deletion may be somebody's who is at it
    assert expire(work(cloud))["walk"] == "finished"
    assert send(VALID, key="sent").body["duplicate"] is False
    assert send(VALID, key="sent").body["duplicate"] is True
    assert count(cloud) == 2


def test_a_listing_that_still_shows_what_is_gone_costs_no_claim(cloud: LocalCloud) -> None:
    """The key was made anew meanwhile: what the listing calls old is read first."""
    made(cloud, "sent")
    cloud.advance(OLD_S)
    stale = list(Store(place()).iterate(layout.LEDGER_PREFIX))
    assert expire(work(cloud))["keys"] == 1
    assert send(VALID, key="sent").body["duplicate"] is False

    class Stale(Store):
        def iterate(self, prefix: str, *, after: str = "") -> Iterator[Any]:
            return iter(stale) if prefix == layout.LEDGER_PREFIX else super().iterate(prefix, after=after)

    cloud.advance(DAY_S)
    expire(work(cloud, Stale(place())))
    assert send(VALID, key="sent").body["duplicate"] is True


def test_partitions_of_days_go_when_nobody_asks_for_them(cloud: LocalCloud) -> None:
    """Tokens after four days, counts of refusals after forty, leases and turns after two; the younger stay."""
    store, now = Store(place()), cloud.clock.now()

    def day(ago: int) -> str:
        return dt.datetime.fromtimestamp(now + defaults.UTC_OFFSET_S - ago * DAY_S, dt.timezone.utc).strftime(
            "%Y-%m-%d"
        )

    makers = {
        "tokens": (lambda ago: layout.used_token_key(day(ago), "ab" * 32), 4),
        "refused": (lambda ago: layout.refused_key(day(ago), "ab12"), 40),
        "turns": (lambda ago: layout.turn_key(day(ago), "a@example.com", 7), 2),
        "leases": (lambda ago: layout.lease_key("report/compaction", day(ago), 0), 2),
    }
    for key_of, last in makers.values():
        for ago in (0, 1, last, last + 1, last + 30):
            store.put(key_of(ago), b"{}\n")
    told = expire(work(cloud))
    assert {name: told[name] for name in makers} == dict.fromkeys(makers, 2)
    left = bucket("state/")
    for key_of, last in makers.values():
        assert key_of(last) in left
        assert key_of(last + 1) not in left


def test_what_of_a_day_was_applied_to_the_suppression_list_stays_known(cloud: LocalCloud) -> None:
    """A late event for a day long ago would otherwise apply that whole day anew, and bring back what was erased."""
    key = layout.applied_key("2020-01-01")
    Store(place()).put(key, b"{}\n")
    expire(work(cloud))
    assert key in bucket("state/")


def test_every_lease_that_is_taken_expires() -> None:
    """A scope that the code names is in the list of those that are cleared."""
    code = "".join(path.read_text() for room in ("functions", "shared", "cli") for path in (ROOT / room).rglob("*.py"))
    assert {*re.findall(r'^SCOPE = "([a-z/]+)"', code, re.MULTILINE), *SCOPES.values()} == set(LEASED)


def test_a_folder_of_the_consoles_keeps_nothing_from_expiring(cloud: LocalCloud) -> None:
    """COS's console makes an object of the prefix itself, which sorts before every day."""
    store = Store(place())
    old = layout.used_token_key("2026-01-01", "ab" * 32)
    for key in (layout.used_tokens_prefix(), old):
        store.put(key, b"")
    assert expire(work(cloud))["tokens"] == 1
    assert list(bucket(layout.used_tokens_prefix())) == [layout.used_tokens_prefix()]


def test_what_is_left_of_an_earlier_life_is_told_at_once(cloud: LocalCloud, calls: list[str]) -> None:
    """Where a run died; a retry of the new life waits for the next one, and does not ask again and again meanwhile."""
    made(cloud, "sent at the third")
    cloud.advance(OLD_S)
    for key in ledger_keys():
        if "outcome" in key or "claim-0" in key:
            Store(place()).delete(key)
    cloud.add_faults(NO_SES)
    assert send(VALID, key="sent at the third").status == 429
    calls.clear()
    told = send(VALID, key="sent at the third")
    assert (told.status, told.body["code"], told.body["retry_safe"]) == (409, "in_flight", True)
    assert len(calls) < 15
    expire(work(cloud))
    assert send(VALID, key="sent at the third").status == 202


def test_two_runs_at_once_send_once(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its lease: a second run, and a new use of the key, between any two requests of the first."""
    monkeypatch.setattr(expiry, "leased", lambda *_, **__: nullcontext(True))
    original = Store._retried
    for when in range(1, 40):
        cloud.cos.reset()
        cloud.move_to(NOW)
        made(cloud, "sent")
        cloud.advance(OLD_S)
        before = count(cloud)
        calls = {"left": when}

        def interrupted(self: Store, operation: str, call: Any, *, calls: Any = calls) -> Any:
            calls["left"] -= 1
            if calls["left"] == 0:
                expire(work(cloud))
                send(VALID, key="sent")
            return original(self, operation, call)

        monkeypatch.setattr(Store, "_retried", interrupted)
        expire(work(cloud))
        monkeypatch.setattr(Store, "_retried", original)
        if calls["left"] > 0:
            break
        told = [send(VALID, key="sent").body["message_id"] for _ in range(2)]
        assert told[0] == told[1], when
        assert count(cloud) - before == 1, when
    assert when > 8


def test_one_run_at_a_time(cloud: LocalCloud) -> None:
    assert take(Store(place()), expiry.SCOPE, now=cloud.clock.now(), ttl_s=60) is not None
    made(cloud, "sent")
    cloud.advance(1)
    assert expire(work(cloud)) == {"walk": "somebody else's"}


def test_the_report_timer_expires_and_says_so(cloud: LocalCloud) -> None:
    made(cloud, "sent")
    cloud.advance(OLD_S)
    told = run("report", timer(), time_limit_s=900)
    assert told["maintenance"]["expiry"]["keys"] == 1
    assert json.dumps(told)
    assert ledger_keys() == []


def test_the_table_of_operating_md_says_what_the_code_does() -> None:
    """Days and names of the constants, as they are."""
    text = (ROOT / "docs/operating.md").read_text()
    table = text.split("## What expires when")[1].split("\n## ")[0]
    for name, days in (("KEYS_LAST_S", KEYS_LAST_S // DAY_S), ("TOKENS_LAST_DAYS", None), ("COUNTS_LAST_DAYS", None),
                       ("LEASES_LAST_DAYS", None)):  # fmt: skip
        (row,) = [line for line in table.splitlines() if f"`{name}`" in line]
        assert f"| {days or getattr(expiry, name)} days" in row
    assert f"`{layout.EXPIRY_KEY}`" in table
