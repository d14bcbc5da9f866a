"""The control plane under /_local and the page at /."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.server import LocalServer
from localcloud.when import parse_iso
from tests.contract.doors_project import call, signed_mail, write_project

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with LocalServer(code_root=write_project(tmp_path_factory.mktemp("code"))) as running:
        yield running


@pytest.fixture(autouse=True)
def _born_again(server: LocalServer) -> None:
    assert call(f"{server.url}/_local/reset", "POST").status == 200


def post(server: LocalServer, path: str, body: Any) -> Any:
    return call(f"{server.url}/_local/{path}", "POST", body)


def test_the_clock_moves_by_and_to_and_says_where_it_is(server: LocalServer) -> None:
    before = server.cloud.clock.now()
    assert parse_iso(post(server, "clock", {"advance_s": 86400}).json["now"]) == pytest.approx(before + 86400, abs=3)
    assert post(server, "clock", {"now": "2026-11-21T00:00:00Z"}).json["now"].startswith("2026-11-21T00:00:0")
    assert post(server, "clock", {"now": "2026-11-21T08:00:00+08:00"}).json["now"].startswith("2026-11-21T00:00:0")
    assert call(f"{server.url}/_local/clock").json["now"].startswith("2026-11-21T00:00:0")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"advance_s": 1, "now": "2026-11-21T00:00:00Z"}, ""),
        ([], ""),
        ({"advance_s": "1"}, "advance_s"),
        ({"advance_s": 1e300}, "advance_s"),
        ({"now": "2026-11-21T00:00:00"}, "now"),
        ({"now": "yesterday"}, "now"),
        ({"now": 5}, "now"),
        ({"then": 5}, "then"),
    ],
)
def test_a_clock_that_cannot_be_set_is_a_problem_that_names_the_field(
    server: LocalServer, body: Any, field: str
) -> None:
    answer = post(server, "clock", body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert field in [error["field"] for error in answer.json["errors"]]


def test_what_is_not_json_is_a_problem(server: LocalServer) -> None:
    answer = post(server, "faults", b"{")
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")


def test_messages_are_newest_first_and_limited(server: LocalServer) -> None:
    for index in range(3):
        body, headers = signed_mail(f"127.0.0.1:{server.ports.ses}", time.time(), to=f"a{index}@example.com")
        call(f"{server.ses_url}/", "POST", body, headers)
    found = call(f"{server.url}/_local/messages?limit=2").json
    assert [message["to"] for message in found] == [["a2@example.com"], ["a1@example.com"]]
    assert call(f"{server.url}/_local/messages?limit=0").status == 400
    assert call(f"{server.url}/_local/messages?limit=x").json["errors"][0]["field"] == "limit"


def test_the_page_lists_mails_escaped_and_the_ways_on(server: LocalServer) -> None:
    host = f"127.0.0.1:{server.ports.ses}"
    body, headers = signed_mail(host, time.time(), to="a@example.com")
    call(f"{server.ses_url}/", "POST", body, headers)
    page = call(f"{server.url}/")
    assert page.headers["content-type"].startswith("text/html")
    assert "a@example.com" in page.body.decode()
    assert 'href="/_local/messages"' in page.body.decode()
    assert "echo_timer" in page.body.decode()


def test_reset_brings_everything_back_to_birth(server: LocalServer) -> None:
    body, headers = signed_mail(f"127.0.0.1:{server.ports.ses}", time.time())
    call(f"{server.ses_url}/", "POST", body, headers)
    post(server, "clock", {"advance_s": 1e6})
    post(server, "faults", {"service": "cos", "kind": "list_lag", "seconds": 9})
    assert post(server, "reset", None).status == 200
    assert call(f"{server.url}/_local/messages").json == []
    assert call(f"{server.url}/_local/callbacks").json == []
    assert call(f"{server.url}/_local/faults").json == []
    assert (server.cloud.cos.list_lag_s, server.cloud.clock.offset_s) == (0.0, pytest.approx(0, abs=1e-6))


def test_seed_makes_the_same_day_for_the_same_seed(server: LocalServer) -> None:
    asked = {"day": "2026-11-20", "messages": 40, "tasks": 5, "sendcloud": 10, "seed": 7}
    first = post(server, "seed", asked).json
    post(server, "reset", None)
    assert post(server, "seed", asked).json == first
    assert set(first) == {"ses", "sendcloud"}


def test_every_problem_of_a_seed_is_named_at_once(server: LocalServer) -> None:
    answer = post(server, "seed", {"day": "20-11-2026", "messages": -1, "tasks": "5", "mails": 1})
    assert {error["field"] for error in answer.json["errors"]} == {"day", "messages", "tasks", "mails"}


def test_a_timer_fires_now_by_its_functions_name_and_answers_what_it_returned(server: LocalServer) -> None:
    post(server, "clock", {"now": "2026-11-21T00:00:00Z"})
    answer = post(server, "timers/echo", None)
    seen = json.loads(answer.json["body"])
    assert seen["event"]["Type"] == "Timer"
    assert seen["event"]["TriggerName"] == "echo_timer"
    assert seen["event"]["Time"].startswith("2026-11-21T00:00:0")
    assert seen["event"]["Message"] == "from-yml"
    changed = post(server, "timers/echo_timer", {"message": "mine", "time_limit_s": 900})
    seen = json.loads(changed.json["body"])
    assert (seen["event"]["Message"], seen["context"]["time_limit_in_ms"]) == ("mine", 900_000)


def test_a_timer_that_fails_or_is_not_there_says_so(server: LocalServer) -> None:
    assert (post(server, "timers/raising", None).status, post(server, "timers/raising", None).json["errorCode"]) == (
        500,
        -1,
    )
    missing = post(server, "timers/nothing", None)
    assert (missing.status, "echo_timer" in missing.json["detail"]) == (404, True)
    assert post(server, "timers/echo", {"time_limit_s": 901, "message": 5}).json["errors"][1]["field"] == "time_limit_s"


def test_an_unknown_control_path_is_404_and_a_wrong_method_405(server: LocalServer) -> None:
    assert call(f"{server.url}/_local/nothing").status == 404
    assert call(f"{server.url}/_local/reset").status == 405
