"""The two headers of RFC 8058 on a mail: which mails carry them, what the link says, what SES's refusal costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.send import extras
from localcloud import defaults
from shared.upstream.unsubscribe_token import Unsubscribe, parse_unsubscribe_token
from tests.handlers import NOW, VALID, bucket, records, send, write_report

if TYPE_CHECKING:
    from localcloud import LocalCloud

URL = "https://mail.example.com/release"
TOKEN, LINK, POST = "X-Tencentcloudses-Cb-Custom", "List-Unsubscribe", "List-Unsubscribe-Post"


@pytest.fixture(autouse=True)
def _links(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSUBSCRIBE_URL", f"{URL}/")


def headers_of(cloud: LocalCloud) -> dict[str, str]:
    """Return the headers of the newest mail that SES accepted."""
    request = cloud.messages(1)[0]["request"]
    found: dict[str, str] = json.loads(request.get("SmtpHeaders", "{}"))
    return found


def noted() -> set[str]:
    """Return the keys of what was noted of SES's refusals."""
    return {key for key in bucket("state/send/") if not key.startswith("state/send/facts/")}


def test_a_mail_to_one_person_carries_a_link_of_theirs(cloud: LocalCloud) -> None:
    """RFC 8058 section 3.1: one HTTPS URI, and what a mailbox provider is to post there."""
    assert send({**VALID, "to": [], "bcc": ["Alice@Example.com"]}).status == 202
    headers = headers_of(cloud)
    assert set(headers) == {TOKEN, LINK, POST}
    assert headers[POST] == "List-Unsubscribe=One-Click"
    link = headers[LINK]
    assert link.startswith(f"<{URL}/unsubscribe/")
    assert link.endswith(">")
    wish = parse_unsubscribe_token([defaults.TOKEN_KEY], link[1:-1].rpartition("/")[2])
    assert wish == Unsubscribe("alice@example.com", "mail.example.com", int(NOW) + (wish.issued_at_s - int(NOW)))
    assert 0 <= wish.issued_at_s - NOW < 60
    assert "alice" not in link.lower()


@pytest.mark.parametrize(
    "other",
    [
        {"transactional": True},
        {"cc": ["bob@example.com"]},
        {"to": ["alice@example.com", "bob@example.com"]},
        {"headers": {"list-unsubscribe": "<mailto:leave@mail.example.com>"}},
        {"headers": {"LIST-UNSUBSCRIBE-POST": "List-Unsubscribe=One-Click"}},
    ],
)
def test_a_mail_that_is_not_one_persons_or_has_headers_of_its_own_carries_none(
    other: dict[str, Any], cloud: LocalCloud
) -> None:
    """A link in a mail to several would let one of them unsubscribe another."""
    answer = send({**VALID, **other})
    assert (answer.status, "warnings" in answer.body) == (202, False)
    assert set(headers_of(cloud)) == {TOKEN, *other.get("headers", ())}


def test_without_the_setting_there_is_no_link(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSUBSCRIBE_URL")
    send(VALID)
    assert set(headers_of(cloud)) == {TOKEN}


def test_a_link_needs_a_key_to_sign_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TOKEN_KEY")
    assert send(VALID).status == 500
    assert "TOKEN_KEY is missing" in capsys.readouterr().out


def test_a_link_that_does_not_fit_a_header_line_is_left_out(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """998 octets: the mail is worth more than its header."""
    monkeypatch.setenv("UNSUBSCRIBE_URL", f"https://mail.example.com/{'a' * 900}")
    assert send(VALID).status == 202
    assert set(headers_of(cloud)) == {TOKEN}


def test_ses_that_refuses_the_names_costs_one_call_and_never_the_token(
    cloud: LocalCloud, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The mail goes out at once with our token and without the link; the next does not try the link."""
    cloud.ses.switches.smtp_headers = "x_only"
    for number in (2, 3, 4):
        answer = send({**VALID, "metadata": {"order": "42"}})
        assert answer.body["warnings"] == ["the mail went out without List-Unsubscribe, which SES did not take"]
        assert calls.count("ses:SendEmail") == number
        assert set(headers_of(cloud)) == {TOKEN}
    assert capsys.readouterr().out.count('"extras": ["List-Unsubscribe", "callback token"]') == 1
    assert len(cloud.messages()) == 3
    assert noted() == {"state/send/unsubscribe-refused.json"}
    (line,) = records("state/send/unsubscribe-refused.json")
    assert (line["at"][:16], line["code"]) == ("2026-11-20T08:10", "InvalidParameterValue")
    report = write_report()
    assert report["unsubscribe_refused"] == {name: line[name] for name in ("at", "code", "request_id")}
    assert report["callback_token_refused"] is None
    page = bucket("reports/")["reports/dt=2026-11-20/report.html"].decode()
    assert "SES refuses the List-Unsubscribe headers" in page
    assert "SES refuses our callback token" not in page


def test_ses_that_refuses_every_header_is_found_out_by_the_second_mail(cloud: LocalCloud, calls: list[str]) -> None:
    cloud.ses.switches.smtp_headers = "refuse"
    for expected in (3, 5, 6, 7):
        assert send(VALID).status == 202
        assert calls.count("ses:SendEmail") == expected
    assert len(cloud.messages()) == 4
    assert noted() == {
        "state/send/callback-token-refused.json", "state/send/unsubscribe-refused.json",
    }  # fmt: skip


def test_a_refused_token_does_not_take_the_link_with_it(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """SES refuses one name only: from the second mail on the other is carried."""
    dispatch = cloud.ses.dispatch

    def without_our_token(request: Any) -> Any:
        if b"Cb-Custom" in request.body:
            cloud.ses.switches.smtp_headers = "refuse"
        try:
            return dispatch(request)
        finally:
            cloud.ses.switches.smtp_headers = "accept"

    monkeypatch.setattr(cloud.ses, "dispatch", without_our_token)
    send(VALID)
    for _ in range(2):
        assert "warnings" not in send(VALID).body
        assert set(headers_of(cloud)) == {LINK, POST}
    assert noted() == {"state/send/callback-token-refused.json"}


def test_a_mail_that_is_refused_for_itself_is_not_blamed_on_the_link(cloud: LocalCloud, calls: list[str]) -> None:
    cloud.add_faults(
        {"service": "ses", "kind": "error", "action": "SendEmail", "code": "InvalidParameterValue", "times": 3}
    )
    assert send(VALID).status == 502
    assert calls.count("ses:SendEmail") == 3
    assert not extras.learnt.refused
    send(VALID)
    assert set(headers_of(cloud)) == {TOKEN, LINK, POST}


def test_a_repeat_with_the_same_key_needs_no_second_link(cloud: LocalCloud) -> None:
    """The time in the link is no part of what an Idempotency-Key compares."""
    first = send(VALID, key="order-42")
    cloud.advance(5)
    assert send(VALID, key="order-42").body == {**first.body, "duplicate": True}
    assert len(cloud.messages()) == 1
