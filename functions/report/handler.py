"""Timer: the reports of the days that are due, then what keeps the bucket in order.

The message may name days; without one, yesterday and today are due, and every day that has news. Before these, sealed
days are reconciled, so that the report of a day that was just sealed has its loss.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from functions.report.compaction import compact
from functions.report.days_at_risk import judge_days
from functions.report.due import days_with_news, newest_events, usual_days
from functions.report.expiry import expire
from functions.report.maintenance import Attempts, hurried, maintain, work_on
from functions.report.manifests import read_manifests
from functions.report.reconciliation import reconcile, reconcile_named
from functions.report.task_expiry import expire_tasks
from functions.report.unsubscribes import apply_unsubscribes
from functions.report.writing import Desk, write_reports
from shared.edge.clock import clock, time_left
from shared.edge.log import log
from shared.edge.settings import report_settings
from shared.edge.timer_event import parse_timer_days
from shared.trail.store import Place, Store

if TYPE_CHECKING:
    from functions.report.maintenance import Work
    from functions.report.manifests import Manifests

    Report = dict[str, Any]

STEPS = (
    ("unsubscribes", apply_unsubscribes),
    ("compaction", compact),
    ("expiry", expire),
    ("task_expiry", expire_tasks),
)
"""What is done for the bucket after the reports, in this order, in the time left."""


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Write the report of every day that is due, then keep the bucket in order; what fails does not stop the rest.

    Raises SettingsError and TimerMessageError; and, after everything else was tried, the first of what failed: then the
    platform records a failure, and the next timer goes on.
    """
    settings = report_settings(os.environ)
    time_left_s = time_left(context, margin_s=2.0)
    store = Store(Place(*settings.credential, *settings.bucket), time_left_s)
    work = work_on(store, clock(os.environ), settings.utc_offset_s, time_left_s)
    attempts = Attempts()
    days = parse_timer_days(event)
    written, reconciled = _write_due(work, attempts) if days is None else _write_named(work, attempts, days)
    maintained = maintain(work, STEPS, attempts)
    told = [report["day"] for report in written]
    log("INFO", "reports written", request_id=context.get("request_id"), days=told, maintenance=maintained)
    attempts.raise_first()
    return {"days": told, "reports": written, "reconciliation": reconciled, "maintenance": maintained}


def _write_named(work: Work, attempts: Attempts, days: list[str]) -> tuple[list[Report], Report | None]:
    """Reconcile and report the days that somebody named."""
    if not days:
        return [], None
    desk, _ = _desk(work, attempts)
    half = hurried(work, work.time_left_s() / 2)
    reconciled = attempts.make({"step": "reconciliation"}, lambda: reconcile_named(half, days))
    return write_reports(desk, days), reconciled


def _write_due(work: Work, attempts: Attempts) -> tuple[list[Report], Report | None]:
    """Report yesterday and today, reconcile what was sealed, report what has news."""
    desk, manifests = _desk(work, attempts)
    written = write_reports(desk, usual_days(work))
    # A third each for the meter, for the other reports and for the bucket, however much an outage left behind.
    third_s = work.time_left_s() / 3
    news = attempts.make({"step": "news"}, lambda: newest_events(work, until_s=2 * third_s)) or {}
    reconciled, empty = None, manifests.empty_days() if manifests else set[str]()
    if manifests is not None:
        short, found = hurried(work, 2 * third_s), manifests
        reconciled = attempts.make({"step": "reconciliation"}, lambda: reconcile(short, found, news))
    late = attempts.make({"step": "days with news"}, lambda: days_with_news(work, news, empty)) or []
    return written + write_reports(desk, late, until_s=third_s), reconciled


def _desk(work: Work, attempts: Attempts) -> tuple[Desk, Manifests | None]:
    manifests = attempts.make({"step": "manifests"}, lambda: read_manifests(work))
    return Desk(work, attempts, None if manifests is None else judge_days(manifests)), manifests
