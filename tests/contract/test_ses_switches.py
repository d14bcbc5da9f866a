"""Switches: every one does what it says, wrong ones are named all at once, and a reset brings them back."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from localcloud.ses.switches import Switches
from tests.contract.ses_door import MAIL, World

SIMULATOR = "simulator.mailtrail.test"


@pytest.fixture
def world(tmp_path):
    opened = World(tmp_path)
    yield opened
    opened.close()


def test_they_are_described_by_data(world):
    """Name, type, value, default, allowed values and meaning of each: JSON, as a control plane shows it."""
    described = json.loads(json.dumps(world.service.switches.describe()))
    by_name = {switch["name"]: switch for switch in described}
    assert by_name["allow_simple"] | {"meaning": ""} == {
        "name": "allow_simple",
        "type": "boolean",
        "value": False,
        "default": False,
        "allowed": [False, True],
        "meaning": "",
    }
    assert (by_name["requests_per_s"]["type"], by_name["requests_per_s"]["allowed"][0]) == ("integer", 0)
    assert by_name["row_order"]["allowed"] == ["insertion", "newest_first", "updated_last"]
    assert (by_name["hourly_per_recipient"]["default"], by_name["hourly_per_recipient"]["value"]) == (10, 0)
    assert all(switch["meaning"] for switch in described)


def test_every_problem_is_named_and_then_nothing_is_set(world):
    with pytest.raises(ValueError, match="nonsense") as caught:
        world.service.switches.update(
            {
                "allow_simple": 1,
                "nonsense": 2,
                "row_order": "random",
                "requests_per_s": True,
                "reputation_level": 21,
                "bulk_id": "bulkid",
            }
        )
    assert [problem.field for problem in caught.value.problems] == [
        "allow_simple",
        "nonsense",
        "row_order",
        "requests_per_s",
        "reputation_level",
    ]
    assert world.service.switches.bulk_id == "bulkId"


def test_a_reset_brings_back_what_the_service_was_made_with(world):
    switches = world.service.switches
    switches.update({"requests_per_s": 1, "row_order": "newest_first", "allow_simple": True})
    world.service.reset()
    assert world.service.switches is switches
    assert (switches.requests_per_s, switches.row_order, switches.allow_simple) == (0, "insertion", False)


def test_the_rate_may_change_at_any_time(world):
    """20 a second, 1 a second, and 1 a second for GetSendEmailStatus alone, as older pages have it."""
    world.service.switches.update({"requests_per_s": 1})
    assert [world.code("SendEmail", MAIL) for _ in range(2)] == ["", "RequestLimitExceeded"]
    world.service.switches.update({"requests_per_s": 20, "status_requests_per_s": 1})
    query = {"RequestDate": world.today(), "Offset": 0, "Limit": 1}
    assert [world.code("GetSendEmailStatus", query) for _ in range(2)] == ["", "RequestLimitExceeded"]
    assert [world.code("ListSendTasks", {"Offset": 0, "Limit": 1}) for _ in range(21)] == [""] * 20 + [
        "RequestLimitExceeded"
    ]


def test_callbacks_spell_the_bulk_id_either_way(world):
    message_id = world.send()
    world.service.switches.update({"bulk_id": "bulkid"})
    world.clock.advance(2)
    (payload,) = world.payloads()
    assert (payload["bulkid"], "bulkId" in payload) == (message_id, False)


def test_rows_spell_the_complaint_either_way(world):
    world.send(f"complaint@{SIMULATOR}")
    world.clock.advance(5)
    names = {}
    for mode in ("both", "UserComplained", "UserComplainted"):
        world.service.switches.update({"complaint_fields": mode})
        (row,) = world.rows()
        names[mode] = [name for name in row if name.startswith("UserCompl")]
        assert all(row[name] is True for name in names[mode])
    assert names == {
        "both": ["UserComplainted", "UserComplained"],
        "UserComplained": ["UserComplained"],
        "UserComplainted": ["UserComplainted"],
    }


def test_task_ids_are_numbers_or_texts(world):
    task = {name: MAIL[name] for name in ("FromEmailAddress", "Subject", "Template")} | {
        "ReceiverId": 123,
        "TaskType": 1,
    }
    made = world.call("BatchSendEmail", task)["TaskId"]
    page = {"Offset": 0, "Limit": 1}
    assert world.call("ListSendTasks", page)["Data"][0]["TaskId"] == made
    world.service.switches.update({"task_id": "string"})
    assert world.call("ListSendTasks", page)["Data"][0]["TaskId"] == str(made)


def test_newest_first_a_new_mail_pushes_a_row_onto_the_next_page(world):
    """A pager sees one row twice."""
    world.service.switches.update({"row_order": "newest_first"})
    sent = [world.send(f"p{n}@example.com") for n in range(20)]
    first = [row["MessageId"] for row in world.rows(Limit=10)]
    assert first == sent[:9:-1]
    world.send("late@example.com")
    second = [row["MessageId"] for row in world.rows(Offset=10, Limit=10)]
    assert second == sent[10:0:-1]
    assert world.rows(Offset=21) == []
    assert [row["MessageId"] for row in world.rows(ToEmailAddress="p3@example.com")] == [sent[3]]


def test_by_update_a_row_that_changes_moves_behind_the_others(world):
    """A pager misses one row, and sees another late."""
    world.service.switches.update({"row_order": "updated_last"})
    sent = [world.send(f"p{n}@example.com") for n in range(20)]
    world.clock.advance(2)
    first = [row["MessageId"] for row in world.rows(Limit=10)]
    assert first == sent[:10]
    world.clock.advance(60)
    world.service.provoke(message_id=sent[2], recipient="p2@example.com", event="open")
    second = [row["MessageId"] for row in world.rows(Offset=10, Limit=10)]
    assert second == [*sent[11:], sent[2]]
    assert sent[10] not in first + second


def test_by_update_every_page_is_where_counting_finds_it(world):
    """However rows came, moved and went before and after the order was first asked for, the last changed comes last."""
    world.service.seed(day=world.today(), messages=300, tasks=0, seed=1)
    world.service.switches.update({"row_order": "updated_last"})
    assert len(world.rows()) == 100
    world.service.seed(day=world.today(), messages=200, tasks=0, seed=2)
    database, dice = world.service._account.database, Random(3)  # noqa: S311 - a die that can be repeated
    for number in range(200):
        moved_at = int(world.clock.now()) + number % 7 * 40
        database.write("UPDATE status SET updated_at = ? WHERE seq = ?", (moved_at, dice.randrange(500)))
    database.write("DELETE FROM status WHERE seq BETWEEN 50 AND 60")
    ordered = [row[0] for row in database.rows("SELECT message_id FROM status ORDER BY updated_at, seq")]
    assert len(ordered) == 489
    for offset in (0, 1, 99, 250, 400, 450, 488, 489, 5000):
        assert [row["MessageId"] for row in world.rows(Offset=offset)] == ordered[offset : offset + 100]
    world.service.reset()
    world.service.switches.update({"row_order": "updated_last"})
    assert [row["MessageId"] for row in world.rows()] == []
    assert [world.send("p@example.com")] == [row["MessageId"] for row in world.rows()]


@pytest.mark.parametrize("order", ["insertion", "newest_first", "updated_last"])
def test_no_order_reads_a_whole_day_for_a_page(world, order):
    """Filters go by their index, and an order by update reads the rows of its page only."""
    world.service.switches.update({"row_order": order})
    sent = [world.send(f"p{n}@example.com") for n in range(5)]
    asked: list[str] = []
    world.service._account.database._connection.set_trace_callback(asked.append)
    both = {"MessageId": sent[1], "ToEmailAddress": "P1@example.com"}
    for params in ({"MessageId": sent[1]}, {"ToEmailAddress": "P1@example.com"}, both):
        assert [row["MessageId"] for row in world.rows(**params)] == [sent[1]]
    assert len(world.rows(Offset=1, Limit=3)) == 3
    world.service._account.database._connection.set_trace_callback(None)
    pages = [sql for sql in asked if "deliver_message" in sql and sql.startswith("SELECT")]
    plans = [
        " / ".join(row[3] for row in world.service._account.database.rows(f"EXPLAIN QUERY PLAN {sql}")) for sql in pages
    ]
    used = ["status_message (message_id=?", "status_person (recipient=?", "status_message (message_id=?"]
    assert [index in plan for index, plan in zip(used, plans, strict=False)] == [True] * 3
    assert ("COVERING INDEX status_updated (day=? AND updated_at>?)" in plans[3]) == (order == "updated_last")
    assert "PRIMARY KEY (day=? AND seq" in plans[3]


def test_a_domain_without_dns_records_stays_unverified(world):
    world.service.switches.update({"dns": "missing"})
    world.call("CreateEmailIdentity", {"EmailIdentity": "a.example.org"})
    answer = world.call("UpdateEmailIdentity", {"EmailIdentity": "a.example.org"})
    assert answer["VerifiedForSendingStatus"] is False
    assert {record["CurrentValue"] for record in answer["Attributes"]} == {""}


def test_whatever_may_befall_a_mail_befalls_it_now(world):
    """`provoke`: row and callback at once, for any address; strangers and unknown events are refused."""
    message_id = world.send("ann@example.com", "bob@example.com")
    world.clock.advance(2)
    world.payloads()
    for event in ("open", "click", "complaint", "unsubscribe", "deferred", "hard-bounce"):
        assert world.service.provoke(message_id=message_id, recipient="ANN@example.com", event=event) == 1
    events = [p["event"] for p in world.payloads() if p["email"] == "ann@example.com"]
    assert events == ["delivered", "open", "click", "spamreport", "unsubscribe", "deferred", "bounce"]
    ann, bob = world.rows(MessageId=message_id)
    assert (ann["DeliverStatus"], ann["UserClicked"], ann["UserUnsubscribed"]) == (3, True, True)
    assert (bob["DeliverStatus"], bob["UserClicked"]) == (1, False)
    with pytest.raises(LookupError):
        world.service.provoke(message_id=message_id, recipient="carl@example.com", event="open")
    with pytest.raises(ValueError, match="explode"):
        world.service.provoke(message_id=message_id, recipient="ann@example.com", event="explode")


def test_the_documents_have_every_switch_with_its_default():
    """docs/localcloud-ses.md: one line each, as they are born in a service of the documented rate."""
    text = (Path(__file__).parents[2] / "docs/localcloud-ses.md").read_text()
    for switch in Switches().describe():
        default = json.dumps(switch["default"]).strip('"')
        assert f"| `{switch['name']}` | `{default}` | " in text
        assert f"| {switch['meaning']} |" in text
