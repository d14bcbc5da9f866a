"""Timer: the reports of the days that are due, then what keeps the bucket in order.

The message may name days; without one, yesterday and today are due, and every day that has news.
"""

from __future__ import annotations

import functools
import json
import os
from typing import TYPE_CHECKING, Any

from functions.report.compaction import compact
from functions.report.due import days_with_news, usual_days
from functions.report.expiry import expire
from functions.report.maintenance import Attempts, maintain, work_on
from functions.report.numbers import iter_table, read_day
from functions.report.page import build_csv, build_page
from functions.report.suppression import apply_day
from functions.report.unsubscribes import apply_unsubscribes
from shared.edge.clock import clock, time_left
from shared.edge.log import log
from shared.edge.settings import report_settings
from shared.edge.timer_event import parse_timer_days
from shared.trail.layout import report_key
from shared.trail.records import iso
from shared.trail.store import Place, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.report.maintenance import Work

STEPS = (("unsubscribes", apply_unsubscribes), ("compaction", compact), ("expiry", expire))
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
    written = list(_reports(work, attempts, days=usual_days(work) if days is None else days))
    if days is None:
        half_s = time_left_s() / 2  # the other half is for the bucket, however many days an outage left behind
        late = attempts.make({"step": "days with news"}, lambda: days_with_news(work, until_s=half_s)) or []
        written += _reports(work, attempts, days=late, until_s=half_s)
    maintained = maintain(work, STEPS, attempts)
    told = [report["day"] for report in written]
    log("INFO", "reports written", request_id=context.get("request_id"), days=told, maintenance=maintained)
    attempts.raise_first()
    return {"days": told, "reports": written, "maintenance": maintained}


def _reports(work: Work, attempts: Attempts, *, days: list[str], until_s: float = 0) -> Iterator[dict[str, Any]]:
    """Yield the reports that could be written, while more than ``until_s`` seconds were left.

    Days with news that were not reached are due in the next run.
    """
    for day in days:
        if until_s and work.time_left_s() < until_s:
            return
        write = functools.partial(_write, work.store, day, work.utc_offset_s, work.clock())
        if written := attempts.make({"day": day}, write):
            yield written


def _write(store: Store, day: str, offset_s: int, now: float) -> dict[str, Any]:
    counted, numbers = read_day(store, day)
    numbers["suppression"] = apply_day(store, day, list(counted.suppressions))
    sign, minutes = ("-" if offset_s < 0 else "+"), abs(offset_s) // 60
    report = {**numbers, "utc_offset": f"{sign}{minutes // 60:02d}:{minutes % 60:02d}", "generated_at": iso(now)}
    files = {
        "json": (
            json.dumps(report, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace"),
            "application/json",
        ),
        "csv": (build_csv(iter_table(counted)), "text/csv; charset=utf-8"),
        "html": (build_page(report), "text/html; charset=utf-8"),
    }
    for extension, (body, content_type) in files.items():
        store.put(report_key(day, extension), body, content_type=content_type)
    keys = [report_key(day, extension) for extension in files]
    return {
        "day": day,
        "keys": keys,
        "events": report["events"]["distinct"],
        "recipients": report["recipients"]["total"],
    }
