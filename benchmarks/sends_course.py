"""The course of sends in bad weather; what is looked at is told in benchmarks/sends.py."""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from benchmarks.goals import BenchmarkError
from benchmarks.localcloud_servers import localcloud_without_limit
from benchmarks.webhook_workers import Workers
from cli import target
from localcloud import defaults
from shared.trail.evidence import NOT_ACCEPTED_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SEED = 6
NOW = "2026-11-20T02:00:00Z"
TIME_LIMIT_S = 6.0
"""Of one invocation: what SES needs, and two seconds."""
TRIES, PAUSE_S = 6, 0.05
MOST_ROUNDS = 12
PATIENCE_S = 600
UNVERIFIED_EVERY = 100
"""Every so manieth mail is one that SES refuses for good."""
_GIVEN_UP = (OSError, http.client.HTTPException, ValueError)

WEATHER = [
    {"service": "ses", "action": "SendEmail", "kind": "delay", "probability": 1.0, "seconds": 0},  # counts the calls
    {"service": "ses", "kind": "drop_response", "probability": 0.05},
    {"service": "ses", "kind": "error", "probability": 0.02, "code": "InternalError"},
    {"service": "ses", "kind": "error", "probability": 0.015, "code": "FailedOperation.ServiceNotAvailable"},
    {"service": "ses", "kind": "error", "probability": 0.015, "code": "RequestLimitExceeded"},
    {"service": "cos", "kind": "error", "probability": 0.01, "status": 500, "code": "InternalError"},
    {"service": "cos", "kind": "drop_response", "probability": 0.005},
    {"service": "cos", "kind": "drop_request", "probability": 0.005},
]
"""5 % of SES's answers lost after it acted, 5 % errors; 2 % of COS failing, half of it without an answer."""


class Size(NamedTuple):
    """How much of it. ``kill_every_s``: seconds between two kills, on average."""

    sends: int
    workers: int
    kill_every_s: float


class Ending(NamedTuple):
    """How a key ended: what GET said, what SES has, and what a client was told at last."""

    state: str
    message_id: str | None
    told: str | None


class Outcome(NamedTuple):
    """What came of it: numbers for the results, and every key's ending with the messages that SES has of it."""

    numbers: dict[str, Any]
    endings: dict[int, Ending]
    accepted: dict[int, list[str]]


def run_sends(folder: Path, size: Size, *, seed: int = SEED) -> Outcome:
    """Run it in ``folder``, on processes of its own."""
    with ExitStack() as stack:
        port = stack.enter_context(localcloud_without_limit(folder / "data")).port
        (folder / "logs").mkdir()
        return _Run(port, folder, size, seed).go()


def body_of(number: int, sends: int) -> bytes:
    """Return the mail of a key. Two mails go to each person, half of all sends apart."""
    domain = "unverified.example.org" if number % UNVERIFIED_EVERY == UNVERIFIED_EVERY - 1 else defaults.SENDER_DOMAIN
    mail = {
        "from": f"Acme <noreply@{domain}>",
        "to": [f"person{number % (sends // 2 or 1)}@example.com"],
        "subject": f"Order {number}",
        "template": {"id": 100091, "data": {"code": "1234"}},
        "metadata": {"order": str(number)},
    }
    return json.dumps(mail).encode()


class _Run:
    def __init__(self, port: int, folder: Path, size: Size, seed: int) -> None:
        self._port, self._folder, self._size, self._seed = port, folder, size, seed
        self._begun = time.monotonic()
        self._die = random.Random(f"pause/{seed}")  # noqa: S311 - a die that must be repeatable
        self._answers: Counter[str] = Counter()
        self._told: dict[int, str] = {}
        self._kills = 0

    def go(self) -> Outcome:
        self._ask("clock", {"now": NOW})
        self._ask(f"faults?seed={self._seed}", WEATHER)
        open_ = self._send(range(self._size.sends), kill_every_s=self._size.kill_every_s)
        numbers: dict[str, Any] = {**self._size._asdict(), "open_after_storm": len(open_), "kills": self._kills}
        numbers["storm_seconds"] = round(time.monotonic() - self._begun, 1)
        self._say(f"the storm is over: {len(open_)} keys open, {self._kills} kills")
        rounds, passes = 0, []
        while open_:
            rounds += 1
            if rounds > MOST_ROUNDS:
                raise BenchmarkError(f"after {MOST_ROUNDS} rounds of repeats {len(open_)} keys are open")
            self._ask("clock", {"advance_s": NOT_ACCEPTED_AFTER_S // 2 + 100})
            open_ = self._send(open_)  # who died is in doubt by now: asking notes it
            self._ask("clock", {"advance_s": NOT_ACCEPTED_AFTER_S + 1})
            passes.append(self._pass_over())
            self._say(f"round {rounds}: {len(open_)} keys open, the status pass: {passes[-1]}")
            open_ = self._send(open_)
        numbers |= {"weather": self._weather(), "rounds": rounds, "passes": passes, "answers": dict(self._answers)}
        self._ask("faults", method="DELETE")
        numbers["uncertain_after"] = self._pass_over()["uncertain"]
        endings, accepted = self._endings(), self._accepted()
        numbers["seconds"] = round(time.monotonic() - self._begun, 1)
        return Outcome(numbers, endings, accepted)

    def _send(self, numbers: Sequence[int], *, kill_every_s: float = 0) -> list[int]:
        """Send with a client for each worker, each key until it is answered for good; returns what was not."""
        with self._workers() as workers:
            if not kill_every_s:
                return self._send_by(workers, numbers)
            with workers.being_killed(every_s=kill_every_s, seed=self._seed):
                left = self._send_by(workers, numbers)
            self._kills = workers.kills
            return left

    def _send_by(self, workers: Workers, numbers: Sequence[int]) -> list[int]:
        clients = [_Client(workers.url, self._answers) for _ in range(self._size.workers)]
        shares = [numbers[place :: len(clients)] for place in range(len(clients))]
        with ThreadPoolExecutor(len(clients)) as pool:
            left = list(pool.map(self._work, clients, shares))
        return sorted(number for some in left for number in some)

    def _work(self, client: _Client, numbers: Sequence[int]) -> list[int]:
        left = [number for number in numbers if not self._is_told(client, number)]
        client.close()
        return left

    def _is_told(self, client: _Client, number: int) -> bool:
        for _ in range(TRIES):
            status, answer = client.post(body_of(number, self._size.sends), f"order-{number}")
            if status == 202:
                self._told[number] = answer["message_id"]
                return True
            if status in (400, 422):
                return True
            if answer.get("code") == "outcome_uncertain":
                return False  # it says when to come back, and that is later
            time.sleep(self._die.uniform(0, PAUSE_S))
        return False

    def _pass_over(self) -> dict[str, Any]:
        from functions.snapshot.handler import main_handler  # noqa: PLC0415 - it is what is measured, not a tool

        settings = {**target.local_environment(self._port), "LOG_LEVEL": "ERROR", "SES_RATE": "500"}
        with target.running_as(settings):
            event = {"Type": "Timer", "TriggerName": "snapshot_often", "Time": NOW, "Message": ""}
            found: dict[str, Any] = main_handler(event, target.context("snapshot"))["doubts"]
        return found

    @contextmanager
    def _workers(self) -> Iterator[Workers]:
        # What SES refuses is to reach it here, as often as it comes.
        guard = {"SEND_GUARD": "rate=off,sender=off", "SES_HOURLY": "0"}
        settings = {**target.local_environment(self._port), **guard, "LOG_LEVEL": "ERROR"}
        logs = self._folder / "logs"
        count = self._size.workers
        with Workers(count, settings, logs, time_limit_s=TIME_LIMIT_S, function="send") as workers:
            yield workers

    def _endings(self) -> dict[int, Ending]:
        with self._workers() as workers, ThreadPoolExecutor(self._size.workers) as pool:
            clients = [_Client(workers.url, Counter()) for _ in range(self._size.workers)]
            places = range(len(clients))
            return dict(one for some in pool.map(self._look_up, clients, places) for one in some)

    def _look_up(self, client: _Client, place: int) -> list[tuple[int, Ending]]:
        found = []
        for number in range(place, self._size.sends, self._size.workers):
            _, seen = client.ask("GET", f"/send/order-{number}")
            found.append((number, Ending(seen.get("state", ""), seen.get("message_id"), self._told.get(number))))
        client.close()
        return found

    def _accepted(self) -> dict[int, list[str]]:
        """Read what SES has from its own file: its page of messages ends at ten thousand."""
        found: dict[int, list[str]] = {number: [] for number in range(self._size.sends)}
        with closing(sqlite3.connect(self._folder / "data" / "ses.sqlite3")) as database:
            for subject, message_id in database.execute("SELECT subject, message_id FROM message"):
                found[int(subject.removeprefix("Order "))].append(message_id)
        return found

    def _weather(self) -> dict[str, int]:
        rules = self._ask("faults", method="GET")
        return {f"{rule['service']} {rule['kind']} {rule['code'] or ''}".strip(): rule["fired"] for rule in rules}

    def _ask(self, path: str, body: Any = None, method: str = "POST") -> Any:
        url = f"http://127.0.0.1:{self._port}/_local/{path}"
        answer = requests.request(method, url, json=body, timeout=PATIENCE_S)
        answer.raise_for_status()
        return answer.json()

    def _say(self, text: str) -> None:
        print(f"  {time.monotonic() - self._begun:7.1f} s  {text}", flush=True)


class _Client:
    """A caller with one connection, which it makes anew when it breaks off."""

    def __init__(self, url: str, answers: Counter[str]) -> None:
        self._address = url.removeprefix("http://")
        self._answers = answers
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, key: str) -> tuple[int, dict[str, Any]]:
        """Send; status 0 when no answer came."""
        status, answer = self.ask("POST", "/send", body, {"Idempotency-Key": key, "Content-Type": "application/json"})
        self._answers[f"{status} {answer.get('code', '')}".strip()] += 1
        return status, answer

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Any:
        """Make one request."""
        connection = self._connection or http.client.HTTPConnection(self._address, timeout=2 * TIME_LIMIT_S)
        self._connection = connection
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {defaults.SEND_KEY}", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except _GIVEN_UP:
            self.close()
            return 0, {}

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
