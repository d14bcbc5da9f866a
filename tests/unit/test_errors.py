"""The one error table: every code the vendors list has its own row, and the rows keep the promises that callers rely on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.ses.v20201002 import errorcodes  # type: ignore[import-untyped]

from cli.tables import upstream_errors
from shared.upstream import errors
from shared.upstream.errors import REFUSED, RULES, SENDCLOUD_RULES, UNKNOWN, UNLISTED, Rule

SAMPLES = Path(__file__).parents[1] / "samples" / "error_codes.json"
LISTS = {entry["list"]: entry["codes"] for entry in json.loads(SAMPLES.read_text())}
SDK_CODES = sorted(value for name, value in vars(errorcodes).items() if name.isupper() and isinstance(value, str))
EVERY_RULE = {
    **RULES,
    **{str(code): rule for code, rule in SENDCLOUD_RULES.items()},
    "408xx": errors.sendcloud_rule_for(40801),
    **{name: getattr(errors, name) for name in ("UNLISTED", "NOT_SENT", "NO_ANSWER", "NOT_JSON")},
}
OUR_CODES = set(
    "invalid_request recipient_invalid recipient_suppressed recipient_unsubscribed recipient_refused recipient_rate_limited "
    "sender_invalid sender_unverified template_unusable template_required template_data_invalid content_refused too_large "
    "attachment_refused rate_limited daily_quota_exceeded temporarily_blocked reputation_blocked billing date_out_of_range "
    "account_limit conflict not_found operation_denied upstream_unavailable upstream_failed upstream_auth_failed "
    "upstream_forbidden upstream_unsupported upstream_rejected upstream_unlisted upstream_unreachable upstream_no_answer "
    "upstream_unreadable".split()
)
OUR_STATUSES = {400, 404, 409, 413, 422, 429, 502, 503, 504}


def offenders(is_wrong) -> list[str]:
    """Return the codes whose rule ``is_wrong``."""
    return [code for code, rule in EVERY_RULE.items() if is_wrong(rule)]


def test_the_sdk_lists_its_hundred_codes():
    """The walk below is no empty walk."""
    assert len(SDK_CODES) == 100


@pytest.mark.parametrize("listed", [SDK_CODES, *(LISTS[name] for name in LISTS if name != "SendCloud emailStatus")])
def test_every_code_the_vendor_lists_has_its_own_row(listed: list[str]):
    """The SDK's constants, the pages of the three actions, the common codes: an unlisted one is a gap, not a decision."""
    assert listed
    assert [code for code in listed if code not in RULES] == []
    assert [code for code in listed if errors.rule_for(code) is UNLISTED] == []


def test_every_sendcloud_code_of_the_status_query_has_a_rule():
    """Its numbers come as ``statusCode``."""
    assert [code for code in LISTS["SendCloud emailStatus"] if errors.sendcloud_rule_for(int(code)) is UNLISTED] == []


def test_only_what_was_refused_may_be_repeated():
    """A retry is safe only when the upstream says that nothing took effect."""
    assert offenders(lambda rule: rule.retry_safe and rule.outcome != REFUSED) == []
    assert offenders(lambda rule: rule.outcome not in (REFUSED, UNKNOWN)) == []


def test_every_status_and_code_is_a_documented_one():
    """Callers match on them; a new one belongs into README first."""
    assert offenders(lambda rule: rule.status not in OUR_STATUSES) == []
    assert offenders(lambda rule: rule.code not in OUR_CODES) == []
    assert OUR_CODES - {rule.code for rule in EVERY_RULE.values()} == set()


def test_the_table_in_readme_is_the_table():
    """README shows what the code says, row for row (cog writes it)."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert upstream_errors() in readme, "run cog over README.md: cli/tables.py makes the table"


def test_one_code_of_ours_always_tells_the_same_outcome():
    """``upstream_unavailable`` apart, which SES says both with and without a promise."""
    told: dict[str, set[str]] = {}
    for rule in EVERY_RULE.values():
        told.setdefault(rule.code, set()).add(rule.outcome)
    assert [code for code, outcomes in told.items() if len(outcomes) > 1] == ["upstream_unavailable"]


def test_a_429_says_when_to_come_back():
    """429 goes out with Retry-After; what may be repeated says when; what may not says nothing."""
    assert offenders(lambda rule: rule.status == 429 and rule.retry_after_s <= 0) == []
    assert offenders(lambda rule: rule.retry_safe != (rule.retry_after_s > 0)) == []


def test_every_rule_says_what_to_do():
    """The hint is shown to people: present, one line, no full stop of its own."""
    assert offenders(lambda rule: not rule.hint or "\n" in rule.hint or rule.hint.endswith(".")) == []


@pytest.mark.parametrize(
    ("code", "outcome", "retry_safe"),
    [
        ("RequestLimitExceeded", REFUSED, True),
        ("FailedOperation.ServiceNotAvailable", REFUSED, True),
        ("FailedOperation.TemporaryBlocked", REFUSED, True),
        ("FailedOperation.FrequencyLimit", REFUSED, True),
        ("InternalError", UNKNOWN, False),
        ("InternalError.QueryDataBaseFailed", UNKNOWN, False),
        ("ServiceUnavailable", UNKNOWN, False),
        ("FailedOperation.SendEmailErr", UNKNOWN, False),
        ("FailedOperation.EmailAddrInBlacklist", REFUSED, False),
    ],
)
def test_the_codes_that_decide_whether_a_mail_is_sent_twice(code: str, outcome: str, retry_safe: bool):  # noqa: FBT001
    """SES has no idempotency key: these rows are what stands between a retry and a second mail."""
    rule = errors.rule_for(code)
    assert (rule.outcome, rule.retry_safe) == (outcome, retry_safe)


@pytest.mark.parametrize(
    ("code", "like"),
    [
        ("AuthFailure.SomethingNew", "AuthFailure"),
        ("RequestLimitExceeded.SomethingNew", "RequestLimitExceeded"),
        ("FailedOperation.SomethingNew", "FailedOperation"),
        ("InvalidParameterValue.SomethingNew", "InvalidParameterValue"),
    ],
)
def test_a_new_code_is_taken_for_its_family(code: str, like: str):
    """Families are older than their members."""
    assert errors.rule_for(code) is RULES[like]


@given(st.text())
def test_any_code_at_all_has_a_rule_and_what_nobody_knows_is_uncertain(code: str):
    """rule_for never raises; a code of no known family may have taken effect."""
    rule = errors.rule_for(code)
    assert isinstance(rule, Rule)
    if code.partition(".")[0] not in RULES and code not in RULES:
        assert rule is UNLISTED
        assert rule.outcome == UNKNOWN


@given(st.integers())
def test_any_sendcloud_code_has_a_rule(code: int):
    """408xx are faults of the mail's parameters, 50000 the throttle, what nobody knows is uncertain."""
    rule = errors.sendcloud_rule_for(code)
    assert (rule is UNLISTED) == (code not in SENDCLOUD_RULES and not 40801 <= code <= 40870)


def test_raising_keeps_the_upstream_words_but_does_not_print_them():
    """An upstream's message may quote an address, so it is no part of ``str()``; code and request id are."""
    cause = ValueError("below")
    with pytest.raises(errors.UpstreamRefused) as caught:
        errors.raise_for(
            RULES["FailedOperation.IncorrectEmail"], code="X.Y", message="a@b.example", request_id="id-1", cause=cause
        )
    error = caught.value
    assert (error.code, error.message, error.request_id) == ("X.Y", "a@b.example", "id-1")
    assert error.__cause__ is cause
    assert str(error) == "X.Y (recipient_invalid, request id-1)"
    with pytest.raises(errors.UpstreamUncertain, match=r"^Z \(upstream_unlisted, request without id\)$"):
        errors.raise_for(UNLISTED, code="Z")
