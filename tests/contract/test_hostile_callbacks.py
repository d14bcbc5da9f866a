"""The hostile network on callbacks: over HTTP to a webhook, and in process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.server import LocalServer
from localcloud.world import LocalCloud
from tests.contract.doors_project import call, write_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Receiver:
    """Callbacks of one door: ``owe`` queues them, ``take`` delivers what is due and says what arrived."""

    def __init__(self, cloud: LocalCloud, url: str = "") -> None:
        self.cloud = cloud
        self._url = url
        self._taken: list[str] = []
        if not url:
            cloud.post = lambda callback: (self._taken.append(callback.body.decode()) or 200, "")

    def owe(self, count: int, source: str = "ses") -> None:
        for number in range(count):
            self.cloud.callbacks.enqueue(
                source=source, due_at=self.cloud.clock.now() + number * 1e-3, body=str(number).encode(),
                content_type="application/json", message_id=str(number), recipient="r", event="delivered",
            )  # fmt: skip

    def take(self, advance_s: float) -> list[str]:
        if not self._url:
            self.cloud.advance(advance_s)
            self.cloud.pump_until_idle()
            taken, self._taken[:] = list(self._taken), []
            return taken
        assert call(f"{self._url}/_local/clock", "POST", {"advance_s": advance_s}).status == 200
        return list(call(f"{self._url}/taken", "POST").json)

    def attempts(self) -> list[list[int | None]]:
        return [[attempt["status"] for attempt in one["attempts"]] for one in reversed(self.cloud.callbacks.history())]


TAKING = """
import json
bodies = []
def main_handler(event, context):
    if event["path"] == "/taken":
        taken, bodies[:] = list(bodies), []
        return {"statusCode": 200, "body": json.dumps(taken)}
    bodies.append(event["body"])
    return {"statusCode": 200, "body": ""}
"""
TAKING_YML = """
functions:
  hook:
    handler: scf_hook.main_handler
    events:
      - apigw: {parameters: {path: '/webhook/{provider}/{secret}', httpMethod: ANY}}
      - apigw: {parameters: {path: /taken, httpMethod: ANY}}
"""


@pytest.fixture(params=["in process", "server"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
    if request.param == "server":
        write_project(tmp_path)
        (tmp_path / "serverless.yml").write_text(TAKING_YML)
        (tmp_path / "scf_hook.py").write_text(TAKING)
        with LocalServer(code_root=tmp_path) as server:
            # Due at once and in one go, instead of whenever the background looks.
            server.cloud.move_to(server.cloud.clock.now())
            yield Receiver(server.cloud, server.url)
    else:
        with LocalCloud() as cloud:
            yield Receiver(cloud)


def rule(kind: str, **members: Any) -> dict[str, Any]:
    return {"service": "callback", "kind": kind, **members}


@pytest.mark.parametrize(
    ("kind", "arrives", "status"),
    [("lose", 0, None), ("drop_request", 0, None), ("drop_response", 1, None), ("error", 0, 503), ("throttle", 0, 429)],
)
def test_what_goes_wrong_on_the_way_is_what_the_sender_sees(
    receiver: Receiver, kind: str, arrives: int, status: int | None
) -> None:
    """SendCloud sends again after a minute whatever was not answered 200: a lost answer makes a duplicate."""
    receiver.cloud.add_faults(rule(kind, times=1))
    receiver.owe(1, "sendcloud")
    assert receiver.take(1) == ["0"] * arrives
    assert receiver.take(61) == ["0"]
    assert receiver.attempts() == [[status, 200]]


@pytest.mark.parametrize(("copies", "times"), [(None, 3), (50, 50)])
def test_a_duplicate_arrives_up_to_fifty_times(receiver: Receiver, copies: int | None, times: int) -> None:
    receiver.cloud.add_faults(rule("duplicate", copies=copies, times=1))
    receiver.owe(2)
    assert sorted(receiver.take(1)) == ["0"] * times + ["1"]


def test_reordered_and_delayed_callbacks_come_when_the_clock_says(receiver: Receiver) -> None:
    receiver.cloud.add_faults(rule("reorder", seconds=1000))
    receiver.owe(20)
    taken = [body for _ in range(12) for body in receiver.take(100)]
    assert sorted(taken, key=int) == [str(number) for number in range(20)] != taken
    receiver.cloud.clear_faults()
    receiver.cloud.add_faults(rule("delay", seconds=500, times=1))
    receiver.owe(1)
    assert (receiver.take(100), receiver.take(1000)) == ([], ["0"])


def test_the_same_seed_loses_and_repeats_the_same_callbacks(receiver: Receiver) -> None:
    def play(seed: int) -> list[str]:
        receiver.cloud.clear_faults()
        receiver.cloud.add_faults([rule("lose", probability=0.3), rule("duplicate", probability=0.3, copies=2)])
        receiver.cloud.faults.reseed(seed)
        receiver.owe(40)
        return receiver.take(10)

    first = play(3)
    assert first == play(3) != play(4)
    assert len(set(first)) < 40
    assert len(first) > len(set(first))
