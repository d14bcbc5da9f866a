"""Timer: the day's numbers and the day's report. The message may name days; without one, yesterday and today."""

from __future__ import annotations

import json
import os
from typing import Any

from functions.report.numbers import iter_table, read_day
from functions.report.page import build_csv, build_page
from shared.edge.clock import clock, time_left
from shared.edge.log import log
from shared.edge.settings import report_settings
from shared.edge.timer_event import parse_timer_days
from shared.trail.layout import report_key
from shared.trail.records import day_of, iso
from shared.trail.store import Place, Store


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Write the report of every day that is due.

    Raises SettingsError, TimerMessageError and StoreError: then the platform records a failure, and the next timer
    writes it.
    """
    settings = report_settings(os.environ)
    now = clock(os.environ)()
    offset_s = settings.utc_offset_s
    store = Store(Place(*settings.credential, *settings.bucket), time_left(context, margin_s=2.0))
    days = parse_timer_days(event) or [day_of(now - 86400, offset_s), day_of(now, offset_s)]
    written = [_write(store, day, offset_s, now) for day in days]
    log("INFO", "reports written", request_id=context.get("request_id"), days=days)
    return {"days": days, "reports": written}


def _write(store: Store, day: str, offset_s: int, now: float) -> dict[str, Any]:
    counted, numbers = read_day(store, day)
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
