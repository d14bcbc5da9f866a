"""The trigger events under ``events/``: listed in their README, and shaped as their platform shapes them."""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict

import pytest

from tests.event_files import EVENTS, FUNCTIONS, function_of, iter_events, load_event, read_http, shape_and_case

ALL = {path: event for function in FUNCTIONS for path, event in iter_events(function)}
HTTP = {path: event for path, event in ALL.items() if path.startswith(("send/", "webhook/"))}

APIGW = {
    "requestContext", "headers", "body", "pathParameters", "queryStringParameters", "headerParameters",
    "stageVariables", "path", "queryString", "httpMethod",
}  # fmt: skip
APIGW_CONTEXT = {"serviceId", "path", "httpMethod", "requestId", "identity", "sourceIp", "stage"}
FUNCTION_URL = {"body", "headers", "httpMethod", "path", "queryString"}
CLB_HEADERS = {
    "Host", "User-Agent", "X-Stgw-Time", "X-Client-Proto", "X-Forwarded-Proto", "X-Client-Proto-Ver", "X-Real-IP",
    "X-Forwarded-For", "X-Vip", "X-Vport", "X-Uri", "X-Method", "X-Real-Port",
}  # fmt: skip
CLB_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
AS_DUMPED = "send/apigw-template-as-dumped.json"
TWO_FIELDS = "send/clb-template-two-fields.json"


def of(*shapes: str) -> list[str]:
    """Paths of the HTTP events of ``shapes``."""
    return [path for path in HTTP if shape_and_case(path)[0] in shapes]


# --- the files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ALL)
def test_a_file_holds_one_event_in_the_one_layout(path: str) -> None:
    """Two blanks, one newline at the end, text as it is: a diff shows what changed and no more."""
    event = load_event(path)
    assert (EVENTS / path).read_text(encoding="utf-8") == json.dumps(event, indent=2, ensure_ascii=False) + "\n"
    shape, case = shape_and_case(path)
    assert (shape == "timer") is path.startswith(("snapshot/", "report/"))
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", case)


def test_the_readme_lists_every_file_and_no_other() -> None:
    """The table and the folders cannot drift apart; a row stands under the folder of its files."""
    listed = []
    function = ""
    for line in (EVENTS / "README.md").read_text(encoding="utf-8").splitlines():
        function = line.removeprefix("## ").rstrip("/") if line.startswith("## ") else function
        first_cell = line.split("|")[1] if line.startswith("|") else ""
        listed += [f"{function}/{name}" for name in re.findall(r"`([a-z0-9-]+\.json)`", first_cell)]
    assert sorted(listed) == sorted(ALL)
    stray = [path for path in EVENTS.rglob("*") if path.is_file() and path.relative_to(EVENTS).as_posix() not in ALL]
    assert [path.name for path in stray] == ["README.md"]


def test_every_source_that_a_row_names_is_in_the_table_of_sources() -> None:
    """No origin is a dangling letter."""
    rows = [
        line.strip("| \n").split(" | ")
        for line in (EVENTS / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and not line.startswith("|-")
    ]
    known = {row[0] for row in rows if len(row) in {2, 3} and re.fullmatch(r"[A-Z]+\d*", row[0])}
    cases = [row for row in rows if len(row) == 5 and ".json" in row[0]]
    assert cases
    for row in cases:
        assert set(row[3].split()) <= known, row


def test_a_missing_function_is_an_error_and_not_an_empty_loop() -> None:
    """A test that iterates over nothing would pass."""
    with pytest.raises(ValueError, match="no events"):
        next(iter_events("nothing"))


# --- the shapes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", of("apigw"))
def test_an_api_gateway_event_has_exactly_the_documented_fields(path: str) -> None:
    """https://cloud.tencent.com/document/product/583/12513; Base64 adds one field, a real dump lacks two."""
    event = ALL[path]
    dumped = path == AS_DUMPED
    context = event["requestContext"]
    assert set(event) - {"isBase64Encoded"} == (APIGW - {"stageVariables"} if dumped else APIGW)
    assert set(context) == (APIGW_CONTEXT - {"requestId"} if dumped else APIGW_CONTEXT)
    assert isinstance(event["body"], str)
    assert event.get("isBase64Encoded", True) is True
    assert context["httpMethod"] in {"ANY", event["httpMethod"]}
    assert event["path"] == context["path"].format(**event["pathParameters"])
    assert event["queryStringParameters"].items() <= event["queryString"].items()


@pytest.mark.parametrize("path", of("function-url", "function-url-compatible"))
def test_a_function_url_event_has_exactly_the_documented_fields(path: str) -> None:
    """https://cloud.tencent.com/document/product/583/96099: lower-case headers, the client's address in one of them."""
    event = ALL[path]
    compatible = {"requestContext", "isBase64Encoded"} if "compatible" in path else set()
    assert set(event) == FUNCTION_URL | compatible
    assert all(name == name.lower() for name in event["headers"])
    assert event["headers"]["x-scf-remote-addr"] == "203.0.113.9"
    body = read_http(path).body
    assert int(event["headers"]["content-length"]) == len(body)


@pytest.mark.parametrize("path", of("clb"))
def test_a_load_balancer_event_has_exactly_the_documented_fields(path: str) -> None:
    """https://www.tencentcloud.com/document/product/583/39849: JSON parsed, text as it is, anything else in Base64."""
    event = ALL[path]
    assert set(event) == {"headers", "payload"} | (set() if path == TWO_FIELDS else {"isBase64Encoded"})
    assert {name.lower() for name in CLB_HEADERS} <= {name.lower() for name in event["headers"]}
    flag, payload = event.get("isBase64Encoded", "false"), event["payload"]
    assert flag in {"true", "false"}
    content_type = read_http(path).headers.get("content-type", "")
    assert flag == ("false" if payload == "" or content_type.startswith(CLB_TEXT_TYPES) else "true")
    if flag == "true":
        assert base64.b64encode(base64.b64decode(payload, validate=True)).decode() == payload


@pytest.mark.parametrize("path", [path for path in ALL if path not in HTTP])
def test_a_timer_event_has_exactly_the_documented_fields(path: str) -> None:
    """https://www.tencentcloud.com/document/product/583/9708: time in UTC, a message of at most 4 KB."""
    event = ALL[path]
    assert list(event) == ["Type", "TriggerName", "Time", "Message"]
    assert event["Type"] == "Timer"
    assert event["TriggerName"] == {"snapshot": "snapshot_often", "report": "report_hourly"}[function_of(path)]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["Time"])
    assert len(event["Message"].encode()) <= 4096


def test_a_case_is_the_same_request_in_every_shape() -> None:
    """Method, path, key and content agree, so a handler must answer them alike."""
    cases = defaultdict(list)
    for path in HTTP:
        cases[function_of(path), shape_and_case(path)[1]].append(path)
    for paths in cases.values():
        requests = [read_http(path) for path in paths]
        assert len({(r.method, r.path) for r in requests}) == 1, paths
        for header in ("authorization", "idempotency-key"):
            assert len({r.headers.get(header) for r in requests}) == 1, paths
        assert all(r.meaning == requests[0].meaning for r in requests), paths
    shapes = {frozenset(shape_and_case(path)[0] for path in paths) for paths in cases.values()}
    assert frozenset({"apigw", "function-url", "clb"}) in shapes
