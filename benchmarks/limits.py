"""Three times as much mail as SES permits, by several instances: whether it has to refuse, and how much of it is used.

The ``send`` function itself, six instances that know nothing of each other but the bucket, over a localcloud in this
process with SES's own limits on. Time is moved, not waited for (benchmarks/limits_time.py); requests come at random.

1. rate: 60 mails a second, 20 permitted, to an address each: four simulated minutes a round, 15 rounds are the hour
2. address: an hour of 30 mails to each of 100 addresses, ten permitted
3. quota: an hour of 15 000 mails of a domain of level 4, 5 000 a day permitted

SES's answers are counted where they are given. RequestLimitExceeded is how an instance learns of others, so it is
counted and no goal.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from benchmarks.goals import BenchmarkError, Goal
from benchmarks.limits_time import Instances
from cli import target
from localcloud import defaults, mock_tencent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud import LocalCloud

SEED = 5
INSTANCES = 6
TIMES = 3
"""The permitted load that is offered."""
NOW = 1795140000.0
"""2026-11-20T02:00:00Z, ten in the morning in the account's zone."""
HOUR_S, MINUTES_A_ROUND = 3600, 4
RATE, ADDRESSES, HOURLY = 20, 100, 10
LEVEL, QUOTA = 4, 5000
FREQUENCY, QUOTA_USED_UP = "FailedOperation.FrequencyLimit", "FailedOperation.ExceedSendLimit"


class Course(NamedTuple):
    """One limit: how long, how many mails, to how many addresses, how many SES permits, and the domain's level."""

    name: str
    seconds: int
    mails: int
    addresses: int
    permitted: int
    level: int


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Run the courses. Raises BenchmarkError when a send ends in another way than by a limit."""
    seconds = rounds * MINUTES_A_ROUND * 60
    permitted, in_an_hour = RATE * seconds, ADDRESSES * HOURLY
    courses = [
        Course("rate", seconds, TIMES * permitted, TIMES * permitted, permitted, level=20),
        Course("address", HOUR_S, TIMES * in_an_hour, ADDRESSES, in_an_hour, level=20),
        Course("quota", HOUR_S, TIMES * QUOTA, TIMES * QUOTA, QUOTA, level=LEVEL),
    ]
    results = {course.name: run_course(course) for course in courses}
    answers = sum((Counter(result["ses"]) for result in results.values()), Counter[str]())
    goals = [
        Goal("FrequencyLimit told by SES", answers[FREQUENCY], 0),
        Goal("ExceedSendLimit told by SES", answers[QUOTA_USED_UP], 0),
        *(
            Goal(f"of what is permitted, left unused: {name}", result["unused"], 0.1)
            for name, result in results.items()
        ),
    ]
    return results, goals


def run_course(course: Course) -> dict[str, Any]:
    """Run one course in a localcloud of its own; returns numbers, of which ``unused`` is the share left unused."""
    return _Run(course).go()


class _Run:
    def __init__(self, course: Course) -> None:
        from functions.send.guard import admission  # noqa: PLC0415 - it is what is measured, not a tool

        self._course = course
        self._die = random.Random(f"{course.name}/{SEED}")  # noqa: S311 - a die that must be repeatable
        self._ours: Counter[str] = Counter()
        self._ses: Counter[str] = Counter()
        self._admission = admission
        self._instances = Instances(INSTANCES, self._begin_turn)
        self._memories = [
            admission.Instance(self._instances.monotonic, lambda _seconds: None) for _ in range(INSTANCES)
        ]

    def go(self) -> dict[str, Any]:
        from functions.send import attempts  # noqa: PLC0415 - as above
        from localcloud import rate  # noqa: PLC0415 - its time is moved

        with ExitStack() as stack:
            self._cloud: LocalCloud = stack.enter_context(mock_tencent())
            stack.enter_context(mock.patch.dict(os.environ, LOG_LEVEL="ERROR", SEND_GUARD="on", SES_HOURLY=str(HOURLY)))
            stack.enter_context(mock.patch.object(self._admission, "instance"))
            stack.enter_context(mock.patch.object(attempts, "time", SimpleNamespace(sleep=self._instances.sleep)))
            moved = SimpleNamespace(monotonic=self._instances.monotonic)
            stack.enter_context(mock.patch.object(rate, "time", moved))
            stack.enter_context(mock.patch.object(self._cloud.ses, "dispatch", self._listening()))
            self._cloud.ses.switches.update({"reputation_moves": False, "reputation_level": self._course.level})
            self._instances.run(self._jobs())
        accepted, permitted = self._ses["accepted"], self._course.permitted
        return {
            **self._course._asdict(),
            "instances": INSTANCES,
            "accepted": accepted,
            "unused": round(1 - accepted / permitted, 4),
            "ses": dict(self._ses),
            "told": dict(self._ours),
            "turned_away": self._instances.turned_away,
        }

    def _begin_turn(self, number: int, now: float) -> None:
        self._admission.instance = self._memories[number]
        self._cloud.move_to(NOW + now)

    def _jobs(self) -> Iterator[tuple[float, int, Any]]:
        times = sorted(self._die.uniform(0, self._course.seconds) for _ in range(self._course.mails))
        for number, at in enumerate(times):
            person = (
                number if self._course.addresses == self._course.mails else self._die.randrange(self._course.addresses)
            )
            yield at, self._die.randrange(INSTANCES), lambda person=person: self._send(person)

    def _send(self, person: int) -> None:
        from functions.send.handler import main_handler  # noqa: PLC0415 - as above

        mail = {
            "from": f"Acme <noreply@{defaults.SENDER_DOMAIN}>",
            "to": [f"person{person}@example.com"],
            "subject": "Your code",
            "template": {"id": 100091, "data": {"code": "1234"}},
        }
        headers = {"authorization": f"Bearer {defaults.SEND_KEY}", "content-type": "application/json"}
        event = {"httpMethod": "POST", "path": "/send", "headers": headers, "body": json.dumps(mail)}
        reply = main_handler(event, target.context("send", time_limit_s=60))
        if reply["statusCode"] not in (202, 429):
            raise BenchmarkError(f"answered {reply}")
        code = "" if reply["statusCode"] == 202 else json.loads(reply["body"])["code"]
        self._ours[f"{reply['statusCode']} {code}".strip()] += 1

    def _listening(self) -> Any:
        dispatch = self._cloud.ses.dispatch

        def listen(request: Any) -> Any:
            answer = dispatch(request)
            told = json.loads(answer.body)["Response"]
            if request.headers["x-tc-action"] == "SendEmail":
                self._ses[told["Error"]["Code"] if "Error" in told else "accepted"] += 1
            else:
                self._ses[request.headers["x-tc-action"]] += 1
            return answer

        return listen
