"""Faults: rules are checked whole, throw a repeatable die, and do what they say at services and on callbacks."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.exchange import Dropped, Request
from localcloud.faults import Faults
from localcloud.problems import Invalid
from localcloud.server import LocalServer
from localcloud.world import LocalCloud
from tests.contract.doors_project import call, signed_mail

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud() as fresh:
        yield fresh


def send(cloud: LocalCloud, to: str = "alice@example.com") -> dict[str, Any]:
    body, headers = signed_mail("ses.tencentcloudapi.com", cloud.clock.now(), to=to)
    lower = {name.lower(): value for name, value in headers.items()}
    response = cloud.dispatch("ses", Request("POST", "ses.tencentcloudapi.com", "/", "", lower, body))
    return json.loads(response.body)["Response"]


def owe_callbacks(cloud: LocalCloud, count: int, source: str = "ses") -> None:
    for number in range(count):
        cloud.callbacks.enqueue(
            source=source, due_at=cloud.clock.now() + number * 1e-6, body=str(number).encode(),
            content_type="application/json", message_id=str(number), recipient="r", event="delivered",
        )  # fmt: skip
    cloud.advance(0.01)


def deliver(cloud: LocalCloud) -> list[str]:
    taken: list[str] = []
    cloud.deliver_callbacks(lambda callback: taken.append(callback.body.decode()) or 200)
    return taken


def test_every_problem_of_every_rule_is_named_at_once_and_none_is_added() -> None:
    faults = Faults()
    rules = [
        {"service": "smtp", "kind": "explode"},
        {"service": "ses", "kind": "list_lag", "seconds": 1, "probability": 2},
        {"service": "cos", "kind": "delay", "chance": 1},
        {"service": "ses", "kind": "error", "status": 99, "times": 0, "code": 5, "copies": 51},
        "nothing",
        {"service": "ses", "kind": "error"},
    ]
    with pytest.raises(Invalid) as caught:
        faults.add(rules)
    assert [problem.field for problem in caught.value.problems] == [
        "[0].service", "[0].kind", "[1].kind", "[1].probability", "[2].chance", "[2].seconds",
        "[3].code", "[3].status", "[3].times", "[3].copies", "[3].copies", "[4]",
    ]  # fmt: skip
    assert faults.rules == []


def test_the_die_is_repeatable_and_the_rules_count_what_they_did() -> None:
    def throw(seed: int) -> list[int]:
        faults = Faults(seed)
        faults.add({"service": "ses", "kind": "error", "probability": 0.3})
        fired = [len(faults.decide("ses", "SendEmail")) for _ in range(200)]
        assert faults.rules[0]["fired"] == sum(fired)
        return fired

    assert throw(1) == throw(1) != throw(2)
    assert 30 < sum(throw(1)) < 90


def test_rules_fire_for_their_action_and_no_oftener_than_they_may() -> None:
    faults = Faults()
    faults.add([{"service": "ses", "action": "SendEmail", "kind": "error", "times": 2}])
    assert [len(faults.decide("ses", action)) for action in ("Other", "SendEmail", "SendEmail", "SendEmail")] == [
        0,
        1,
        1,
        0,
    ]
    assert faults.decide("cos", "SendEmail") == []


def test_an_error_is_answered_in_the_services_own_shape(cloud: LocalCloud) -> None:
    cloud.add_faults(
        {
            "service": "ses",
            "action": "SendEmail",
            "kind": "error",
            "code": "FailedOperation.TemporaryBlocked",
            "times": 1,
        }
    )
    assert send(cloud)["Error"]["Code"] == "FailedOperation.TemporaryBlocked"
    cloud.add_faults({"service": "ses", "kind": "throttle", "times": 1})
    assert send(cloud)["Error"]["Code"] == "RequestLimitExceeded"
    assert "MessageId" in send(cloud)
    cloud.add_faults([{"service": "cos", "kind": "error"}, {"service": "sendcloud", "kind": "throttle"}])
    assert cloud.dispatch("cos", Request("GET", "h", "/")).status == 500
    assert b"50000" in cloud.dispatch("sendcloud", Request("POST", "h", "/apiv2/data/emailStatus")).body


@pytest.mark.parametrize(("kind", "accepted"), [("drop_request", 0), ("drop_response", 1)])
def test_a_drop_comes_before_or_after_the_act(cloud: LocalCloud, kind: str, accepted: int) -> None:
    cloud.add_faults({"service": "ses", "action": "SendEmail", "kind": kind})
    with pytest.raises(Dropped):
        send(cloud)
    assert len(cloud.messages()) == accepted


def test_a_delay_takes_real_time(cloud: LocalCloud) -> None:
    cloud.add_faults({"service": "ses", "kind": "delay", "seconds": 0.2})
    started = time.perf_counter()
    assert "MessageId" in send(cloud)
    assert time.perf_counter() - started >= 0.2


def test_lost_callbacks_of_ses_are_gone_and_those_of_sendcloud_come_again(cloud: LocalCloud) -> None:
    cloud.add_faults({"service": "callback", "kind": "lose", "times": 4})
    owe_callbacks(cloud, 2, "ses")
    owe_callbacks(cloud, 2, "sendcloud")
    assert deliver(cloud) == []
    cloud.advance(61)
    assert deliver(cloud) == ["0", "1"]
    assert cloud.callbacks.pending() == 0


@pytest.mark.parametrize(("copies", "times"), [(None, 3), (1, 1), (50, 50)])
def test_duplicates_come_as_often_as_the_rule_says(cloud: LocalCloud, copies: int | None, times: int) -> None:
    cloud.add_faults({"service": "callback", "kind": "duplicate", "action": "delivered", "copies": copies})
    owe_callbacks(cloud, 2)
    assert deliver(cloud) == ["0"] * times + ["1"] * times
    assert deliver(cloud) == []


def test_reordered_callbacks_all_come_once_in_another_order(cloud: LocalCloud) -> None:
    cloud.add_faults({"service": "callback", "kind": "reorder", "probability": 0.5, "seconds": 10})
    owe_callbacks(cloud, 50)
    taken = deliver(cloud)
    assert 0 < len(taken) < 50
    for _ in range(10):
        cloud.advance(1.01)
        taken += deliver(cloud)
    numbers = [int(body) for body in taken]
    assert sorted(numbers) == list(range(50)) != numbers


def test_delayed_callbacks_wait_for_the_clock(cloud: LocalCloud) -> None:
    cloud.add_faults({"service": "callback", "kind": "delay", "seconds": 600, "times": 1})
    owe_callbacks(cloud, 2)
    assert deliver(cloud) == ["1"]
    cloud.advance(601)
    assert deliver(cloud) == ["0"]


def test_a_jump_of_the_clock_carries_reordered_callbacks_in_their_new_order(cloud: LocalCloud) -> None:
    """`reorder` reorders also when everything has become ripe at once."""
    cloud.add_faults({"service": "callback", "kind": "reorder", "seconds": 60})
    owe_callbacks(cloud, 50)
    cloud.advance(86400)
    taken = [int(body) for body in deliver(cloud)]
    assert sorted(taken) == list(range(50)) != taken


def test_a_delay_counts_from_when_the_callback_was_due(cloud: LocalCloud) -> None:
    """What has become due has happened when the clock has moved: delayed and retried ones too."""
    cloud.add_faults([{"service": "callback", "kind": "delay", "seconds": 600}])
    owe_callbacks(cloud, 1, "sendcloud")
    cloud.advance(86400)
    answers = iter([500] * 9)
    assert cloud.deliver_callbacks(lambda _callback: next(answers)) == 6
    assert cloud.callbacks.pending() == 0


def test_many_that_wait_do_not_hide_those_that_need_not(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delay of some callbacks keeps no other one back, however many are due."""
    monkeypatch.setattr("localcloud.delivery.PLANNED_AT_ONCE", 10)
    cloud.post = lambda callback: (taken.append(callback.body.decode()) or 200, "")
    taken: list[str] = []
    cloud.add_faults({"service": "callback", "kind": "delay", "seconds": 600, "times": 35})
    owe_callbacks(cloud, 40)
    assert cloud.pump(limit=3) == 3
    cloud.pump_until_idle()
    assert taken == [str(number) for number in range(35, 40)]


def test_who_clears_the_faults_releases_what_they_held(cloud: LocalCloud) -> None:
    """DELETE /_local/faults ends a delay that is under way."""
    cloud.add_faults({"service": "callback", "kind": "delay", "seconds": 86400})
    owe_callbacks(cloud, 3)
    assert deliver(cloud) == []
    cloud.clear_faults()
    assert deliver(cloud) == ["0", "1", "2"]


def test_a_handler_that_delivers_again_is_told_so_and_may_clear_faults(cloud: LocalCloud) -> None:
    """It would wait for itself forever; other threads wait for their turn."""
    owe_callbacks(cloud, 2)

    def handle(_callback: object) -> int:
        cloud.clear_faults()
        with pytest.raises(RuntimeError, match="already delivering"):
            cloud.deliver_callbacks(handle)
        other = threading.Thread(target=cloud.deliver_callbacks, args=(lambda _callback: 200,), daemon=True)
        other.start()
        other.join(0.05)
        assert other.is_alive()
        return 200

    assert cloud.deliver_callbacks(handle) == 2
    assert deliver(cloud) == []


def test_an_error_on_a_callback_never_reaches_the_receiver(cloud: LocalCloud) -> None:
    cloud.add_faults({"service": "callback", "kind": "error", "status": 500, "times": 1})
    owe_callbacks(cloud, 1, "sendcloud")
    assert deliver(cloud) == []
    assert cloud.callbacks.history()[0]["attempts"][0]["status"] == 500
    cloud.advance(61)
    assert deliver(cloud) == ["0"]


def test_rules_come_and_go_over_http_with_their_counts_and_their_seed() -> None:
    with LocalServer(ses_rate_per_s=0) as server:
        url = f"{server.url}/_local/faults"
        rule = {"service": "ses", "action": "SendEmail", "kind": "error", "probability": 0.5, "times": None}

        def play() -> list[int]:
            assert call(f"{url}?seed=11", "POST", [rule]).json[0]["fired"] == 0
            body, headers = signed_mail(f"127.0.0.1:{server.ports.ses}", time.time())
            fates = [
                int("Error" in call(f"{server.ses_url}/", "POST", body, headers).json["Response"]) for _ in range(12)
            ]
            assert call(url).json[0]["fired"] == sum(fates)
            assert call(url, "DELETE").json == []
            return fates

        assert play() == play()
        assert call(f"{url}?seed=x", "POST", [rule]).status == 400
        assert call(url, "POST", [{**rule, "kind": "vanish"}]).json["errors"][0]["field"] == "[0].kind"
        assert call(url).json == []
