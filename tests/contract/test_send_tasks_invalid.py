"""A bulk task that is not right is refused by us, all of it at once, named by field; nobody is asked."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud import defaults
from tests.handlers import ask, bucket, http_event
from tests.invalid_tasks import INVALID_TASKS
from tests.task_making import TASK, look_up, make, move_waits

if TYPE_CHECKING:
    from localcloud import LocalCloud
    from tests.invalid_sends import Case


@pytest.mark.parametrize("case", INVALID_TASKS, ids=lambda case: case.name)
def test_what_is_wrong_is_named_field_by_field_and_nothing_is_asked_of_anyone(case: Case, calls: list[str]) -> None:
    """A status, a stable code, each problem once under its field; no call to SES, none to COS."""
    answer = make(case.body)
    assert (answer.status, answer.body["code"]) == (case.status, case.code)
    named = Counter(error["field"] for error in answer.body.get("errors", ()))
    assert set(named) == set(case.fields), answer.body
    if case.name == "everything at once":
        assert named == Counter(case.fields), answer.body
    assert answer.body["retry_safe"] is False
    assert all(set(error) == {"field", "problem"} and error["problem"] for error in answer.body.get("errors", ()))
    assert calls == []


def test_the_corpus_is_a_corpus() -> None:
    """At least 120 cases, each once."""
    assert len(INVALID_TASKS) >= 120
    assert len({case.name for case in INVALID_TASKS}) == len(INVALID_TASKS)


def test_without_a_key_no_task_is_made_and_the_answer_says_why(calls: list[str]) -> None:
    """Together with whatever else is wrong."""
    answer = make(key="")
    (error,) = answer.body["errors"]
    assert (answer.status, error["field"]) == (400, "Idempotency-Key")
    assert "twice" in error["problem"]
    both = make({**TASK, "subject": ""}, key="")
    assert {error["field"] for error in both.body["errors"]} == {"Idempotency-Key", "subject"}
    assert make(key="a//b").body["code"] == "invalid_request"
    assert calls == []


def test_of_many_wrong_recipients_a_thousand_are_named_and_the_others_counted(calls: list[str]) -> None:
    """An answer has a limit, too."""
    answer = make({**TASK, "recipients": ["nobody"] * 3000, "subject": ""})
    errors = answer.body["errors"]
    assert len([error for error in errors if error["field"].startswith("recipients[")]) == 1000
    assert [error["problem"] for error in errors if error["field"] == "recipients"] == [
        "and 2000 more problems like these"
    ]
    assert [error["field"] for error in errors if not error["field"].startswith("recipients")] == ["subject"]
    assert calls == []


def test_invalid_input_does_not_use_the_key_up(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    move_waits(cloud, monkeypatch)
    assert make({**TASK, "subject": ""}).status == 400
    assert make({**TASK, "when": {"at": "2026-11-20T08:00:00Z"}}).status == 400
    assert bucket() == {}
    assert make().status == 202


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/tasks"), ("GET", "/tasks"), ("POST", "/tasks/x"), ("DELETE", "/tasks/x")]
)
def test_other_methods_are_refused(calls: list[str], method: str, path: str) -> None:
    headers = {"authorization": f"Bearer {defaults.SEND_KEY}"}
    answer = ask("send", http_event(method, path, b"{}", headers))
    assert (answer.status, answer.body["code"]) == (405, "method_not_allowed")
    assert calls == []


@pytest.mark.parametrize(("method", "path"), [("POST", "/tasks"), ("GET", "/tasks/x")])
def test_without_a_live_key_nothing_is_told(calls: list[str], method: str, path: str) -> None:
    answer = ask(
        "send", http_event(method, path, json.dumps(TASK).encode(), {"authorization": "Bearer wrong-wrong-wrong"})
    )
    assert (answer.status, answer.body["code"]) == (401, "unauthorized")
    assert calls == []


def test_a_key_that_was_never_used_is_not_found(cloud: LocalCloud) -> None:
    assert (look_up("never").status, look_up("never").body["code"]) == (404, "not_found")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(member=st.sampled_from([*TASK, "receiver_id", "reply_to", "unsubscribe", "ad", "when"]), value=_json)
def test_any_json_in_any_member_is_accepted_or_named(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, member: str, value: Any
) -> None:
    """Never an exception, never our own fault (502), never a refusal that does not name the member."""
    move_waits(cloud, monkeypatch)
    answer = make({**TASK, member: value}, key=f"k{cloud.clock.now()}")
    assert answer.status in (202, 400, 422)
    if answer.status == 400 and answer.body["code"] == "invalid_request":
        assert any(error["field"].startswith(member) for error in answer.body["errors"])
