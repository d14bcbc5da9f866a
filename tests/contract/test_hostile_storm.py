"""Storms: many distinct events, each told many times, in any order, and what a receiver must make of them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.server import LocalServer
from localcloud.storm import ORDERS, Storm, storm
from localcloud.world import LocalCloud
from shared.trail.fold import fold
from shared.trail.vocabulary import SES_BOUNCES, SES_EVENTS
from tests.contract.doors_project import call, write_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.callbacks import Callback


def record_of(body: bytes) -> dict[str, Any]:
    """Make an event record of a callback, as far as the fold looks at it."""
    told = json.loads(body)
    meaning = SES_BOUNCES[told["bounceType"]] if told["bounceType"] else SES_EVENTS[told["event"]]
    at = f"2026-01-01T{told['timestamp']:020d}Z"
    unique = (told["bulkId"], told["email"], told["event"], told["timestamp"], told.get("link"))
    words = {"type": meaning.type, "class": meaning.class_, "reason": meaning.reason, "fault": meaning.fault}
    return {"event_id": str(unique), "occurred_at": at, **words}


def test_it_is_repeatable_and_each_event_is_told_as_often_as_allowed() -> None:
    first = [(one.number, one.copy, one.body) for one in storm(300, 7, max_copies=9)]
    assert first == [(one.number, one.copy, one.body) for one in storm(300, 7, max_copies=9)]
    assert first != [(one.number, one.copy, one.body) for one in storm(300, 8, max_copies=9)]
    counts = Counter(number for number, _, _ in first)
    assert (len(counts), min(counts.values()), max(counts.values())) == (300, 1, 9)
    assert len({body for _, _, body in first}) == 300
    assert all(
        sorted(copy for n, copy, _ in first if n == number) == [*range(1, counts[number] + 1)] for number in (0, 99)
    )


def test_the_number_of_deliveries_can_be_told_and_a_few_events_get_very_many() -> None:
    whole = Storm(5000, 7, deliveries=30_000)
    counts = Counter(one.number for one in whole)
    assert (whole.deliveries, sum(counts.values()), len(counts)) == (30_000, 30_000, 5000)
    assert min(counts.values()) == 1
    assert 30 < max(counts.values()) <= 50
    assert set(Counter(one.number for one in Storm(40, 1, max_copies=50, deliveries=2000)).values()) == {50}


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_is_as_asked(order: str) -> None:
    times = [one.occurred_at for one in storm(200, 3, max_copies=4, order=order)]
    assert (times == sorted(times), times == sorted(times, reverse=True)) == (order == "time", order == "reverse")


def test_bodies_are_built_when_they_come() -> None:
    """A storm that takes hours begins at once: only numbers are held."""
    assert len(list(islice(Storm(100_000, 1, max_copies=1), 3))) == 3


def test_the_truth_is_what_the_fold_of_all_events_says_in_any_order() -> None:
    """Two derivations of the same thing: the storm's own, from its histories, and the product's fold of the bodies."""
    whole = Storm(3000, 5, max_copies=3)
    records = defaultdict(list)
    for one in whole:
        records[one.message_id, one.recipient].append(record_of(one.body))
    truths = list(whole.truths())
    assert len(truths) == len(records) == whole.pairs
    assert sum(truth.events for truth in truths) == whole.events
    for truth in truths:
        state = fold(records[truth.message_id, truth.recipient])
        assert (truth.type, truth.class_) == (state.delivery.type, state.delivery.class_ or None)
        assert [getattr(truth, kind) for kind in ("opened", "clicked", "complained", "unsubscribed")] == [
            state.count(kind) for kind in ("opened", "clicked", "complained", "unsubscribed")
        ]
    assert {(truth.type, truth.class_) for truth in truths} >= {
        ("delivered", None), ("bounced", "hard"), ("bounced", "soft"), ("rejected", "admin"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [{"order": "up"}, {"min_copies": 0}, {"min_copies": 5, "max_copies": 4}, {"deliveries": 9}, {"day": "2026-02-30"}],
)
def test_numbers_that_cannot_be_met_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Storm(10, 1, **arguments)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    with LocalServer(code_root=write_project(tmp_path)) as running:
        yield running


def test_over_http_it_reports_its_progress_and_its_truth(server: LocalServer) -> None:
    url = f"{server.url}/_local/storm"
    assert call(url).status == 404
    asked = {"events": 60, "min_copies": 1, "max_copies": 5, "order": "random", "seed": 7, "rate_per_s": None}
    assert call(url, "POST", asked).json["deliveries"] > 60
    assert server.cloud.storms.run().wait(60)
    done = call(url).json
    assert (done["state"], done["answers"], done["acknowledged"]) == ("done", {"200": done["deliveries"]}, 60)
    assert (done["truth"]["events"], sum(done["truth"]["states"].values())) == (60, done["truth"]["pairs"])
    pages = [call(f"{url}/truth?offset={offset}&limit=20").json for offset in (0, 20, 40, 60)]
    rows = [row for page in pages for row in page]
    assert (len(rows), sum(row["events"] for row in rows)) == (done["truth"]["pairs"], 60)
    assert set(rows[0]) == {
        "message_id", "recipient", "type", "class_", "events", "opened", "clicked", "complained", "unsubscribed",
        "opened_human", "clicked_human", "unsubscribed_human",
    }  # fmt: skip


def test_every_problem_of_a_storm_is_named_at_once(server: LocalServer) -> None:
    url = f"{server.url}/_local/storm"
    wrong = {"events": 0, "max_copies": 51, "order": "up", "rate_per_s": 0, "day": "today", "force": 9}
    answer = call(url, "POST", wrong)
    assert answer.status == 400
    assert {error["field"] for error in answer.json["errors"]} == set(wrong)
    assert call(url, "POST", {"seed": 1}).json["errors"][0]["field"] == "events"
    assert call(url, "POST", {"events": 3, "deliveries": 2}).json["errors"][0]["field"] == "deliveries"


def test_only_one_at_a_time_and_it_can_be_stopped(server: LocalServer) -> None:
    url = f"{server.url}/_local/storm"
    assert call(url, "POST", {"events": 100_000, "rate_per_s": 50}).json["state"] == "running"
    assert "under way" in call(url, "POST", {"events": 1}).json["detail"]
    assert call(url, "DELETE").json["state"] == "stopped"
    assert call(url, "POST", {"events": 1}).status == 200
    assert call(f"{server.url}/_local/reset", "POST").status == 200
    assert call(url).status == 404


def test_nobody_to_receive_callbacks_is_said() -> None:
    with LocalServer() as server:
        answer = call(f"{server.url}/_local/storm", "POST", {"events": 1})
        assert (answer.status, "nobody receives" in answer.json["detail"]) == (400, True)


def test_what_was_never_acknowledged_is_told_again_when_asked() -> None:
    """A receiver that answers 503 to two of three: after the redeliveries nothing is left untold."""
    from localcloud.storm_inputs import Asked  # noqa: PLC0415 - the in-process way in

    calls = 0

    def post(callback: Callback) -> tuple[int, str]:
        nonlocal calls
        calls += 1
        return (200 if calls % 3 == 0 else 503), ""

    with LocalCloud() as cloud:
        cloud.post = post
        run = cloud.storms.start(Asked(50, max_copies=1, connections=1, redeliveries=40))
        assert run.wait(30)
        progress = run.progress()
        assert (progress["unacknowledged"], progress["answers"]["200"]) == (0, 50)
        assert progress["delivered"] > progress["deliveries"] == 50


def test_a_carrier_that_breaks_is_told() -> None:
    from localcloud.storm_inputs import Asked  # noqa: PLC0415

    def post(callback: Callback) -> tuple[int, str]:
        raise OSError("no route")

    with LocalCloud() as cloud:
        cloud.post = post
        run = cloud.storms.start(Asked(5))
        assert run.wait(30)
        assert (run.progress()["state"], run.progress()["error"]) == ("failed", "OSError: no route")
