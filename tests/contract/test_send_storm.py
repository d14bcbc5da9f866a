"""500 sends in bad weather: every mail goes out once, and every key says so.

The storm itself, what it does and how it is judged: benchmarks/sends.py, which also runs it with 10 000 and more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.sends import wrong
from benchmarks.sends_course import Outcome, Size, run_sends

if TYPE_CHECKING:
    from pathlib import Path

SIZE = Size(sends=500, workers=8, kill_every_s=0.3)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Let the clients send, and repeat until each of them knows."""
    folder: Path = tmp_path_factory.mktemp("sends")
    return run_sends(folder, SIZE)


@pytest.mark.timeout(600)  # half a minute on two idle cores; the limit is for a hang
def test_every_mail_is_accepted_once_and_every_key_is_sent_or_refused(outcome: Outcome) -> None:
    assert {what: keys for what, keys in wrong(outcome).items() if keys} == {}
    assert len(outcome.endings) == SIZE.sends
    assert outcome.numbers["uncertain_after"] == 0


def test_the_weather_was_bad(outcome: Outcome) -> None:
    """What the other test rests on: answers of SES lost, errors of both, instances killed, keys left in doubt by it."""
    weather = outcome.numbers["weather"]
    calls = weather.pop("ses delay")
    assert calls >= SIZE.sends
    assert 0.02 < weather["ses drop_response"] / calls < 0.1
    assert all(weather.values())
    assert outcome.numbers["kills"] > 10
    assert outcome.numbers["open_after_storm"] > 0
    assert sum(one["sent"] + one["not_accepted"] for one in outcome.numbers["passes"]) > 0
