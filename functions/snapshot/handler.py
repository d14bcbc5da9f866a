"""Timer: message status and the task list into COS, before SES forgets them; a run goes on where the last one stopped.

The timer's message may name days (``{"day": "2026-11-20"}``); without one, those are taken that want it
(functions/snapshot/due.py).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from functions.snapshot.desk import Desk, Source
from functions.snapshot.doubts import settle_doubts
from functions.snapshot.pace import Pace
from functions.snapshot.rounds import attempt_tasks, take_source
from functions.snapshot.rows import sendcloud_status_record, ses_status_record
from functions.snapshot.task_doubts import settle_task_doubts
from shared.edge.clock import clock, time_left
from shared.edge.log import log
from shared.edge.settings import SnapshotSettings, snapshot_settings
from shared.edge.timer_event import parse_timer_days
from shared.trail.store import Place, Store
from shared.upstream import sendcloud as sendcloud_api
from shared.upstream import ses as ses_api
from shared.upstream.signing import Credential

if TYPE_CHECKING:
    from collections.abc import Callable

SENDCLOUD_RATE_PER_S = 45.0
"""SendCloud documents 3 000 calls a minute."""
SENDCLOUD_CACHE_S = 600.0
"""It answers the same question from memory for 10 minutes (seed 003): asked again, it would agree with itself."""
_SHARE_OF_SES = 0.7
"""Of the time, what SendCloud and the tasks leave to SES in any case: the sources have limits of their own."""
_LEAST_S = 30.0
"""Seconds that they may take in any case, when there are as many."""


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Take every snapshot that is due and tell what came of each; one that fails does not stop the others.

    Raises SettingsError and TimerMessageError: then the platform records a failure.
    """
    settings = snapshot_settings(os.environ)
    left_s = time_left(context, margin_s=2.0)
    store = Store(Place(*settings.credential, *settings.bucket), left_s)
    desk = Desk(store, settings.utc_offset_s, settings.settle_s, clock(os.environ), left_s)
    days = parse_timer_days(event)
    reserved_s = min(left_s() * _SHARE_OF_SES, max(0.0, left_s() - _LEAST_S))
    early = desk._replace(time_left_s=lambda: left_s() - reserved_s)
    ses = _ses_client(settings, desk)
    pace = Pace(settings.ses.rate_per_s * settings.share, time_left_s=left_s)
    doubts = {"doubts": settle_doubts(desk, ses, pace), "task_doubts": settle_task_doubts(desk, ses, pace)}
    taken: dict[tuple[str, str], dict[str, Any]] = {("tasks", ""): attempt_tasks(early, ses, pace)}
    for source, at in [(_sendcloud(settings, early.time_left_s), early), (_status(ses, pace), desk)]:
        for told in take_source(at, source, days) if source else ():
            taken[told["source"], told.get("day", "")] = told  # the last pass over a day says what became of it
    results = list(taken.values())
    short = [told for told in results if not told["complete"]]
    log("INFO", "snapshots taken", request_id=context.get("request_id"), taken=len(results), incomplete=short[:10])
    worked_on = sorted({told["day"] for told in results if "day" in told}) if days is None else days
    complete = all(one["complete"] for one in results)
    return {"days": worked_on, "snapshots": results, "complete": complete, **doubts}


def _ses_client(settings: SnapshotSettings, desk: Desk) -> ses_api.SesClient:
    site, region, endpoint, _ = settings.ses
    credential = Credential(*settings.credential)
    return ses_api.SesClient(
        credential, site=site, clock=desk.clock, region=region, endpoint=endpoint, time_left_s=desk.time_left_s
    )


def _status(ses: ses_api.SesClient, pace: Pace) -> Source:
    def fetch(day: str, offset: int) -> list[dict[str, Any]]:
        return ses.get_send_email_status(day, offset=offset)

    return Source("status", ses_api.PAGE_ROWS, pace, fetch, ses_status_record, gap_s=0.0)


def _sendcloud(settings: SnapshotSettings, left_s: Callable[[], float]) -> Source | None:
    url, user, key = settings.sendcloud
    client = sendcloud_api.SendCloudClient(user, key, endpoint=url)

    def fetch(day: str, offset: int) -> list[dict[str, Any]]:
        return client.email_status(day, day, start=offset).rows

    def record(row: dict[str, Any], day: str, fetched_at: str) -> Any:
        return sendcloud_status_record(row, day, fetched_at, settings.utc_offset_s)

    pace = Pace(SENDCLOUD_RATE_PER_S, time_left_s=left_s)
    return Source("sendcloud", sendcloud_api.PAGE_ROWS, pace, fetch, record, SENDCLOUD_CACHE_S) if user else None
