"""What SES refuses, or leaves open, and what the caller is told: status, stable code, whether a retry is safe."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from functions.send import attempts
from functions.send.attempts import MOST
from localcloud.exchange import Response
from shared.upstream.errors import RULES, UNKNOWN, UpstreamRefused, rule_for
from shared.upstream.ses import SesClient
from tests.event_files import load_event
from tests.handlers import VALID, ask, bucket, send

if TYPE_CHECKING:
    from localcloud import LocalCloud

# Written by hand from the vendor's wording (seed 002, facts §2 and §5), not read from the table under test.
EXPECTED = {
    "RequestLimitExceeded": (429, "rate_limited", True, "1"),
    "RequestLimitExceeded.UinLimitExceeded": (429, "rate_limited", True, "1"),
    "FailedOperation.FrequencyLimit": (429, "recipient_rate_limited", True, "3600"),
    "FailedOperation.TemporaryBlocked": (429, "temporarily_blocked", True, "600"),
    "FailedOperation.ExceedSendLimit": (429, "daily_quota_exceeded", True, "3600"),
    "FailedOperation.ServiceNotAvailable": (503, "upstream_unavailable", True, "1"),
    "FailedOperation.NotAuthenticatedSender": (422, "sender_unverified", False, None),
    "FailedOperation.EmailAddrInBlacklist": (422, "recipient_suppressed", False, None),
    "FailedOperation.ReceiverHasUnsubscribed": (422, "recipient_unsubscribed", False, None),
    "FailedOperation.InvalidTemplateID": (422, "template_unusable", False, None),
    "FailedOperation.InsufficientBalance": (503, "billing", False, None),
    "FailedOperation.AttachContentToolarge": (413, "too_large", False, None),
    "InvalidParameterValue.TemplateDataError": (422, "template_data_invalid", False, None),
    "AuthFailure.SignatureFailure": (502, "upstream_auth_failed", False, None),
    "AuthFailure.SignatureExpire": (502, "upstream_auth_failed", True, "1"),
    "AuthFailure.UnauthorizedOperation": (502, "upstream_forbidden", False, None),
    "UnsupportedRegion": (502, "upstream_unsupported", False, None),
    "InternalError": (502, "upstream_failed", False, None),
    "FailedOperation": (502, "upstream_failed", False, None),
    "FailedOperation.SomethingNew": (502, "upstream_failed", False, None),
    "NeverHeardOf.Code": (502, "upstream_unlisted", False, None),
}
SOON_OVER = {
    "RequestLimitExceeded",
    "RequestLimitExceeded.UinLimitExceeded",
    "FailedOperation.ServiceNotAvailable",
}
"""What took no effect and is worth another call; everything else is answered with what to do."""
LEFT_OPEN = {"InternalError", "FailedOperation", "FailedOperation.SomethingNew", "NeverHeardOf.Code"}


def refuse(cloud: LocalCloud, code: str, **rule: Any) -> None:
    """Have SES answer SendEmail with ``code``."""
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": "error", "code": code, **rule})


@pytest.mark.parametrize("code", EXPECTED)
def test_a_refusal_is_told_in_our_words_with_theirs_beside(code: str, cloud: LocalCloud, calls: list[str]) -> None:
    status, our_code, retry_safe, retry_after = EXPECTED[code]
    refuse(cloud, code)
    answer = send(VALID)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (status, our_code, retry_safe)
    assert answer.headers.get("Retry-After") == retry_after
    assert answer.headers["Content-Type"] == "application/problem+json; charset=utf-8"
    assert answer.body["upstream"]["code"] == code
    assert answer.body["upstream"]["request_id"]
    assert answer.body.get("outcome") == ("unknown" if code in LEFT_OPEN else None)
    assert calls.count("ses:SendEmail") == (MOST if code in SOON_OVER else 1)
    assert bucket("sends/") == {}


@pytest.mark.parametrize("code", RULES)
def test_every_listed_code_is_answered_as_its_rule_says(code: str, cloud: LocalCloud) -> None:
    """And what may be retried did not take effect; what is unknown is never called safe."""
    rule = rule_for(code)
    refuse(cloud, code)
    answer = send(VALID)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (rule.status, rule.code, rule.retry_safe)
    assert answer.headers.get("Retry-After") == (str(rule.retry_after_s) if rule.retry_after_s else None)
    assert answer.body["upstream"]["code"] == code
    assert (answer.body.get("outcome") == "unknown") is (rule.outcome == UNKNOWN)
    if rule.outcome == UNKNOWN:
        assert answer.body["retry_safe"] is False


@pytest.mark.parametrize(
    ("case", "status", "code", "field", "upstream"),
    [
        ("unverified-sender", 422, "sender_unverified", "from", "FailedOperation.NotAuthenticatedSender"),
        ("template-pending", 422, "template_unusable", "template.id", "FailedOperation.InvalidTemplateID"),
        ("html-text", 422, "template_required", "template", "FailedOperation.WithOutPermission"),
    ],
)
def test_what_only_ses_can_know_is_named_by_our_field(
    case: str, status: int, code: str, field: str, upstream: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the guard off, which asks SES for some of it before."""
    monkeypatch.setenv("SEND_GUARD", "off")
    answer = ask("send", load_event(f"send/function-url-{case}.json"))
    assert (answer.status, answer.body["code"]) == (status, code)
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert answer.body["upstream"]["code"] == upstream
    assert answer.body["retry_safe"] is False
    assert cloud.messages() == []


def test_a_missing_template_variable_is_named(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEND_GUARD", "off")
    answer = send({**VALID, "template": {"id": 100091, "data": {}}})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "template.data")


@pytest.mark.parametrize(("kind", "sent"), [("drop_request", 0), ("drop_response", 1)])
def test_no_answer_is_504_unknown_and_never_a_second_call(
    kind: str, sent: int, cloud: LocalCloud, calls: list[str]
) -> None:
    """The wire cannot tell the two apart, so neither may be repeated by us nor called safe to repeat."""
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": kind, "times": 1})
    answer = send(VALID)
    assert (answer.status, answer.body["code"]) == (504, "upstream_no_answer")
    assert (answer.body["outcome"], answer.body["retry_safe"]) == ("unknown", False)
    assert "Retry-After" not in answer.headers
    assert calls.count("ses:SendEmail") == 1
    assert len(cloud.messages()) == sent


def test_no_connection_is_503_and_safe_to_retry(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens there: the kernel refuses, so nothing was sent."""
    monkeypatch.setenv("SES_ENDPOINT", "http://127.0.0.1:1")
    answer = send(VALID)
    assert (answer.status, answer.body["code"], answer.body["retry_safe"]) == (503, "upstream_unreachable", True)
    assert answer.headers["Retry-After"] == "1"
    assert not any(call.startswith("ses:") for call in calls)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html><body>502 Bad Gateway</body></html>"),
        (200, b"<!doctype html><title>Log in to the network</title>"),
        (200, b""),
        (200, b"OK"),
        (200, b"[]"),
        (200, b'{"Response": null}'),
        (500, b'{"message": "no Response member"}'),
        (302, b""),
        (200, b'{"Response": ' + b"[" * 100_000),
    ],
)
def test_an_answer_that_is_not_the_apis_leaves_the_outcome_open(
    status: int, body: bytes, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def answer_by_proxy(request: Any) -> Response:
        asked.append(request.headers["x-tc-action"])
        return Response(status, {"Content-Type": "text/html", "Location": "https://proxy.test/"}, body)

    monkeypatch.setattr(cloud.ses, "dispatch", answer_by_proxy)
    answer = send(VALID)
    assert (answer.status, answer.body["code"]) == (502, "upstream_unreadable")
    assert (answer.body["outcome"], answer.body["retry_safe"]) == ("unknown", False)
    assert asked.count("SendEmail") == 1


def test_a_late_answer_is_no_answer(cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """SES took longer than we wait; it accepted the mail all the same."""
    defaults = {**(SesClient.__init__.__kwdefaults__ or {}), "timeout_s": (3.0, 0.05)}
    monkeypatch.setattr(SesClient.__init__, "__kwdefaults__", defaults)
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": "delay", "seconds": 0.1})
    answer = send(VALID)
    assert (answer.status, answer.body["outcome"]) == (504, "unknown")
    assert calls.count("ses:SendEmail") == 1
    assert len(cloud.messages()) == 1


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "FailedOperation.ServiceNotAvailable"])
def test_a_refusal_that_is_over_in_a_moment_is_not_the_callers_matter(
    code: str, cloud: LocalCloud, calls: list[str]
) -> None:
    refuse(cloud, code, times=MOST - 1)
    assert send(VALID).status == 202
    assert calls.count("ses:SendEmail") == MOST
    assert len(cloud.messages()) == 1


def test_pauses_differ_from_caller_to_caller_and_end_with_the_time_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(attempts, "time", SimpleNamespace(sleep=pauses.append))

    def refused() -> None:
        raise UpstreamRefused(rule_for("RequestLimitExceeded"), code="RequestLimitExceeded")

    for spare_s in (10.0, 10.0, 0.05):
        with pytest.raises(UpstreamRefused):
            attempts.call_again(refused, spare_s=lambda spare_s=spare_s: spare_s)
    assert len(pauses) == 2 * (MOST - 1), "none where there is no time for one"
    assert len(set(pauses)) == len(pauses)
    assert all(attempts.PAUSE_S / 2 <= pause_s <= attempts.PAUSE_S * MOST for pause_s in pauses)
