"""The gateway's event shapes, replies, routes and cron, held against the sample events and the documented forms."""

from __future__ import annotations

import base64
import calendar
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.exchange import Request
from localcloud.gateway.events import SHAPES, Incoming, build_timer_event
from localcloud.gateway.project import load_project
from localcloud.gateway.replies import build_reply
from localcloud.gateway.runtime import Outcome, platform_answer
from localcloud.gateway.timers import Schedule, next_time
from localcloud.problems import Invalid
from shared.edge.http_event import parse_http_event

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
JSON = {"content-type": "application/json", "host": "h", "user-agent": "curl/8.5.0", "accept": "*/*"}


def incoming(
    body: bytes = b"", *, method: str = "POST", path: str = "/send", query: str = "", **headers: str
) -> Incoming:
    request = Request(method, "h", path, query, {**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}}, body)
    return Incoming(request, "/send", {}, "req-1", ("203.0.113.9", 44347), 9000, 1795161600.774)


@pytest.mark.parametrize("shape", SHAPES)
def test_event_has_the_members_of_the_sample_event(shape: str) -> None:
    sample = json.loads((EVENTS / "send" / f"{shape}-template.json").read_text())
    event = SHAPES[shape](incoming(b'{"a": 1}', authorization="Bearer k"))
    assert set(event) == set(sample)
    if "requestContext" in sample:
        assert set(event["requestContext"]) == set(sample["requestContext"])
    added = {name.lower() for name in sample["headers"] if name.lower().startswith("x-")}
    assert added <= {name.lower() for name in event["headers"]}


def test_apigw_body_that_is_not_text_is_base64_and_text_says_nothing_about_it() -> None:
    event = SHAPES["apigw"](incoming(b"\xff\x00"))
    assert (event["isBase64Encoded"], base64.b64decode(event["body"])) == (True, b"\xff\x00")
    assert "isBase64Encoded" not in SHAPES["apigw"](incoming("é".encode()))


def test_apigw_query_string_is_complete_while_undeclared_parameters_are_empty() -> None:
    event = SHAPES["apigw"](incoming(query="a=1&b=x%20y&a=2&c="))
    assert event["queryString"] == {"a": ["1", "2"], "b": "x y", "c": ""}
    assert event["queryStringParameters"] == {}


def test_function_url_headers_are_lower_case_and_carry_the_client() -> None:
    event = SHAPES["function-url"](incoming(b"{}", x_custom="V"))
    assert event["headers"]["x-scf-remote-addr"] == "203.0.113.9"
    assert all(name == name.lower() for name in event["headers"])


@pytest.mark.parametrize(
    ("content_type", "body", "payload", "flag"),
    [
        ("application/json", b'{"k": [1]}', {"k": [1]}, "false"),
        ("application/json; charset=utf-8", b"[]", [], "false"),
        ("application/json", b'{"a":1}\n{"a":2}', '{"a":1}\n{"a":2}', "false"),
        ("application/json", b"\xff", base64.b64encode(b"\xff").decode(), "true"),
        ("text/plain", b"hello", "hello", "false"),
        ("application/xml", b"<a/>", "<a/>", "false"),
        ("application/javascript", b"x()", "x()", "false"),
        ("application/x-www-form-urlencoded", b"a=b", base64.b64encode(b"a=b").decode(), "true"),
        ("application/octet-stream", b"\x00", base64.b64encode(b"\x00").decode(), "true"),
    ],
)
def test_clb_payload_is_parsed_text_or_base64_by_content_type(
    content_type: str, body: bytes, payload: Any, flag: str
) -> None:
    event = SHAPES["clb"](incoming(body, content_type=content_type))
    assert (event["payload"], event["isBase64Encoded"]) == (payload, flag)


def test_clb_headers_tell_path_method_and_client() -> None:
    headers = SHAPES["clb"](incoming(path="/send/a%2Fb", query="x=1", method="PUT", x_forwarded_for="1.2.3.4"))[
        "headers"
    ]
    assert headers["X-Uri"] == "/send/a%2Fb?x=1"
    assert headers["X-Method"] == "PUT"
    assert headers["X-Real-IP"] == "203.0.113.9"
    assert headers["X-Forwarded-For"] == "1.2.3.4, 203.0.113.9"
    assert headers["X-Stgw-Time"] == "1795161600.774"


@given(body=st.binary(max_size=200), media_type=st.sampled_from(["text/plain", "application/octet-stream", "text/xml"]))
@pytest.mark.parametrize("shape", ["apigw", "clb"])
def test_handlers_get_the_very_bytes_back(shape: str, body: bytes, media_type: str) -> None:
    """What API gateway and CLB encode, the product's own reader decodes to the bytes that were sent."""
    event = json.loads(json.dumps(SHAPES[shape](incoming(body, content_type=media_type))))
    request = parse_http_event(event, {"request_id": "r"})
    assert (request.body, request.method, request.path) == (body, "POST", "/send")


def test_timer_event_tells_utc() -> None:
    at = calendar.timegm((2019, 2, 21, 11, 49, 0))
    assert build_timer_event("t", "m", at) == {
        "Type": "Timer",
        "TriggerName": "t",
        "Time": "2019-02-21T11:49:00Z",
        "Message": "m",
    }


def reply(value: Any, shape: str = "apigw") -> tuple[int, list[tuple[str, str]], bytes]:
    return tuple(build_reply(Outcome("r", value), shape))


def test_integrated_response_becomes_status_headers_and_body() -> None:
    value = {"isBase64Encoded": True, "statusCode": 201, "headers": {"A": "1", "B": ["2", "3"]}, "body": "/w=="}
    assert reply(value) == (201, [("A", "1"), ("B", "2"), ("B", "3")], b"\xff")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        {"body": "x"},
        {"statusCode": "200"},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "headers": {"A": 1}},
        {"statusCode": 200, "body": "not base64!", "isBase64Encoded": True},
        {"statusCode": 42},
    ],
)
def test_other_structures_are_answered_by_the_platform(value: Any) -> None:
    status, _, body = reply(value)
    assert status == 500
    assert json.loads(body)["errno"] == 403
    assert json.loads(body)["error"].startswith("Invalid scf response format")


def test_function_url_answers_any_json_without_a_status_as_it_stands() -> None:
    assert reply({"a": 1}, "function-url") == (200, [("Content-Type", "application/json")], b'{"a": 1}')


def test_a_function_that_failed_is_500_and_one_that_timed_out_is_200() -> None:
    """The trap that facts/scf.md §1 describes: a gateway that waits longer than the function relays its timeout as 200."""
    for status_code, status in ((430, 500), (443, 500), (433, 200), (406, 413)):
        answer = build_reply(Outcome("r", error=platform_answer("r", status_code, "m")), "apigw")
        assert answer.status == status
        assert json.loads(answer.body)["errorCode"] == -1


def test_the_real_serverless_yml_routes_every_documented_path() -> None:
    project = load_project(ROOT)
    found = {
        (method, path): (match.function.name, match.parameters) if match else None
        for method, path in (
            ("POST", "/send"),
            ("GET", "/send/key%2F1"),
            ("POST", "/webhook/ses/s3cret"),
            ("GET", "/webhook/sendcloud/s3cret"),
            ("POST", "/webhook/ses/"),
            ("GET", "/elsewhere"),
        )
        for match in [project.find(method, path)]
    }
    assert found == {
        ("POST", "/send"): ("send", {}),
        ("GET", "/send/key%2F1"): ("send", {"key": "key/1"}),
        ("POST", "/webhook/ses/s3cret"): ("webhook", {"secret": "s3cret"}),
        ("GET", "/webhook/sendcloud/s3cret"): ("webhook", {"secret": "s3cret"}),
        ("POST", "/webhook/ses/"): None,
        ("GET", "/elsewhere"): None,
    }
    assert {name: project.find_timer(name)[0].name for name in ("snapshot", "report")} == {
        "snapshot": "snapshot",
        "report": "report",
    }
    assert not any("${" in value for value in project.environment.values())


def test_a_plain_path_wins_over_a_parameter_and_a_method_over_any(tmp_path: Path) -> None:
    routes = {"f": ("/a/{x}", "ANY"), "g": ("/a/b", "ANY"), "h": ("/a/b", "GET")}
    functions = {
        name: {"handler": f"{name}.main", "events": [{"apigw": {"parameters": {"path": path, "httpMethod": method}}}]}
        for name, (path, method) in routes.items()
    }
    (tmp_path / "serverless.yml").write_text(json.dumps({"functions": functions}))
    project = load_project(tmp_path)
    asked = [("GET", "/a/b"), ("PUT", "/a/b"), ("GET", "/a/c"), ("GET", "/a/b/c")]
    found = [project.find(method, path) for method, path in asked]
    assert [match and match.function.name for match in found] == ["h", "g", "f", None]


def test_every_problem_of_a_serverless_yml_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text(
        "functions: {a: {handler: functions/a.main, timeout: 0}, b: {handler: b.main, events: [{apigw: {parameters: {path: x}}}]}}"
    )
    with pytest.raises(Invalid) as caught:
        load_project(tmp_path)
    assert [problem.field for problem in caught.value.problems] == [
        "functions.a.handler",
        "functions.a.timeout",
        "functions.b.events[0].apigw.parameters.path",
    ]


def test_cron_has_seven_fields_and_reads_them_in_the_accounts_zone() -> None:
    at = calendar.timegm((2026, 11, 20, 17, 59, 0))
    assert next_time("0 0 2 * * * *", at) == at + 60  # 02:00 in UTC+8
    assert next_time("*/10 * * * * * *", at) == at + 10
    assert next_time("0 0 2 * * * 2025", at) == float("inf")


class HandClock:
    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


def schedule(tmp_path: Path, cron: str, *, enable: str = "true") -> tuple[HandClock, list[str], Schedule]:
    (tmp_path / "serverless.yml").write_text(
        f"functions: {{f: {{handler: a.b, events: [{{timer: {{name: t, parameters: {{cronExpression: '{cron}', enable: {enable}}}}}}}]}}}}"
    )
    clock, fired = HandClock(calendar.timegm((2026, 11, 20, 0, 0, 30))), []
    return clock, fired, Schedule(load_project(tmp_path), clock, lambda _function, timer: fired.append(timer.name))  # type: ignore[arg-type]


def test_a_jump_over_many_times_fires_a_timer_once(tmp_path: Path) -> None:
    clock, fired, plan = schedule(tmp_path, "0 5 * * * * *")
    assert plan.tick() == 0
    clock.at += 86400 * 3
    assert (plan.tick(), plan.tick(), fired) == (1, 0, ["t"])
    clock.at += 3600
    assert plan.tick() == 1


def test_a_clock_that_is_moved_back_fires_again_from_there(tmp_path: Path) -> None:
    clock, _, plan = schedule(tmp_path, "0 5 * * * * *")
    clock.at += 86400
    assert plan.tick() == 1
    clock.at -= 86400
    assert plan.tick() == 0
    clock.at += 3600
    assert plan.tick() == 1


def test_a_timer_that_is_not_enabled_never_fires(tmp_path: Path) -> None:
    clock, _, plan = schedule(tmp_path, "* * * * * * *", enable="false")
    clock.at += 100
    assert plan.tick() == 0
