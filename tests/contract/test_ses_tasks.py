"""Batch tasks: what is needed for each kind, and how they run by the clock."""

from __future__ import annotations

import json
import time

import pytest

from tests.contract.ses_door import MAIL, World

TASK = {name: MAIL[name] for name in ("FromEmailAddress", "Subject", "Template")} | {"ReceiverId": 123, "TaskType": 1}


@pytest.fixture
def world(tmp_path):
    opened = World(tmp_path)
    yield opened
    opened.close()


def local(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at + 8 * 3600))


def tasks(world: World, **filters: int) -> list[dict[str, object]]:
    return world.call("ListSendTasks", {"Offset": 0, "Limit": 100} | filters)["Data"]


def begin(world: World, seconds: float = 3600) -> str:
    return local(world.clock.now() + seconds)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"TaskType": 2}, "MissingParameter.TimedParamNecessary"),
        ({"TaskType": 2, "TimedParam": {}}, "MissingParameter.TimedParamNecessary"),
        ({"TaskType": 2, "TimedParam": {"BeginTime": "soon"}}, "InvalidParameterValue"),
        (
            {"TaskType": 2, "TimedParam": {"BeginTime": "2020-01-01 00:00:00"}},
            "InvalidParameterValue.BeginTimeBeforeNow",
        ),
        ({"TaskType": 3}, "MissingParameter.CycleParamNecessary"),
        ({"TaskType": 3, "CycleParam": {"BeginTime": "2999-01-01 00:00:00"}}, "MissingParameter.CycleParamNecessary"),
        (
            {"TaskType": 3, "CycleParam": {"BeginTime": "2999-01-01 00:00:00", "IntervalTime": 0}},
            "InvalidParameterValue",
        ),
        ({"TaskType": 4}, "InvalidParameterValue"),
        ({"ReceiverId": 9}, "OperationDenied.ReceiverNotExist"),
        ({"ReceiverId": None}, "MissingParameter"),
        ({"Subject": "x" * 101}, "InvalidParameterValue.SubjectLengthError"),
        ({"Template": None}, "FailedOperation.MissingEmailContent"),
        ({"Template": None, "Simple": {"Text": "YQ=="}}, "FailedOperation.WithOutPermission"),
        ({"Template": {"TemplateID": 100092, "TemplateData": "{}"}}, "FailedOperation.InvalidTemplateID"),
        ({"Template": {"TemplateID": 100091, "TemplateData": "{}"}}, ""),
        ({"Attachments": [{"FileName": "a.pdf", "Content": "YQ=="}]}, "UnsupportedOperation"),
        ({"FromEmailAddress": "a@other.example"}, "FailedOperation.NotAuthenticatedSender"),
        ({"ADLocation": 3}, "InvalidParameterValue"),
        ({"Destination": ["a@example.com"]}, "UnknownParameter"),
    ],
)
def test_each_documented_refusal(world, changes, code):
    assert world.code("BatchSendEmail", TASK | changes) == code


def test_an_immediate_task_runs_in_three_seconds(world):
    """1 to start → 5 sending after 1 s → 10 done after 3 s; each person of the list gets a mail of their own."""
    task_id = world.call("BatchSendEmail", TASK)["TaskId"]
    assert isinstance(task_id, int)
    states = [tasks(world)[0]["TaskStatus"]]
    for seconds in (1.1, 2.0):
        world.clock.advance(seconds)
        states.append(tasks(world)[0]["TaskStatus"])
    assert states == [1, 5, 10]
    (task,) = tasks(world)
    assert (task["RequestCount"], task["SendCount"], task["CacheCount"]) == (11, 11, 0)
    assert task["ReceiversName"] == "Local people"
    assert task["UpdateTime"] > task["CreateTime"]
    assert (task["CycleParam"], task["TimedParam"], task["ErrMsg"]) == (None, None, "")
    rows = world.rows()
    assert len({row["MessageId"] for row in rows}) == 11
    events = world.payloads()
    assert {event["taskId"] for event in events} == {task_id}
    assert {event["email"] for event in events} == {row["ToEmailAddress"] for row in rows}


def test_a_timed_task_waits_for_its_time(world):
    start = begin(world)
    world.call("BatchSendEmail", TASK | {"TaskType": 2, "TimedParam": {"BeginTime": start}})
    world.clock.advance(3590)
    assert (tasks(world)[0]["TaskStatus"], tasks(world)[0]["TimedParam"]) == (1, {"BeginTime": start})
    world.clock.advance(20)
    (task,) = tasks(world)
    assert (task["TaskStatus"], task["SendCount"]) == (10, 11)


def test_a_recurring_task_recurs_until_it_is_terminated(world):
    """Every IntervalTime hours; however far the clock jumps, each run happened at its own time."""
    cycle = {"BeginTime": begin(world, 60), "IntervalTime": 2, "TermCycle": 0}
    world.call("BatchSendEmail", TASK | {"TaskType": 3, "CycleParam": cycle})
    last = {"BeginTime": begin(world, 60), "IntervalTime": 2, "TermCycle": 1}
    world.call("BatchSendEmail", TASK | {"TaskType": 3, "CycleParam": last})
    world.clock.advance(60 + 4 * 3600 + 10)
    once, recurring = tasks(world)
    assert (once["TaskStatus"], once["SendCount"]) == (10, 11)
    assert (recurring["TaskStatus"], recurring["SendCount"], recurring["RequestCount"]) == (1, 33, 44)
    assert recurring["CycleParam"] == cycle
    times = sorted({message["accepted_at"][:16] for message in world.service.messages(limit=1000)})
    assert len(times) == 3


def test_tasks_are_listed_newest_first_and_filtered(world):
    ids = [world.call("BatchSendEmail", TASK)["TaskId"] for _ in range(3)]
    timed = world.call("BatchSendEmail", TASK | {"TaskType": 2, "TimedParam": {"BeginTime": begin(world)}})["TaskId"]
    world.clock.advance(10)
    assert [task["TaskId"] for task in tasks(world)] == [timed, *reversed(ids)]
    assert [task["TaskId"] for task in tasks(world, TaskType=2)] == [timed]
    assert [task["TaskId"] for task in tasks(world, Status=10)] == [*reversed(ids)]
    assert tasks(world, ReceiverId=7) == []
    page = world.call("ListSendTasks", {"Offset": 1, "Limit": 2})
    assert (page["TotalCount"], [task["TaskId"] for task in page["Data"]]) == (4, [ids[2], ids[1]])
    assert world.code("ListSendTasks", {"Offset": 0, "Limit": 101}) == "FailedOperation.InvalidLimit"
    assert world.code("ListSendTasks", {"Limit": 1}) == "MissingParameter"


def test_a_task_fills_the_subject_for_each_person(world):
    """Variables come from the list, over those of the task."""
    data = {"TemplateID": 100091, "TemplateData": json.dumps({"code": "task's"})}
    world.call("BatchSendEmail", TASK | {"Subject": "Code {{code}}", "Template": data})
    world.clock.advance(2)
    tasks(world)
    assert {message["subject"] for message in world.service.messages()} == {"Code 123456"}


def suspended(world: World, room: int, *, people: int) -> int:
    """Make a task for ``people`` when the day has room for ``room`` more; return its list's id."""
    world.service.switches.update({"reputation_level": 1, "reputation_moves": False})
    for start in range(0, 500 - room, 50):
        count = min(50, 500 - room - start)
        world.send(*(f"delivered+{start + n}@simulator.mailtrail.test" for n in range(count)))
    receiver_id = world.call("CreateReceiver", {"ReceiversName": "Many"})["ReceiverId"]
    datas = [{"Email": f"p{n}@example.com", "TemplateData": '{"code": "1"}'} for n in range(people)]
    world.call("CreateReceiverDetailWithData", {"ReceiverId": receiver_id, "Datas": datas})
    world.clock.advance(3)
    world.call("BatchSendEmail", TASK | {"ReceiverId": receiver_id})
    return int(receiver_id)


def test_a_task_is_suspended_when_the_quota_is_used_up_and_goes_on_the_next_day(world):
    """6 with the rest in CacheCount; at midnight of UTC+8 it sends the rest, nobody twice."""
    world.clock.move_to((int(world.clock.now()) // 86400) * 86400 + 4 * 3600)
    suspended(world, 120, people=300)
    world.clock.advance(60)
    (task,) = tasks(world)
    assert (task["TaskStatus"], task["RequestCount"], task["SendCount"], task["CacheCount"]) == (6, 300, 120, 180)
    world.clock.advance(12 * 3600)
    (task,) = tasks(world)
    assert (task["TaskStatus"], task["SendCount"], task["CacheCount"]) == (10, 300, 0)
    people = [message["to"][0] for message in world.service.messages(1000) if message["task_id"]]
    assert (len(people), len(set(people))) == (300, 300)


def test_a_long_list_is_sent_in_portions_and_a_restart_goes_on_in_the_middle(world):
    receiver_id = world.call("CreateReceiver", {"ReceiversName": "Many"})["ReceiverId"]
    datas = [{"Email": f"p{n}@example.com", "TemplateData": '{"code": "1"}'} for n in range(1200)]
    world.call("CreateReceiverDetailWithData", {"ReceiverId": receiver_id, "Datas": datas})
    world.clock.advance(3)
    world.call("BatchSendEmail", TASK | {"ReceiverId": receiver_id})
    world.clock.advance(1.5)
    assert (tasks(world)[0]["TaskStatus"], tasks(world)[0]["SendCount"]) == (5, 500)
    world.open()
    world.clock.advance(10)
    assert (tasks(world)[0]["TaskStatus"], tasks(world)[0]["SendCount"]) == (10, 1200)
    assert len({message["to"][0] for message in world.service.messages(2000)}) == 1200


@pytest.mark.parametrize(
    ("action", "params", "said"),
    [
        ("DeleteReceiver", {"ReceiverId": 123}, "list"),
        ("DeleteEmailTemplate", {"TemplateID": 100091}, "template"),
        ("UpdateEmailIdentity", {"EmailIdentity": "mail.example.com"}, "verified"),
    ],
)
def test_a_task_that_cannot_go_on_says_why(world, action, params, said):
    """7 with ErrMsg, and nothing is sent."""
    world.call("BatchSendEmail", TASK | {"TaskType": 2, "TimedParam": {"BeginTime": begin(world)}})
    world.service.switches.update({"dns": "missing"})
    assert world.code(action, params) == ""
    world.clock.advance(3700)
    (task,) = tasks(world)
    assert (task["TaskStatus"], task["SendCount"]) == (7, 0)
    assert said in task["ErrMsg"]
    assert world.service.messages() == []


def test_a_task_skips_who_is_refused_and_its_row_says_so(world):
    world.call("CreateCustomBlacklist", {"Emails": ["p1@example.com"]})
    suspended(world, 500, people=3)
    world.clock.advance(10)
    assert tasks(world)[0]["TaskStatus"] == 10
    rows = {row["ToEmailAddress"]: row["SendStatus"] for row in world.rows()}
    assert rows == {"p0@example.com": 0, "p1@example.com": 1007, "p2@example.com": 0}
