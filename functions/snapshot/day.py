"""One day's rows from SES and SendCloud, and the task list as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from functions.snapshot.parts import Manifest, PassWriter
from functions.snapshot.rows import sendcloud_status_record, ses_status_record, task_record
from shared.trail.layout import tasks_key
from shared.trail.records import Task, day_of, encode_lines, iso
from shared.upstream import sendcloud as sendcloud_api
from shared.upstream import ses as ses_api

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.snapshot.pace import Pace
    from shared.trail.store import Store

_TIME_FOR_A_PAGE_S = 15.0


class OutOfTimeError(Exception):
    """The function's time is nearly up; the next run goes on."""


class Desk(NamedTuple):
    """Where a snapshot is taken: the trail, the zone of its days, the clock, the time left, the pace."""

    store: Store
    utc_offset_s: int
    clock: Callable[[], float]
    time_left_s: Callable[[], float]
    pace: Pace

    def now(self) -> str:
        """Return the time, ISO 8601."""
        return iso(self.clock())

    def check_time(self) -> None:
        """Raise OutOfTimeError when another page might not be finished."""
        if self.time_left_s() < _TIME_FOR_A_PAGE_S:
            raise OutOfTimeError


def snapshot_status(desk: Desk, ses: ses_api.SesClient, day: str) -> Manifest:
    """Page GetSendEmailStatus of ``day`` to its last page. Raises OutOfTimeError, UpstreamError, StoreError.

    There is no total: a page that is not full is the last one.
    """
    desk.check_time()
    writer = PassWriter(desk.store, "status", day, desk.now())
    offset = 0
    while True:
        desk.check_time()
        at = offset
        rows = desk.pace.call(lambda: ses.get_send_email_status(day, offset=at))  # noqa: B023 - called at once
        writer.add([ses_status_record(row, day, desk.now()) for row in rows])
        offset += len(rows)
        if len(rows) < ses_api.PAGE_ROWS:
            return writer.finish(desk.now())


def snapshot_sendcloud(desk: Desk, client: sendcloud_api.SendCloudClient, day: str) -> Manifest:
    """Page emailStatus of ``day`` to its last page. Raises OutOfTimeError, UpstreamError, StoreError."""
    desk.check_time()
    writer = PassWriter(desk.store, "sendcloud", day, desk.now())
    start = 0
    while True:
        desk.check_time()
        at = start
        page = desk.pace.call(lambda: client.email_status(day, day, start=at))  # noqa: B023 - called at once
        writer.add([sendcloud_status_record(row, day, desk.now(), desk.utc_offset_s) for row in page.rows])
        start += len(page.rows)
        if len(page.rows) < sendcloud_api.PAGE_ROWS:
            return writer.finish(desk.now())


def snapshot_tasks(desk: Desk, ses: ses_api.SesClient) -> tuple[str, int]:
    """Write the task list as it is now; return its key and how many tasks it holds.

    The list changes while it is paged and its order is not documented: a task met twice is kept once, as met last.
    """
    tasks: dict[str, Task] = {}
    offset = 0
    while True:
        desk.check_time()
        at = offset
        page = desk.pace.call(lambda: ses.list_send_tasks(offset=at))  # noqa: B023 - called at once
        for row in page.rows:
            record = task_record(row, desk.now(), desk.utc_offset_s)
            tasks[record["task_id"]] = record
        offset += len(page.rows)
        if len(page.rows) < ses_api.PAGE_ROWS or offset == page.total:
            break
    now = desk.clock()
    key = tasks_key(day_of(now, desk.utc_offset_s), iso(int(now)))
    desk.store.put(key, encode_lines(tasks.values()))
    return key, len(tasks)
