"""An accepted mail: the 202, the parameters that SES got, the line that is kept, and what optional extras may cost."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.send import extras
from localcloud import defaults, mock_tencent
from shared.upstream.signing import parse_callback_token
from tests.event_files import load_event
from tests.handlers import DAY, NOW, VALID, ask, records, send

if TYPE_CHECKING:
    from localcloud import LocalCloud

EVERY_FIELD = "send/function-url-every-field.json"


def request_of(cloud: LocalCloud) -> dict[str, Any]:
    """Return the parameters of the one SendEmail that SES accepted."""
    (message,) = cloud.messages()
    request: dict[str, Any] = message["request"]
    return request


def token_of(request: dict[str, Any]) -> str:
    """Return the callback token in a SendEmail's SmtpHeaders."""
    return str(json.loads(request["SmtpHeaders"])["X-Tencentcloudses-Cb-Custom"])


def test_the_202_is_exactly_what_the_contract_says(cloud: LocalCloud) -> None:
    answer = send({**VALID, "to": ["a@example.com", "b@example.com"], "cc": ["c@example.com"]})
    (message,) = cloud.messages()
    assert answer.status == 202
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.body) == {"message_id", "request_id", "recipients", "duplicate"}
    assert answer.body["message_id"] == message["message_id"]
    assert answer.body["request_id"]
    assert (answer.body["recipients"], answer.body["duplicate"]) == (3, False)


def test_the_smallest_mail_carries_the_documented_parameters_and_no_others(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the caller left out is left out: no empty lists, no nulls. A warm instance makes one call to SES, one look
    at the suppression list and one write to COS.
    """  # noqa: D205
    monkeypatch.delenv("TOKEN_KEY")
    assert send(VALID).status == 202
    request = request_of(cloud)
    assert json.loads(request["Template"].pop("TemplateData")) == {"code": "1234"}
    assert request == {
        "FromEmailAddress": "Acme <noreply@mail.example.com>",
        "Subject": "Your code",
        "Destination": ["alice@example.com"],
        "Template": {"TemplateID": 100091},
    }
    send(VALID)  # writes for others what the first has asked for
    calls.clear()
    assert send(VALID).status == 202
    assert calls == ["cos:HeadObject", "ses:SendEmail", "cos:PutObject"]


def test_every_member_arrives_under_the_vendors_name(cloud: LocalCloud) -> None:
    assert ask("send", load_event(EVERY_FIELD)).status == 202
    request = request_of(cloud)
    headers = json.loads(request.pop("SmtpHeaders"))
    token = parse_callback_token([defaults.TOKEN_KEY], headers.pop("X-Tencentcloudses-Cb-Custom"))
    assert json.loads(request["Template"].pop("TemplateData")) == {"code": "1234"}
    assert headers == {"X-Campaign": "welcome"}
    assert token.metadata == {"order": "42", "城市": "深圳"}
    assert all(token.covers(f"{name}@example.com") for name in ("alice", "bob", "carol"))
    assert not token.covers("eve@example.com")
    assert request == {
        "FromEmailAddress": "Acme <noreply@mail.example.com>",
        "Subject": "Your code",
        "Destination": ["alice@example.com"],
        "Cc": ["bob@example.com"],
        "Bcc": ["carol@example.com"],
        "ReplyToAddresses": "help@mail.example.com",
        "Template": {"TemplateID": 100091},
        "Unsubscribe": "2",
        "TriggerType": 1,
        "SmtpMessageId": "<welcome-42@mail.example.com>",
        "HeaderFrom": "Acme Shop <noreply@mail.example.com>",
    }


def test_html_and_text_are_encoded_by_us_for_accounts_that_may_send_them(cloud: LocalCloud) -> None:
    cloud.ses.switches.allow_simple = True
    body = {**VALID, "template": None, "html": "<p>您好</p>", "text": "您好"}
    assert send(body).status == 202
    simple = request_of(cloud)["Simple"]
    assert {name: base64.b64decode(part).decode() for name, part in simple.items()} == {
        "Html": "<p>您好</p>",
        "Text": "您好",
    }


def test_attachments_arrive_byte_for_byte_up_to_the_limit(cloud: LocalCloud) -> None:
    """Exactly 4 MB passes, names in any script."""
    content = base64.b64encode(bytes(range(256)) * 16384).decode()
    answer = send({**VALID, "attachments": [{"filename": "账单.PDF", "content": content}]})
    assert answer.status == 202, answer.body
    assert request_of(cloud)["Attachments"] == [{"FileName": "账单.PDF", "Content": content}]


@pytest.mark.parametrize(
    "changes",
    [
        {"to": [f"p{n}@example.com" for n in range(50)], "cc": [f"c{n}@example.com" for n in range(20)],
         "bcc": [f"b{n}@example.com" for n in range(20)]},
        {"to": [], "bcc": ["only@example.com"]},
        {"to": None, "cc": ["only@example.com"]},
        {"from": "noreply@mail.example.com"},
        {"from": "阿克米 公司 <noreply@mail.example.com>"},
        {"subject": "x" * 998},
        {"subject": "<script>alert(1)</script> {{code}} 😀"},
        {"template": {"id": 100091, "data": {"code": 7, "a < b": "1 < 2"}}},
        {"attachments": [], "headers": {}, "metadata": {}, "cc": [], "bcc": [], "html": None, "text": ""},
        {"message_id": "a.b-c_d+e=f@mail.example.com"},
        {"metadata": {"order": "x" * 400}},
        {"to": ["o'brien+tag@sub.example.co.uk", "a!#$%&'*+/=?^_`{|}~-b@example.com"]},
    ],
)  # fmt: skip
def test_what_is_allowed_is_accepted_by_ses_at_the_first_attempt(
    changes: dict[str, Any], cloud: LocalCloud, calls: list[str]
) -> None:
    answer = send({**VALID, **changes})
    assert answer.status == 202, answer.body
    assert calls.count("ses:SendEmail") == 1


def test_the_line_of_the_send_says_who_and_what_and_never_the_body(cloud: LocalCloud) -> None:
    """sends/dt=D/<message_id>.jsonl, D the day of the account's zone."""
    body = {**VALID, "cc": ["bob@example.com"], "metadata": {"order": "42"}}
    answer = send(body)
    (line,) = records(f"sends/dt={DAY}/{answer.body['message_id']}.jsonl")
    accepted_at = line.pop("accepted_at")
    assert accepted_at.startswith("2026-11-20T08:10:0")
    assert line == {
        "v": 1,
        "message_id": answer.body["message_id"],
        "request_id": answer.body["request_id"],
        "key_sha256": None,
        "sender": "noreply@mail.example.com",
        "recipients": ["alice@example.com", "bob@example.com"],
        "template_id": 100091,
        "subject": "Your code",
        "metadata": {"order": "42"},
    }


def test_the_day_of_a_send_is_the_accounts_day(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.move_to(NOW + 8 * 3600)  # 16:10 in London, 00:10 of the next day in Beijing
    assert send(VALID).status == 202
    assert len(records("sends/dt=2026-11-21/")) == 1
    monkeypatch.setenv("MAILTRAIL_UTC_OFFSET", "-05:00")
    assert send(VALID).status == 202
    assert len(records("sends/dt=2026-11-20/")) == 1


@pytest.mark.parametrize(
    ("site", "languages"),
    [("cn", {"none": "0", "zh-CN": "1", "en": "2", "vi": "12"}), ("intl", {"none": "0", "en": "1", "zh-CN": "2"})],
)
def test_the_unsubscribe_language_is_numbered_as_the_site_numbers_it(
    site: str, languages: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """China and International swap 1 and 2, and only China knows Vietnamese."""
    with mock_tencent(ses_rate_per_s=0) as cloud:
        if site == "intl":
            monkeypatch.setattr(cloud.ses._account, "site", "intl")
            monkeypatch.setenv("SES_REGION", "ap-singapore")
        monkeypatch.setenv("SES_SITE", site)
        for name, number in languages.items():
            assert send({**VALID, "unsubscribe": name}).status == 202
            assert cloud.messages(1)[0]["request"]["Unsubscribe"] == number
        answer = send({**VALID, "unsubscribe": "vi"})
        assert answer.status == (202 if site == "cn" else 400)


def test_a_refused_callback_token_costs_a_second_call_but_never_the_mail(
    cloud: LocalCloud, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """SES refuses SmtpHeaders: the mail goes out once, without them, and a warm instance does not try again."""
    cloud.ses.switches.smtp_headers = "refuse"
    answer = send(VALID)
    assert (answer.status, "warnings" in answer.body) == (202, False)
    assert calls.count("ses:SendEmail") == 2
    assert "SmtpHeaders" not in request_of(cloud)
    assert "extras refused by SES" in capsys.readouterr().out
    assert send({**VALID, "metadata": {"order": "42"}}).status == 202
    assert calls.count("ses:SendEmail") == 3
    assert len(cloud.messages()) == 2


def test_metadata_that_will_not_come_back_is_said_to_the_caller(cloud: LocalCloud) -> None:
    cloud.ses.switches.smtp_headers = "refuse"
    answer = send({**VALID, "metadata": {"order": "42"}})
    assert answer.status == 202
    assert len(answer.body["warnings"]) == 1
    assert records("sends/")[0]["metadata"] == {"order": "42"}


def test_a_refusal_of_something_else_is_not_blamed_on_the_token(cloud: LocalCloud, calls: list[str]) -> None:
    """InvalidParameterValue of both attempts: the caller hears it, and the next mail carries its token again."""
    cloud.add_faults(
        {"service": "ses", "kind": "error", "action": "SendEmail", "code": "InvalidParameterValue", "times": 2}
    )
    assert send(VALID).status == 502
    assert calls.count("ses:SendEmail") == 2
    assert not extras.learnt.refused
    assert send(VALID).status == 202
    assert token_of(request_of(cloud))


def test_no_token_without_a_key_for_it(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN_KEY")
    assert send({**VALID, "metadata": {"order": "42"}}).body["warnings"]
    assert "SmtpHeaders" not in request_of(cloud)


def test_each_mail_has_a_token_of_its_own(cloud: LocalCloud) -> None:
    send(VALID)
    send(VALID)
    first, second = (token_of(message["request"]) for message in cloud.messages())
    assert first != second


def test_nothing_personal_in_the_log_of_a_send(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """Invariant 7: ids and codes only."""
    body = {
        **VALID,
        "to": ["secret.person@example.com"],
        "subject": "Secret subject",
        "metadata": {"k": "secret-value"},
    }
    answer = send(body, key="secret-key-of-the-caller")
    logged = capsys.readouterr().out
    assert answer.body["message_id"] in logged
    assert not any(word in logged for word in ("secret", "Secret", defaults.SECRET_KEY, defaults.SEND_KEY))
