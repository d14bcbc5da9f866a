"""Every SES action, success and error, by the vendor's own clients through the doors they can go through.

One table (``ses_cases/*.json``, explained in ses_cases_reading.py); every client runs all of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.ses.actions import ACTIONS
from localcloud.ses.errors import MESSAGES
from tests.clients.recording import record
from tests.clients.ses_cases_reading import difference, fill, load_cases, take
from tests.clients.ses_clients import WAYS, Session, open_session, version_of, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = load_cases()
CALLS = [step for case in CASES for step in case["steps"] if "call" in step]
REFUSALS = {
    action: {step["error"] for step in CALLS if step["call"] == action and "error" in step} for action in ACTIONS
}
OPERATIONS = {action: f"{action}, with {len(codes)} of its errors" for action, codes in REFUSALS.items()}
"""Action → its line in the table of docs/localcloud-clients.md."""
UNREACHABLE = {
    "AuthFailure.InvalidAuthorization": "no SDK writes a malformed Authorization; tests/contract/test_ses_auth.py does",
    "FailedOperation.HighRejectionRate": "needs 300 judged mails of a day; tests/contract has it",
    "InvalidAction": "the SDKs know only actions that exist; by CommonClient in tests/contract",
    "InvalidParameter": "the SDKs send the types they know",
    "NoSuchVersion": "the SDKs know only one version",
    "OperationDenied.TemplateStatusError": "what a task tells in its ErrMsg; tests/contract has it",
    "RequestSizeLimitExceeded": "10 MB of body; tests/contract",
    "UnknownParameter": "the SDKs drop members that they do not know",
    "UnsupportedProtocol": "the SDKs send GET and POST",
}
"""Codes that no case expects, and why."""


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way.title)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    if reason := why_not(request.param):
        pytest.skip(reason)
    with open_session(request.param) as opened:
        yield opened


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(session: Session, case: dict[str, Any]) -> None:
    """The client sees what the table says."""
    if session.way.site not in case.get("sites", ("cn", "intl")):
        pytest.skip(f"about the site {case['sites'][0]}")
    now = session.control({"reset": True, "switches": {"hourly_per_recipient": 0, **case.get("switches", {})}})["now"]
    saved: dict[str, Any] = {"region": session.way.region}
    for step in case["steps"]:
        if "control" in step:
            told = session.control(fill(step["control"], saved, now))
            now = told["now"]
        else:
            told = run_step(session, step, saved, now)
        saved |= {name: take(told, path) for name, path in step.get("save", {}).items()}


def run_step(session: Session, step: dict[str, Any], saved: dict[str, Any], now: float) -> dict[str, Any]:
    """Make one call, compare and record it; return the response."""
    command = {"call": step["call"], "request": fill(step.get("request", {}), saved, now)}
    told = session.call({**command, "as": fill(step.get("as", {}), saved, now)})
    code = told.get("error", {}).get("code", "")
    wrong = "" if code == step.get("error", "") else f"error {told.get('error')}, not {step.get('error')!r}"
    if not wrong and not code:
        wrong = difference(fill(step.get("expect", {}), saved, now), told["response"])
    record(session.way.title, OPERATIONS[step["call"]], not wrong, version=version_of(session.way))
    assert not wrong, f"{step['call']}: {wrong}\n{json.dumps(told, ensure_ascii=False)[:2000]}"
    return dict(told.get("response", {}))


def test_every_action_and_every_documented_error_is_in_the_table() -> None:
    """An action or a code that is added to localcloud without a case is noticed here."""
    assert {step["call"] for step in CALLS if "error" not in step} == set(ACTIONS)
    assert [action for action, codes in REFUSALS.items() if not codes] == []
    assert set(MESSAGES) - set().union(*REFUSALS.values()) == set(UNREACHABLE)
