"""Timer: the day's message status and the task list into COS, before SES forgets them.

The timer's message may name days (``{"day": "2026-11-20"}``); without one, yesterday and today are taken.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from functions.snapshot.day import Desk, OutOfTimeError, snapshot_sendcloud, snapshot_status, snapshot_tasks
from functions.snapshot.pace import Pace
from shared.edge.clock import clock, time_left
from shared.edge.log import log
from shared.edge.settings import SnapshotSettings, snapshot_settings
from shared.edge.timer_event import parse_timer_days
from shared.trail.records import day_of
from shared.trail.store import Place, Store, StoreError
from shared.upstream.errors import UpstreamError
from shared.upstream.sendcloud import SendCloudClient
from shared.upstream.ses import SesClient
from shared.upstream.signing import Credential

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Take every snapshot that is due and tell what came of each; one that fails does not stop the others.

    Raises SettingsError and TimerMessageError: then the platform records a failure.
    """
    settings = snapshot_settings(os.environ)
    now = clock(os.environ)
    today = now()
    days = parse_timer_days(event) or [
        day_of(today - 86400, settings.utc_offset_s),
        day_of(today, settings.utc_offset_s),
    ]
    store = Store(Place(*settings.credential, *settings.bucket), time_left(context, margin_s=2.0))
    desk = Desk(store, settings.utc_offset_s, now, time_left(context, margin_s=2.0), Pace(settings.ses.rate_per_s))
    taken = [_attempt(name, work) for name, work in _works(desk, settings, days)]
    log("INFO", "snapshots taken", request_id=context.get("request_id"), taken=taken)
    return {"days": days, "snapshots": taken, "complete": all(one["complete"] for one in taken)}


def _works(
    desk: Desk, settings: SnapshotSettings, days: list[str]
) -> Iterator[tuple[dict[str, str], Callable[[], Any]]]:
    site, region, endpoint, _ = settings.ses
    credential = Credential(*settings.credential)
    ses = SesClient(credential, site=site, clock=desk.clock, region=region, endpoint=endpoint)
    yield {"source": "tasks"}, lambda: snapshot_tasks(desk, ses)
    for day in days:
        yield {"source": "status", "day": day}, lambda day=day: snapshot_status(desk, ses, day)  # type: ignore[misc]
    url, user, key = settings.sendcloud
    client = SendCloudClient(user, key, endpoint=url)
    for day in days if user else ():
        yield {"source": "sendcloud", "day": day}, lambda day=day: snapshot_sendcloud(desk, client, day)  # type: ignore[misc]


def _attempt(name: dict[str, str], work: Callable[[], Any]) -> dict[str, Any]:
    try:
        result = work()
    except OutOfTimeError:
        return {**name, "complete": False, "why": "out of time"}
    except (UpstreamError, StoreError) as error:
        return {**name, "complete": False, "why": error.code}
    if isinstance(result, tuple):
        return {**name, "complete": True, "key": result[0], "rows": result[1]}
    return {**name, "complete": True, "rows": result["rows"], "pages": result["pages"], "passes": result["passes"]}
