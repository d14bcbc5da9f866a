"""mail/send and the signed webhooks that follow."""

from __future__ import annotations

import json

import pytest
import requests

from localcloud.defaults import SIMULATOR_DOMAIN
from localcloud.exchange import Request
from shared.upstream.signing import verify_sendcloud
from tests.contract.sendcloud_door import APP_KEY, FORM, KEY, USER, World

MAIL = {"from": "noreply@mail.example.com", "to": "a@example.com", "subject": "Hello", "html": "<p>Hi</p>"}


@pytest.fixture
def world(tmp_path):
    opened = World(tmp_path)
    yield opened
    opened.close()


def at(name: str) -> str:
    return f"{name}@{SIMULATOR_DOMAIN}"


def people(count: int) -> str:
    return ";".join(f"p{n}@example.com" for n in range(count))


def test_email_ids_are_message_id_index_dollar_address(world):
    ids = world.send("a@example.com", "b@example.com")
    heads = [email_id.partition("$")[0] for email_id in ids]
    assert [email_id.partition("$")[2] for email_id in ids] == ["a@example.com", "b@example.com"]
    assert heads[0][:-1] == heads[1][:-1]
    assert [head[-1] for head in heads] == ["0", "1"]
    assert heads[0].endswith("-inbound0")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"apiKey": "wrong"}, 40005),
        ({"from": ""}, 40801),
        ({"from": "nobody"}, 40802),
        ({"from": "Acme <noreply@mail.example.com>"}, 200),
        ({"to": ""}, 40805),
        ({"to": "nobody"}, 40806),
        ({"to": people(101)}, 40807),
        ({"to": people(100)}, 200),
        ({"subject": ""}, 40808),
        ({"html": ""}, 40870),
        ({"html": "", "plain": "hi"}, 200),
        ({"cc": "x"}, 40853),
        ({"cc": people(101)}, 40854),
        ({"bcc": "x"}, 40856),
        ({"bcc": people(101)}, 40857),
        ({"replyTo": "x"}, 40811),
        ({"replyTo": people(4)}, 40811),
        ({"headers": "x"}, 40869),
        ({"headers": '{"a": 1}'}, 40869),
        ({"xsmtpapi": "x"}, 40813),
        ({"xsmtpapi": "{}"}, 40815),
        ({"xsmtpapi": '{"to": []}'}, 40816),
        ({"xsmtpapi": '{"to": ["x"]}'}, 40806),
        ({"xsmtpapi": json.dumps({"to": people(101).split(";")})}, 40827),
        ({"respEmailId": "maybe"}, 40859),
        ({"useAddressList": "true"}, 40820),
    ],
)
def test_each_documented_refusal(world, changes, code):
    answer = world.call("mail/send", MAIL | changes)
    assert (answer["statusCode"], answer["result"]) == (code, code == 200)
    assert world.status(days="1")["info"]["total"] == (
        "0" if code != 200 else str(len((MAIL | changes)["to"].split(";")))
    )


def test_xsmtpapi_sends_to_each_alone_and_ignores_to(world):
    ids = world.send("ignored@example.com", xsmtpapi=json.dumps({"to": ["a@example.com", "b@example.com"]}))
    assert [email_id.partition("$")[2] for email_id in ids] == ["a@example.com", "b@example.com"]


def test_email_ids_may_be_left_out(world):
    assert world.call("mail/send", MAIL | {"respEmailId": "false"})["info"] == {}


def multipart(world: World, size_bytes: int) -> dict[str, object]:
    """Send MAIL with an attachment, encoded by requests."""
    fields = {"apiUser": USER, "apiKey": KEY} | MAIL
    files = {"attachments": ("a.txt", b"x" * size_bytes)}
    prepared = requests.Request("POST", "https://api.sendcloud.net/apiv2/mail/send", data=fields, files=files).prepare()
    headers = {name.lower(): value for name, value in prepared.headers.items()}
    request = Request("POST", "api.sendcloud.net", "/apiv2/mail/send", "", headers, prepared.body)
    return json.loads(world.service.dispatch(request).body)


def test_a_multipart_form_may_attach_ten_megabytes(world):
    assert multipart(world, 10_485_760)["statusCode"] == 200
    assert multipart(world, 10_485_761)["statusCode"] == 40819


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("delivered", ["request", "deliver"]),
        ("open", ["request", "deliver", "open"]),
        ("click", ["request", "deliver", "open", "click"]),
        ("unsubscribe", ["request", "deliver", "unsubscribe"]),
        ("complaint", ["request", "deliver", "report_spam"]),
        ("hard-bounce", ["request", "invalid"]),
        ("blacklist", ["request", "invalid"]),
        ("soft-bounce", ["request", "soft_bounce"]),
        ("deferred", ["request", "soft_bounce"]),
    ],
)
def test_each_outcome_in_webhooks(world, name, events):
    """SendCloud's own event names; every webhook is a form signed over timestamp and token."""
    (email_id,) = world.send(at(name))
    world.clock.advance(73 * 3600)
    hooks = world.webhooks()
    assert [hook["event"] for hook in hooks] == events
    assert all(callback.content_type == FORM for callback in world.callbacks.due())
    assert all(callback.source == "sendcloud" for callback in world.callbacks.due())
    for hook in hooks:
        assert verify_sendcloud([APP_KEY], hook["timestamp"], hook["token"], hook["signature"])
        assert len(hook["token"]) == 50
        assert len(hook["timestamp"]) == 13
        assert hook["apiUser"] == hook["category"] == USER
    assert {hook["emailId"] for hook in hooks[1:]} == {email_id}
    assert len({hook["token"] for hook in hooks}) == len(hooks)


def test_the_request_webhook_names_everyone(world):
    ids = world.send("a@example.com", "b@example.com", headers='{"SC-Custom-order": "42", "X-Other": "no"}')
    (hook,) = world.webhooks()
    assert json.loads(hook["emailIds"]) == ids
    assert json.loads(hook["recipientArray"]) == ["a@example.com", "b@example.com"]
    assert hook["recipientSize"] == "2"
    assert ids[0].startswith(hook["messageId"])
    assert json.loads(hook["userHeaders"]) == {"SC-Custom-order": "42"}


def test_a_click_names_its_link_and_browser(world):
    world.send(at("click"))
    world.clock.advance(5)
    click = world.webhooks()[-1]
    assert click["url"].startswith("https://")
    assert (click["explorerName"], click["ip"]) == ("Chrome", "127.0.0.1")


def test_a_restart_loses_nothing(tmp_path):
    world = World(tmp_path)
    world.send(at("delivered"))
    again = World(tmp_path)  # the first is never closed, as after a kill
    again.clock.advance(5)
    assert [hook["event"] for hook in again.webhooks()] == ["request", "deliver"]
    again.close()


TEMPLATE = {
    "from": "noreply@mail.example.com",
    "templateInvokeName": "local_code",
    "xsmtpapi": json.dumps({"to": ["a@example.com", "b@example.com"], "sub": {"%code%": ["1", "2"]}}),
}


@pytest.mark.parametrize("prefix", ["apiv2", "api"])
def test_a_template_goes_to_each_one_alone(world, prefix):
    """mail/sendtemplate: recipients come from xsmtpapi, each with its own values; `to` is ignored."""
    answer = world.call("mail/sendtemplate", TEMPLATE | {"to": "ignored@example.com"}, prefix=prefix)
    assert (answer["result"], answer["statusCode"]) == (True, 200)
    assert [email_id.partition("$")[2] for email_id in answer["info"]["emailIdList"]] == [
        "a@example.com",
        "b@example.com",
    ]
    world.clock.advance(2)
    assert [hook["event"] for hook in world.webhooks()] == ["request", "deliver", "deliver"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"templateInvokeName": ""}, 40201),
        ({"templateInvokeName": "unknown"}, 40823),
        ({"templateInvokeName": "local_pending"}, 40824),
        ({"xsmtpapi": ""}, 40812),
        ({"xsmtpapi": "x"}, 40813),
        ({"xsmtpapi": "{}"}, 40815),
        ({"xsmtpapi": '{"to": ["a@example.com"], "sub": {"%code%": ["1", "2"]}}'}, 40817),
        ({"xsmtpapi": '{"to": ["a@example.com"], "sub": {"%code%": "1"}}'}, 40817),
        ({"xsmtpapi": '{"to": ["a@example.com"], "sub": []}'}, 40817),
        ({"useAddressList": "true"}, 40820),
        ({"from": ""}, 40801),
        ({"replyTo": "x"}, 40811),
        ({"apiKey": "wrong"}, 40005),
    ],
)
def test_each_refusal_of_a_template(world, changes, code):
    answer = world.call("mail/sendtemplate", TEMPLATE | changes)
    assert (answer["result"], answer["statusCode"]) == (False, code)
