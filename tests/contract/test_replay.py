"""No callback that was authenticated vanishes: what is not stored lies in the log, encrypted, and can be put back."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from cli import replay_store
from cli.main import main
from functions.webhook import handler, rescue
from functions.webhook.watch import LATE_S, STEP_S
from localcloud import defaults
from localcloud.gateway.environment import account_environment, endpoint_environment
from localcloud.server import LocalServer
from shared.trail.records import epoch
from shared.upstream.signing import sendcloud_signature
from tests.closed_hours import GRACE_S, callback, deliver, maintain, naive, names, ours
from tests.handlers import EVENT, NOW, ask, bucket, call_back, http_event, records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from click.testing import Result

    from localcloud import LocalCloud

SHORT_S = 1.3
"""A time limit that leaves 0.3 s for attempts and the function's own second for the answer."""
NO_COS = {"service": "cos", "kind": "error", "status": 503, "code": "ServiceUnavailable"}
TWO_HOURS = [EVENT, {**EVENT, "timestamp": EVENT["timestamp"] - 3600}]
BOUNCE = {**EVENT, "event": "bounce", "bounceType": "hard_bounce", "reason": "550 5.1.1 用户不存在"}


def signed(content: dict[str, Any], *, token: str = "t" * 50, at_s: float = NOW) -> dict[str, Any]:
    """Sign a SendCloud callback as SendCloud does."""
    stamp = str(round(at_s * 1000))
    return {**content, "timestamp": stamp, "token": token,
            "signature": sendcloud_signature(defaults.SENDCLOUD_APP_KEY, stamp, token)}  # fmt: skip


SENDCLOUD = signed(
    {"event": "deliver", "recipient": "a@example.com", "emailId": "1447_1_1_1.sc-10_9_4_10-inbound0$a@e"}
)


def fail(cloud: LocalCloud, capsys: pytest.CaptureFixture[str], body: Any, **how: Any) -> str:
    """Deliver while COS is down; return what the function printed."""
    capsys.readouterr()
    cloud.add_faults(NO_COS)
    answer = call_back(body, time_limit_s=SHORT_S, **how)
    cloud.clear_faults()
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "trail_unavailable", "5")
    return capsys.readouterr().out


def chance() -> random.Random:
    """Return the same dice for every test."""
    return random.Random(7)  # noqa: S311 - nothing secret


def lines_of(printed: str) -> list[dict[str, Any]]:
    """Read log lines."""
    return [json.loads(line) for line in printed.splitlines()]


def replay(log: bytes | str, *more: str, code: int = 0) -> dict[str, Any]:
    """Run `mailtrail replay - --json` on ``log``."""
    done = run(["-", "--json", *more], log, code=code)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def run(arguments: Sequence[str], log: bytes | str = b"", *, code: int = 0) -> Result:
    """Run `mailtrail replay`."""
    done = CliRunner().invoke(main, ["replay", *arguments], input=log)
    assert done.exit_code == code, (done.output, done.exception)
    return done


def results(told: dict[str, Any]) -> list[tuple[str, int]]:
    """Pick what became of each callback, and how many events it held."""
    return [(one["result"], one["events"]) for one in told["callbacks"]]


BODIES = {
    "one": (json.dumps(EVENT).encode(), "ses"),
    "two hours": (json.dumps(TWO_HOURS).encode(), "ses"),
    "not UTF-8": (b"\xff\xfe not an event", "ses"),
    "unreadable": (b"[" * 1000, "ses"),
    "one bad": (json.dumps([EVENT, 7]).encode(), "ses"),
    "sendcloud": (json.dumps(SENDCLOUD).encode(), "sendcloud"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_replay_writes_the_very_bytes_that_the_webhook_would_have_written(
    name: str, cloud: LocalCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same keys, same bytes, the time of receipt among them; although it is put back two days later, and twice."""
    body, provider = BODIES[name]
    with monkeypatch.context() as then:
        then.setattr(handler, "clock", lambda _: lambda: NOW + 0.123)
        assert call_back(body, provider=provider).status == 200
        expected = bucket()
        cloud.cos.reset()
        log = fail(cloud, capsys, body, provider=provider)
        assert bucket("events/") == bucket("quarantine/") == {}
    cloud.advance(2 * 86400)
    (first,) = results(replay(log))
    assert bucket() == expected
    (second,) = results(replay(log))
    assert bucket() == expected
    # What is not understood is so again; the webhook puts it into quarantine as well.
    assert (first[0], second[0]) in (("stored", "already there"), ("not understood", "not understood"))


def test_what_the_sender_delivered_again_meanwhile_is_not_doubled(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key is that of the content, so the replay meets it; the line of the first delivery stays."""
    log = fail(cloud, capsys, TWO_HOURS)
    assert call_back([TWO_HOURS[0]]).body == {"stored": 1}
    assert call_back(TWO_HOURS).body == {"stored": 2}
    before = bucket()
    assert results(replay(log)) == [("already there", 2)]
    assert bucket() == before
    assert len({record["event_id"] for record in records("events/")}) == 2


def test_half_a_callback_that_was_stored_is_made_whole(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    log = fail(cloud, capsys, TWO_HOURS)
    assert call_back(TWO_HOURS[0]).body == {"stored": 1}
    assert results(replay(log)) == [("stored", 2)]
    assert len(bucket("events/")) == 2


def test_a_replay_after_its_hour_was_compacted_and_deleted_doubles_and_loses_nothing(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what the merged object has, and of what it has not; days late."""
    deliver(map(callback, (1, 2, 3)))
    expected, truth = bucket("events/"), ours()
    cloud.cos.reset()
    deliver(map(callback, (1, 2)))
    log = fail(cloud, capsys, callback(2)) + fail(cloud, capsys, callback(3))
    maintain()
    cloud.advance(GRACE_S)
    assert maintain()["deleted"] == 2
    (merged,) = names()
    cloud.advance(2 * 86400)
    for _ in range(2):
        assert {one["result"] for one in replay(log)["callbacks"]} <= {"stored", "already there"}
        again = bucket("events/")
        assert {raw(body) for key, body in again.items() if merged not in key} == {
            raw(body) for key, body in expected.items() if key in again
        }
        assert len(again) == 3
        assert ours() == naive() == truth
    maintain()
    cloud.advance(GRACE_S)
    maintain()
    assert len(names()) == 1
    assert ours() == naive() == truth


def raw(line: bytes) -> tuple[str, str]:
    """Read what two receipts of one event have in common: its id and what the provider said."""
    record = json.loads(line)
    return record["event_id"], json.dumps(record["raw"])


def test_the_line_shows_nothing_and_says_what_happened(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """No address, no id, no secret, not even as Base64; the operation and COS's code, the provider, the size."""
    (line,) = [line for line in lines_of(fail(cloud, capsys, BOUNCE)) if "replay" in line]
    told = {name: line[name] for name in ("level", "message", "operation", "code", "provider", "bytes")}
    assert told == {"level": "ERROR", "message": "callback not stored", "operation": "put",
                    "code": "ServiceUnavailable", "provider": "ses", "bytes": len(json.dumps(BOUNCE))}  # fmt: skip
    payload = line["replay"].rpartition(".")[2]
    seen = json.dumps(line).encode() + base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    for secret in ("alice", "example.com", "hT7kQ2mWxA91", "hard_bounce", defaults.WEBHOOK_SECRET, "5.1.1"):
        assert secret.encode() not in seen
    (again,) = [line for line in lines_of(fail(cloud, capsys, BOUNCE)) if "replay" in line]
    assert again["replay"] != line["replay"], "a nonce of its own each time"


EXPORTS = {
    "as printed": lambda line: line,
    "CLS, our fields at the top": lambda line: json.dumps({"SCF_RequestId": "r", **json.loads(line)}),
    "CLS, in SCF_Message": lambda line: json.dumps({"SCF_Message": line, "SCF_Type": "Custom"}),
    "CLS, nested twice": lambda line: json.dumps({"__CONTENT__": json.dumps({"SCF_Message": line})}),
    "CSV": lambda line: '2026-11-20 16:10:00,"' + line.replace('"', '""') + '"',
    "console": lambda line: f"2026-11-20T08:10:00.123Z 7fa-req [ERROR] {line}",
}


@pytest.mark.parametrize("form", EXPORTS)
def test_every_form_of_export_is_read(
    form: str, cloud: LocalCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside lines of other kinds, plain or gzipped, from two files."""
    lines = [fail(cloud, capsys, {**EVENT, "email": f"p{number}@example.com"}).strip() for number in range(2)]
    text = "\n".join(["START RequestId: 7fa", EXPORTS[form](lines[0]), "\xff", ""]).encode("latin-1")
    (tmp_path / "plain.log").write_bytes(text)
    (tmp_path / "zipped.gz").write_bytes(gzip.compress(EXPORTS[form](lines[1]).encode()))
    done = run([str(tmp_path / "plain.log"), str(tmp_path / "zipped.gz")])
    assert "2 stored" in done.output
    assert {record["recipient"] for record in records("events/")} == {"p0@example.com", "p1@example.com"}


def test_lines_repeated_and_in_any_order_are_one_callback_each(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    log = "".join(fail(cloud, capsys, {**EVENT, "email": f"p{number}@example.com"}) for number in range(3))
    shuffled = log.splitlines() * 3
    chance().shuffle(shuffled)
    assert results(replay("\n".join(shuffled))) == [("stored", 1)] * 3
    assert len(records("events/")) == 3


def long_callback() -> bytes:
    """Return the largest callback that is taken, and hard to compress."""
    head = json.dumps({**EVENT, "x": ""}).encode()
    noise = chance().randbytes(256 * 1024)
    return json.dumps({**EVENT, "x": base64.b64encode(noise).decode()[: 256 * 1024 - len(head)]}).encode()


def test_a_long_callback_is_cut_into_lines_below_8_kb_and_joined_again(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """What SCF makes of a longer line is documented nowhere. 256 KB that do not compress: the worst there is."""
    body = long_callback()
    assert len(body) == 256 * 1024
    lines = fail(cloud, capsys, body).splitlines()
    assert len(lines) > 30
    assert max(map(len, lines)) < 8 * 1024
    chance().shuffle(lines)
    assert results(replay("\n".join(lines))) == [("stored", 1)]
    assert records("events/")[0]["raw"] == json.loads(body)


def test_a_part_that_is_missing_or_cut_is_named_and_the_others_are_put_back(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = fail(cloud, capsys, long_callback()).splitlines()
    small = fail(cloud, capsys, EVENT)
    told = replay("\n".join([lines[0], *lines[3:], small]), code=1)
    assert results(told) == [("failed", 0), ("stored", 1)]
    assert told["callbacks"][0]["detail"] == f"part 2, 3 of {len(lines)} is missing"
    cut = small.replace("callback not stored", "x")[: small.index("mtr1.") + 120]
    assert replay(cut, code=1)["callbacks"][0]["detail"] == "damaged: cut short, or changed"


def test_a_line_that_was_changed_is_refused(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """Who can write to the log cannot write to the trail: any character of the text is authenticated."""
    line = fail(cloud, capsys, EVENT)
    start, stop = line.index("mtr1.") + len("mtr1.12345678.1234567890123456.1-1."), line.rindex('"')
    choice = chance()
    for place in choice.sample(range(start, stop - 1), 25):
        other = choice.choice([c for c in "AQgw-_09" if c != line[place]])
        changed = line[:place] + other + line[place + 1 :]
        assert results(replay(changed, code=1)) == [("failed", 0)]
    assert bucket("events/") == {}


def test_another_key_is_named_and_rotated_ones_are_tried(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encrypted by the first TOKEN_KEY, or without one by the first webhook secret; read by any that is live."""
    monkeypatch.setenv("TOKEN_KEY", "first-key-4f81c2,older-key-9d27ab")
    by_token_key = fail(cloud, capsys, EVENT)
    monkeypatch.setenv("TOKEN_KEY", "")
    by_secret = fail(cloud, capsys, {**EVENT, "email": "bob@example.com"})
    (detail,) = [one["detail"] for one in replay(by_token_key, code=1)["callbacks"]]
    key_id = json.loads(by_token_key)["replay"].split(".")[1]
    assert detail == f"encrypted by a key that is none of ours here (key id {key_id})"
    monkeypatch.setenv("TOKEN_KEY", "newest-key-77e0d1,first-key-4f81c2")
    monkeypatch.setenv("WEBHOOK_SECRETS", f"brand-new-secret-31,{defaults.WEBHOOK_SECRET}")
    assert results(replay(by_token_key + by_secret)) == [("stored", 1)] * 2


def test_dry_run_tells_and_writes_nothing(
    calls: list[str], cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also none of what storing an event or a token brings with it."""
    log = (
        fail(cloud, capsys, EVENT) + fail(cloud, capsys, BOUNCE) + fail(cloud, capsys, SENDCLOUD, provider="sendcloud")
    )
    call_back(EVENT)
    before = bucket()
    calls.clear()
    told = replay(log, "--dry-run")
    assert (told["dry_run"], results(told)) == (True, [("already there", 1), ("stored", 1), ("stored", 1)])
    assert set(calls) == {"cos:GetObject"}
    assert bucket() == before


def test_an_empty_log_is_nothing_to_put_back(cloud: LocalCloud) -> None:
    assert replay(b"") == {"dry_run": False, "without_content": 0, "callbacks": []}
    assert "nothing to put back" in run(["-"]).output


def test_wrong_usage_and_wrong_settings_are_told(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    run([], code=2)
    run(["-", "--quarantine"], code=2)
    run(["-", "--day", "2026-11-20"], code=2)
    run(["--quarantine", "--day", "yesterday"], code=2)
    run(["--quarantine", "--day", "2026-02-30"], code=2)  # a day that there is not must not look like an empty one
    monkeypatch.setenv("WEBHOOK_SECRETS", "")
    done = run(["-"], code=1)
    assert "WEBHOOK_SECRETS is missing" in done.output


def test_while_cos_is_still_down_it_fails_and_can_be_repeated(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    log = fail(cloud, capsys, EVENT)
    cloud.add_faults({**NO_COS, "times": 3})
    told = replay(log, code=1)
    assert (told["callbacks"][0]["result"], told["callbacks"][0]["detail"]) == (
        "failed",
        "COS: put: ServiceUnavailable",
    )
    assert results(replay(log)) == [("stored", 1)]


# --- what is kept in the log, and what never ---------------------------------------------------------------------


def test_what_did_not_authenticate_is_never_in_the_log(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while COS is down nor while a setting is wrong: a stranger does not fill our log."""
    cloud.add_faults(NO_COS)
    for setting in ("mailtrail-1250000000", ""):
        monkeypatch.setenv("MAILTRAIL_BUCKET", setting)
        assert call_back(EVENT, secret="another-secret-5d", time_limit_s=SHORT_S).status == 401
        assert call_back({**SENDCLOUD, "signature": "0" * 64}, provider="sendcloud", time_limit_s=SHORT_S).status == 401
        assert ask("webhook", http_event("POST", "/nowhere", b"{}"), time_limit_s=SHORT_S).status == 404
    assert "mtr1" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [{"MAILTRAIL_BUCKET": ""}, {"TENCENTCLOUD_SECRETID": "", "TENCENTCLOUD_SECRET_ID": ""}, {"TOKEN_KEY": "short"},
              {"MAILTRAIL_UTC_OFFSET": "eight"}, {"MAILTRAIL_CLOCK_OFFSET_S": "later"},
              {"WEBHOOK_SECRETS": f"short,{defaults.WEBHOOK_SECRET}"}],
    ids=lambda wrong: next(iter(wrong)),
)  # fmt: skip
def test_a_wrong_setting_costs_no_event(
    wrong: dict[str, str], cloud: LocalCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment with a typo: 503, the problems in one line, the event in another; put back with the right ones."""
    with monkeypatch.context() as typo:
        for name, value in wrong.items():
            typo.setenv(name, value)
        answer = call_back(EVENT)
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "misconfigured", "60")
    problems, line = lines_of(log := capsys.readouterr().out)
    assert problems["message"] == "misconfigured"
    assert problems["problems"]
    assert (line["message"], line["code"]) == ("callback not stored", "misconfigured")
    assert results(replay(log)) == [("stored", 1)]


@pytest.mark.parametrize(("offset", "moved_s"), [("86400", 86400), ("a day", 0)])
def test_what_a_wrong_setting_kept_out_has_the_time_of_its_receipt(
    cloud: LocalCloud,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    offset: str,
    moved_s: int,
) -> None:
    """By the clock that functions live by, which localcloud moves; by the machine's when that setting is the wrong one."""
    with monkeypatch.context() as typo:
        typo.setenv("MAILTRAIL_BUCKET", "")
        typo.setenv("MAILTRAIL_CLOCK_OFFSET_S", offset)
        expected_s = time.time() + moved_s
        assert call_back(EVENT).status == 503
    assert results(replay(capsys.readouterr().out)) == [("stored", 1)]
    (record,) = records("events/")
    assert epoch(record["received_at"]) == pytest.approx(expected_s, abs=60)


def test_without_any_secret_nothing_authenticates_so_nothing_is_kept(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRETS", "short")
    assert call_back(EVENT).status == 503
    assert [line["message"] for line in lines_of(capsys.readouterr().out)] == ["misconfigured"]


def test_a_probe_while_a_setting_is_wrong_says_so(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILTRAIL_BUCKET", "")
    assert ask("webhook", http_event("GET", f"/webhook/ses/{defaults.WEBHOOK_SECRET}")).status == 503


def test_sendcloud_that_nobody_could_check_is_checked_at_the_replay(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The APP KEY itself was the typo: the signature lies in the body; a wrong one is not let in by this door."""
    forged = {**SENDCLOUD, "signature": "0" * 64}
    with monkeypatch.context() as typo:
        typo.setenv("SENDCLOUD_APP_KEY", "short")
        assert call_back(SENDCLOUD, provider="sendcloud").status == 503
        assert call_back(forged, provider="sendcloud").status == 503
    log = capsys.readouterr().out
    told = replay(log, code=1)
    assert results(told) == [("stored", 1), ("failed", 0)]
    assert "--accept-unauthentic" in told["callbacks"][1]["detail"]
    assert [record["verified"] for record in records("events/")] == [True]


def test_what_is_too_large_is_told(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """It is nobody's callback by any document, so it is not kept; that there was one can be seen."""
    assert call_back(long_callback() + b" ").status == 413
    (line,) = lines_of(capsys.readouterr().out)
    assert (line["message"], line["bytes"]) == ("callback too large", 256 * 1024 + 1)


@pytest.mark.parametrize("place", ["authenticate", "store_callback"])
def test_a_bug_of_ours_costs_no_event_either(
    place: str, cloud: LocalCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Type and place of the exception, none of what it says: that may quote the event. 503, and put back once mended."""

    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("alice@example.com")

    with monkeypatch.context() as bug:
        bug.setattr(handler, place, broken)
        answer = call_back(EVENT)
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "unexpected", "60")
    (line,) = lines_of(log := capsys.readouterr().out)
    assert (line["message"], line["error"]) == ("callback not stored", "KeyError")
    assert "test_replay.py:" in line["place"]
    assert "alice" not in log
    with monkeypatch.context() as not_mended_yet:
        not_mended_yet.setattr(replay_store, "store_callback", broken)
        assert replay(log, code=1)["callbacks"][0]["detail"] == "a bug: KeyError"
    assert results(replay(log)) == [("stored", 1)]


def test_a_bug_before_authentication_is_told_and_answered_503(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("alice@example.com")

    monkeypatch.setattr(handler, "authenticate", broken)
    monkeypatch.setattr(rescue, "authenticate", broken)
    assert call_back(EVENT).status == 503
    (line,) = lines_of(capsys.readouterr().out)
    told = {name: line[name] for name in ("message", "error", "second")}
    assert told == {"message": "request failed", "error": "ValueError", "second": "ValueError"}


def test_without_cryptography_a_trace_stays(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's own packaging left pycryptodome out: hash and size tell what was lost; the replay counts it."""
    with monkeypatch.context() as packaging:
        packaging.setitem(sys.modules, "Crypto.Cipher", None)
        log = fail(cloud, capsys, EVENT)
    (line,) = lines_of(log)
    assert line["sha256"] == hashlib.sha256(json.dumps(EVENT).encode()).hexdigest()
    assert (line["not_encrypted"], "replay" in line) == ("ModuleNotFoundError", False)
    assert replay(log, code=1)["without_content"] == 1
    assert "1 lines hold no content" in run(["-"], log, code=1).output


# --- time ----------------------------------------------------------------------------------------------------------

HANGING = {
    "accepts and never answers": {"service": "cos", "kind": "delay", "seconds": 30},
    "acts and drops the answer": {"service": "cos", "kind": "drop_response"},
    "drops the request": {"service": "cos", "kind": "drop_request"},
    "503": NO_COS,
}


@pytest.mark.parametrize("kind", HANGING)
def test_the_answer_and_the_line_come_within_the_limit_of_the_function(
    kind: str, cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Retries use the time that there is, less the second to answer in. Over real sockets."""
    with LocalServer(port=0) as server, pytest.MonkeyPatch.context() as there:
        there.setenv("COS_ENDPOINT", f"http://127.0.0.1:{server.ports.cos}")
        server.cloud.add_faults(HANGING[kind])
        started = time.monotonic()
        answer = call_back(EVENT, time_limit_s=1.8)
        took_s = time.monotonic() - started
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert took_s < 1.8
    assert "mtr1." in capsys.readouterr().out


def test_time_that_was_up_before_anything_was_tried_costs_no_event(
    calls: list[str], cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call_back(EVENT, time_limit_s=0.5).status == 503
    assert calls == []
    (line,) = lines_of(log := capsys.readouterr().out)
    assert line["code"] == "OutOfTime"
    assert results(replay(log)) == [("stored", 1)]


def test_what_does_not_come_back_at_all_is_in_the_log_before_the_platform_ends_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that does not answer: getaddrinfo knows no time-out, and 10 s and more are usual."""
    limit_s, printed = 1.3, []

    def hang(*_: Any, **__: Any) -> None:
        time.sleep(max(0.0, started + limit_s - time.monotonic()))
        printed.append(capsys.readouterr().out)
        raise socket.gaierror("Temporary failure in name resolution")

    with LocalServer(port=0) as server:
        for name, value in {**account_environment(), **endpoint_environment(server.ports)}.items():
            monkeypatch.setenv(name, value)
        with monkeypatch.context() as network:
            network.setenv("COS_ENDPOINT", "http://cos.no-such-name.test")
            network.setattr(socket, "getaddrinfo", hang)
            started = time.monotonic()
            call_back(EVENT, time_limit_s=limit_s)
        (line,) = lines_of(printed[0])
        assert (line["message"], line["code"]) == ("callback not stored", "NotBackInTime")
        assert results(replay(printed[0], "--local", str(server.port))) == [("stored", 1)]


def test_callbacks_that_were_stored_in_time_leave_nothing_to_watch(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor do those that failed in time: one line each."""
    assert call_back(EVENT, time_limit_s=1.05).status in (200, 503)
    fail(cloud, capsys, EVENT)
    time.sleep(LATE_S + 3 * STEP_S)
    assert "mtr1" not in capsys.readouterr().out
