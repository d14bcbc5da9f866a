"""Lists of recipients and batch tasks as verbs: what goes out, and what is no answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.upstream import receivers
from shared.upstream.errors import UpstreamUncertain
from shared.upstream.ses import TaskPage
from tests.unit.test_ses_client import client, response
from tests.unit.wire import serving

pytestmark = pytest.mark.usefixtures("fresh_session")


@pytest.mark.parametrize("told", [123, "123"])
def test_a_task_that_is_taken_has_an_id_whatever_its_type(told: Any):
    """A number in the SDK, a text on the vendor's page."""
    with serving(response(TaskId=told)) as wire:
        assert receivers.batch_send_email(client(wire.url), {"TaskType": 1}) == receivers.TaskAccepted("123", "id-1")
    assert json.loads(wire.received[0].body) == {"TaskType": 1}
    assert wire.received[0].headers["x-tc-action"] == "BatchSendEmail"


@pytest.mark.parametrize("told", [None, "", 0])
def test_a_task_without_an_id_is_uncertain_and_made_once(told: Any):
    """It may exist."""
    with serving(response(TaskId=told)) as wire, pytest.raises(UpstreamUncertain):
        receivers.batch_send_email(client(wire.url), {})
    assert len(wire.received) == 1


def test_a_list_is_made_and_filled():
    """With addresses alone, or with the variables of each."""
    with serving(response(ReceiverId=7)) as wire:
        assert receivers.create_receiver(client(wire.url), "name", "what for") == 7
    assert json.loads(wire.received[0].body) == {"ReceiversName": "name", "Desc": "what for"}
    with serving(response()) as wire:
        receivers.add_receivers(client(wire.url), 7, [("a@example.com", ""), ("b@example.com", "")])
    assert wire.received[0].headers["x-tc-action"] == "CreateReceiverDetail"
    assert json.loads(wire.received[0].body) == {"ReceiverId": 7, "Emails": ["a@example.com", "b@example.com"]}
    with serving(response()) as wire:
        receivers.add_receivers(client(wire.url), 7, [("a@example.com", '{"code": "1"}')])
    assert wire.received[0].headers["x-tc-action"] == "CreateReceiverDetailWithData"
    datas = [{"Email": "a@example.com", "TemplateData": '{"code": "1"}'}]
    assert json.loads(wire.received[0].body) == {"ReceiverId": 7, "Datas": datas}
    with serving(response()) as wire:
        receivers.delete_receiver(client(wire.url), 7)
    assert json.loads(wire.received[0].body) == {"ReceiverId": 7}


@pytest.mark.parametrize("told", [None, 0, -1, "seven", [7]])
def test_a_list_without_an_id_is_uncertain(told: Any):
    """Nothing could be uploaded to it."""
    with serving(response(ReceiverId=told)) as wire, pytest.raises(UpstreamUncertain):
        receivers.create_receiver(client(wire.url), "name", "what for")


def test_a_list_is_found_by_its_whole_name():
    """SES searches for a part of it."""
    rows = [
        {"ReceiverId": 8, "ReceiversName": "name-10", "ReceiversStatus": 3, "Count": 5, "InvalidCount": 0},
        {"ReceiverId": 7, "ReceiversName": "name-1", "ReceiversStatus": 2, "Count": 3},
    ]
    with serving(response(TotalCount=2, Data=rows)) as wire:
        assert receivers.find_receiver(client(wire.url), "name-1") == receivers.ReceiverList(7, "name-1", 2, 3, 0)
    assert json.loads(wire.received[0].body) == {"Offset": 0, "Limit": 100, "KeyWord": "name-1"}
    with serving(response(TotalCount=2, Data=rows)) as wire:
        assert receivers.find_receiver(client(wire.url), "name") is None
    with serving(response(Data=[{"ReceiversName": "name", "Count": "many"}])) as wire, pytest.raises(UpstreamUncertain):
        receivers.find_receiver(client(wire.url), "name")


def test_a_page_of_one_lists_tasks():
    """Asked for by the list's id."""
    with serving(response(TotalCount=0, Data=[])) as wire:
        assert client(wire.url).list_send_tasks(offset=0, receiver_id=123) == TaskPage(0, [])
    assert json.loads(wire.received[0].body) == {"Offset": 0, "Limit": 100, "ReceiverId": 123}
