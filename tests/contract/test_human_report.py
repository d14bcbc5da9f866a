"""Opens and clicks in all and as likely-human: from the callback to the record, the report's JSON, its table, its page."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.test_report_hostile import Elements, page
from tests.event_files import load_event
from tests.handlers import EVENT, ask, call_back, records, report_table, write_report

if TYPE_CHECKING:
    from localcloud import LocalCloud

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"
SENT = EVENT["timestamp"] - 2


def told(event: str, after_s: int, *, to: str = "alice@example.com", **more: Any) -> dict[str, Any]:
    """Build a callback of SES, ``after_s`` seconds after the delivery."""
    at = {"timestamp": EVENT["timestamp"] + after_s, "sentTimestamp": SENT}
    return {**EVENT, "event": event, "email": to, "useragent": CHROME, **at, **more}


DAY_OF_FOUR = [
    # Alice: prefetched, then read. Bob: prefetched and no more. Carol's gateway follows every link. Dave reads.
    told("delivered", 0),
    told("open", 9, useragent="Mozilla/5.0"),
    told("open", 600),
    told("click", 610, link="https://example.com/a"),
    told("delivered", 0, to="bob@example.com"),
    told("open", 9, to="bob@example.com", useragent="Mozilla/5.0"),
    told("delivered", 0, to="carol@example.org"),
    told("open", 0, to="carol@example.org"),
    told("click", 30, to="carol@example.org", link="https://example.com/a"),
    told("click", 31, to="carol@example.org", link="https://example.com/unsubscribe"),
    told("unsubscribe", 31, to="carol@example.org"),
    told("delivered", 0, to="dave@example.org"),
    told("open", 700, to="dave@example.org"),
]


@pytest.mark.parametrize(
    ("case", "machine"),
    [
        ("ses-open", [None]),
        ("ses-open-machine", ["likely"]),
        ("ses-open-image-proxy", [None]),
        ("ses-click", [None]),
        ("ses-click-sweep", [None, None]),
        ("ses-delivered", [None]),
        ("ses-spamreport", [None]),
        ("sendcloud-form-open", [None]),
    ],
)
def test_the_record_says_who_it_was_as_far_as_one_event_tells(
    case: str, machine: list[str | None], cloud: LocalCloud
) -> None:
    assert ask("webhook", load_event(f"webhook/function-url-{case}.json")).body == {"stored": len(machine)}
    assert [record["machine"] for record in records("events/")] == machine


@pytest.mark.parametrize(("after_s", "machine"), [(117, "suspected"), (118, None)])
def test_an_unsubscribe_within_two_minutes_of_the_sending_is_suspected(
    after_s: int, machine: str | None, cloud: LocalCloud
) -> None:
    """SES infers it from a link that was followed; scanners follow links."""
    call_back(told("unsubscribe", after_s))
    (record,) = records("events/")
    assert (record["type"], record["machine"]) == ("unsubscribed", machine)


@pytest.mark.parametrize(
    "agent", [None, "", 7, [], {"a": 1}, True, "\x00", "bot" * 60_000, "\ud800", "Mozilla/5.0 \u202e"]
)
def test_no_agent_keeps_an_open_from_being_stored(agent: Any, cloud: LocalCloud) -> None:
    """Strangers choose it."""
    assert call_back(told("open", 600, useragent=agent)).body == {"stored": 1}
    (record,) = records("events/")
    assert record["machine"] in (None, "likely")
    assert record["raw"]["useragent"] == agent


def test_every_delivery_of_an_event_gets_the_same_label(cloud: LocalCloud) -> None:
    """Whenever it comes and in whatever company: otherwise a redelivery would be another event."""
    machine, stranger = told("open", 9, useragent="Mozilla/5.0"), told("delivered", 0, to="eve@example.com")
    call_back(machine)
    cloud.advance(86_400)
    call_back([stranger, machine])
    labels = {record["event_id"]: record["machine"] for record in records("events/") if record["type"] == "opened"}
    assert list(labels.values()) == ["likely"]


def test_both_counts_are_in_the_json(cloud: LocalCloud) -> None:
    call_back(DAY_OF_FOUR)
    report = write_report()
    people = report["recipients"]
    assert (people["opened"], people["opened_human"]) == (4, 2)
    assert (people["clicked"], people["clicked_human"]) == (2, 1)
    assert (people["unsubscribed"], people["unsubscribed_human"]) == (1, 0)
    assert report["rates"] == {
        "reached": 4, "opened": 1.0, "opened_human": 0.5, "clicked": 0.5, "clicked_human": 0.25,
        "unsubscribed": 0.25, "unsubscribed_human": 0.0,
    }  # fmt: skip
    assert report["events"]["by_machine"] == {
        "opened": {"human": 2, "suspected": 1, "likely": 2},
        "clicked": {"human": 1, "suspected": 2, "likely": 0},
        "unsubscribed": {"human": 0, "suspected": 1, "likely": 0},
    }
    assert report["events"]["by_type"] == {"opened": 5, "delivered": 4, "clicked": 3, "unsubscribed": 1}


def test_nothing_is_left_out_of_the_table(cloud: LocalCloud) -> None:
    """A row a recipient: counts of events in all, and beside them those of people."""
    call_back(DAY_OF_FOUR)
    write_report()
    rows = {row["recipient"].partition("@")[0]: row for row in report_table()}
    names = ("opened", "opened_human", "clicked", "clicked_human", "unsubscribed", "unsubscribed_human")
    assert {who: [int(row[name]) for name in names] for who, row in rows.items()} == {
        "alice": [2, 1, 1, 1, 0, 0],
        "bob": [1, 0, 0, 0, 0, 0],
        "carol": [1, 0, 2, 0, 1, 0],
        "dave": [1, 1, 0, 0, 0, 0],
    }


def test_the_page_heads_with_people_and_says_what_that_means(cloud: LocalCloud) -> None:
    """Never the raw rate alone; the definitions stand beside the numbers."""
    call_back(DAY_OF_FOUR)
    write_report()
    text = re.sub(r"\s+", " ", Elements(page()).text)
    assert "2opened, likely people; 4 in all" in text
    assert "1clicked, likely people; 2 in all" in text
    assert "opened2 · 50.0 %4 · 100.0 %" in text
    assert "Rates are of the 4 who were reached" in text
    assert "Machine: the agent names" in text
    assert "Suspect: within 2 seconds of the sending" in text
    (example_com,) = re.findall(r"<tr><td>example\.com</td>(.*?)</tr>", page())
    assert ">1 / 2<" in example_com


def test_who_was_reached_and_did_nothing_counts_in_the_rates(cloud: LocalCloud) -> None:
    """Most people: four were delivered to, one of them opened; a fifth bounced and is in no rate."""
    people = [told("delivered", 0, to=f"{name}@example.com") for name in "abcd"]
    bounce = told("bounce", 0, to="e@example.com", bounceType="hard_bounce", reason="550 5.1.1 no such user")
    call_back([*people, told("open", 600, to="a@example.com"), bounce])
    rates = write_report()["rates"]
    assert (rates["reached"], rates["opened"], rates["opened_human"], rates["clicked"]) == (4, 0.25, 0.25, 0.0)


def test_a_day_without_mail_has_no_rates(cloud: LocalCloud) -> None:
    report = write_report("2026-11-01")
    assert report["rates"] == {"reached": 0} | dict.fromkeys(
        ["opened", "opened_human", "clicked", "clicked_human", "unsubscribed", "unsubscribed_human"]
    )


def test_no_rate_exceeds_one_when_deliveries_were_lost(cloud: LocalCloud) -> None:
    """Opens without a delivery: their callbacks never came."""
    call_back([told("open", 600, to=f"{name}@example.com") for name in "abc"])
    report = write_report()
    assert (report["rates"]["reached"], report["rates"]["opened"], report["rates"]["opened_human"]) == (3, 1.0, 1.0)


def test_copies_that_were_labelled_otherwise_count_once_whichever_is_read_first(cloud: LocalCloud) -> None:
    """Records from before a rule was known lie beside newer ones: by their raw form or their place in the listing."""
    call_back(told("delivered", 0))
    plain = told("open", 600)
    call_back(plain)
    call_back([{**plain, "useragent": "curl/8.5.0"}, told("delivered", 0, to="x@example.com")])
    call_back([told("delivered", 0, to="y@example.com"), {**plain, "useragent": "Mozilla/5.0"}])
    report = write_report()
    assert report["events"]["by_type"]["opened"] == 1
    assert report["events"]["by_machine"]["opened"] == {"human": 0, "suspected": 0, "likely": 1}
    assert report["recipients"]["opened"] == 1
    assert json.loads(json.dumps(report)) == report
