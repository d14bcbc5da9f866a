"""SendEmail refuses what the documentation says it refuses, with the documented code, and nothing is sent then."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud.ses.actions import ACTIONS
from tests.contract.ses_door import MAIL, World

B64 = base64.b64encode(b"hello").decode()
FILE = {"FileName": "a.pdf", "Content": B64}
LARGE = {"FileName": "a.pdf", "Content": base64.b64encode(b"x" * 2_100_000).decode()}


def people(count: int) -> list[str]:
    return [f"p{n}@example.com" for n in range(count)]


def template(data: object, number: int = 100091) -> dict[str, object]:
    return {"Template": {"TemplateID": number, "TemplateData": data if isinstance(data, str) else json.dumps(data)}}


@pytest.fixture
def world(tmp_path):
    opened = World(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"FromEmailAddress": "noreply@mail.example.com"}, ""),
        ({"FromEmailAddress": "阿克米 <noreply@mail.example.com>"}, ""),
        ({"FromEmailAddress": "Acme<noreply@mail.example.com>"}, "FailedOperation.IncorrectSender"),
        ({"FromEmailAddress": "Acme  <noreply@mail.example.com>"}, "FailedOperation.IncorrectSender"),
        ({"FromEmailAddress": "Ac:me <noreply@mail.example.com>"}, "FailedOperation.IncorrectSender"),
        ({"FromEmailAddress": "Acme <noreply>"}, "FailedOperation.IncorrectSender"),
        ({"FromEmailAddress": "noreply@other.example"}, "FailedOperation.NotAuthenticatedSender"),
        ({"FromEmailAddress": ""}, "InvalidParameterValue.EmailAddressIsNULL"),
        ({"FromEmailAddress": None}, "MissingParameter"),
        ({"FromEmailAddress": 5}, "InvalidParameter"),
        ({"Destination": []}, "MissingParameter"),
        ({"Destination": None, "Bcc": ["b@example.com"]}, ""),
        ({"Destination": people(50)}, ""),
        ({"Destination": people(51)}, "FailedOperation.TooManyRecipients"),
        ({"Cc": people(21)}, "FailedOperation.TooManyRecipients"),
        ({"Bcc": people(21)}, "FailedOperation.TooManyRecipients"),
        ({"Destination": ["not an address"]}, "InvalidParameterValue.ReceiverEmailInvalid"),
        ({"Cc": ["a@b"]}, "InvalidParameterValue.ReceiverEmailInvalid"),
        ({"Destination": [""]}, "InvalidParameterValue.EmailAddressIsNULL"),
        ({"Destination": "ann@example.com"}, "InvalidParameter"),
        ({"Destination": [1]}, "InvalidParameter"),
        ({"Bcc": ["ANN@example.com"]}, "InvalidParameterValue.RepeatEmailAddress"),
        ({"ReplyToAddresses": "nobody"}, "FailedOperation.IncorrectEmail"),
        ({"Subject": None}, "MissingParameter"),
        ({"Subject": ""}, "InvalidParameterValue.SubjectLengthError"),
        ({"Subject": "x" * 998}, ""),
        ({"Subject": "x" * 999}, "InvalidParameterValue.SubjectLengthError"),
        ({"Subject": "a\r\nBcc: x"}, "InvalidParameterValue"),
        ({"Template": None}, "FailedOperation.MissingEmailContent"),
        ({"Template": None, "Simple": {"Text": B64}}, "FailedOperation.WithOutPermission"),
        (template({"code": "1"}, 100092), "FailedOperation.InvalidTemplateID"),
        (template({"code": "1"}, 7), "FailedOperation.InvalidTemplateID"),
        (template({"code": 1}), ""),
        (template("not json"), "FailedOperation.WrongContentJson"),
        (template("[]"), "FailedOperation.WrongContentJson"),
        (template(r'{"code": "\ud800"}'), "FailedOperation.WrongContentJson"),
        (template({"code": "<b>1</b>"}), "InvalidParameterValue.InValidTemplateData"),
        (template({"code": {"a": 1}}), "InvalidParameterValue.InValidTemplateData"),
        (template({"code": "1 < 2 > 0"}), ""),
        (template({}), "InvalidParameterValue.TemplateNotMatchData"),
        (template({"code": "1", "more": "2"}), ""),
        ({"Template": {"TemplateID": "100091", "TemplateData": "{}"}}, "InvalidParameter"),
        ({"Template": {"TemplateID": 100091}}, "MissingParameter"),
        ({"Template": {"TemplateID": 100091, "TemplateData": "{}", "Name": "x"}}, "UnknownParameter"),
        ({"Attachments": [FILE] * 10}, ""),
        ({"Attachments": [FILE] * 11}, "FailedOperation.TooManyAttachments"),
        ({"Attachments": [LARGE, LARGE]}, "FailedOperation.AttachContentToolarge"),
        ({"Attachments": [FILE | {"FileName": "a.exe"}]}, "FailedOperation.InvalidAttachName"),
        ({"Attachments": [FILE | {"FileName": "a b.pdf"}]}, "FailedOperation.InvalidAttachName"),
        ({"Attachments": [FILE | {"FileName": "x" * 252 + ".pdf"}]}, "FailedOperation.InvalidAttachName"),
        ({"Attachments": [FILE | {"FileName": "pdf"}]}, "FailedOperation.InvalidAttachName"),
        ({"Attachments": [FILE | {"Content": "%%%"}]}, "InvalidParameterValue.AttachContentIsWrong"),
        ({"Attachments": [FILE | {"FileURL": "https://a.example/a.pdf"}]}, "FailedOperation.FileURLNotExist"),
        ({"Unsubscribe": "12"}, ""),
        ({"Unsubscribe": "13"}, "InvalidParameterValue"),
        ({"Unsubscribe": 1}, "InvalidParameter"),
        ({"TriggerType": 1}, ""),
        ({"TriggerType": 2}, "InvalidParameterValue"),
        ({"TriggerType": True}, "InvalidParameter"),
        ({"HeaderFrom": "Acme <a@mail.example.com>"}, ""),
        ({"HeaderFrom": "a@elsewhere.example"}, "FailedOperation.IncorrectSender"),
        ({"SmtpHeaders": '{"X-Campaign": "welcome"}'}, ""),
        ({"SmtpHeaders": "X-Campaign: welcome"}, "InvalidParameterValue"),
        ({"SmtpHeaders": {"X": "y"}}, "InvalidParameter"),
        ({"SmtpMessageId": "<a@b>\n"}, "InvalidParameterValue"),
        ({"ClientToken": "x"}, "UnknownParameter"),
    ],
)
def test_each_documented_refusal(world, changes, code):
    assert world.code("SendEmail", MAIL | changes) == code
    assert len(world.service.messages()) == (0 if code else 1)


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"Subject": NaN}', b"\xff", b"[" * 100_000, b"9" * 5000])
def test_a_body_that_is_no_json_object_is_a_bad_request(world, body):
    assert world.code("SendEmail", body) in ("InvalidParameter", "MissingParameter")


def test_custom_content_needs_the_legacy_permission(world):
    """With `allow_simple` Html and Text are checked as base64 and for size."""
    world.service.switches.allow_simple = True
    simple = MAIL | {"Template": None}
    assert world.code("SendEmail", simple | {"Simple": {"Text": B64, "Html": B64}}) == ""
    assert world.code("SendEmail", simple | {"Simple": {}}) == "FailedOperation.MissingEmailContent"
    wrong = simple | {"Simple": {"Text": "%"}}
    assert world.code("SendEmail", wrong) == "InvalidParameterValue.EmailContentIsWrong"
    large = base64.b64encode(b"x" * 1_100_000).decode()
    assert world.code("SendEmail", simple | {"Simple": {"Html": large}}) == "FailedOperation.EmailContentToolarge"


def test_smtp_headers_follow_the_switch(world):
    """The format is not documented, so a product must survive acceptance, refusal and silence."""
    headers = {"SmtpHeaders": '{"X-Tencentcloudses-Cb-Custom": "order=42", "X-Other": "no"}'}
    world.send("a@example.com", **headers)
    world.service.switches.smtp_headers = "ignore"
    world.send("b@example.com", **headers)
    world.service.switches.smtp_headers = "refuse"
    assert world.code("SendEmail", MAIL | headers) == "InvalidParameterValue"
    world.clock.advance(1)
    by_recipient = {payload["email"]: payload for payload in world.payloads()}
    assert by_recipient["a@example.com"]["X-Tencentcloudses-Cb-Custom"] == "order=42"
    assert "X-Other" not in by_recipient["a@example.com"]
    assert "X-Tencentcloudses-Cb-Custom" not in by_recipient["b@example.com"]


def test_the_hourly_limit_per_recipient_is_a_switch(world):
    world.service.switches.hourly_per_recipient = 10
    for _ in range(10):
        world.send()
    assert world.code("SendEmail", MAIL) == "FailedOperation.FrequencyLimit"
    world.clock.advance(3601)
    assert world.code("SendEmail", MAIL) == ""


def test_accepted_mails_are_listed_newest_first_with_everything_sent(world):
    first = world.send("a@example.com", Cc=["c@example.com"], Bcc=["d@example.com"])
    second = world.send("b@example.com", Subject="Code {{code}}", Attachments=[FILE])
    newest, oldest = world.service.messages()
    assert (newest["message_id"], oldest["message_id"]) == (second, first)
    assert newest["subject"] == "Code 1234"
    assert newest["request"]["Attachments"] == [FILE]
    assert (oldest["to"], oldest["cc"], oldest["bcc"]) == (["a@example.com"], ["c@example.com"], ["d@example.com"])
    assert oldest["accepted_at"].endswith("Z")
    assert len(world.service.messages(limit=1)) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.characters(categories=["Cs"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "Cc Bcc Simple Attachments SmtpHeaders CycleParam TaskType Limit Offset StartDate EndDate StartTime EndTime Emails "
    "ExpireDate TemplateName TemplateContent TemplateID Datas EmailIdentity DKIMOption TagList EmailAddress ReceiverId "
    "ReceiversName Desc Status Email Id Address UnsubscribeConfig Password"
)
names = st.sampled_from([*MAIL, *NAMES.split()])
actions = st.sampled_from(sorted(ACTIONS))


@given(action=actions, start=st.sampled_from([{}, MAIL]), changes=st.dictionaries(names, json_values, max_size=4))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_body_raises(world, action, start, changes):
    """Whatever members have whatever values, the answer is an API answer, and never the service's own fault."""
    assert world.code(action, start | changes) != "InternalError"


@given(body=st.binary(max_size=200), query=st.text(max_size=60))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_raise(world, body, query):
    world.code("SendEmail", body)
    world.code("GetSendEmailStatus", {"RequestDate": query, "Offset": 0, "Limit": 1, "MessageId": query})
