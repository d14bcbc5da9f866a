"""The report timer and unsubscribes: notes are merged and deleted, and SES's own blacklist is told where it is to be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.report import unsubscribes
from localcloud import defaults
from shared.trail import suppression_list
from shared.trail.lease import take
from shared.trail.records import iso
from shared.trail.suppression import Removal, Selection, entry
from shared.trail.unsubscribes import entry_of_unsubscribe
from tests.handlers import NOW, VALID, bucket, run, send
from tests.suppressed import holding, store
from tests.unsubscribing import ALICE, post, token_of

if TYPE_CHECKING:
    from localcloud import LocalCloud

NOTES = "state/webhook/unsubscribed/"


@pytest.fixture
def _blacklisting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSUBSCRIBE_BLACKLIST", "on")


def report() -> dict[str, Any]:
    """Run the timer for no day at all; return what it says of unsubscribes."""
    told = run("report", {"Type": "Timer", "Message": '{"days": []}'}, time_limit_s=900)
    found: dict[str, Any] = told["maintenance"]["unsubscribes"]
    return found


def leave(*names: str) -> None:
    """Let people of these names unsubscribe."""
    for name in names:
        assert post(token_of(ALICE._replace(address=f"{name}@example.com"))).status == 200


def blacklist(cloud: LocalCloud) -> list[str]:
    """Return who is on SES's own blacklist."""
    return sorted(row[0] for row in cloud.ses._account.database.rows("SELECT email FROM custom_block"))


def test_notes_are_merged_and_gone(cloud: LocalCloud, calls: list[str]) -> None:
    leave("alice", "bob")
    assert len(bucket(NOTES)) == 2
    assert report() == {"applied": 2, "waiting": 0}
    assert bucket(NOTES) == {}
    assert holding() == {"alice@example.com": "unsubscribe", "bob@example.com": "unsubscribe"}
    assert report() == {"applied": 0, "waiting": 0}
    assert not any(call.startswith("ses:") for call in calls), "SES is not told unless somebody wants it"


@pytest.mark.usefixtures("_blacklisting")
def test_ses_learns_who_left_and_refuses_mail_to_them(cloud: LocalCloud, calls: list[str]) -> None:
    """All of a run in one call; the mail that goes past mailtrail is refused as well."""
    leave("alice", "bob")
    assert blacklist(cloud) == [], "never in the person's own request"
    assert report() == {"applied": 2, "waiting": 0}
    assert blacklist(cloud) == ["alice@example.com", "bob@example.com"]
    assert [call for call in calls if call.startswith("ses:")] == ["ses:CreateCustomBlacklist"]
    assert send({**VALID, "transactional": True}).status == 422


@pytest.mark.usefixtures("_blacklisting")
def test_what_ses_did_not_take_is_told_again_by_the_next_run(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    leave("alice")
    cloud.add_faults({"service": "ses", "kind": "error", "code": "InternalError", "action": "CreateCustomBlacklist"})
    for _ in range(2):
        assert report() == {"applied": 0, "waiting": 1}
        assert holding() == {"alice@example.com": "unsubscribe"}
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        (line,) = (line for line in lines if line["message"] == "blacklist not updated")
        assert (line["code"], line["addresses"]) == ("InternalError", 1)
    cloud.faults.clear()
    assert report() == {"applied": 1, "waiting": 0}
    assert blacklist(cloud) == ["alice@example.com"]
    assert bucket(NOTES) == {}


@pytest.mark.usefixtures("_blacklisting")
def test_who_was_put_back_meanwhile_is_not_told_to_ses(cloud: LocalCloud) -> None:
    leave("alice", "bob")
    taken_back = Removal(iso(NOW + 60), "ops", Selection(until=iso(NOW + 60)))
    suppression_list.add(store(), entry("alice@example.com", [], [taken_back]))
    assert report() == {"applied": 2, "waiting": 0}
    assert blacklist(cloud) == ["bob@example.com"]
    assert holding() == {"bob@example.com": "unsubscribe"}


def test_while_somebody_else_holds_the_list_notes_wait(cloud: LocalCloud) -> None:
    leave("alice")
    assert take(store(), suppression_list.SCOPE, now=NOW, ttl_s=600)
    assert report() == {"applied": 0, "waiting": 1}
    cloud.advance(601)
    assert report() == {"applied": 1, "waiting": 0}


def test_somebodys_own_file_among_the_notes_is_left_alone(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    leave("alice")
    store().put(f"{NOTES}mine.json", b"mine")
    assert report() == {"applied": 1, "waiting": 0}
    assert list(bucket(NOTES)) == [f"{NOTES}mine.json"]
    assert "unsubscribe note left alone" in capsys.readouterr().out


def test_an_unsubscribe_that_comes_while_its_like_is_deleted_is_not_lost(cloud: LocalCloud) -> None:
    """Notes are named by what they say, the time included: only what was merged is deleted."""
    leave("alice")
    listing = store()
    later = entry_of_unsubscribe("alice@example.com", sender_domain="mail.example.com", sent_s=NOW, at=NOW + 5)
    merged = set(bucket(NOTES))
    from shared.trail.unsubscribes import unsubscribe  # noqa: PLC0415

    unsubscribe(listing, later, at=NOW + 5)
    assert set(bucket(NOTES)) == merged, "it says nothing new"
    report()
    assert holding() == {"alice@example.com": "unsubscribe"}


@pytest.mark.usefixtures("_blacklisting")
def test_a_mass_of_them_is_done_in_batches(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven notes, three at once, two addresses a call; the same person twice is one address."""
    monkeypatch.setattr(unsubscribes, "AT_ONCE", 3)
    monkeypatch.setattr(unsubscribes, "TOLD_AT_ONCE", 2)
    leave("a", "b", "c", "d", "e", "f")
    assert post(token_of(ALICE._replace(address="a@example.com", sender_domain="other.example.com"))).status == 200
    assert report() == {"applied": 7, "waiting": 0}
    assert len(blacklist(cloud)) == 6
    assert calls.count("ses:CreateCustomBlacklist") <= 6
    assert bucket(NOTES) == {}


def test_a_run_without_time_leaves_them_to_the_next(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    leave("alice")
    monkeypatch.setattr(unsubscribes, "TIME_FOR_A_BATCH_S", 1e9)
    assert report() == {"applied": 0, "waiting": 1}
    assert len(bucket(NOTES)) == 1


@pytest.mark.usefixtures("_blacklisting")
def test_no_address_in_the_log(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """Invariant 7."""
    leave("alice")
    cloud.add_faults({"service": "ses", "kind": "error", "code": "InternalError", "times": 1})
    report()
    report()
    logged = capsys.readouterr().out
    assert "alice" not in logged
    assert defaults.TOKEN_KEY not in logged
