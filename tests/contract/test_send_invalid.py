"""Bad input is refused by us, all of it at once, named by field; SES is not asked."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.batches import batch_of, person
from tests.event_files import load_event
from tests.handlers import VALID, ask, bucket, context, http_event, send, send_batch
from tests.invalid_batches import INVALID_BATCHES
from tests.invalid_sends import INVALID_SENDS, Case
from tests.task_making import TASK

if TYPE_CHECKING:
    from localcloud import LocalCloud

INVALID = [*INVALID_SENDS, *INVALID_BATCHES]
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "retry_safe", "request_id"}


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.name)
def test_what_is_wrong_is_named_field_by_field_and_nothing_is_asked_of_anyone(case: Case, calls: list[str]) -> None:
    """A status, a stable code, each problem once under its field; no call to SES, none to COS."""
    answer = send(case.body, key="never-claimed", path=case.path)
    assert (answer.status, answer.body["code"]) == (case.status, case.code)
    named = Counter(error["field"] for error in answer.body.get("errors", ()))
    assert set(named) == set(case.fields), answer.body
    if case.name == "everything at once":
        assert named == Counter(case.fields), answer.body
    assert answer.headers["Content-Type"] == "application/problem+json; charset=utf-8"
    assert set(answer.body) - {"errors"} == PROBLEM_MEMBERS
    assert answer.body["status"] == case.status
    assert answer.body["type"] == f"urn:mailtrail:problem:{case.code}"
    assert answer.body["retry_safe"] is False
    assert answer.body["request_id"] == context()["request_id"]
    assert all(set(error) == {"field", "problem"} and error["problem"] for error in answer.body.get("errors", ()))
    assert calls == []


def test_the_corpus_is_a_corpus() -> None:
    """At least 150 cases, each once."""
    assert len(INVALID_SENDS) >= 150
    assert len(INVALID_BATCHES) >= 40
    assert len({case.name for case in INVALID}) == len(INVALID)


@pytest.mark.parametrize(
    "path",
    [
        lambda nested: {**VALID, "template": {"id": 1, "data": {"code": nested}}},
        lambda nested: {**VALID, "attachments": [{"filename": nested, "content": nested}]},
        lambda nested: {**VALID, "headers": {"X-A": nested}, "metadata": {"a": nested}, "to": [nested]},
        lambda nested: {**VALID, "from": nested, "subject": nested, "x": nested},
    ],
    ids=["template", "attachments", "headers", "anywhere"],
)
def test_no_depth_of_nesting_gets_through_between_what_can_be_read_and_what_can_be_written(
    path: Any, calls: list[str]
) -> None:
    """Whatever the depth at which JSON gives up, the answer is a 400."""
    for depth in range(860, 1010, 3):
        text = json.dumps(path("NEST")).replace('"NEST"', "[" * depth + "]" * depth)
        assert send(text.encode()).status == 400
    assert calls == []


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(member=st.sampled_from([*VALID, "cc", "bcc", "attachments", "headers", "metadata", "unsubscribe"]), value=_json)
def test_any_json_in_any_member_is_accepted_or_named(cloud: LocalCloud, member: str, value: Any) -> None:
    """Never an exception, never our own fault (502), never a refusal that does not name the member."""
    answer = send({**VALID, member: value})
    assert answer.status in (202, 400, 422)
    if answer.status == 400 and answer.body["code"] == "invalid_request":
        assert any(
            error["field"].startswith(member.split(".", maxsplit=1)[0]) for error in answer.body.get("errors", ())
        )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(member=st.sampled_from(["to", "data", "metadata", "x"]), value=_json, everybody=st.booleans())
def test_any_json_in_any_recipient_is_accepted_or_named(
    cloud: LocalCloud, member: str, value: Any, *, everybody: bool
) -> None:
    """And never is somebody sent a mail beside a recipient that is wrong."""
    wrong = {**person("bob"), member: value}
    answer = send_batch({**batch_of([person("alice"), wrong]), **({"recipients": value} if everybody else {})})
    assert answer.status in (202, 207, 400, 422)
    if answer.status == 400:
        assert all(error["field"].startswith("recipients") for error in answer.body.get("errors", ()))
        assert not cloud.messages()
    cloud.reset()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_any_bytes_are_answered_400(calls: list[str], body: bytes) -> None:
    assert send(body).status == 400
    assert calls == []


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        ("function-url-missing-key.json", 401, "unauthorized"),
        ("function-url-wrong-key.json", 401, "unauthorized"),
        ("function-url-wrong-scheme.json", 401, "unauthorized"),
        ("function-url-lookup-missing-key.json", 401, "unauthorized"),
        ("function-url-unknown-path.json", 404, "not_found"),
        ("function-url-wrong-method.json", 405, "method_not_allowed"),
    ],
)
def test_who_may_not_call_and_what_is_not_here(event: str, status: int, code: str, calls: list[str]) -> None:
    answer = ask("send", load_event(f"send/{event}"))
    assert (answer.status, answer.body["code"]) == (status, code)
    assert calls == []


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic bG9jYWwtc2VuZC1rZXk=", "local-send-key", "Bearer local-send-ke",
     "Bearer local-send-key2", "Bearer LOCAL-SEND-KEY", "Bearer k\u00e9y", "Bearer \ud800", "Bearer local-send-key, x"],
)  # fmt: skip
def test_every_wrong_key_gets_the_same_answer_whatever_it_asked_for(authorization: str, calls: list[str]) -> None:
    """Nothing tells a wrong key from a missing one, nor a good body from a bad one."""
    headers = {"authorization": authorization} if authorization else {}
    answers = [
        ask("send", http_event(method, path, body, headers))
        for method, path, body in (("POST", "/send", json.dumps(VALID).encode()), ("POST", "/send", b"{"), ("GET", "/send/x", b""), ("PUT", "/elsewhere", b""))
    ]  # fmt: skip
    reference = ask("send", http_event("POST", "/send", b""))
    assert {answer.status for answer in answers} == {401}
    assert all(answer == reference for answer in answers)
    assert calls == []


def test_any_of_several_live_keys_opens(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEND_KEYS", "old-key-of-the-team , new-key-of-the-team")
    assert send(VALID, send_key="old-key-of-the-team").status == 202
    assert send(VALID, send_key="new-key-of-the-team").status == 202
    assert send(VALID, send_key="local-send-key").status == 401


def test_settings_that_are_missing_are_our_fault_and_not_shown(
    calls: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller learns that it is our side; the log names every setting at once."""
    for name in ("SEND_KEYS", "MAILTRAIL_BUCKET"):
        monkeypatch.delenv(name)
    answer = send(VALID)
    assert (answer.status, answer.body["code"]) == (500, "misconfigured")
    assert "SEND_KEYS" not in json.dumps(answer.body)
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [problem.split()[0] for problem in line["problems"]] == ["MAILTRAIL_BUCKET", "SEND_KEYS"]
    assert calls == []


def test_a_body_that_is_not_the_base64_it_claims_to_be(calls: list[str]) -> None:
    event = http_event("POST", "/send", headers={"authorization": "Bearer local-send-key"})
    answer = ask("send", {**event, "body": "%%%"})
    assert (answer.status, answer.body["code"]) == (400, "invalid_body")
    assert calls == []


@pytest.mark.parametrize("key", ["k" * 257, " ", "a//b", "/a", "中"], ids=["long", "blank", "slashes", "slash", "wide"])
@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/send", {**VALID, "to": ["nope"]}, {"to[0]"}),
        ("/send/batch", batch_of([person("no one")]), {"recipients[0].to"}),
        ("/tasks", {**TASK, "recipients": ["nope"]}, {"recipients[0]"}),
    ],
)
def test_a_key_that_is_none_is_named_with_what_else_is_wrong(
    calls: list[str], key: str, path: str, body: dict[str, Any], fields: set[str]
) -> None:
    """A blank one, too: it is a variable that nobody has set, and the mail would go out twice."""
    answer = send(body, key=key, path=path)
    assert (answer.status, answer.body["code"]) == (400, "invalid_request")
    assert {error["field"] for error in answer.body["errors"]} == {"Idempotency-Key", *fields}
    assert calls == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/send", {**VALID, "to": [0] * 150_000}, "to"),
        ("/send", {**VALID, "template": {"id": 1, "data": dict.fromkeys(map(str, range(90_000)))}}, "template"),
        ("/send", {**VALID, **dict.fromkeys(map(str, range(90_000)))}, ""),
        ("/send", {**VALID, "headers": {f"a b{number}": "" for number in range(90_000)}}, "headers"),
        ("/tasks", {**TASK, **dict.fromkeys(map(str, range(90_000)))}, ""),
    ],
    ids=["recipients", "variables", "members", "headers", "members of a task"],
)
def test_of_very_many_problems_the_first_are_named_and_the_others_counted(
    calls: list[str], path: str, body: dict[str, Any], field: str
) -> None:
    """An answer of over 6 MB would be none: SCF lets none out."""
    answer = send(body, key="k", path=path)
    assert (answer.status, answer.body["code"]) == (400, "invalid_request")
    last = answer.body["errors"][-1]
    assert (last["field"], " more " in last["problem"]) == (field, True)
    assert len(json.dumps(answer.body)) < 1_000_000
    assert calls == []


def test_a_batch_in_which_one_mail_alone_is_too_large_asks_nobody(calls: list[str]) -> None:
    """What is theirs counts: a quote takes four bytes in a request to SES, and two in ours."""
    answer = send_batch(batch_of([person("a"), person("b", '"' * 2_200_000)]), key="k")
    assert (answer.status, answer.body["code"]) == (413, "too_large")
    assert [error["field"] for error in answer.body["errors"]] == ["recipients[1].data"]
    assert calls == []


def test_attachments_of_just_what_is_allowed_leave_no_room_for_a_text(calls: list[str]) -> None:
    """4 MB is the whole mail; base64 ends in padding that is no byte of it."""
    full = {"filename": "a.pdf", "content": base64.b64encode(bytes(4 * 1024 * 1024)).decode()}
    body = {name: value for name, value in VALID.items() if name != "template"}
    answer = send({**body, "html": "x" * 300_000, "attachments": [full]})
    assert (answer.status, answer.body["code"]) == (413, "too_large")
    assert [error["field"] for error in answer.body["errors"]] == ["html"]
    assert calls == []


def test_nothing_of_a_refused_mail_is_kept_or_logged(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """No address, no key, no body in a log line (invariant 7)."""
    answer = send({**VALID, "to": ["secret.person@example.com", "not an address"]})
    assert answer.status == 400
    assert bucket() == {}
    logged = capsys.readouterr().out
    assert "secret.person" not in logged
    assert "local-send-key" not in logged
