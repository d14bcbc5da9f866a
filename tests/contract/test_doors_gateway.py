"""The gateway: functions called as SCF calls them, in every event shape, and callbacks carried to the webhook."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.defaults import APP_ID, BUCKET, REGION, SEND_KEY, WEBHOOK_SECRET
from localcloud.exchange import Request
from localcloud.gateway.events import Incoming, build_clb_event
from localcloud.server import LocalServer
from tests.contract.doors_project import call, signed_mail, write_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with LocalServer(code_root=write_project(tmp_path_factory.mktemp("code"))) as running:
        yield running


def test_every_shape_reaches_the_handler_with_what_was_sent(server: LocalServer) -> None:
    seen = {}
    for shape in ("apigw", "function-url", "clb"):
        answer = call(
            f"{server.url}/echo?q=1",
            "POST",
            b'{"a": 1}',
            {"X-Localcloud-Event": shape, "Content-Type": "application/json"},
        )
        assert (answer.status, answer.headers.get_all("x-many")) == (200, ["1", "2"])
        seen[shape] = answer.json["event"]
    assert (seen["apigw"]["body"], seen["apigw"]["queryString"]) == ('{"a": 1}', {"q": "1"})
    assert seen["apigw"]["requestContext"]["sourceIp"] == "127.0.0.1"
    assert (seen["function-url"]["body"], seen["function-url"]["headers"]["x-scf-remote-addr"]) == (
        '{"a": 1}',
        "127.0.0.1",
    )
    assert (seen["clb"]["payload"], seen["clb"]["headers"]["X-Uri"]) == ({"a": 1}, "/echo?q=1")
    assert not any("localcloud" in name.lower() for event in seen.values() for name in event["headers"])


def test_the_servers_own_shape_is_used_when_a_request_names_none(tmp_path: Path) -> None:
    with LocalServer(code_root=write_project(tmp_path), shape="clb") as running:
        assert set(call(f"{running.url}/echo").json["event"]) == {"headers", "payload", "isBase64Encoded"}


def test_an_unknown_shape_is_refused(server: LocalServer) -> None:
    answer = call(f"{server.url}/echo", headers={"X-Localcloud-Event": "lambda"})
    assert (answer.status, answer.json["code"]) == (400, "invalid_event_shape")
    with pytest.raises(ValueError, match="apigw, function-url, clb"):
        LocalServer(shape="lambda").start()


def test_path_parameters_arrive_decoded_beside_the_declared_and_the_real_path(server: LocalServer) -> None:
    event = call(f"{server.url}/echo/a%2Fb", "POST").json["event"]
    assert event["pathParameters"] == {"name": "a/b"}
    assert (event["path"], event["requestContext"]["path"]) == ("/echo/a%2Fb", "/echo/{name}")


def test_a_path_without_a_function_names_the_routes_there_are(server: LocalServer) -> None:
    answer = call(f"{server.url}/echo/x")  # only POST is declared
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "POST /echo/{name}" in answer.json["detail"]


def test_a_function_url_knows_no_methods(server: LocalServer) -> None:
    answer = call(f"{server.url}/echo/x", "DELETE", headers={"X-Localcloud-Event": "function-url"})
    assert answer.json["event"]["httpMethod"] == "DELETE"


def test_the_context_is_that_of_scf(server: LocalServer) -> None:
    seen = call(f"{server.url}/echo").json
    context: dict[str, Any] = seen["context"]
    assert set(context) == {
        "memory_limit_in_mb", "time_limit_in_ms", "request_id", "environment", "environ", "function_version",
        "function_name", "namespace", "tencentcloud_region", "tencentcloud_appid", "tencentcloud_uin",
    }  # fmt: skip
    assert (context["memory_limit_in_mb"], context["time_limit_in_ms"]) == (256, 10_000)
    assert (context["tencentcloud_region"], context["tencentcloud_appid"]) == (REGION, APP_ID)
    assert json.loads(context["environment"])["SEND_KEYS"] == SEND_KEY
    assert f"SEND_KEYS={SEND_KEY}" in context["environ"].split(";")


def test_the_environment_points_at_our_ports_and_the_moved_clock(server: LocalServer) -> None:
    environ = call(f"{server.url}/echo").json["environ"]
    assert environ["SES_ENDPOINT"] == server.ses_url
    assert environ["COS_ENDPOINT"] == server.cos_url
    assert environ["SENDCLOUD_ENDPOINT"] == f"{server.sendcloud_url}/apiv2"
    assert (environ["MAILTRAIL_BUCKET"], environ["TENCENTCLOUD_RUNENV"]) == (BUCKET, "SCF")
    assert environ["WEBHOOK_SECRETS"].split(",") == [WEBHOOK_SECRET]
    assert (environ["LITERAL"], "PLACEHOLDER" in environ) == ("from-yml", False)
    server.cloud.advance(3600)
    assert float(call(f"{server.url}/echo").json["environ"]["MAILTRAIL_CLOCK_OFFSET_S"]) == pytest.approx(3600)
    server.cloud.advance(-3600)


def test_handlers_are_loaded_once_and_environment_and_modules_are_put_back(tmp_path: Path) -> None:
    before, path = dict(os.environ), list(sys.path)
    with LocalServer(code_root=write_project(tmp_path), environment={"EXTRA": "1"}) as running:
        calls = [call(f"{running.url}/echo").json["calls"] for _ in range(3)]
        assert os.environ["EXTRA"] == "1"
    assert calls == [1, 2, 3]
    assert (dict(os.environ), list(sys.path)) == (before, path)
    assert "scf_echo" not in sys.modules


def test_functions_are_told_which_limits_there_are_not_and_when_there_are_again(tmp_path: Path) -> None:
    with LocalServer(code_root=write_project(tmp_path), ses_rate_per_s=0) as running:
        switches = running.cloud.ses.switches
        told = call(f"{running.url}/echo").json["environ"]
        assert (told["SEND_GUARD"], "SES_HOURLY" in told) == ("rate=off", False)
        switches.update({"requests_per_s": 20, "hourly_per_recipient": 0})
        now = call(f"{running.url}/echo").json["environ"]
        assert ("SEND_GUARD" in now, now["SES_HOURLY"]) == (False, "0")
        assert now["MAILTRAIL_WORLD"] == told["MAILTRAIL_WORLD"]
        running.cloud.reset()
        assert call(f"{running.url}/echo").json["environ"]["MAILTRAIL_WORLD"] != told["MAILTRAIL_WORLD"]
    assert not {"SEND_GUARD", "SES_HOURLY", "MAILTRAIL_WORLD"} & {*os.environ}


@pytest.mark.parametrize(
    ("name", "status_code"),
    [("broken", 443), ("absent", 437), ("nameless", 443), ("raising", 430), ("unserialisable", 430)],
)
def test_what_cannot_be_called_is_answered_by_the_platform(server: LocalServer, name: str, status_code: int) -> None:
    answer = call(f"{server.url}/{name}", "POST")
    assert (answer.status, answer.json["errorCode"], answer.json["statusCode"]) == (500, -1, status_code)


def test_a_reply_of_another_structure_is_answered_by_the_gateway(server: LocalServer) -> None:
    answer = call(f"{server.url}/odd")
    assert answer.json == {"errno": 403, "error": "Invalid scf response format. please check your scf response format."}


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, "{".encode("utf-16")])
def test_a_load_balancer_passes_json_that_it_cannot_read_as_it_is(body: bytes) -> None:
    """Neither deep nesting nor another encoding fails the request: text, or Base64 where it is none."""
    request = Request("POST", "h", "/", headers={"content-type": "application/json"}, body=body)
    event = build_clb_event(Incoming(request, "/", {}, "id", ("127.0.0.1", 1), 80, 0.0))
    told = base64.b64decode(event["payload"]) if event["isBase64Encoded"] == "true" else event["payload"].encode()
    assert told == body


def test_a_function_that_times_out_is_a_200_with_an_error(server: LocalServer) -> None:
    answer = call(f"{server.url}/slow")
    assert (answer.status, answer.json["statusCode"]) == (200, 433)


def test_a_gateway_that_waits_less_than_the_function_answers_504(server: LocalServer) -> None:
    assert call(f"{server.url}/patient").status == 504


def test_an_event_over_6_mb_never_reaches_the_function(server: LocalServer) -> None:
    answer = call(f"{server.url}/echo", "POST", b"x" * (6 * 1024 * 1024))
    assert (answer.status, answer.json["statusCode"]) == (413, 406)


def send(server: LocalServer, to: str = "alice@example.com") -> str:
    body, headers = signed_mail(f"127.0.0.1:{server.ports.ses}", server.cloud.clock.now(), to=to)
    return str(call(f"{server.ses_url}/", "POST", body, headers).json["Response"]["MessageId"])


def test_callbacks_are_posted_to_the_webhook_when_their_time_has_come(tmp_path: Path) -> None:
    with LocalServer(code_root=write_project(tmp_path)) as running:
        message_id = send(running)
        call(f"{running.url}/_local/clock", "POST", {"advance_s": 3600})
        hook = sys.modules["scf_hook"]
        told = [json.loads(body) for body in hook.bodies]
        history = call(f"{running.url}/_local/callbacks?message_id={message_id}").json
    assert [event["event"] for event in told if event["bulkId"] == message_id] == ["delivered"]
    assert [entry["state"] for entry in history] == ["delivered"]
    assert history[0]["attempts"][0]["answer"] == "stored"


def test_callbacks_go_out_by_themselves_as_time_passes(tmp_path: Path) -> None:
    with LocalServer(code_root=write_project(tmp_path)) as running:
        send(running)
        running.cloud.advance(3600)
        deadline = time.monotonic() + 10
        while running.cloud.callbacks.pending() or not running.cloud.callbacks.history():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert running.cloud.callbacks.history()[0]["state"] == "delivered"


def test_without_functions_callbacks_wait_for_a_handler() -> None:
    with LocalServer() as running:
        send(running)
        running.cloud.advance(3600)
        running.cloud.pump_until_idle()
        assert running.cloud.callbacks.pending() == 1
        taken = []
        assert running.cloud.deliver_callbacks(lambda callback: taken.append(callback.event) or 200) == 1
    assert taken == ["delivered"]


def test_timers_fire_by_the_clock_when_they_are_switched_on(tmp_path: Path) -> None:
    with LocalServer(code_root=write_project(tmp_path), timers=True) as running:
        running.cloud.advance(2 * 3600)
        deadline = time.monotonic() + 10
        while "scf_echo" not in sys.modules or not getattr(sys.modules["scf_echo"], "loaded", 0):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.2)
        assert sys.modules["scf_echo"].loaded == 1
