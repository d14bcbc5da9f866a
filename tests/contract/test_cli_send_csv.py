"""`mailtrail send --csv`: one mail to each row, checked first, resumed by the same command, and never sent twice."""

from __future__ import annotations

import csv
import json
import tracemalloc
from collections import Counter
from json import dumps
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner, Result

from cli import send_csv, send_csv_run
from cli.main import main
from tests.batches import data_of, mails_of
from tests.handlers import ask, http_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from localcloud import LocalCloud

MAIL = ("--from", "Acme <noreply@mail.example.com>", "--subject", "Your code", "--template", "100091")
COLUMNS = ["line", "to", "status", "message_id", "code", "detail", "key", "run"]


class Wire:
    """What lies between the command and the function: the handler in this process, and what befalls requests."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.before: Callable[[list[dict[str, Any]]], requests.Response | None] = lambda _: None
        self.after: Callable[[], None] = lambda: None

    def post(self, url: str, *, json: dict[str, Any], headers: dict[str, str], **_: Any) -> requests.Response:
        """Serve POST /send/batch."""
        assert url == "http://127.0.0.1:9000/send/batch"
        self.sizes.append(len(json["recipients"]))
        if (instead := self.before(json["recipients"])) is not None:
            return instead
        raw = dumps(json).encode()
        answer = ask("send", http_event("POST", "/send/batch", raw, headers), time_limit_s=600)
        self.after()
        return response(answer.status, answer.body, answer.headers)


def response(status: int, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
    answer = requests.Response()
    answer.status_code = status
    answer._content = dumps(body).encode()
    answer.headers.update(headers or {})
    return answer


@pytest.fixture
def wire(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Put the function behind the command, and let the command wait by moving the clock; ten people a batch."""
    made = Wire()

    class Session(requests.Session):
        def post(self, url: Any, **given: Any) -> requests.Response:  # type: ignore[override]
            return made.post(url, **given)

    monkeypatch.setenv("SES_RATE", "100000")
    monkeypatch.setattr(send_csv, "requests", SimpleNamespace(Session=Session))
    monkeypatch.setattr(send_csv_run, "MOST", 10)
    monkeypatch.setattr(send_csv_run, "monotonic", cloud.clock.now)
    monkeypatch.setattr(send_csv_run, "pause", cloud.advance)
    return made


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return write(tmp_path, 25)


def write(folder: Path, count: int, *more: str) -> Path:
    path = folder / "people.csv"
    rows = [f"p{number}@example.com,{number},o{number}" for number in range(count)]
    path.write_text("\n".join(["to,code,metadata.order", *rows, *more]) + "\n", encoding="utf-8")
    return path


def send(file: Path, *more: str, code: int = 0, mail: Sequence[str] = MAIL) -> Result:
    done = CliRunner().invoke(main, ["send", "--csv", str(file), *mail, *more])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def summary(done: Result) -> dict[str, Any]:
    """Read what --json prints, below what the function in this process has logged."""
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def results(file: Path) -> list[dict[str, str]]:
    with file.with_suffix(".results.csv").open(encoding="utf-8-sig", newline="") as content:
        reader = csv.DictReader(content)
        assert reader.fieldnames == COLUMNS
        return list(reader)


def refuse(cloud: LocalCloud, patch: pytest.MonkeyPatch, address: str, code: str) -> None:
    dispatch = cloud.ses.dispatch

    def instead(request: Any) -> Any:
        if address in json.loads(request.body).get("Destination", ()):
            return cloud.ses.error_response(request, code, 200)
        return dispatch(request)

    patch.setattr(cloud.ses, "dispatch", instead)


def raise_from(wire: Wire, number: int, error: BaseException, *, acts: bool) -> None:
    """Let the ``number``-th request and all later ones end in ``error``; ``acts``: after the function has served it."""

    def throw(*_: Any) -> None:
        if len(wire.sizes) >= number:
            raise error

    if acts:
        wire.after = throw
    else:
        wire.before = throw


def calm(wire: Wire) -> None:
    """Let nothing befall requests any more, and forget those that were."""
    wire.sizes.clear()
    wire.before, wire.after = lambda _: None, lambda: None


def test_each_row_gets_its_own_mail_and_its_own_line(cloud: LocalCloud, wire: Wire, people: Path) -> None:
    done = send(people)
    assert "25 rows: 25 accepted, 0 refused, 0 waiting" in done.stdout
    assert wire.sizes == [10, 10, 5]
    assert data_of(cloud) == {f"p{n}@example.com": {"code": str(n)} for n in range(25)}
    ids = {message["to"][0]: message["message_id"] for message in cloud.messages(1000)}
    assert {(one["line"], one["to"], one["status"], one["message_id"]) for one in results(people)} == {
        (str(n + 2), f"p{n}@example.com", "202", ids[f"p{n}@example.com"]) for n in range(25)
    }


def test_the_same_command_again_asks_nobody_and_sends_nothing(cloud: LocalCloud, wire: Wire, people: Path) -> None:
    send(people)
    before = people.with_suffix(".results.csv").read_bytes()
    wire.sizes.clear()
    assert "25 accepted" in send(people).stdout
    assert wire.sizes == []
    assert people.with_suffix(".results.csv").read_bytes() == before
    assert len(cloud.messages(1000)) == 25


def test_without_its_results_file_it_is_safe_all_the_same(cloud: LocalCloud, wire: Wire, people: Path) -> None:
    """The keys are the run's and the addresses', so the ledger knows who has the mail."""
    send(people)
    before = results(people)
    people.with_suffix(".results.csv").unlink()
    send(people)
    assert results(people) == before
    assert len(cloud.messages(1000)) == 25


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbfEmail,code\r\na@example.com,1\r\n\r\nb@example.com,"2\n2"\r\n',
        b'code;TO\n1;a@example.com\n"2\n2"; b@example.com \n',
        b'to\tcode\na@example.com\t1\nb@example.com\t"2\n2"',
    ],
    ids=["of a spreadsheet", "with semicolons", "with tabs"],
)  # fmt: skip
def test_files_as_people_have_them(cloud: LocalCloud, wire: Wire, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    send(path)
    assert data_of(cloud) == {"a@example.com": {"code": "1"}, "b@example.com": {"code": "2\n2"}}


def test_columns_options_and_what_is_common(cloud: LocalCloud, wire: Wire, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("to,name,metadata.order,metadata.vip\na@example.com,Ann,42,\nb@example.com,Bob,43,yes\n")
    send(path, "--data", "code=7", "--data-columns", "none", code=1)
    assert not cloud.messages()
    body = tmp_path / "mail.json"
    body.write_text(json.dumps({"reply_to": "help@example.com", "metadata": {"campaign": "x", "order": "0"}}))
    path.write_text("to,code,metadata.order,remark\na@example.com,1,42,=1+1\nb@example.com,2,,<b>\n")
    send(path, "--file", str(body), "--data-columns", "code")
    assert data_of(cloud) == {"a@example.com": {"code": "1"}, "b@example.com": {"code": "2"}}
    assert all(message["request"]["ReplyToAddresses"] == "help@example.com" for message in cloud.messages())


def test_every_bad_row_is_named_by_its_line_and_nobody_is_sent_anything(
    cloud: LocalCloud, wire: Wire, tmp_path: Path
) -> None:
    """Also those of the second hundred, and what is wrong with a line for CSV itself."""
    path = write(
        tmp_path, 120,
        "bob,1,x", "c@example.com,<b>,x", "P7@Example.com,1,x", ",1,x", "d@example.com,1", "e@example.com,1,x,y",
        "", f"f@example.com,1,{'x' * 513}", 'g@example.com,"1\n2",x', "h@example,1,x",
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + b"i@example.com,\xff,x\n")
    told = send(path, code=1).stderr.splitlines()
    assert {line.partition(":")[0]: line.partition(": ")[2] for line in told if line.startswith("line ")} == {
        "line 122": "to: is not an address",
        "line 123": "code: SES refuses HTML in a variable",
        "line 124": "repeats the address of line 9",
        "line 125": "to: is required",
        "line 126": "2 cells, where the first line has 3",
        "line 127": "4 cells, where the first line has 3",
        "line 129": "metadata: at most 512 bytes of JSON, got 526",
        "line 132": "to: is not an address",
        "line 133": "is not UTF-8: save the file as CSV UTF-8",
    }
    assert told[-1].startswith("Error: 9 problems with")
    assert wire.sizes == []
    assert not cloud.messages()
    assert not path.with_suffix(".results.csv").exists()


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("code,name", "one of them to (or email)"),
        ("to,email", "one of them to (or email)"),
        ("to,code,code", "columns of one name: code"),
        ("to,,code", "a column without a name"),
        ("to,metadata.", "a column without a name"),
        ("", "one of them to (or email)"),
        (f"to,{'x' * 70_000}", "is too long"),
        ("\x00t\x00o,\x00x", "one of them to (or email)"),
        ("to,\x00", "has a NUL character"),
    ],
)
def test_a_header_that_cannot_be_understood(wire: Wire, header: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"{header}\na@example.com,1\n")
    assert problem in send(path, code=1).stderr
    assert wire.sizes == []


def test_what_is_wrong_with_the_mail_itself_is_said_once(wire: Wire, people: Path) -> None:
    told = send(people, mail=("--from", "noreply", "--template", "100091"), code=1).stderr
    assert told.count("from: must be an address") == 1
    assert told.count("subject: is required") == 1
    assert "line" not in told


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--to", "a@example.com"), "recipients of its own"),
        (("--idempotency-key", "x"), "--run"),
        (("--run", "a//b"), "no slash"),
        (("--give-up-after", "soon"), "none of 90s"),
        (("--results", "people.csv"), "is the file of --csv"),
    ],
)
def test_options_that_do_not_go_together(
    wire: Wire, options: tuple[str, ...], problem: str, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(people.parent)
    assert problem in send(people, *options, code=2).stderr


@pytest.mark.parametrize("option", [("--dry-run",), ("--run", "x"), ("--json",), ("--data-columns", "a")])
def test_options_of_a_csv_file_need_one(option: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, ["send", "--to", "a@example.com", *option])
    assert done.exit_code == 2
    assert f"{option[0]} goes with --csv" in done.stderr


def test_a_dry_run_checks_and_sends_nothing(cloud: LocalCloud, wire: Wire, people: Path) -> None:
    told = summary(send(people, "--dry-run", "--json"))
    assert (told["rows"], told["accepted"], told["waiting"]) == (25, 0, 25)
    assert wire.sizes == []
    assert not cloud.messages()
    assert not people.with_suffix(".results.csv").exists()


def test_the_summary_as_json_and_the_run_that_it_names(cloud: LocalCloud, wire: Wire, people: Path) -> None:
    told = summary(send(people, "--json"))
    assert told == {
        "run": results(people)[0]["run"], "rows": 25, "accepted": 25, "refused": 0, "waiting": 0, "unknown": 0,
        "ended": "", "results": str(people.with_suffix(".results.csv")),
    }  # fmt: skip
    assert told["run"].startswith("csv-")


def test_what_ses_refuses_one_is_in_the_results_and_asked_for_again_alone(
    cloud: LocalCloud, wire: Wire, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(cloud, monkeypatch, "p7@example.com", "FailedOperation.EmailAddrInBlacklist")
    assert "24 accepted, 1 refused, 0 waiting" in send(people, code=1).stdout
    (line,) = [one for one in results(people) if one["status"] != "202"]
    assert (line["to"], line["status"], line["code"]) == ("p7@example.com", "422", "recipient_suppressed")
    assert "EmailAddrInBlacklist" in line["detail"] or line["detail"]
    wire.sizes.clear()
    send(people, code=1)
    assert wire.sizes == [1]
    assert len(results(people)) == 25


def test_everybody_waits_while_the_rate_is_exceeded_and_then_gets_the_mail(
    cloud: LocalCloud, wire: Wire, people: Path
) -> None:
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": "throttle", "probability": 0.3, "times": 200})
    send(people)
    assert set(mails_of(cloud).values()) == {1}
    assert len(mails_of(cloud)) == 25


def test_a_limit_of_one_recipient_holds_up_nobody_else(
    cloud: LocalCloud, wire: Wire, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        refuse(cloud, patch, "p7@example.com", "FailedOperation.FrequencyLimit")
        done = send(people, "--give-up-after", "30m", code=1)
    assert "24 accepted, 0 refused, 1 waiting" in done.stdout
    assert "the same command goes on" in done.stderr
    assert wire.sizes == [10, 10, 5]
    (line,) = [one for one in results(people) if one["status"] != "202"]
    assert (line["status"], line["code"]) == ("429", "recipient_rate_limited")
    send(people)
    assert {one["status"] for one in results(people)} == {"202"}
    assert set(mails_of(cloud).values()) == {1}


@pytest.mark.parametrize("acts", [True, False], ids=["answers", "requests"])
def test_while_the_endpoint_does_not_answer_it_is_asked_again_and_nothing_is_sent_twice(
    cloud: LocalCloud, wire: Wire, people: Path, *, acts: bool
) -> None:
    raise_from(wire, 2, requests.ConnectionError(), acts=acts)
    assert "given up: no answer" in send(people, "--give-up-after", "10m", code=1).stderr
    assert len(results(people)) == 10
    assert len(wire.sizes) > 5
    calm(wire)
    send(people)
    assert set(mails_of(cloud).values()) == {1}
    assert len(results(people)) == len(mails_of(cloud)) == 25


def test_mails_whose_outcome_is_unknown_are_waited_for_until_that_is_known(
    cloud: LocalCloud, wire: Wire, people: Path
) -> None:
    """Some were sent and some were not; nothing is sent twice, and everybody gets one."""
    for kind in ("drop_response", "drop_request"):
        cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": kind, "probability": 0.02, "times": 2})
    send(people)
    assert set(mails_of(cloud).values()) == {1}
    assert len(mails_of(cloud)) == 25
    assert {one["status"] for one in results(people)} == {"202"}


def test_when_all_answers_of_ses_get_lost_not_everybody_is_put_in_doubt(
    cloud: LocalCloud, wire: Wire, people: Path
) -> None:
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": "drop_request"})
    done = send(people, "--give-up-after", "1m", "--json", code=1)
    told = summary(done)
    assert (told["accepted"], told["waiting"]) == (0, 25)
    assert told["unknown"] == sum(wire.sizes) < 15
    assert told["ended"].startswith("given up")
    cloud.clear_faults()
    cloud.advance(1801)
    send(people)
    assert set(mails_of(cloud).values()) == {1}
    assert len(mails_of(cloud)) == 25


def test_a_bucket_that_is_down_is_waited_for_and_given_up_on_in_time(
    cloud: LocalCloud, wire: Wire, people: Path
) -> None:
    cloud.add_faults({"service": "cos", "kind": "error", "status": 403, "code": "AccessDenied"})
    start = cloud.clock.now()
    done = send(people, "--give-up-after", "2m", code=1)
    assert "0 accepted, 0 refused, 25 waiting" in done.stdout
    assert 60 <= cloud.clock.now() - start < 180
    assert {one["code"] for one in results(people)} == {"trail_unavailable"}
    cloud.clear_faults()
    send(people)
    assert len(results(people)) == len(mails_of(cloud)) == 25


@pytest.mark.parametrize("acts", [True, False], ids=["after it was served", "before"])
def test_an_interrupt_leaves_results_that_the_same_command_goes_on_from(
    cloud: LocalCloud, wire: Wire, people: Path, *, acts: bool
) -> None:
    raise_from(wire, 2, KeyboardInterrupt(), acts=acts)
    done = send(people, code=1)
    assert "10 accepted, 0 refused, 15 waiting" in done.stdout
    assert "interrupted" in done.stderr
    assert "the same command goes on" in done.stderr
    assert len(results(people)) == 10
    calm(wire)
    send(people)
    assert wire.sizes == [10, 5]
    assert set(mails_of(cloud).values()) == {1}
    assert len(results(people)) == len(mails_of(cloud)) == 25


@pytest.mark.parametrize("cut", [1, 2, 3, 60, 75, 120, 500, 5000])
def test_a_results_file_of_a_command_that_was_killed_in_a_write_is_gone_on_from(
    cloud: LocalCloud, wire: Wire, cut: int, tmp_path: Path
) -> None:
    """Its last line is half a line: whose it was is asked for again, and has no mail twice."""
    path = write(tmp_path, 30)
    send(path)
    file = path.with_suffix(".results.csv")
    file.write_bytes(file.read_bytes()[:-cut])
    send(path)
    assert Counter(one["to"] for one in results(path)) == Counter(f"p{n}@example.com" for n in range(30))
    assert len(cloud.messages(1000)) == 30


def test_a_changed_file_is_no_reason_to_send_to_everybody_again(cloud: LocalCloud, wire: Wire, tmp_path: Path) -> None:
    path = write(tmp_path, 20)
    first = summary(send(path, "--json"))
    path = write(tmp_path, 20, "new@example.com,1,x")
    wire.sizes.clear()
    refused = send(path, code=1)
    assert f"is of the run {first['run']}" in refused.stderr
    assert wire.sizes == []
    assert len(results(path)) == 20
    send(path, "--run", first["run"])
    assert wire.sizes == [1]
    assert mails_of(cloud)["new@example.com"] == 1
    assert len(cloud.messages(1000)) == 21


def test_another_mail_under_an_old_runs_name_is_a_conflict_and_not_sent(
    cloud: LocalCloud, wire: Wire, tmp_path: Path
) -> None:
    path = write(tmp_path, 3)
    send(path, "--run", "welcome")
    path.with_suffix(".results.csv").unlink()
    send(path, "--run", "welcome", "--subject", "Another", code=1)
    assert {one["code"] for one in results(path)} == {"idempotency_conflict"}
    assert len(cloud.messages()) == 3


def test_another_file_in_the_place_of_the_results_is_left_alone(wire: Wire, tmp_path: Path) -> None:
    path = write(tmp_path, 3)
    other = path.with_suffix(".results.csv")
    other.write_text("my,own,notes\n")
    assert "is no results file" in send(path, code=1).stderr
    assert other.read_text() == "my,own,notes\n"
    assert sorted(tmp_path.iterdir()) == [path, other]


def test_no_cell_of_the_results_is_a_formula(
    cloud: LocalCloud, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local part may begin with + or =; a run goes on from such lines, too."""
    path = tmp_path / "people.csv"
    path.write_text("to,code\n+a@example.com,1\n=b@example.com,2\n'+c@example.com,3\n")
    send(path, "--run", "=run")
    assert [one["to"] for one in results(path)] == ["'+a@example.com", "'=b@example.com", "'+c@example.com"]
    assert "3 accepted" in send(path, "--run", "=run").stdout
    assert set(mails_of(cloud)) == {"+a@example.com", "=b@example.com", "'+c@example.com"}


def test_a_batch_that_is_too_large_is_cut_until_it_fits(cloud: LocalCloud, wire: Wire, people: Path) -> None:
    def small(people: list[dict[str, Any]]) -> requests.Response | None:
        fits = len(people) <= 3 and all(one["to"] != "p9@example.com" for one in people)
        return None if fits else response(413, "too large")

    wire.before = small
    assert "24 accepted, 1 refused" in send(people, code=1).stdout
    assert wire.sizes[:3] == [10, 5, 2]
    (line,) = [one for one in results(people) if one["status"] != "202"]
    assert (line["to"], line["status"]) == ("p9@example.com", "413")


def test_rows_that_only_the_endpoint_finds_wrong_are_refused_and_the_others_sent(
    cloud: LocalCloud, wire: Wire, people: Path
) -> None:
    """Its rules may be newer than the command's."""

    def stricter(people: list[dict[str, Any]]) -> requests.Response | None:
        wrong = [n for n, one in enumerate(people) if one["to"] in ("p3@example.com", "p5@example.com")]
        errors = [{"field": f"recipients[{n}].{what}", "problem": "no"} for n in wrong for what in ("to", "data.code")]
        return response(400, {"code": "invalid_request", "detail": "x", "errors": errors}) if wrong else None

    wire.before = stricter
    assert "23 accepted, 2 refused" in send(people, code=1).stdout
    told = {one["to"]: one["detail"] for one in results(people) if one["status"] == "400"}
    assert told == dict.fromkeys(["p3@example.com", "p5@example.com"], "to: no; data.code: no")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, {"code": "unauthorized", "detail": "give a live key"}, "HTTP 401 unauthorized: give a live key"),
        (404, {}, "HTTP 404"),
        (301, {}, "HTTP 301"),
        (500, {"code": "misconfigured", "detail": "x"}, "misconfigured"),
        (400, {"code": "invalid_request", "detail": "x", "errors": [{"field": "from", "problem": "no"}]}, "from: no"),
    ],
)
def test_what_no_repeat_can_mend_ends_it(
    wire: Wire, status: int, body: dict[str, Any], told: str, people: Path
) -> None:
    wire.before = lambda _: response(status, body)
    assert told in send(people, code=1).stderr
    assert wire.sizes == [10]


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, {"errorCode": -1, "statusCode": 433}), (504, "gateway"), (503, {"results": "none"}), (202, {"results": []})],
)
def test_what_comes_of_a_function_that_died_is_asked_again(
    cloud: LocalCloud, wire: Wire, status: int, body: Any, people: Path
) -> None:
    """The platform answers 200 for a time-out; whatever has no results in it says nothing of the mails."""
    wire.before = lambda _: response(status, body) if len(wire.sizes) < 4 else None
    start = cloud.clock.now()
    send(people)
    assert wire.sizes == [10, 1, 1, 1, 10, 10, 4]
    assert cloud.clock.now() - start >= 2 + 4 + 8


def test_what_the_endpoint_says_of_when_to_come_back_is_heeded(
    cloud: LocalCloud, wire: Wire, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(send_csv_run, "pause", waited.append)
    wire.before = lambda _: response(429, "", {"Retry-After": "17"}) if len(wire.sizes) == 2 else None
    done = send(people)
    assert waited == [17]
    assert "waiting for 17 s" in done.stderr


def test_ten_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    """Rows wait on disk, whatever their number."""

    def peak(count: int) -> int:
        path = write(tmp_path, count)
        tracemalloc.start()
        try:
            arguments = ["send", "--csv", str(path), *MAIL, "--dry-run", "--json"]
            done = CliRunner().invoke(main, arguments)
            assert summary(done)["rows"] == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)  # what is imported and made once
    assert peak(10_000) < 1.3 * peak(1000)
