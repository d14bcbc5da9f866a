"""The command, as a user runs it: in another process, over a localcloud of its own."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests

from localcloud import defaults
from localcloud.server import LocalServer
from shared.upstream.ses import SesClient
from shared.upstream.signing import Credential

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with LocalServer(0, tmp_path_factory.mktemp("data"), ROOT) as running:
        yield running.port


def mailtrail(*arguments, code=0):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAILTRAIL_", "TENCENT"))}
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def send(port, *more, code=0):
    to = ("--from", f"noreply@{defaults.SENDER_DOMAIN}", "--to", f"delivered@{defaults.SIMULATOR_DOMAIN}")
    mail = (*to, "--subject", "Hi", "--template", 100091, "--data", "code=1")
    return mailtrail("send", "--url", f"http://127.0.0.1:{port}", *mail, *more, code=code)


def test_send_prints_the_answer_and_a_repeat_with_its_key_is_a_duplicate(port):
    """`mailtrail send` is a client of POST /send."""
    first = json.loads(send(port, "--idempotency-key", "cli-1", "--metadata", "a=b").stdout)
    again = json.loads(send(port, "--idempotency-key", "cli-1", "--metadata", "a=b").stdout)
    assert again == {**first, "duplicate": True}


def test_the_csv_file_of_readme_is_sent_through_the_gateway(port, tmp_path):
    """As it stands there; again, it asks nobody."""
    text = (ROOT / "README.md").read_text().split("### Sending to a file of people")[1]
    people = tmp_path / "people.csv"
    people.write_text(text.split("```")[3].lstrip("\n"))
    mail = ("--from", f"noreply@{defaults.SENDER_DOMAIN}", "--subject", "Hi", "--template", 100091)
    for url in (f"http://127.0.0.1:{port}", "http://127.0.0.1:9"):  # nobody listens at the second
        done = mailtrail("send", "--csv", people, "--run", "readme", "--url", url, *mail)
        assert done.stdout.startswith("2 rows: 2 accepted, 0 refused, 0 waiting\n")
    lines = people.with_suffix(".results.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[1:3] for line in lines[1:]] == [
        [f"{who}@{defaults.SIMULATOR_DOMAIN}", "202"] for who in ("delivered", "open")
    ]


def test_send_that_is_refused_exits_1_and_says_why_on_stderr(port):
    """Nothing on stdout that a script could take for an answer."""
    done = send(port, "--to", "not an address", code=1)
    assert done.stdout == ""
    assert json.loads(done.stderr)["errors"] == [{"field": "to[1]", "problem": "is not an address"}]


def test_invoke_runs_an_event_file_and_exits_1_when_the_function_fails(port, tmp_path):
    """`mailtrail invoke send events/send/<case>.json` of README."""
    done = mailtrail("invoke", "send", "events/send/apigw-template.json", "--local", port)
    answer = json.loads(done.stdout)
    assert (answer["statusCode"], json.loads(answer["body"])["recipients"]) == (202, 1)
    bad = tmp_path / "timer.json"
    bad.write_text('{"Type": "Timer", "Message": "tomorrow"}')
    assert "TimerMessageError" in mailtrail("invoke", "snapshot", bad, "--local", port, code=1).stderr


def test_snapshot_and_report_of_a_day_write_its_objects(port):
    """The timers' work, for the day that is named."""
    send(port)
    taken = json.loads(mailtrail("snapshot", "--day", "yesterday", "--local", port, "--json").stdout)
    assert taken["complete"]
    assert {one["source"] for one in taken["snapshots"]} == {"status", "tasks", "sendcloud"}
    assert "2 manifests, " in mailtrail("snapshot", "verify", "--day", "yesterday", "--local", port).stdout
    written = mailtrail("report", "--day", "2026-11-20", "--local", port)
    assert "reports/dt=2026-11-20/report.html" in written.stdout


def test_wrong_usage_exits_2():
    """As every command of the field does."""
    assert "not YYYY-MM-DD" in mailtrail("snapshot", "--day", "20.11.2026", code=2).stderr
    assert "not YYYY-MM-DD" in mailtrail("report", "--day", "yesterday", code=2).stderr
    assert "No such command" in mailtrail("sned", code=2).stderr


@pytest.mark.parametrize("arguments", [
    ("send", "--url", "no-scheme"),
    ("send", "--idempotency-key", "\u4e2d"),
    ("send", "--file", "LIST"),
    ("send", "--file", "DEEP"),
    ("invoke", "send", "DEEP"),
    ("replay", "BAD.gz"),
    ("query", "--file", "BAD.gz"),
    ("query", "SELECT 1", "--format", "csv", "--out", "/dev/full"),
])  # fmt: skip
def test_what_the_machine_or_a_file_has_against_it_is_a_message_and_exit_1(port, tmp_path, arguments):
    """No traceback, and nothing that looks like a result."""
    damaged = bytearray(gzip.compress(b"callback not stored " * 5000))
    damaged[20:40] = b"\xff" * 20
    for name, content in (("LIST", b"[]"), ("DEEP", b"[" * 200_000), ("BAD.gz", bytes(damaged))):
        (tmp_path / name).write_bytes(content)
    given = [tmp_path / one if (tmp_path / one).exists() else one for one in arguments]
    target = ("--url", f"http://127.0.0.1:{port}") if given[0] == "send" else ("--local", port)
    done = mailtrail(given[0], *target, *given[1:], code=1)
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")


def test_a_localcloud_that_is_not_there_is_named(port):
    """The way out is in the message; another service's port is not it either."""
    assert "mailtrail up" in mailtrail("snapshot", "--local", 1, code=1).stderr
    ports = requests.get(f"http://127.0.0.1:{port}/_local/health", timeout=5).json()["ports"]
    assert "mailtrail up" in mailtrail("snapshot", "--local", ports["ses"], code=1).stderr


def test_the_demo_holds():
    """`make demo`: every simulator address shows its outcome in events, status and report."""
    assert mailtrail("demo").stdout.rstrip().endswith("Everything held.")


def test_up_without_functions_sends_events_to_a_receiver_of_ones_own(tmp_path):
    """Somebody who wants nothing of this repository but the local cloud."""
    received = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as receiver, _serving(receiver):
        url = f"http://127.0.0.1:{receiver.server_port}/hook"
        with LocalServer(0, tmp_path, callback_urls={"ses": url}) as server:
            payload = {
                "FromEmailAddress": f"a@{defaults.SENDER_DOMAIN}",
                "Subject": "Hi",
                "Destination": ["b@example.com"],
            }
            template = {"TemplateID": 100091, "TemplateData": '{"code":"1"}'}
            ses = SesClient(
                Credential(defaults.SECRET_ID, defaults.SECRET_KEY), site="cn", clock=time.time, endpoint=server.ses_url
            )
            message_id = ses.send_email({**payload, "Template": template}).message_id
            requests.post(f"{server.url}/_local/clock", json={"advance_s": 5}, timeout=30).raise_for_status()
    assert [(event["event"], event["bulkId"]) for event in received] == [("delivered", message_id)]


@contextlib.contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
