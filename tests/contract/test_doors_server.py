"""The server door: ports, HTTP as it stands on the wire, drops, and leaving nothing behind."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from qcloud_cos import CosConfig, CosS3Client
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.ses.v20201002 import models
from tencentcloud.ses.v20201002.ses_client import SesClient

from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from localcloud.server import LocalServer
from tests.contract.doors_project import MAIL, call, raw, signed_mail, write_project

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


def test_four_consecutive_loopback_ports_are_ready_at_once() -> None:
    """How soon, `make bench` measures; here, that nobody has to ask twice."""
    with LocalServer() as running:
        assert running.ports == tuple(range(running.port, running.port + 4))
        health = call(f"{running.url}/_local/health")
    assert health.json["status"] == "ok"
    assert health.json["ports"] == running.ports._asdict()


def test_stopping_leaves_no_thread_no_port_and_no_folder() -> None:
    before = set(threading.enumerate())
    running = LocalServer().start()
    folder = running.cloud.data
    kept_alive = http.client.HTTPConnection("127.0.0.1", running.ports.ses)
    kept_alive.request("GET", "/")
    kept_alive.getresponse().read()
    running.stop()
    kept_alive.close()
    assert set(threading.enumerate()) == before
    assert not folder.exists()
    for port in running.ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    with LocalServer(port=running.port) as again:
        assert again.port == running.port


def test_a_taken_port_is_named_and_nothing_is_left_running() -> None:
    with LocalServer() as running:
        before = set(threading.enumerate())
        with pytest.raises(OSError, match=str(running.port - 1)):
            LocalServer(port=running.port - 1).start()
        assert set(threading.enumerate()) == before


def test_a_data_folder_goes_on_in_simulated_time(tmp_path: Path) -> None:
    with LocalServer(data=tmp_path) as running:
        call(f"{running.url}/_local/clock", "POST", {"advance_s": 86400})
    with LocalServer(data=tmp_path) as again:
        assert again.cloud.clock.now() - time.time() == pytest.approx(86400, abs=5)


def test_absolute_form_targets_of_proxy_clients_are_understood(server: LocalServer) -> None:
    """RFC 9112 §3.2.2; with and without a path, with and without Host."""
    host = f"{BUCKET}.cos.{REGION}.myqcloud.com"
    end = "\r\nConnection: close\r\n\r\n"
    answers = [
        raw(server.ports.cos, f"{target} HTTP/1.1\r\nHost: {host}{end}".encode())
        for target in (f"HEAD http://{host}/", f"HEAD http://{host}", f"HEAD http://{host}?acl", "HEAD /")
    ]
    statuses = {answer.split(b" ", 2)[1] for answer in answers}
    assert statuses == {b"403"}
    assert b" 403 " in raw(server.ports.cos, f"GET http://{host}/key HTTP/1.0\r\n\r\n".encode()).split(b"\r\n")[0]


def test_the_cos_sdk_works_through_the_port_as_an_http_proxy(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.cos_url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    client = CosS3Client(CosConfig(Region=REGION, SecretId=SECRET_ID, SecretKey=SECRET_KEY, Scheme="http"))
    key = "a b/ü+%2F.txt"
    put = client.put_object(Bucket=BUCKET, Key=key, Body=b"via proxy")
    assert client.get_object(Bucket=BUCKET, Key=key)["Body"].get_raw_stream().read() == b"via proxy"
    head = client.head_object(Bucket=BUCKET, Key=key)
    # A plain dict: header names must come in the vendor's case.
    assert (head["Content-Length"], head["ETag"]) == ("9", put["ETag"])


def ses_client(endpoint: str, proxy: str | None = None) -> SesClient:
    profile = HttpProfile(protocol="http", endpoint=endpoint, proxy=proxy, reqTimeout=5)
    return SesClient(Credential(SECRET_ID, SECRET_KEY), REGION, ClientProfile(httpProfile=profile))


@pytest.mark.parametrize("via", ["endpoint", "proxy"])
def test_the_official_ses_sdk_sends_by_endpoint_and_by_proxy(server: LocalServer, via: str) -> None:
    address = f"127.0.0.1:{server.ports.ses}"
    client = ses_client(address) if via == "endpoint" else ses_client("ses.tencentcloudapi.com", f"http://{address}")
    request = models.SendEmailRequest()
    request._deserialize(MAIL)
    message_id = client.SendEmail(request).MessageId
    assert message_id in [message["message_id"] for message in server.cloud.messages()]


def test_head_has_the_length_but_no_body_and_no_header_twice(server: LocalServer) -> None:
    host = f"{BUCKET}.cos.{REGION}.myqcloud.com"
    head, _, body = raw(
        server.ports.cos, f"HEAD /missing HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    ).partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    assert body == b""
    assert len(names) == len(set(names))
    assert b"content-length" in names


def test_a_client_that_expects_100_continue_gets_it(server: LocalServer) -> None:
    with socket.create_connection(("127.0.0.1", server.ports.ses), timeout=5) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_connect_tunnel_is_refused_and_the_server_lives_on(server: LocalServer) -> None:
    assert raw(server.ports.ses, b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert raw(server.ports.ses, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("kind", "accepted"), [("drop_request", 0), ("drop_response", 1)])
def test_a_drop_closes_without_an_answer_before_or_after_the_service_acts(kind: str, accepted: int) -> None:
    with LocalServer() as running:
        running.cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": kind, "times": 1})
        body, headers = signed_mail(f"127.0.0.1:{running.ports.ses}", time.time())
        with pytest.raises(requests.exceptions.ConnectionError, match="RemoteDisconnected"):
            requests.post(running.ses_url, data=body, headers=headers, timeout=5)
        assert len(running.cloud.messages()) == accepted
        assert "MessageId" in call(f"{running.ses_url}/", "POST", body, headers).json["Response"]


def test_a_delayed_service_keeps_no_other_port_waiting() -> None:
    with LocalServer() as running:
        running.cloud.add_faults({"service": "ses", "kind": "delay", "seconds": 60})
        with pytest.raises(requests.exceptions.ReadTimeout):
            requests.post(running.ses_url, data=b"{}", timeout=(5, 0.3))
        assert call(f"{running.cos_url}/").status == 403
        stopping = time.perf_counter()
    assert time.perf_counter() - stopping < 30, "the delay is 60 s"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_stops_cleanly_on_a_signal_and_keeps_its_data(tmp_path: Path, number: signal.Signals) -> None:
    write_project(tmp_path)
    program = (
        "import sys; from localcloud.server import serve; "
        "serve(0, 'data', '.', on_ready=lambda s: print(s.url, flush=True))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", program],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/_local/health", timeout=5) as answer:
            assert answer.status == 200
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert (tmp_path / "data" / "ses.sqlite3").exists()
