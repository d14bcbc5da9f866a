"""Three triggers, one request; and answers that all three take."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.edge.http_event import HttpRequest, Problem, bearer_token, json_reply, parse_http_event, problem_reply

CONTEXT = {"request_id": "11111111-2222-3333-4444-555555555555"}
BODY = '{"subject":"café 验证码","n":[1,2.5,null]}'
WANTED = HttpRequest(
    method="POST",
    path="/send/order 42",
    query={"dry": "1", "tag": "a b"},
    headers={"content-type": "application/json", "authorization": "Bearer key"},
    body=BODY.encode(),
    client_ip="203.0.113.9",
    request_id=CONTEXT["request_id"],
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.sampled_from(["true", "e30=", "//[", "http://[::1", "a=1&b", "POST"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = (
    "headers httpMethod path queryString queryStringParameters requestContext body payload isBase64Encoded pathParameters"
).split()
HEADERS = st.dictionaries(
    st.sampled_from(["X-Method", "X-Uri", "X-Scf-Remote-Addr", "x-real-ip", "Authorization", "a"]),
    JSON_VALUES,
    max_size=4,
)
EVENTS = st.dictionaries(st.sampled_from(MEMBERS), JSON_VALUES | HEADERS, max_size=6)


def api_gateway(**changes: Any) -> dict[str, Any]:
    """Headers in the sender's case, the client in requestContext."""
    return {
        "requestContext": {"sourceIp": "203.0.113.9", "httpMethod": "POST", "stage": "release", "requestId": "gw-1"},
        "headers": {"Content-Type": "application/json", "Authorization": "Bearer key"},
        "body": BODY,
        "pathParameters": {},
        "queryStringParameters": {},
        "queryString": {"dry": "1", "tag": "a b"},
        "path": "/send/order%2042",
        "httpMethod": "POST",
        "isBase64Encoded": False,
        **changes,
    }


def function_url(**changes: Any) -> dict[str, Any]:
    """Lower-case headers, no requestContext, the client in a header."""
    headers = {"content-type": "application/json", "authorization": "Bearer key", "x-scf-remote-addr": "203.0.113.9"}
    event = {"headers": headers, "body": BODY, "queryString": "dry=1&tag=a+b"}
    return {**event, "path": "/send/order%2042", "httpMethod": "POST", **changes}


def clb(**changes: Any) -> dict[str, Any]:
    """Payload parsed, base64 as a string, method and path in headers."""
    headers = {"Content-Type": "application/json", "Authorization": "Bearer key", "X-Real-Ip": "203.0.113.9"}
    headers |= {"X-Method": "POST", "X-Uri": "/send/order%2042?dry=1&tag=a+b"}
    return {"headers": headers, "payload": json.loads(BODY), "isBase64Encoded": "false", **changes}


def test_the_three_shapes_are_one_request():
    """Same method, path, query, headers, body, client; the headers that only one trigger adds apart."""
    for event in (api_gateway(), function_url(), clb()):
        got = parse_http_event(event, CONTEXT)
        own = ("x-scf-remote-addr", "x-real-ip", "x-method", "x-uri")
        body = json.loads(got.body)
        assert body == json.loads(BODY)
        headers = {name: value for name, value in got.headers.items() if name not in own}
        assert got._replace(headers=headers, body=WANTED.body) == WANTED
    assert parse_http_event(api_gateway(), CONTEXT).body == WANTED.body
    assert parse_http_event(function_url(), CONTEXT).body == WANTED.body


@pytest.mark.parametrize("said", [True, "true", "True"])
def test_a_base64_body_is_decoded(said: Any):
    """API gateway says true, CLB says "true"."""
    raw = bytes(range(256))
    content = base64.b64encode(raw).decode()
    assert parse_http_event(api_gateway(body=content, isBase64Encoded=said), CONTEXT).body == raw
    assert parse_http_event(clb(payload=content, isBase64Encoded=said), CONTEXT).body == raw


@pytest.mark.parametrize("said", [False, "false", "False", None, "", 0])
def test_a_body_that_is_not_base64_is_text(said: Any):
    """CLB's "false" is true to Python."""
    assert parse_http_event(api_gateway(body="e30=", isBase64Encoded=said), CONTEXT).body == b"e30="


@pytest.mark.parametrize("content", ["not base64!", "e30", "é", "e3 0="])
def test_a_body_that_only_claims_to_be_base64_is_a_problem(content: str):
    """400, without a word of the body."""
    with pytest.raises(Problem) as caught:
        parse_http_event(api_gateway(body=content, isBase64Encoded=True), CONTEXT)
    assert (caught.value.status, caught.value.code) == (400, "invalid_body")
    assert content not in caught.value.detail


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ({"a": "é"}, '{"a": "é"}'.encode()),
        ([1, None], b"[1, null]"),
        ("text", b"text"),
        (None, b""),
        (7, b"7"),
        ("", b""),
    ],
)
def test_a_payload_in_whatever_form_clb_hands_it_over(payload: Any, body: bytes):
    """Parsed JSON is written again; text is itself."""
    assert parse_http_event(clb(payload=payload), CONTEXT).body == body


def test_half_a_surrogate_pair_survives_as_what_it_was():
    """In parsed JSON as an escape, in text as its three bytes: neither breaks the function."""
    assert json.loads(parse_http_event(clb(payload={"a": "\ud800"}), CONTEXT).body) == {"a": "\ud800"}
    assert parse_http_event(api_gateway(body="\ud800"), CONTEXT).body == b"\xed\xa0\x80"


def test_a_payload_too_deep_to_write_is_a_problem():
    """A stranger's nesting is not a crash."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Problem, match="invalid_body"):
        parse_http_event({"payload": deep}, CONTEXT)
    while deep:  # taken apart by hand: freeing it in one go would recurse
        deep = deep.pop()


def test_header_names_are_lower_case_and_lists_are_joined():
    """Any case, one value or several."""
    event = api_gateway(headers={"X-FORWARDED-For": ["a", "b"], "aCCEPT": "x", "Odd": None, "Number": 7})
    assert parse_http_event(event, CONTEXT).headers == {
        "x-forwarded-for": "a, b",
        "accept": "x",
        "odd": "",
        "number": "7",
    }


@pytest.mark.parametrize(
    ("changes", "query"),
    [
        ({"queryString": {"a": "1", "b": ""}}, {"a": "1", "b": ""}),
        ({"queryString": {"a": ["1", "2"]}}, {"a": "1, 2"}),
        ({"queryString": "a=1&b=&c=%E4%B8%AD"}, {"a": "1", "b": "", "c": "中"}),
        ({"queryString": {}, "queryStringParameters": {"a": "1"}}, {"a": "1"}),
        ({"queryString": None, "headers": {"X-Uri": "/x?a=1"}}, {"a": "1"}),
        ({"queryString": [1, 2]}, {}),
        ({"queryString": None}, {}),
    ],
)
def test_the_query_in_every_form(changes: dict[str, Any], query: dict[str, str]):
    """An object or a string; declared parameters where nothing else is told."""
    assert parse_http_event(api_gateway(**changes), CONTEXT).query == query


def test_what_the_platform_says_goes_before_what_a_header_says():
    """A caller cannot choose its method, path or address by sending headers."""
    forged = {"X-Method": "GET", "X-Uri": "/webhook/ses/x", "X-Scf-Remote-Addr": "192.0.2.1", "X-Real-Ip": "192.0.2.1"}
    got = parse_http_event(api_gateway(headers=forged), CONTEXT)
    assert (got.method, got.path, got.client_ip) == ("POST", "/send/order 42", "203.0.113.9")


def test_of_an_empty_event_a_request_is_made():
    """Method by the body, path /, the rest empty; the request id from wherever it is."""
    assert parse_http_event({}, {}) == HttpRequest("GET", "/", {}, {}, b"", "", "")
    assert parse_http_event({"body": "x"}, {}).method == "POST"
    assert parse_http_event({"requestContext": {"requestId": "gw-1"}}, {}).request_id == "gw-1"


@pytest.mark.parametrize("event", [None, [], "text", 7])
def test_an_event_that_is_no_object_is_a_problem(event: Any):
    """Somebody invoked the function by hand."""
    with pytest.raises(Problem, match="invalid_event"):
        parse_http_event(event, CONTEXT)


@given(EVENTS | JSON_VALUES)
@example({"headers": {"X-Uri": "//["}})
@example({"headers": [], "requestContext": "x", "queryString": 7})
def test_any_event_is_a_request_or_a_problem(event: Any):
    """Nothing else escapes; what comes out has the promised types."""
    try:
        got = parse_http_event(event, CONTEXT)
    except Problem as problem:
        assert problem.status == 400  # noqa: PT017 - either outcome is right
        return
    assert isinstance(got.body, bytes)
    assert all(isinstance(text, str) for text in (got.method, got.path, got.client_ip, got.request_id))
    for pairs in (got.query, got.headers):
        assert all(isinstance(name, str) and isinstance(value, str) for name, value in pairs.items())
    assert all(name == name.lower() for name in got.headers)
    assert isinstance(got.segments_after("send"), list | None)
    assert isinstance(bearer_token(got), str)


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/send", []),
        ("/send/", []),
        ("/send/order%2042", ["order 42"]),
        ("/release/send/a/b", ["a", "b"]),
        ("/sender/x", None),
        ("/", None),
    ],
)
def test_segments_after_a_name(path: str, segments: list[str] | None):
    """A stage or a prefix before it does not matter."""
    assert parse_http_event({"path": path}, CONTEXT).segments_after("send") == segments


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("BEARER abc", "abc"),
        ("Basic abc", ""),
        ("Bearer", ""),
        ("abc", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_bearer_tokens(header: str | None, token: str):
    """The scheme in any case; another scheme is no token."""
    headers = {} if header is None else {"Authorization": header}
    assert bearer_token(parse_http_event({"headers": headers}, CONTEXT)) == token


def test_a_reply_is_what_all_triggers_take():
    """A string as body, own headers beside the usual ones, nothing to be cached."""
    reply = json_reply(202, {"message_id": "m", "word": "中"}, {"X-Own": "1"})
    assert reply["statusCode"] == 202
    assert reply["isBase64Encoded"] is False
    assert reply["headers"] == {
        "Content-Type": "application/json; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Own": "1",
    }
    assert reply["body"] == '{"message_id": "m", "word": "中"}'


def test_a_reply_can_always_be_written_to_the_wire():
    """A name quoted from the input may hold half a surrogate pair."""
    reply = json_reply(400, {"field": "\ud800", "word": "中"})
    reply["body"].encode()
    assert json.loads(reply["body"]) == {"field": "\ud800", "word": "中"}


def test_a_problem_has_the_members_of_rfc_9457_and_ours():
    """Type, title, status, detail; code, retry_safe, request_id; the list of what is wrong; further members."""
    errors = [{"field": "to", "problem": "is missing"}]
    extra = {"upstream": {"code": "X", "request_id": "u-1"}, "outcome": "unknown"}
    problem = Problem(429, "rate_limited", "slow down", retry_safe=True, retry_after_s=60, errors=errors, extra=extra)
    reply = problem_reply(problem, "id-1")
    assert reply["statusCode"] == 429
    assert reply["headers"]["Content-Type"] == "application/problem+json; charset=utf-8"
    assert reply["headers"]["Retry-After"] == "60"
    assert json.loads(reply["body"]) == {
        "type": "urn:mailtrail:problem:rate_limited",
        "title": "Rate limited",
        "status": 429,
        "detail": "slow down",
        "code": "rate_limited",
        "retry_safe": True,
        "request_id": "id-1",
        "errors": errors,
        **extra,
    }


def test_a_plain_problem_has_no_more_than_it_says():
    """No Retry-After, no empty list; not safe to repeat unless it says so; its text is its code."""
    problem = Problem(401, "unauthorized", "give a key")
    reply = problem_reply(problem, "")
    assert "Retry-After" not in reply["headers"]
    assert set(json.loads(reply["body"])) == {"type", "title", "status", "detail", "code", "retry_safe", "request_id"}
    assert json.loads(reply["body"])["retry_safe"] is False
    assert str(problem) == "unauthorized"
