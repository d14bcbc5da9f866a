"""The reports of days, written one after the other: JSON, CSV and page."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.report.numbers import iter_table, read_day
from functions.report.page import build_csv, build_page
from functions.report.reconciliation import read_losses
from functions.report.suppression import apply_day
from shared.trail.layout import report_key
from shared.trail.records import iso

if TYPE_CHECKING:
    from functions.report.maintenance import Attempts, Work


class Desk(NamedTuple):
    """Where reports are written. ``standing``: how far the snapshots are (days_at_risk.py), None when unknown."""

    work: Work
    attempts: Attempts
    standing: dict[str, Any] | None


def write_reports(desk: Desk, days: list[str], *, until_s: float = 0) -> list[dict[str, Any]]:
    """Write the reports of ``days`` while more than ``until_s`` seconds are left; return those that could be written.

    Days with news that were not reached are due in the next run.
    """
    written = []
    for day in days:
        if until_s and desk.work.time_left_s() < until_s:
            break
        if report := desk.attempts.make({"day": day}, functools.partial(_write, desk, day)):
            written.append(report)
    return written


def _write(desk: Desk, day: str) -> dict[str, Any]:
    store, offset_s, now = desk.work.store, desk.work.utc_offset_s, desk.work.clock()
    counted, numbers = read_day(store, day, offset_s)
    numbers["suppression"] = apply_day(store, day, list(counted.suppressions))
    numbers |= {"loss": read_losses(store, day), "days": desk.standing}
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
