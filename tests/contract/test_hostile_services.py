"""The hostile network at SES, COS and SendCloud: every kind of fault, through both doors, repeatable by seed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from localcloud.fault_rules import KINDS
from tests.contract.hostile_doors import DOORS, SERVICES, open_hostile_door

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.hostile_doors import Door

ERRORS = {"ses": "InternalError", "cos": "InternalError", "sendcloud": "501"}
THROTTLES = {"ses": "RequestLimitExceeded", "cos": "SlowDown"}


@pytest.fixture(scope="module", params=DOORS)
def opened(request: pytest.FixtureRequest) -> Iterator[Door]:
    with open_hostile_door(request.param) as door:
        yield door


@pytest.fixture
def door(opened: Door) -> Door:
    """Hand out the open door without a rule, as if nobody had done anything."""
    opened.cloud.clear_faults()
    opened.acted.update(dict.fromkeys(SERVICES, 0))
    return opened


def fired(door: Door) -> list[int]:
    return [rule["fired"] for rule in door.cloud.faults.rules]


def wait_for_acts(door: Door, service: str, acts: int) -> None:
    """Wait, in real time, for a thread of the server to finish what its client has left."""
    for _ in range(300):
        if door.acted[service] >= acts:
            return
        door.cloud._closing.wait(0.01)


@pytest.mark.parametrize("service", SERVICES)
def test_an_error_is_the_services_own_and_nothing_is_done(door: Door, service: str) -> None:
    door.cloud.add_faults({"service": service, "kind": "error", "times": 1})
    assert [door.ask(service), door.ask(service)] == [ERRORS[service], "ok"]
    assert (door.acted[service], fired(door)) == (1, [1])


@pytest.mark.parametrize("service", SERVICES)
def test_throttling_is_told_as_each_service_tells_it(door: Door, service: str) -> None:
    door.cloud.add_faults({"service": service, "kind": "throttle", "times": 1})
    first = door.ask(service)
    assert first == THROTTLES.get(service, first)
    assert "50000" in first or service in THROTTLES
    assert door.ask(service) == "ok"
    assert door.acted[service] == 1


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("kind", "acted"), [("drop_request", 0), ("drop_response", 1), ("lose", 0)])
def test_a_connection_closes_before_or_after_the_act(door: Door, service: str, kind: str, acted: int) -> None:
    door.cloud.add_faults({"service": service, "kind": kind, "times": 1, "seconds": 0.01})
    assert door.ask(service) == "closed"
    assert door.acted[service] == acted
    assert door.ask(service) == "ok"
    assert fired(door) == [1]


def test_a_mail_whose_answer_was_lost_is_accepted_all_the_same(door: Door) -> None:
    """The fault that hurts: nobody was told, and GetSendEmailStatus and the callbacks will say that it went out."""
    before = len(door.cloud.messages())
    door.cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": "drop_response"})
    assert door.ask("ses") == "closed"
    assert len(door.cloud.messages()) == before + 1


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("kind", "acted"), [("delay", 1), ("lose", 0)])
def test_an_impatient_client_sees_a_time_out(door: Door, service: str, kind: str, acted: int) -> None:
    """A delayed request is acted upon although the client has gone; a lost one is not."""
    door.cloud.add_faults({"service": service, "kind": kind, "seconds": 0.4, "times": 1})
    assert door.ask(service, timeout_s=0.1) == "timeout"
    assert door.ask(service) == "ok"
    wait_for_acts(door, service, acted + 1)
    assert door.acted[service] == acted + 1


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("copies", "acts"), [(None, 3), (2, 2), (50, 50)])
def test_a_duplicated_request_is_acted_upon_again_and_answered_once(
    door: Door, service: str, copies: int | None, acts: int
) -> None:
    door.cloud.add_faults({"service": service, "kind": "duplicate", "copies": copies, "times": 1})
    if service == "ses":
        door.cloud.ses.switches.hourly_per_recipient = 0
    assert door.ask(service) == "ok"
    assert door.acted[service] == acts


@pytest.mark.parametrize("service", SERVICES)
def test_a_reordered_request_is_held_for_a_part_of_the_time_and_then_answered(door: Door, service: str) -> None:
    door.cloud.add_faults({"service": service, "kind": "reorder", "seconds": 0.05})
    assert [door.ask(service), door.ask(service)] == ["ok", "ok"]
    assert fired(door) == [2]


def test_list_lag_counts_the_lists_it_held_something_back_from(door: Door) -> None:
    """Only LIST lags, only when the die says so, and ``fired`` says how often it did."""
    assert door.ask("cos") == "ok"
    door.cloud.add_faults({"service": "cos", "kind": "list_lag", "seconds": 1e6, "times": 2})
    assert door.ask("cos") == "ok"
    assert fired(door) == [0]
    assert [door.list_keys(), door.list_keys()] == [[], []]
    assert fired(door) == [2]
    assert "key-1" in door.list_keys()
    assert door.cloud.cos.list_lag_s == 0


class Waiting:
    """Stands in for the wait of a delay: as many requests as it is made for have to wait at one time."""

    def __init__(self, requests: int) -> None:
        self.together = threading.Barrier(requests)

    def wait(self, seconds: float) -> None:
        if seconds:
            self.together.wait(10)


def test_delayed_lists_wait_at_the_same_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two callers who are slowed down by a second are not slowed down by two."""
    assert door.ask("cos") == "ok"
    monkeypatch.setattr(door.cloud, "_closing", Waiting(2))
    door.cloud.add_faults({"service": "cos", "kind": "delay", "seconds": 1, "action": "GetBucket"})
    with ThreadPoolExecutor(2) as pool:
        listed = list(pool.map(lambda _: door.list_keys(), range(2)))
    assert ["key-0" in keys for keys in listed] == [True, True]


def test_a_list_lags_alone(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a LIST that overtakes it nor the switch of the service is told of its lag; the greater of both counts."""
    assert door.ask("cos") == "ok"
    waiting = Waiting(2)
    monkeypatch.setattr(door.cloud, "_closing", waiting)
    door.cloud.add_faults([
        {"service": "cos", "kind": "list_lag", "seconds": 1e6, "times": 1},
        {"service": "cos", "kind": "delay", "seconds": 1, "action": "GetBucket", "times": 1},
    ])  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        lagging = pool.submit(door.list_keys)
        while fired(door) != [1, 1]:
            time.sleep(0.001)
        assert "key-0" in door.list_keys()
        waiting.together.wait(10)
        assert lagging.result(10) == []
    door.cloud.clear_faults()
    monkeypatch.setattr(door.cloud.cos, "list_lag_s", 1e6)
    door.cloud.add_faults({"service": "cos", "kind": "list_lag", "seconds": 1e-3})
    assert door.list_keys() == []


def test_every_kind_is_possible_everywhere_but_list_lag() -> None:
    everywhere = {"error", "drop_request", "drop_response", "delay", "duplicate", "reorder", "lose", "throttle"}
    assert {service: set(kinds) - everywhere for service, kinds in KINDS.items()} == {
        "ses": set(), "cos": {"list_lag"}, "sendcloud": set(), "callback": set(),
    }  # fmt: skip
    assert all(everywhere <= set(kinds) for kinds in KINDS.values())


RULES = [
    {"service": "callback", "kind": "lose", "probability": 0.5},
    {"service": "ses", "kind": "error", "probability": 0.3, "code": "FailedOperation.TemporaryBlocked"},
    {"service": "ses", "kind": "drop_response", "probability": 0.3},
    {"service": "ses", "kind": "throttle", "probability": 0.3},
]


def play(door: Door, seed: int, *, between: int = 0) -> list[str]:
    door.cloud.clear_faults()
    door.cloud.ses.switches.hourly_per_recipient = 0
    door.cloud.add_faults(RULES)
    door.cloud.faults.reseed(seed)
    outcomes = []
    for _ in range(40):
        outcomes.append(door.ask("ses"))
        for _ in range(between):
            door.cloud.faults.decide("callback", "delivered", "ses")
    return outcomes


def test_the_same_seed_rules_and_requests_meet_the_same_faults(door: Door) -> None:
    """Whatever happens meanwhile to callbacks and at the other services: every rule has a die of its own."""
    first = play(door, 7)
    assert first == play(door, 7) == play(door, 7, between=3)
    assert first != play(door, 8)
    assert {"ok", "closed", "RequestLimitExceeded", "FailedOperation.TemporaryBlocked"} == set(first)


def test_both_doors_meet_the_same_faults() -> None:
    played = []
    for name in DOORS:
        with open_hostile_door(name) as door:
            played.append(play(door, 11))
    assert played[0] == played[1]
