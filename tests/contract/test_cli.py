"""The command, as a user runs it: in another process, over a localcloud of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import defaults
from localcloud.server import LocalServer

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
    taken = json.loads(mailtrail("snapshot", "--day", "2026-11-20", "--local", port, "--json").stdout)
    assert taken["complete"]
    assert {one["source"] for one in taken["snapshots"]} == {"status", "tasks", "sendcloud"}
    written = mailtrail("report", "--day", "2026-11-20", "--local", port)
    assert "reports/dt=2026-11-20/report.html" in written.stdout


def test_wrong_usage_exits_2():
    """As every command of the field does."""
    assert "not YYYY-MM-DD" in mailtrail("snapshot", "--day", "yesterday", code=2).stderr
    assert "No such command" in mailtrail("sned", code=2).stderr


def test_a_localcloud_that_is_not_there_is_named():
    """The way out is in the message."""
    assert "mailtrail up" in mailtrail("snapshot", "--local", 1, code=1).stderr


def test_the_demo_holds():
    """`make demo`: every simulator address shows its outcome in events, status and report."""
    assert mailtrail("demo").stdout.rstrip().endswith("Everything held.")
