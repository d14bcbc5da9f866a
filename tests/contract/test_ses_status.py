"""Status rows and callbacks tell the same story, at the time at which it happened."""

from __future__ import annotations

import time

import pytest

from localcloud.defaults import SIMULATOR_DOMAIN
from tests.contract.ses_door import World

FIELDS = set(
    "MessageId ToEmailAddress FromEmailAddress SendStatus DeliverStatus DeliverMessage RequestTime DeliverTime "
    "UserOpened UserClicked UserUnsubscribed UserComplainted UserComplained".split()
)
LATER_S = 73 * 3600


@pytest.fixture
def world(tmp_path):
    opened = World(tmp_path)
    yield opened
    opened.close()


def at(name: str) -> str:
    return f"{name}@{SIMULATOR_DOMAIN}"


@pytest.mark.parametrize(
    ("name", "send_status", "deliver_status", "message", "flags", "events"),
    [
        ("delivered", 0, 1, "", "", [(1, "delivered", 1)]),
        ("open", 0, 1, "", "UserOpened", [(1, "delivered", 1), (2, "open", 4)]),
        ("click", 0, 1, "", "UserOpened UserClicked", [(1, "delivered", 1), (2, "open", 4), (3, "click", 5)]),
        ("complaint", 0, 1, "", "UserComplained UserComplainted", [(1, "delivered", 1), (4, "spamreport", 6)]),
        ("unsubscribe", 0, 1, "", "UserUnsubscribed", [(1, "delivered", 1), (4, "unsubscribe", 7)]),
        ("hard-bounce", 0, 3, "551 5.1.1 recipient is not exist", "", [(1, "bounce", 3)]),
        ("unknown-user", 0, 3, "550 Mailbox not found", "", [(1, "bounce", 3)]),
        ("soft-bounce", 0, 3, "452 4.2.2 mailbox full", "", [(1, "bounce", 3)]),
        ("deferred", 0, 3, "4.4.7 expired", "", [(1, "deferred", 8), (259200, "bounce", 3)]),
        ("dropped", 0, 2, "message discarded: content rejected by policy", "", [(1, "dropped", 2)]),
        ("blacklist", 1007, 2, "the recipient address is in the blocklist", "", [(1, "dropped", 2)]),
    ],
)
def test_each_outcome_in_row_and_callbacks(world, name, send_status, deliver_status, message, flags, events):
    """The simulator address decides: SendStatus, DeliverStatus, flags, and the events with their times."""
    day = world.today()
    message_id = world.send(at(name))
    accepted = world.rows(MessageId=message_id)[0]["RequestTime"]
    world.clock.advance(LATER_S)
    (row,) = world.rows(MessageId=message_id, RequestDate=day)
    assert set(row) == FIELDS
    assert (row["SendStatus"], row["DeliverStatus"], row["DeliverMessage"]) == (send_status, deliver_status, message)
    assert {field for field in FIELDS if row[field] is True} == set(flags.split())
    got = [(p["timestamp"] - accepted, p["event"], p["eventid"]) for p in world.payloads()]
    assert [got_event[1:] for got_event in got] == [event[1:] for event in events]
    assert all(0 <= seconds - event[0] <= 1 for (seconds, *_), event in zip(got, events, strict=True))


def test_nothing_happens_before_its_time(world):
    world.send(at("click"))
    assert world.payloads() == []
    assert world.rows()[0]["DeliverStatus"] == 0
    world.clock.advance(1.01)
    assert [payload["event"] for payload in world.payloads()] == ["delivered"]


def test_a_deferred_mail_stays_deferred_for_72_hours(world):
    day = world.today()
    world.send(at("deferred"))
    world.clock.advance(71 * 3600)
    (row,) = world.rows(RequestDate=day)
    assert (row["DeliverStatus"], row["DeliverMessage"][:3]) == (8, "451")


def test_a_callback_has_the_documented_members(world):
    """Payload of 2025-10-30; link and useragent where they belong; the subject encoded when it is not ASCII."""
    message_id = world.send(at("click"), Subject="验证码 {{code}}", SmtpMessageId="<42@mail.example.com>")
    world.clock.advance(5)
    delivered, opened, clicked = world.payloads()
    assert delivered == {
        "event": "delivered",
        "email": at("click"),
        "bulkId": message_id,
        "timestamp": delivered["timestamp"],
        "reason": "",
        "bounceType": "",
        "username": "1250000000",
        "from": "noreply@mail.example.com",
        "fromDomain": "mail.example.com",
        "templateId": 100091,
        "subject": "=?UTF-8?B?6aqM6K+B56CBIDEyMzQ=?=",
        "messageId": "<42@mail.example.com>",
        "eventid": 1,
        "sentTimestamp": delivered["sentTimestamp"],
    }
    assert delivered["timestamp"] - delivered["sentTimestamp"] in (1, 2)
    assert delivered["sentTimestamp"] == world.rows()[0]["RequestTime"]
    assert "Mozilla" in opened["useragent"]
    assert "link" not in opened
    assert clicked["link"].startswith("https://")
    assert all(callback.content_type == "application/json" for callback in world.callbacks.due())


@pytest.mark.parametrize(("name", "kind"), [("hard-bounce", "hard_bounce"), ("soft-bounce", "soft_bounce")])
def test_a_bounce_says_which(world, name, kind):
    world.send(at(name))
    world.clock.advance(2)
    assert [payload["bounceType"] for payload in world.payloads()] == [kind]


def test_one_mail_to_many_shares_its_id_and_has_a_row_and_an_event_each(world):
    message_id = world.send("a@example.com", at("hard-bounce"), Cc=["c@example.com"], Bcc=["d@example.com"])
    world.clock.advance(2)
    rows = world.rows(MessageId=message_id)
    assert [row["ToEmailAddress"] for row in rows] == [
        "a@example.com",
        at("hard-bounce"),
        "c@example.com",
        "d@example.com",
    ]
    assert [row["DeliverStatus"] for row in rows] == [1, 3, 1, 1]
    assert {(p["bulkId"], p["email"]) for p in world.payloads()} == {
        (message_id, row["ToEmailAddress"]) for row in rows
    }


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"RequestDate": "2026/11/20"}, "InvalidParameterValue.WrongDate"),
        ({"RequestDate": "2026-02-30"}, "InvalidParameterValue.WrongDate"),
        ({"RequestDate": "2020-01-01"}, "FailedOperation.NotSupportDate"),
        ({"RequestDate": "2999-01-01"}, "FailedOperation.NotSupportDate"),
        ({"RequestDate": None}, "MissingParameter"),
        ({"Offset": None}, "MissingParameter"),
        ({"Offset": -1}, "InvalidParameterValue"),
        ({"Limit": 101}, "FailedOperation.InvalidLimit"),
        ({"Limit": 0}, "FailedOperation.InvalidLimit"),
        ({"Limit": "10"}, "InvalidParameter"),
        ({"Offset": 10**30}, "InvalidParameter"),
        ({"Page": 1}, "UnknownParameter"),
    ],
)
def test_each_documented_refusal(world, params, code):
    query = {"RequestDate": world.today(), "Offset": 0, "Limit": 100} | params
    assert world.code("GetSendEmailStatus", query) == code


def test_thirty_days_back_is_served_and_thirty_one_is_not(world):
    assert world.rows(RequestDate=world.today(-30)) == []
    query = {"RequestDate": world.today(-31), "Offset": 0, "Limit": 1}
    assert world.code("GetSendEmailStatus", query) == "FailedOperation.NotSupportDate"


def test_days_are_those_of_utc_plus_eight(world):
    """A mail of 16:30 UTC belongs to the next day."""
    midnight = (int(world.clock.now()) // 86400) * 86400
    world.clock.move_to(midnight + 86400 + 16.5 * 3600)
    utc_day = time.strftime("%Y-%m-%d", time.gmtime(world.clock.now()))
    message_id = world.send()
    assert world.today() != utc_day
    assert world.rows(RequestDate=utc_day) == []
    assert [row["MessageId"] for row in world.rows()] == [message_id]
    assert f"-date-{world.today().replace('-', '')}0030" in message_id


def test_pages_are_dense_and_in_order_and_end_with_an_empty_list(world):
    sent = [world.send(f"p{n}@example.com") for n in range(25)]
    pages = [world.rows(Offset=offset, Limit=10) for offset in (0, 10, 20, 30)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    assert [row["MessageId"] for page in pages for row in page] == sent
    assert [row["MessageId"] for row in world.rows(ToEmailAddress="p7@example.com")] == [sent[7]]
    assert world.rows(ToEmailAddress="p7@example.com", MessageId=sent[8]) == []
    assert world.rows(ToEmailAddress="p7@example.com", Offset=1) == []


def test_a_restart_loses_nothing(tmp_path):
    """Accepted mails, their rows and what is still to happen to them are there after the process went away."""
    world = World(tmp_path)
    message_id = world.send(at("click"))
    world.open()  # the first service is never closed, as after a kill
    world.clock.advance(5)
    assert [payload["event"] for payload in world.payloads()] == ["delivered", "open", "click"]
    assert world.rows(MessageId=message_id)[0]["UserClicked"] is True
    world.close()


def test_a_kill_between_the_two_files_neither_loses_nor_doubles_a_callback(world, monkeypatch):
    """Callbacks are queued before the rows are committed; doing it again queues nothing twice."""
    world.send(at("delivered"))
    world.clock.advance(2)
    queue = world.callbacks.enqueue_many

    def killed(callbacks):
        queue(callbacks)
        raise KeyboardInterrupt

    monkeypatch.setattr(world.callbacks, "enqueue_many", killed)
    with pytest.raises(KeyboardInterrupt):
        world.service.pump()
    monkeypatch.undo()
    assert world.service.pump() == 1
    assert world.callbacks.pending() == 1
    assert world.rows()[0]["DeliverStatus"] == 1


def test_a_seeded_day_is_the_same_for_the_same_seed(tmp_path):
    """Same seed, same rows; another seed, others. A mixture of outcomes, in order of time, and no callbacks."""
    days = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        world = World(tmp_path / name)
        assert world.service.seed(day=world.today(-1), messages=3000, tasks=12, seed=seed) == {
            "messages": 3000,
            "tasks": 12,
        }
        days.append([row for page in range(30) for row in world.rows(RequestDate=world.today(-1), Offset=page * 100)])
        assert world.callbacks.pending() == 0
        assert world.service.messages() == []
        assert world.call("ListSendTasks", {"Offset": 0, "Limit": 1})["TotalCount"] == 12
        world.close()
    assert days[0] == days[1] != days[2]
    assert {row["DeliverStatus"] for row in days[0]} == {0, 1, 2, 3, 8}
    assert len({(row["MessageId"], row["ToEmailAddress"]) for row in days[0]}) == 3000
    assert [row["RequestTime"] for row in days[0]] == sorted(row["RequestTime"] for row in days[0])
    delivered = sum(row["DeliverStatus"] == 1 for row in days[0])
    assert 0.93 < delivered / 3000 < 0.97
    assert any(row["UserClicked"] for row in days[0])


def test_seeding_twice_adds_and_live_mail_follows(world):
    for _ in range(2):
        world.service.seed(day=world.today(), messages=50, tasks=0, seed=1)
    message_id = world.send()
    rows = world.rows(Limit=100) + world.rows(Offset=100)
    assert (len(rows), rows[-1]["MessageId"]) == (101, message_id)
    assert len({row["MessageId"] for row in rows}) == 101
    assert all(row["RequestTime"] <= world.clock.now() for row in rows)
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        world.service.seed(day="yesterday", messages=1, tasks=0, seed=1)


def test_reset_is_a_new_birth(world):
    world.send(at("click"))
    world.service.switches.allow_simple = True
    world.service.reset()
    world.clock.advance(10)
    assert (world.payloads(), world.rows(), world.service.messages()) == ([], [], [])
    assert world.service.switches.allow_simple is False
    assert world.send()
