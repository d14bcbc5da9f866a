"""Who may call back: live secrets only, one answer, no secret anywhere; who may not is counted, cheaply, and shown."""

from __future__ import annotations

import hmac
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhook import handler, refusals
from functions.webhook.refusals import Refusals
from localcloud import defaults
from localcloud.gateway.environment import account_environment
from shared.upstream.signing import build_callback_token, equals_any, sendcloud_signature
from tests.handlers import (
    DAY,
    EVENT,
    NOW,
    VALID,
    ask,
    bucket,
    call_back,
    http_event,
    kept,
    records,
    send,
    write_report,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud import LocalCloud
    from tests.handlers import Answer

SECRET = defaults.WEBHOOK_SECRET
BODY = json.dumps(EVENT).encode()
REFUSED = f"state/webhook/refused/dt={DAY}/"


def post(path: str) -> Answer:
    """POST an event to ``path``, exactly as it stands."""
    return ask("webhook", http_event("POST", path, BODY))


# --- the secret in the path ------------------------------------------------------------------------------------


def percent_encoded(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


@pytest.mark.parametrize(
    "path",
    [f"/webhook/ses/{SECRET}/", f"//webhook//ses//{SECRET}", f"/release/webhook/ses/{SECRET}",
     f"/webhook/ses/{percent_encoded(SECRET)}", f"/webhook%2Fses%2F{SECRET}"],
)  # fmt: skip
def test_the_same_secret_written_otherwise_is_the_same(path: str, cloud: LocalCloud) -> None:
    """What a gateway may make of a path: a slash more, a stage, percent signs. The secret has to be right all the same."""
    assert post(path).status == 200
    assert post(path.replace(SECRET, "another-" + SECRET).replace(percent_encoded(SECRET), "%61")).status == 401


WRONG = {
    "a longer one": SECRET + "x",
    "a shorter one": SECRET[:-1],
    "capitals": SECRET.upper(),
    "encoded twice": percent_encoded(percent_encoded(SECRET)),
    "a blank behind": SECRET + "%20",
    "a NUL behind": SECRET + "%00",
    "a line break behind": SECRET + "%0a",
    "full width": "".join(chr(ord(c) + 0xFEE0) for c in SECRET),
    "a look-alike": SECRET.replace("o", "\u043e"),
    "a soft hyphen": SECRET.replace("-", "\u00ad"),
    "half a surrogate pair": SECRET[:-1] + "\ud800",
    "not UTF-8": SECRET[:-1] + "%ff",
    "a list of them": f"{SECRET},{SECRET}",
    "nothing": "",
    "a parameter of the path": SECRET + ";x=1",
    "dots": f"..%2e/{SECRET}"[:3],
    "very long": "x" * 100_000,
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("provider", ["ses", "sendcloud"])
def test_what_is_almost_the_secret_is_refused_with_the_one_answer(name: str, provider: str, cloud: LocalCloud) -> None:
    answer = post(f"/webhook/{provider}/{WRONG[name]}")
    assert (answer.status, answer.body) == (401, {
        "type": "urn:mailtrail:problem:unauthorized", "title": "Unauthorized", "status": 401, "code": "unauthorized",
        "detail": "not authenticated", "retry_safe": False, "request_id": answer.body["request_id"],
    })  # fmt: skip
    assert kept() == {}


@pytest.mark.parametrize(
    "event",
    [{"queryString": {"secret": SECRET}}, {"queryString": f"secret={SECRET}"}, {"queryStringParameters": {"s": SECRET}},
     {"path": f"/webhook/ses?secret={SECRET}"}, {"path": f"/webhook/ses#{SECRET}"},
     {"headers": {"authorization": f"Bearer {SECRET}", "x-uri": f"/webhook/ses/{SECRET}"}},
     {"pathParameters": {"secret": SECRET}}, {"path": f"/{SECRET}/webhook/ses"}],
)  # fmt: skip
def test_a_secret_in_any_other_place_opens_nothing(event: dict[str, Any], cloud: LocalCloud) -> None:
    """Queries and headers stand in logs of other people."""
    assert ask("webhook", {**http_event("POST", "/webhook/ses", BODY), **event}).status in (401, 404)
    assert kept() == {}


def test_the_right_secret_is_told_from_a_wrong_one_by_no_other_path(cloud: LocalCloud) -> None:
    """404 goes before the secret, 405 and 413 behind it."""
    for path in ("/webhook/ses/{}/more", "/webhook/ses/{}%2Fmore", "/webhook/other/{}", "/webhook/SES/{}", "/webhook"):
        assert post(path.format(SECRET)) == post(path.format("a-wrong-secret"))
        assert post(path.format(SECRET)).status == 404
    for method, body in (("PUT", b""), ("DELETE", b""), ("POST", b"x" * 300_000)):
        assert ask("webhook", http_event(method, "/webhook/ses/a-wrong-secret", body)).status == 401


@pytest.mark.parametrize("position", range(4))
def test_every_live_secret_is_compared_whole_whichever_matches(
    position: int, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No early exit: as many comparisons for the first, the last and none of them; bytes, by the standard library."""
    live = [f"live-secret-no-{number}" + "x" * number for number in range(3)]
    monkeypatch.setenv("WEBHOOK_SECRETS", ",".join(live))
    compared: list[tuple[bytes, bytes]] = []
    compare_digest = hmac.compare_digest

    def note(candidate: bytes, given_: bytes) -> bool:
        compared.append((candidate, given_))
        return compare_digest(candidate, given_)

    monkeypatch.setattr(hmac, "compare_digest", note)
    given_ = [*live, "short"][position]
    assert post(f"/webhook/ses/{given_}").status == (200 if position < 3 else 401)
    # The second argument is what the C code runs over, also when the lengths differ: it is the stranger's own.
    assert [pair for pair in compared if pair[1] == given_.encode()] == [(s.encode(), given_.encode()) for s in live]


@given(st.lists(st.text(), max_size=4), st.text())
def test_equals_any_is_equality_with_any(candidates: list[str], text: str) -> None:
    """Any text, also what has no UTF-8; no normal form, no case folding."""
    assert equals_any(candidates, text) is (text in candidates)
    assert equals_any(iter([*candidates, text]), text) is True


@pytest.mark.parametrize(
    "value", ["", " , ", "short", "aaaaaaaaaaaaaaaa", "changeme-changeme", SECRET + ",abcabcabcabc", "has/slash/inside"]
)
def test_it_does_not_start_with_no_secret_or_a_weak_one(
    value: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """503, so that the sender keeps the callback; the log names the rule, never the secret."""
    monkeypatch.setenv("WEBHOOK_SECRETS", value)
    answer = post(f"/webhook/ses/{value.rpartition(',')[2].strip()}")
    # Beside a weak one a good one may stand: it lets the callback into the log, and the weak one is a stranger's.
    assert answer.status == (401 if SECRET in value else 503)
    assert answer.body["code"] == ("unauthorized" if SECRET in value else "misconfigured")
    assert kept() == {}
    line = next(json.loads(text) for text in capsys.readouterr().out.splitlines() if "misconfigured" in text)
    assert any(problem.startswith("WEBHOOK_SECRETS") for problem in line["problems"])
    assert not [part for part in value.split(",") if len(part) > 3 and part.strip() in json.dumps(line["problems"])]


def callbacks_of_every_kind() -> Iterable[tuple[str, str, bytes]]:
    """Yield method, path and body of what is stored, quarantined and refused."""
    token = build_callback_token(defaults.TOKEN_KEY, "ref", [EVENT["email"]], {"a": "b"})
    forged = build_callback_token("another-token-key", "ref", [EVENT["email"]])
    stamp, nonce = str(int(NOW)), "n" * 50
    proof = {
        "timestamp": stamp,
        "token": nonce,
        "signature": sendcloud_signature(defaults.SENDCLOUD_APP_KEY, stamp, nonce),
    }
    for name in (SECRET, "a-wrong-" + SECRET):
        yield "GET", f"/webhook/ses/{name}", b""
        yield "PUT", f"/webhook/ses/{name}", b""
        for body in (BODY, b"{", b"", b"\xff", b"x" * 300_000):
            yield "POST", f"/webhook/ses/{name}", body
        for header in (token, forged):
            yield "POST", f"/webhook/ses/{name}", json.dumps({**EVENT, "X-Tencentcloudses-Cb-Custom": header}).encode()
        for said in ("deliver", "open"):
            yield (
                "POST",
                f"/webhook/sendcloud/{name}",
                json.dumps({"event": said, "recipient": "a@b.c", **proof}).encode(),
            )


def test_no_secret_and_no_key_stands_in_a_log_line_an_answer_or_an_object(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor an address in the log; keys of objects included. What came in a body is kept as it came."""
    answers = []
    for method, path, body in callbacks_of_every_kind():
        headers = {"referer": f"https://x/webhook/ses/{SECRET}", "x-forwarded-uri": path, "user-agent": "ses"}
        answers.append(ask("webhook", http_event(method, path, body, headers)))
    assert {answer.status for answer in answers} == {200, 401, 405, 413}
    logged = capsys.readouterr().out
    told = [repr(answers), logged, *bucket(), *(body.decode() for body in bucket().values())]
    for secret in (SECRET, defaults.TOKEN_KEY, defaults.SENDCLOUD_APP_KEY, defaults.SECRET_KEY, "a-wrong-"):
        assert not [text for text in told if secret in text]
    assert EVENT["email"] not in logged
    assert "n" * 50 not in logged


def test_a_token_of_ours_about_nobody_is_not_proof(cloud: LocalCloud) -> None:
    """The token ties an event to the mail's recipients; an event without one is tied to nothing."""
    token = build_callback_token(defaults.TOKEN_KEY, "ref", ["alice@example.com"], {"a": "b"})
    nobody = {name: value for name, value in EVENT.items() if name != "email"}
    call_back({**nobody, "X-Tencentcloudses-Cb-Custom": token})
    (record,) = records("events/")
    assert record["verified"] is False


# --- refusals are counted --------------------------------------------------------------------------------------


def refuse(times: int = 1) -> list[int]:
    """Call back with a wrong secret."""
    return [call_back(EVENT, secret="a-wrong-secret").status for _ in range(times)]


def counted() -> dict[str, int]:
    """Add up what lies in the bucket for the day."""
    return {reason: sum(line["counts"].get(reason, 0) for line in records(REFUSED))
            for reason in {name for line in records(REFUSED) for name in line["counts"]}}  # fmt: skip


def new_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the platform start another one."""
    monkeypatch.setattr(handler, "refusals", Refusals())


def test_each_instance_writes_its_own_totals(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(3)
    cloud.advance(60)
    call_back({"timestamp": 1, "token": "", "signature": ""}, provider="sendcloud")
    (first,) = records(REFUSED)
    assert {name: first[name] for name in ("v", "day", "counts")} == {
        "v": 1, "day": DAY, "counts": {"secret": 3, "signature": 1},
    }  # fmt: skip
    assert (first["first_at"][:16], first["last_at"][:16]) == ("2026-11-20T08:10", "2026-11-20T08:11")
    new_instance(monkeypatch)
    refuse(2)
    assert len(bucket(REFUSED)) == 2
    assert [key for key in bucket(REFUSED) if first["instance"] in key]
    assert counted() == {"secret": 5, "signature": 1}
    assert set(kept()) == set()


def test_a_days_first_hundred_are_exact_and_a_flood_costs_a_write_every_ten_seconds(
    cloud: LocalCloud, calls: list[str]
) -> None:
    assert set(refuse(100)) == {401}
    assert calls == ["cos:PutObject"] * 100
    assert counted() == {"secret": 100}
    calls.clear()
    refuse(300)
    assert len(calls) <= 1
    calls.clear()
    cloud.advance(11)
    refuse(1)
    assert calls == ["cos:PutObject"]
    assert counted() == {"secret": 401}


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_remainder_of_a_flood_is_written_with_the_next_request_of_any_kind(
    method: str, cloud: LocalCloud, calls: list[str]
) -> None:
    def accepted() -> int:
        return ask("webhook", http_event(method, f"/webhook/ses/{SECRET}", BODY)).status

    own = ["cos:PutObject"] if method == "POST" else []
    refuse(150)
    calls.clear()
    assert accepted() == 200
    assert calls == own, "not due yet"
    cloud.advance(11)
    calls.clear()
    assert accepted() == 200
    assert calls == [*own, "cos:PutObject"]
    assert counted() == {"secret": 150}
    cloud.advance(11)
    calls.clear()
    assert accepted() == 200
    assert calls == own, "nothing is owed any more"


def test_midnight_leaves_both_days_right(cloud: LocalCloud) -> None:
    """The remainder of the old day is written with the first of the new one."""
    refuse(120)
    cloud.advance(86400)
    refuse(2)
    assert counted() == {"secret": 120}
    (line,) = records("state/webhook/refused/dt=2026-11-21/")
    assert (line["day"], line["counts"]) == ("2026-11-21", {"secret": 2})


@pytest.mark.parametrize("fault", [{"kind": "error", "status": 503, "code": "SlowDown"}, {"kind": "drop_request"}])
def test_the_401_does_not_depend_on_cos(fault: dict[str, Any], cloud: LocalCloud, calls: list[str]) -> None:
    """It comes within about a second, once; then a failing COS is left alone for a while, and what it missed comes later."""
    cloud.add_faults({"service": "cos", **fault})
    assert refuse(50) == [401] * 50
    first = len(calls)
    assert first < 20
    cloud.clear_faults()
    assert bucket("state/") == {}
    calls.clear()
    refuse(1)
    assert calls == []
    cloud.advance(11)
    refuse(1)
    assert counted() == {"secret": 52}
    refuse(1)
    assert counted() == {"secret": 53}, "and is written through again"


def test_the_401_does_not_wait_for_a_cos_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and never answers: the first 401 waits for so long as it may, the next ones not at all."""
    monkeypatch.setattr(refusals, "PATIENCE_S", 0.3)
    monkeypatch.setattr(handler, "refusals", Refusals())
    for name, value in account_environment().items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("COS_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        assert refuse(1) == [401]
        first_s = time.monotonic() - begun
        assert refuse(20) == [401] * 20
        others_s = time.monotonic() - begun - first_s
    assert 0.2 < first_s < 3
    assert others_s < first_s


def test_an_accepted_callback_does_not_fail_for_the_count(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(150)
    cloud.advance(11)
    dispatch = cloud.cos.dispatch

    def no_state(request: Any) -> Any:
        if request.path.startswith("/state/"):
            return cloud.cos.error_response(request, "AccessDenied", 403)
        return dispatch(request)

    monkeypatch.setattr(cloud.cos, "dispatch", no_state)
    assert call_back(EVENT).body == {"stored": 1}


# --- and shown -------------------------------------------------------------------------------------------------


def page() -> str:
    """Read the day's report as a page."""
    return bucket(f"reports/dt={DAY}/")[f"reports/dt={DAY}/report.html"].decode()


def test_the_report_shows_who_was_refused_and_what_is_unverified(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = write_report()
    assert (report["refused"], report["callback_token_refused"]) == ({"total": 0, "by_reason": {}}, None)
    assert "were refused" not in page()
    refuse(3)
    new_instance(monkeypatch)
    call_back({"timestamp": 1, "token": "", "signature": ""}, provider="sendcloud")
    token = build_callback_token(defaults.TOKEN_KEY, "ref", ["alice@example.com"])
    call_back({**EVENT, "X-Tencentcloudses-Cb-Custom": token})
    call_back([EVENT, {**EVENT, "event": "open"}, {**EVENT, "event": "click"}])
    report = write_report()
    assert report["refused"] == {"total": 4, "by_reason": {"secret": 3, "signature": 1}}
    # The delivery was told twice, once with our token: proven once is proven.
    assert (report["events"]["verified"], report["events"]["unverified"]) == (1, 2)
    assert "<strong>4 callbacks were refused</strong>" in page()
    assert "rotated in one place only" in page()
    assert "(secret: 3, signature: 1)" in page()
    assert "1 are verified" in page()


@pytest.mark.parametrize("key", ["", "order-42"])
def test_the_report_shows_that_ses_refuses_our_token(
    key: str, cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noted once in an instance's life, at the moment of refusal; the mail goes out all the same."""
    monkeypatch.setenv("SEND_GUARD", "off")  # it looks and writes as well
    cloud.ses.switches.smtp_headers = "refuse"
    answer = send(VALID, key=key)
    assert (answer.status, answer.body["recipients"]) == (202, 1)
    assert calls[-2:] == ["cos:PutObject"] * 2, "the line of the send, then the note"
    (line,) = records("state/send/")
    assert set(line) == {"v", "at", "code", "request_id"}
    assert (line["at"][:16], line["code"]) == ("2026-11-20T08:10", "InvalidParameterValue")
    first = len(calls)
    assert send({**VALID, "subject": "Another"}).status == 202
    assert len(calls) - first == 2, "one SendEmail, one line of the send"
    report = write_report()
    assert report["callback_token_refused"] == {name: line[name] for name in ("at", "code", "request_id")}
    assert "SES refuses our callback token" in page()


def test_a_note_that_cos_does_not_take_neither_fails_nor_delays_the_send(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEND_GUARD", "off")  # it looks and writes as well
    cloud.ses.switches.smtp_headers = "refuse"
    dispatch = cloud.cos.dispatch

    def no_state(request: Any) -> Any:
        if request.path.startswith("/state/send/"):
            return cloud.cos.error_response(request, "ServiceUnavailable", 503)
        return dispatch(request)

    monkeypatch.setattr(cloud.cos, "dispatch", no_state)
    answer = send(VALID)
    assert answer.status == 202
    assert len(records("sends/")) == 1
    assert bucket("state/") == {}
    first = len(calls)
    send(VALID)
    assert len(calls) - first == 2, "not tried again"


def test_a_mail_whose_token_is_taken_notes_nothing(
    cloud: LocalCloud, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEND_GUARD", "off")  # it looks and writes as well
    send(VALID)
    assert calls == ["ses:SendEmail", "cos:PutObject"]
    assert write_report()["callback_token_refused"] is None
