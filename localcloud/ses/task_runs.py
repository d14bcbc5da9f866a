"""Tasks by the clock: to start → sending → done; suspended when the day's quota is used up; a recurring one again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.ses import outbox
from localcloud.ses.addresses import Recipients, Sender
from localcloud.ses.content import render
from localcloud.ses.days import day_number, day_start
from localcloud.ses.errors import ApiError
from localcloud.ses.refusals import refusal_of
from localcloud.ses.reputation import room_of
from localcloud.ses.store import DETAIL_VALID, TEMPLATE_APPROVED
from localcloud.ses.tasks import DONE, FAILED, SENDING, SUSPENDED, TO_START, count_valid

if TYPE_CHECKING:
    from localcloud.ses.account import Account

RUN_S = 2.0
"""How long a portion takes, in simulated seconds."""
PORTION = 500
"""People written to in that time."""

_DUE = """SELECT task_id, next_at, status, sender, receiver_id, subject, template_id, template_data, cycle, began_at,
    reached FROM task WHERE next_at <= ? ORDER BY next_at, task_id LIMIT 100"""
_PEOPLE = """SELECT rowid, email, template_data FROM receiver_detail WHERE receiver_id = ? AND status = ? AND rowid > ?
    ORDER BY rowid LIMIT ?"""
_PROGRESS = """UPDATE task SET status = ?, updated_at = ?, next_at = ?, began_at = ?, reached = ?,
    send_count = send_count + ?, cache_count = ? WHERE task_id = ?"""


class _Run(NamedTuple):
    """A task that is due. ``reached``: the last row of its list that was written to in this run."""

    task_id: int
    at: float
    status: int
    sender: str
    receiver_id: int
    subject: str
    template_id: int
    template_data: str
    cycle: str | None
    began_at: float
    reached: int

    @property
    def address(self) -> str:
        """The bare address of the sender."""
        return self.sender.partition("<")[2].rstrip(">") or self.sender


def advance_due(account: Account, now: float) -> int:
    """Take every task whose time has come by ``now`` one step further; return how many."""
    if not account.database.rows("SELECT 1 FROM task WHERE next_at <= ? LIMIT 1", (now,)):
        return 0
    with account.database.transaction():
        runs = [_Run(*row) for row in account.database.rows(_DUE, (now,))]
        for run in runs:
            _advance(account, run._replace(began_at=run.at, reached=0) if run.status == TO_START else run)
    return len(runs)


def _advance(account: Account, run: _Run) -> None:
    people = account.database.rows(_PEOPLE, (run.receiver_id, DETAIL_VALID, run.reached, PORTION))
    if run.status == SENDING and not people:
        _finish(account, run)
        return
    try:
        room = _room(account, run)
    except ApiError as error:
        sql = "UPDATE task SET status = ?, updated_at = ?, next_at = NULL, err_msg = ? WHERE task_id = ?"
        account.database.write(sql, (FAILED, run.at, error.message, run.task_id))
        return
    portion = people[: max(room, 0)]
    for _, email, data in portion:
        _send_one(account, run, email, json.loads(run.template_data) | json.loads(data))
    _keep_progress(account, run, portion, is_suspended=len(portion) < len(people))


def _keep_progress(account: Account, run: _Run, portion: list[tuple[Any, ...]], *, is_suspended: bool) -> None:
    reached = portion[-1][0] if portion else run.reached
    status, next_at, cached = SENDING, run.at + RUN_S, 0
    if is_suspended:
        sql = "SELECT COUNT(*) FROM receiver_detail WHERE receiver_id = ? AND status = ? AND rowid > ?"
        found = account.database.row(sql, (run.receiver_id, DETAIL_VALID, reached))
        status, next_at, cached = SUSPENDED, day_start(day_number(run.at) + 1), found[0] if found else 0
    progress = (status, run.at, next_at, run.began_at, reached, len(portion), cached)
    account.database.write(_PROGRESS, (*progress, run.task_id))


def _room(account: Account, run: _Run) -> int:
    """Return how many people may be written to now. Raises ApiError when the task cannot go on at all."""
    sender = Sender(run.sender, run.address)
    if not account.is_verified(sender.domain):
        raise ApiError("OperationDenied.DomainNotVerified")
    template = account.template(run.template_id)
    if template is None or template.status != TEMPLATE_APPROVED:
        raise ApiError("OperationDenied.TemplateStatusError")
    if not account.database.row("SELECT 1 FROM receiver WHERE receiver_id = ?", (run.receiver_id,)):
        raise ApiError("OperationDenied.ReceiverNotExist")
    return room_of(account, sender.domain, day_number(run.at))


def _send_one(account: Account, run: _Run, email: str, variables: dict[str, Any]) -> None:
    sender = Sender(run.sender, run.address)
    mail = outbox.Mail(
        sender,
        Recipients([email], [], []),
        render(run.subject, variables),
        run.template_id,
        {"Template": {"TemplateID": run.template_id, "TemplateData": json.dumps(variables)}},
        {},
        task_id=run.task_id,
    )
    status = refusal_of(account, email, sender.domain, run.at)
    outbox.accept(account, mail, run.at, {email: status} if status else {})


def _finish(account: Account, run: _Run) -> None:
    cycle = json.loads(run.cycle) if run.cycle else {"TermCycle": 1}
    if cycle["TermCycle"]:
        sql = "UPDATE task SET status = ?, updated_at = ?, next_at = NULL WHERE task_id = ?"
        account.database.write(sql, (DONE, run.at, run.task_id))
        return
    # The next run asks for the same list again; one that was held up for longer than the interval follows at once.
    next_at = max(run.began_at + cycle["IntervalTime"] * 3600, run.at)
    sql = """UPDATE task SET status = ?, updated_at = ?, next_at = ?, request_count = request_count + ?
        WHERE task_id = ?"""
    again = count_valid(account, run.receiver_id)
    account.database.write(sql, (TO_START, run.at, next_at, again, run.task_id))
