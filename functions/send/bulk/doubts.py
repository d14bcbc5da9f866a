"""A task that nobody heard of: noted for the timer, and looked into when somebody asks for it.

What proves what is in shared/trail/task_doubts.py; the snapshot timer looks into those that nobody asks about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.edge.log import log
from shared.trail import task_doubts
from shared.trail.bulk_mail import note_task
from shared.trail.store import StoreError
from shared.trail.task_doubts import LOOK_AFTER_S, Desk, is_open
from shared.trail.task_evidence import Seen, first_task_id
from shared.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.send.bulk.journal import Attempt, Life
    from functions.send.office import Office

__all__ = ["LOOK_AFTER_S", "Seen", "announce", "first_task_id", "is_open", "look_into", "note_sent", "tasks_of"]


def announce(office: Office, life: Life, attempt: Attempt) -> None:
    """Note an attempt before it is made: whoever dies of it is found, and whoever is in doubt meanwhile sees it.

    Raises StoreError: then it must not be made.
    """
    task_doubts.note_doubt(office.store, life, attempt)
    note_task(office.store, attempt.claim["told"], at=attempt.at)


def _note_again(office: Office, life: Life, attempt: Attempt) -> None:
    """Note an attempt whose note is gone, because nobody had looked any more. A failure is logged."""
    try:
        task_doubts.note_doubt(office.briefly(), life, attempt)
    except StoreError as error:
        log("ERROR", "doubt not noted", key_sha256=life.key_sha256, code=error.code)


def look_into(office: Office, life: Life, attempt: Attempt) -> bool:
    """Look into an attempt that is in doubt; whether something was proven and is written. Raises StoreError."""
    if task_doubts.look_into(_desk(office), life, attempt):
        return True
    _note_again(office, life, attempt)  # where there is a note, this is one request
    return False


def tasks_of(office: Office, receiver_id: int) -> Seen:
    """Return the tasks to a list, as far as SES tells."""
    return task_doubts.tasks_of(_desk(office), receiver_id)


def note_sent(office: Office, life: Life, task_id: str, told: Mapping[str, Any]) -> bool:
    """Note whose a task is; False when it is another key's. Raises StoreError."""
    return task_doubts.note_sent(office.briefly(), life, task_id, told, at=office.clock())


def _desk(office: Office) -> Desk:
    def ask(receiver_id: int, offset: int) -> tuple[list[dict[str, Any]], int] | None:
        try:
            page = office.ses.list_send_tasks(offset=offset, receiver_id=receiver_id)
        except UpstreamError as error:
            log("INFO", "tasks not told", code=error.code)
            return None
        return page.rows, page.total

    return Desk(office.store, office.settings.utc_offset_s, office.clock, ask, office.time_left_s)
