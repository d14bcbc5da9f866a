"""The same request in every trigger shape gets the same answer and leaves the same trail; the README says which."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

import pytest

from functions.send import extras
from functions.send.bulk import lists
from functions.send.guard import admission
from functions.webhook import handler as webhook
from functions.webhook.refusals import Refusals
from localcloud import mock_tencent
from tests.event_files import EVENTS, iter_events, load_event, shape_and_case
from tests.handlers import NOW, Answer, ask, bucket

REFUSED_BY_SES = {"blacklisted": "FailedOperation.EmailAddrInBlacklist"}
"""What the simulator lets in and drops later; SES may refuse it at once, and that is what these cases are about."""


def _cases() -> dict[tuple[str, str], list[str]]:
    cases = defaultdict(list)
    for function in ("send", "webhook"):
        for path, _ in iter_events(function):
            cases[function, shape_and_case(path)[1]].append(path)
    # The same mail in spellings of the platform that have no counterpart elsewhere.
    spellings = [case for function, case in cases if function == "send" and case.startswith("template-")]
    for case in spellings:
        cases["send", "template"] += cases["send", case] if case != "template-pending" else []
    return {key: paths for key, paths in cases.items() if len(paths) > 1}


def _answers() -> dict[str, str]:
    """Path of an event → what its README says is answered."""
    found, function = {}, ""
    for line in (EVENTS / "README.md").read_text(encoding="utf-8").splitlines():
        function = line.removeprefix("## ").rstrip("/") if line.startswith("## ") else function
        cells = line.split("|")
        for name in re.findall(r"`([a-z0-9-]+\.json)`", cells[1]) if len(cells) > 3 else ():
            found[f"{function}/{name}"] = cells[3]
    return found


CASES = _cases()
ANSWERS = {path: text for path, text in _answers().items() if path.startswith(("send/", "webhook/"))}


def drive(path: str, monkeypatch: pytest.MonkeyPatch, *before: str) -> tuple[Answer, dict[str, bytes], int]:
    """Run ``path`` (after ``before``) in a cloud of its own: the answer, the bucket, how many mails went out."""
    monkeypatch.setattr(extras, "learnt", extras.Learnt())
    monkeypatch.setattr(admission, "instance", admission.Instance())
    monkeypatch.setattr(webhook, "refusals", Refusals())
    with mock_tencent(ses_rate_per_s=0) as cloud:
        cloud.move_to(NOW)
        monkeypatch.setattr(lists, "sleep", cloud.advance)
        if code := REFUSED_BY_SES.get(shape_and_case(path)[1]):
            cloud.add_faults({"service": "ses", "kind": "error", "code": code})
        for event in (*before, path):
            answer = ask(event.partition("/")[0], load_event(event))
        return answer, bucket(), len(cloud.messages())


def without_ids(value: Any) -> Any:
    """Return the value without what differs from call to call: ids, nonces, times of writing."""
    text = json.dumps(value, sort_keys=True)
    text = re.sub(r"qcloudses-30-1250000000-date-20261120161\d+-[0-9a-f]{12}", "MESSAGE", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "REQUEST", text)
    text = re.sub(r"2026-11-20T08:1\d:\d\d(\.\d+)?Z", "NOW", text)
    text = re.sub(r'((reference[\\": ]+)|<mt\.)[0-9a-f]{32}', r"\1REFERENCE", text)
    text = re.sub(r"[0-9a-f]{24}(?=[/\"-])", "LIFE", text)
    text = re.sub(r"-0-[0-9a-f]{16}\.json", "-0-NONCE.json", text)
    text = re.sub(r"_[0-9]+_[0-9a-f]{16}\.json", "_SINCE_NAME.json", text)
    text = re.sub(r"(send|upload-0-0)-0-[0-9a-f]{16}", r"\1-0-NONCE", text)
    text = re.sub(r"unsubscribed/[0-9a-f]{64}", "NOTE", text)  # named by its content, which has the time
    return re.sub(r'(nonce[\\": ]+|instance[\\": ]+|refused/dt=2026-11-20/)[0-9a-f]{16}', r"\1NONCE", text)


def without_headers(objects: dict[str, bytes]) -> dict[str, Any]:
    """Return the bucket without the request's headers and bytes in quarantine, in which shapes rightly differ."""
    found: dict[str, Any] = {}
    for key, body in objects.items():
        lines = [json.loads(line) for line in body.decode().splitlines()]
        for line in lines:
            line.pop("headers", None)
        # Ids are drawn: of several mails, by whose they are.
        found[f"sends/{lines[0]['recipients']}" if key.startswith("sends/") else key] = lines
    return found


@pytest.mark.parametrize(("function", "case"), CASES)
def test_the_shapes_agree(function: str, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [drive(path, monkeypatch) for path in CASES[function, case]]
    answers = {(answer.status, without_ids(answer.body), answer.headers["Content-Type"]) for answer, _, _ in results}
    assert len(answers) == 1, answers
    assert len({mails for *_, mails in results}) == 1
    assert len({without_ids(without_headers(objects)) for _, objects, _ in results}) == 1


def test_there_are_enough_cases_in_all_three_shapes() -> None:
    complete = [
        key
        for key, paths in CASES.items()
        if {shape_and_case(path)[0] for path in paths} >= {"apigw", "function-url", "clb"}
    ]
    assert len(complete) >= 25


@pytest.mark.parametrize("path", ANSWERS)
def test_the_answer_is_the_one_that_the_readme_promises(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status, how many events are stored, whether something goes to quarantine, which code of SES is behind it."""
    text = ANSWERS[path]
    before = [path.replace("-other-body", "")] if "other-body" in path else []
    before += [path.replace("-replayed", "-deliver")] if "replayed" in path else []
    answer, objects, _ = drive(path, monkeypatch, *before)
    assert answer.status in {int(status) for status in re.findall(r"\b[2-5]\d\d\b", text)}, answer.body
    for count in re.findall(r"stored (\d+)", text):
        assert answer.body["stored"] == int(count)
    if "quarantine" in text:
        assert answer.status == 401 or answer.body["quarantined"] > 0
        assert any(key.startswith("quarantine/") for key in objects)
    elif answer.status == 200 and path.startswith("webhook/") and "one-bad" not in path:
        assert not any(key.startswith("quarantine/") for key in objects)
    if re.search("nothing (to store|stored)", text):
        assert objects == {}
    for code in re.findall(r"`([A-Z]\w+\.\w+)`", text):
        assert answer.body["upstream"]["code"] == code
