"""Whether a task may begin: what SES would refuse at the end is refused before the claim and before any upload.

Of the guard's checks (``functions/send/guard``) these are about a task as a whole: its sender and its template. Who is
suppressed is left out one by one (``audience.py``); the quota and the hours are SES's, which defers what is over them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from functions.send.addresses import bare_address
from functions.send.bulk import journal
from functions.send.bulk.request import PAST, is_late
from functions.send.guard.admission import memory_of
from functions.send.guard.findings import weigh
from functions.send.guard.sender import check_sender
from functions.send.guard.template import check_template
from shared.edge.guard_modes import OFF
from shared.edge.http_event import Problem

if TYPE_CHECKING:
    from functions.send.bulk.journal import Life
    from functions.send.bulk.request import Task
    from functions.send.guard.findings import Finding
    from functions.send.office import Office


def begin(office: Office, task: Task, body_sha256: str, key_sha256: str) -> tuple[Life, list[str]]:
    """Begin the life of a key, or go on with the one that it has; return it, and what the guard warns of.

    Raises Problem (400, 409, 422) and StoreError; a refusal has written nothing.
    """
    if is_late(task, office.clock()) and journal.find(office.store, key_sha256) is None:
        check_begin(office, task)
    try:
        warnings = _admit(office, task)
    except Problem:
        # What has begun goes on, or gets its answer: it was admitted when it began, and SES decides at its end.
        if journal.find(office.store, key_sha256) is None:
            raise
        warnings = []
    recipients = len(task.people) or None
    life = journal.begin(office.store, key_sha256, body_sha256, recipients, at=office.clock())
    if life is None:
        raise Problem(409, "in_flight", "an old use of this key is being removed", retry_safe=True, retry_after_s=2)
    if life.body_sha256 != body_sha256:
        raise Problem(409, "idempotency_conflict", "this Idempotency-Key was used with another body")
    return life, warnings


def check_begin(office: Office, task: Task) -> None:
    """Raise Problem (400) when the time at which the task was to begin is over."""
    if is_late(task, office.clock()):
        errors = [{"field": task.schedule.field, "problem": PAST}]
        raise Problem(400, "invalid_request", "1 problem with the request; nothing was sent", errors=errors)


def share_facts(office: Office) -> None:
    """Write for other instances what SES told for the guard; best effort."""
    memory_of(office).facts.write(office)


def _admit(office: Office, task: Task) -> list[str]:
    """Return the warnings. Raises Problem that names all that is against the task."""
    modes, facts = office.settings.guard, memory_of(office).facts
    findings: list[Finding] = []
    if modes.sender != OFF:
        findings += check_sender(office, facts, bare_address(task.sender).rpartition("@")[2].lower())
    if modes.template != OFF:
        findings += check_template(office, facts, task.template_id, _variables(task))
    return weigh(findings, modes)


def _variables(task: Task) -> set[str] | None:
    """Return the names that everybody gets, or None for a list of SES's: what it holds for its people is unknown."""
    if task.receiver_id is not None:
        return None
    own = task.people[0].data  # all have the same names (request.py)
    return set(task.template_data) | set(json.loads(own or "{}"))
