"""Templates: what is refused at once, what the reviewer turns down, and when the verdict falls."""

from __future__ import annotations

import base64
import calendar

import pytest

from localcloud.ses.review import next_working_day, reason_against
from tests.contract.ses_door import MAIL, World


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


GOOD = {"TemplateName": "Code", "TemplateContent": {"Text": b64("Your code is {{code}}.")}}


@pytest.fixture
def world(tmp_path):
    opened = World(tmp_path)
    yield opened
    opened.close()


def make(world: World, text: str = "Your code is {{code}}.") -> int:
    return int(world.call("CreateEmailTemplate", GOOD | {"TemplateContent": {"Html": b64(text)}})["TemplateID"])


def status(world: World, template_id: int) -> int:
    return int(world.call("GetEmailTemplate", {"TemplateID": template_id})["TemplateStatus"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"TemplateName": " "}, "InvalidParameterValue.TemplateNameIsNULL"),
        ({"TemplateName": "x" * 101}, "InvalidParameterValue.TemplateNameIllegal"),
        ({"TemplateName": "<b>"}, "InvalidParameterValue.TemplateNameIllegal"),
        ({"TemplateName": None}, "MissingParameter"),
        ({"TemplateContent": None}, "MissingParameter"),
        ({"TemplateContent": {}}, "InvalidParameterValue.TemplateContentIsNULL"),
        ({"TemplateContent": {"Html": "%"}}, "InvalidParameterValue.TemplateContentIsWrong"),
        ({"TemplateContent": {"Html": "/w=="}}, "InvalidParameterValue.TemplateContentIsWrong"),
        ({"TemplateContent": {"Html": b64("x" * 1_048_577)}}, "FailedOperation.TemplateContentToolarge"),
        ({"TemplateContent": {"Html": "", "Markdown": ""}}, "UnknownParameter"),
    ],
)
def test_each_refusal(world, changes, code):
    assert world.code("CreateEmailTemplate", GOOD | changes) == code
    assert world.code("UpdateEmailTemplate", GOOD | {"TemplateID": 100091} | changes) == code


def test_strangers_are_not_there(world):
    for action, more in (("GetEmailTemplate", {}), ("DeleteEmailTemplate", {}), ("UpdateEmailTemplate", GOOD)):
        assert world.code(action, {"TemplateID": 5} | more) == "InvalidParameterValue.TemplateNotExist"


def test_a_pending_template_cannot_be_sent_and_an_approved_one_can(world):
    """Pending until the same hour of the next working day; a change makes it pending again."""
    number = make(world)
    mail = MAIL | {"Template": {"TemplateID": number, "TemplateData": '{"code": "1"}'}}
    assert (status(world, number), world.code("SendEmail", mail)) == (1, "FailedOperation.InvalidTemplateID")
    world.clock.move_to(next_working_day(world.clock.now()) - 60)
    assert status(world, number) == 1
    world.clock.advance(61)
    assert (status(world, number), world.code("SendEmail", mail)) == (0, "")
    world.call("UpdateEmailTemplate", GOOD | {"TemplateID": number})
    assert (status(world, number), world.code("SendEmail", mail)) == (1, "FailedOperation.InvalidTemplateID")


def test_the_switch_decides_when_a_verdict_falls(world):
    world.service.switches.update({"template_review": "at_once"})
    assert (status(world, make(world)), status(world, make(world, "too short"))) == (0, 2)
    world.service.switches.update({"template_review": "never"})
    number = make(world)
    world.clock.advance(30 * 86400)
    assert status(world, number) == 1


def test_a_rejected_template_says_why_and_stays_unusable(world):
    world.service.switches.update({"template_review": "at_once"})
    number = make(world, "Buy now!")
    newest = world.call("ListEmailTemplates", {"Limit": 1, "Offset": 0})["TemplatesMetadata"][0]
    assert (newest["TemplateID"], newest["TemplateStatus"]) == (number, 2)
    assert "160" in newest["ReviewReason"]
    mail = MAIL | {"Template": {"TemplateID": number, "TemplateData": "{}"}}
    assert world.code("SendEmail", mail) == "FailedOperation.InvalidTemplateID"


@pytest.mark.parametrize(
    ("html", "text", "said"),
    [
        ("", "Your code is {{code}}.", ""),
        ("<style>p {color: red; margin: 0 0 0 0;}</style><p>" + "y" * 159 + "</p>", "", "160"),
        ("<p>" + "y" * 160 + "</p>", "", ""),
        ("{{a}} {{b}} hello!", "", "1 to 5"),
        ("{{a}} {{b}} hello, you!", "", ""),
        ("hello {{a}}" + '<img src="https://a.example/a.png">' * 51, "", "50 images"),
        ('hello {{a}} <a href="{{url}}">here</a>', "", "domain"),
        ('hello {{a}} <a href="https://{{host}}/x">here</a>', "", "domain"),
        ('hello {{a}} <a href="https://a.example/{{path}}">here</a>', "", ""),
    ],
)
def test_what_the_reviewer_turns_down(html, text, said):
    reason = reason_against(html, text)
    assert said in reason
    assert bool(reason) == bool(said)


@pytest.mark.parametrize(("day", "after"), [(16, 17), (19, 20), (20, 23), (21, 23), (22, 23)])
def test_nobody_works_on_saturdays_and_sundays(day, after):
    """2026-11-16 is a Monday; hours stay."""
    at = calendar.timegm((2026, 11, day, 1, 30, 0))
    assert next_working_day(at) == calendar.timegm((2026, 11, after, 1, 30, 0))


def test_what_is_deleted_stays_deleted_over_a_restart(world):
    """What the account is born with, it is born with once."""
    world.call("DeleteEmailTemplate", {"TemplateID": 100091})
    number = make(world)
    world.close()
    world.open()
    listed = world.call("ListEmailTemplates", {"Limit": 10, "Offset": 0})["TemplatesMetadata"]
    assert [template["TemplateID"] for template in listed] == [number, 100092]
