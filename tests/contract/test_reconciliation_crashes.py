"""A reconciliation that dies anywhere, or is done by two at once: the next run leaves what an undisturbed one leaves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.report import handler, manifests, reconciliation, reconciliation_day
from shared.trail.store import APPEND, FORBID_OVERWRITE
from tests.closed_hours import Killed, die_at, trail
from tests.contract.test_compaction_crashes import intrude
from tests.contract.test_reconciliation import deliver, lose, named, send_sendcloud, send_ses
from tests.handlers import DAY, NOW, bucket, run, timer
from tests.sealed_days import SEALED_AFTER_S, seal

if TYPE_CHECKING:
    from localcloud import LocalCloud

RESULTS = "state/report/reconciled/"
LISTS = {"list_lag_s": 60}


@pytest.fixture
def lossy_day(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> LocalCloud:
    """Leave a sealed day of both sources, of whose callbacks half were lost; the timer does nothing but the meter."""
    monkeypatch.setattr(handler, "STEPS", ())
    monkeypatch.setattr(handler, "write_reports", lambda *_, **__: [])
    monkeypatch.setattr(manifests, "LOOKED_BACK_DAYS", 2)
    monkeypatch.setattr(reconciliation, "_LONGEST_WINDOW_DAYS", 0)
    monkeypatch.setattr(reconciliation_day, "ROWS_TOGETHER", 7)
    send_ses([*named("delivered", 14), *named("hard-bounce", 6), *named("blacklist", 3)])
    send_sendcloud(named("delivered", 6, "s"))
    cloud.advance(10)
    lose(cloud, 0.5)
    deliver(cloud)
    cloud.clear_faults()
    cloud.move_to(NOW + SEALED_AFTER_S)
    for source in ("status", "sendcloud"):
        seal(cloud, source, rows_per_part=10)
    return cloud


def reconcile() -> None:
    """Run the timer for the day, which does not raise."""
    assert run("report", timer(DAY), time_limit_s=900)["reconciliation"]["days"] == [DAY]


def left() -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the events, and the results but for when they were made."""
    results = {key: {**json.loads(body), "at": None} for key, body in bucket(RESULTS).items()}
    return bucket("events/"), results


def count_requests(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> int:
    """Reconcile once, undisturbed; return how many requests that took."""
    dispatch, asked = cloud.dispatch, [0]

    def count(service: str, request: Any, **options: Any) -> Any:
        asked[0] += 1
        return dispatch(service, request, **options)

    monkeypatch.setattr(cloud, "dispatch", count)
    reconcile()
    monkeypatch.setattr(cloud, "dispatch", dispatch)
    return asked[0]


@pytest.mark.parametrize(
    ("claim", "after", "switches"),
    [(FORBID_OVERWRITE, False, {}), (FORBID_OVERWRITE, True, {"versioned": True}), (APPEND, True, LISTS)],
)
def test_a_death_at_any_request_leaves_what_an_undisturbed_run_leaves(
    lossy_day: LocalCloud, monkeypatch: pytest.MonkeyPatch, claim: str, *, after: bool, switches: dict[str, Any]
) -> None:
    """Before the request takes effect, and after it did but before the answer came; also where LIST shows nothing new."""
    monkeypatch.setenv("MAILTRAIL_CLAIM", claim)
    lossy_day.cos.switches.update(switches)
    heard = set(bucket("events/"))
    requests = count_requests(lossy_day, monkeypatch)
    lossy_day.advance(61)
    undisturbed = left()
    assert len(undisturbed[0]) >= len(heard) + 4
    assert len(undisturbed[1]) == 2
    dispatch = lossy_day.dispatch
    for number in range(requests):
        trail().delete_many([key for key in (*undisturbed[0], *undisturbed[1]) if key not in heard])
        lossy_day.advance(61)
        lossy_day.dispatch = die_at(number, after=after, dispatch=dispatch)  # type: ignore[method-assign]
        with pytest.raises(Killed):
            reconcile()
        lossy_day.dispatch = dispatch  # type: ignore[method-assign]
        reconcile()
        lossy_day.advance(61)
        assert left() == undisturbed, number


def test_two_at_once_leave_what_one_leaves(lossy_day: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no lease: a second run does all of it between any two requests of the first."""
    heard = set(bucket("events/"))
    requests = count_requests(lossy_day, monkeypatch)
    undisturbed = left()
    for number in range(requests):
        trail().delete_many([key for key in (*undisturbed[0], *undisturbed[1]) if key not in heard])
        intrude(lossy_day, number, reconcile)
        reconcile()
        assert left() == undisturbed, number


def test_errors_of_cos_cost_time_only(lossy_day: LocalCloud) -> None:
    """One request in twenty fails, one in twenty is done and not answered."""
    heard = set(bucket("events/"))
    reconcile()
    undisturbed = left()
    trail().delete_many([key for key in (*undisturbed[0], *undisturbed[1]) if key not in heard])
    for kind in ("error", "drop_response"):
        lossy_day.add_faults({"service": "cos", "kind": kind, "probability": 0.05})
    reconcile()
    lossy_day.clear_faults()
    assert left() == undisturbed
