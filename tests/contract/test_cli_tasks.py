"""``mailtrail tasks``: a client of POST /tasks that asks again until the task is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner, Result

from cli import tasks as cli_tasks
from cli.main import main
from localcloud import defaults
from localcloud.server import LocalServer
from tests.task_making import TASK

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with LocalServer(0, tmp_path_factory.mktemp("data"), ROOT) as running:
        yield running


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "task.json"
    path.write_text(json.dumps({**TASK, "template": {"id": 100091, "data": {"code": "1"}}}))
    return path


def tasks(server: LocalServer, *arguments: Any, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["tasks", *map(str, arguments), "--url", server.url])
    assert done.exit_code == code, done.output
    return done


def told(output: str) -> dict[str, Any]:
    """Return what the command printed; the server in this process logs to the same place."""
    (line,) = [line for line in output.splitlines() if not line.startswith('{"level"')]
    found: dict[str, Any] = json.loads(line)
    return found


def make(server: LocalServer, key: str, *arguments: Any, code: int = 0) -> Result:
    return tasks(server, "make", *arguments, "--idempotency-key", key, code=code)


def test_a_task_is_made_and_shown(server: LocalServer, body: Path) -> None:
    """Again with its key: the first answer, as a duplicate."""
    first = told(make(server, "cli-1", body).stdout)
    assert first["state"] == "sent"
    assert told(make(server, "cli-1", body).stdout) == {**first, "duplicate": True}
    assert told(tasks(server, "show", "cli-1").stdout)["task_id"] == first["task_id"]
    assert told(tasks(server, "show", "never", code=1).stderr)["code"] == "not_found"


def test_recipients_come_from_a_csv_with_their_variables(server: LocalServer, body: Path, tmp_path: Path) -> None:
    """As a spreadsheet saves it: with a mark at its beginning, and its own line ends."""
    people = tmp_path / "people.csv"
    people.write_bytes("\ufeffto,code\r\nann@example.com,1\r\n ben@example.com ,zwölf\r\n".encode())
    assert told(make(server, "cli-2", body, "--csv", people).stdout)["recipients"] == 2
    people.write_text("to\nann@example.com\n")
    assert told(make(server, "cli-3", body, "--csv", people).stdout)["recipients"] == 1


@pytest.mark.parametrize(
    "text", ["", "name\nAnn\n", "to,to\na@example.com,b\n", "to,code\na@example.com\n", "to\na@example.com,1\n"]
)
def test_a_csv_that_cannot_be_right_is_not_sent(server: LocalServer, body: Path, tmp_path: Path, text: str) -> None:
    people = tmp_path / "people.csv"
    people.write_text(text)
    assert "people.csv" in make(server, "cli-4", body, "--csv", people, code=1).stderr
    assert told(tasks(server, "show", "cli-4", code=1).stderr)["code"] == "not_found"


def test_every_line_of_a_csv_that_is_wrong_is_named(server: LocalServer, body: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_bytes(
        b"email;code;metadata.order\nann@example.com;1;\nben@example.com;2;42\n\xff;3;\neve@example.com\n"
    )
    said = make(server, "cli-7", body, "--csv", people, code=1).stderr
    assert [line.partition(":")[0] for line in said.splitlines()[:3]] == ["line 3", "line 4", "line 5"]
    assert "3 problems with" in said


@pytest.mark.parametrize(
    ("after", "seconds"), [("7", 7), ("Fri, 27 Nov 2026 17:00:00 GMT", 5), ("", 5), ("-1", 5), ("\u0663", 5)]
)
def test_a_proxys_retry_after_may_be_a_date(after: str, seconds: float) -> None:
    answer = requests.Response()
    answer.status_code, answer._content = 503, b"<html>"
    answer.headers["Retry-After"] = after
    assert cli_tasks._comes_again_s(answer) == seconds


def test_what_is_wrong_is_told_and_nothing_is_asked_twice(server: LocalServer, body: Path, tmp_path: Path) -> None:
    body.write_text(json.dumps({**TASK, "subject": ""}))
    assert told(make(server, "cli-5", body, code=1).stderr)["errors"][0]["field"] == "subject"
    body.write_text("[]")
    assert "not a JSON object" in make(server, "cli-5", body, code=1).stderr
    body.write_text("{")
    assert "not JSON" in make(server, "cli-5", body, code=1).stderr


def test_while_it_is_prepared_it_is_asked_for_again(
    server: LocalServer, body: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And when no answer comes: the key makes that safe."""
    answers = iter([None, "preparing"])
    post, slept = cli_tasks._post, []

    def fail(url: str, raw: bytes, headers: dict[str, str]) -> Any:
        kind = next(answers, "")
        if kind is None:
            return None
        answer = post(url, raw, headers)
        if kind and answer is not None:
            answer.status_code, answer._content = 503, b'{"retry_safe": true}'
            answer.headers["Retry-After"] = "3"
        return answer

    monkeypatch.setattr(cli_tasks, "_post", fail)
    monkeypatch.setattr(cli_tasks, "sleep", slept.append)
    assert told(make(server, "cli-6", body).stdout)["state"] == "sent"
    assert slept == [5.0, 3.0]


def test_when_nobody_answers_the_command_says_that_it_can_be_repeated(body: Path) -> None:
    nobody = ["tasks", "make", str(body), "--idempotency-key", "k", "--wait", "0", "--url", "http://127.0.0.1:9"]
    done = CliRunner().invoke(main, nobody)
    assert done.exit_code == 1
    assert "goes on where this one stopped" in done.stderr
    assert defaults.SEND_KEY not in done.output
