"""An upstream's answer is content or one of our errors; there is nothing else, whatever the bytes."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.upstream.envelope import decipher_response, decipher_sendcloud, read_rows, read_total
from shared.upstream.errors import NOT_JSON, UNLISTED, UpstreamError, UpstreamRefused, UpstreamUncertain

SAMPLES = Path(__file__).parents[1] / "samples"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["200", "501", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=4)
            | st.sampled_from(
                ["Response", "Error", "Code", "RequestId", "result", "statusCode", "statuscode", "info", "message"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
NOT_THE_API = [
    b"",
    b"<html><body>502 Bad Gateway</body></html>",
    b"  \r\n<!DOCTYPE html>",
    b'{"Response": {"MessageId": "qcloud',
    b"null",
    b"[]",
    b'"Response"',
    b"{}",
    b'{"Response": null}',
    b'{"Response": []}',
    b'{"Response": "ok"}',
    b'{"response": {"RequestId": "x"}}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
]


def error_of(code: str, message: str = "no", request_id: str = "id-1") -> bytes:
    """Build the failure envelope."""
    return json.dumps({"Response": {"Error": {"Code": code, "Message": message}, "RequestId": request_id}}).encode()


def test_a_failure_comes_as_http_200():
    """API 3.0 answers failures as HTTP 200 with Response.Error; code, message and request id are kept."""
    with pytest.raises(UpstreamRefused) as caught:
        decipher_response(200, error_of("FailedOperation.FrequencyLimit", "too many to a@b.example"))
    error = caught.value
    assert (error.rule.status, error.rule.code, error.request_id) == (429, "recipient_rate_limited", "id-1")
    assert error.message == "too many to a@b.example"


@pytest.mark.parametrize("status", [200, 400, 403, 500, 502])
def test_the_status_of_a_failure_does_not_matter(status: int):
    """The code decides, whatever HTTP says."""
    with pytest.raises(UpstreamUncertain, match="InternalError"):
        decipher_response(status, error_of("InternalError"))


@pytest.mark.parametrize("name", sorted((SAMPLES / "ses").glob("*.response.json")), ids=lambda path: path.name)
def test_every_sample_of_the_vendor_is_content(name: Path):
    """What the pages print as an answer is one."""
    answer = json.loads(name.read_bytes())
    assert decipher_response(200, name.read_bytes()) == answer["Response"]


@pytest.mark.parametrize("body", NOT_THE_API, ids=lambda body: repr(body[:24]))
def test_what_is_not_the_api_is_uncertain(body: bytes):
    """A proxy's page, a cut answer, JSON of another shape: the request may have taken effect."""
    for decipher in (decipher_response, decipher_sendcloud):
        with pytest.raises(UpstreamUncertain) as caught:
            decipher(502, body)
        assert caught.value.rule is NOT_JSON
        assert caught.value.code == ("http_502_html" if body.lstrip()[:1] == b"<" else "http_502_not_json")


@pytest.mark.parametrize("error", [{}, [], "no", 0, {"Code": None}, {"Message": "no code"}])
def test_an_error_without_a_code_is_uncertain(error: Any):
    """An Error member of any shape is a failure, never content."""
    with pytest.raises(UpstreamUncertain) as caught:
        decipher_response(200, json.dumps({"Response": {"Error": error, "RequestId": None}}).encode())
    assert caught.value.rule is UNLISTED
    assert (caught.value.code, caught.value.request_id) == ("", "")


@given(st.integers(100, 599), st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_content_or_one_of_our_errors(status: int, body: bytes):
    """Nothing else escapes, so that no handler needs an except for it."""
    for decipher in (decipher_response, decipher_sendcloud):
        with contextlib.suppress(UpstreamError):
            assert isinstance(decipher(status, body), dict)


@given(JSON_VALUES, JSON_VALUES, JSON_VALUES)
def test_any_members_of_the_envelopes_are_content_or_one_of_our_errors(first: Any, second: Any, third: Any):
    """The envelopes' own members, filled with anything."""
    test_any_bytes_are_content_or_one_of_our_errors.hypothesis.inner_test(  # type: ignore[attr-defined]
        200, json.dumps({"Response": {"Error": first, "RequestId": second}, "result": third, "info": second}).encode()
    )
    test_any_bytes_are_content_or_one_of_our_errors.hypothesis.inner_test(  # type: ignore[attr-defined]
        200, json.dumps({"result": True, "statusCode": first, "info": third}).encode()
    )


def test_sendcloud_content_is_its_info():
    """The sample of the vendor's page."""
    info = decipher_sendcloud(200, (SAMPLES / "sendcloud" / "email-status.response.json").read_bytes())
    assert info["total"] == "2"
    assert len(info["voList"]) == 2


def test_sendcloud_throttle_spells_its_code_in_lower_case():
    """``statuscode`` 50000 is the throttle: refused, safe to repeat after a minute."""
    with pytest.raises(UpstreamRefused) as caught:
        decipher_sendcloud(200, (SAMPLES / "sendcloud" / "email-status-throttled.response.json").read_bytes())
    rule = caught.value.rule
    assert (rule.code, rule.status, rule.retry_safe, rule.retry_after_s) == ("rate_limited", 429, True, 60)
    assert caught.value.message == "interface frequency is limited"


@pytest.mark.parametrize("result", [False, None, "true", 1])
def test_sendcloud_is_believed_only_when_its_result_is_true(result: Any):
    """A failure may come with HTTP 200 and any statusCode."""
    with pytest.raises(UpstreamRefused, match="40005"):
        decipher_sendcloud(200, json.dumps({"result": result, "statusCode": 40005, "message": "认证失败"}).encode())
    with pytest.raises(UpstreamUncertain):
        decipher_sendcloud(200, json.dumps({"result": result, "statusCode": 200}).encode())


def test_sendcloud_info_may_be_absent_but_not_of_another_shape():
    """No info is empty; an info that is a list cannot be read."""
    assert decipher_sendcloud(200, b'{"result": true, "statusCode": 200}') == {}
    assert decipher_sendcloud(200, b'{"result": true, "statusCode": "200", "info": null}') == {}
    for info in ("[1]", '"text"', "7"):
        with pytest.raises(UpstreamUncertain, match="not_json"):
            decipher_sendcloud(200, f'{{"result": true, "statusCode": 200, "info": {info}}}'.encode())


def test_a_status_code_beyond_all_numbers_is_no_crash():
    """``1e999`` is infinity to Python, which no int holds."""
    with pytest.raises(UpstreamUncertain):
        decipher_sendcloud(200, b'{"result": true, "statusCode": 1e999}')


def test_rows_are_a_list_of_objects_or_an_error():
    """A page that cannot be read must not pass for the empty page that ends a day."""
    assert read_rows({"Data": [{"a": 1}]}, "Data") == [{"a": 1}]
    assert read_rows({"Data": None}, "Data") == read_rows({}, "Data") == []
    assert read_rows({"dataList": [{"a": 1}]}, "voList", "dataList") == [{"a": 1}]
    for rows in ("abc", {"a": 1}, 7, [1], [None]):
        with pytest.raises(UpstreamUncertain, match="rows_unreadable"):
            read_rows({"Data": rows}, "Data")


def test_a_total_is_a_number_or_digits():
    """SendCloud's total is a string."""
    assert [read_total({"total": total}, "total") for total in ("2", 2, None, "")] == [2, 2, 0, 0]
    for total in ("many", [1], float("inf")):
        with pytest.raises(UpstreamUncertain, match="total_unreadable"):
            read_total({"total": total}, "total")
