"""Tasks by the clock: to start → sending → done, and a recurring one to start again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.ses import outbox
from localcloud.ses.addresses import Recipients, Sender
from localcloud.ses.content import render
from localcloud.ses.tasks import DONE, SENDING, TO_START

if TYPE_CHECKING:
    from localcloud.ses.account import Account

RUN_S = 2.0
"""How long a run takes, in simulated seconds."""

_DUE = """SELECT task_id, next_at, status, sender, receiver_id, subject, template_id, template_data, cycle FROM task
    WHERE next_at <= ? ORDER BY next_at, task_id LIMIT 100"""


class _Run(NamedTuple):
    task_id: int
    at: float
    status: int
    sender: str
    receiver_id: int
    subject: str
    template_id: int
    template_data: str
    cycle: str | None


def advance_due(account: Account, now: float) -> int:
    """Take every task whose time has come by ``now`` one state further; return how many."""
    if not account.database.rows("SELECT 1 FROM task WHERE next_at <= ? LIMIT 1", (now,)):
        return 0
    with account.database.transaction():
        runs = [_Run(*row) for row in account.database.rows(_DUE, (now,))]
        for run in runs:
            if run.status == TO_START:
                _start(account, run)
            else:
                _finish(account, run)
    return len(runs)


def _start(account: Account, run: _Run) -> None:
    sql = "SELECT email, template_data FROM receiver_detail WHERE receiver_id = ? ORDER BY rowid"
    people = account.database.rows(sql, (run.receiver_id,))
    for email, data in people:
        _send_one(account, run, email, json.loads(run.template_data) | json.loads(data))
    change = "UPDATE task SET status = ?, updated_at = ?, next_at = ?, send_count = send_count + ? WHERE task_id = ?"
    account.database.write(change, (SENDING, run.at, run.at + RUN_S, len(people), run.task_id))


def _send_one(account: Account, run: _Run, email: str, variables: dict[str, Any]) -> None:
    address = run.sender.partition("<")[2].rstrip(">") or run.sender
    request = {"Template": {"TemplateID": run.template_id, "TemplateData": json.dumps(variables)}}
    mail = outbox.Mail(
        Sender(run.sender, address),
        Recipients([email], [], []),
        render(run.subject, variables),
        run.template_id,
        request,
        {},
        task_id=run.task_id,
    )
    outbox.accept(account, mail, run.at)


def _finish(account: Account, run: _Run) -> None:
    cycle = json.loads(run.cycle) if run.cycle else {"TermCycle": 1}
    if cycle["TermCycle"]:
        sql = "UPDATE task SET status = ?, updated_at = ?, next_at = NULL WHERE task_id = ?"
        account.database.write(sql, (DONE, run.at, run.task_id))
        return
    began_at = run.at - RUN_S
    # The next run asks for the same list again.
    sql = """UPDATE task SET status = ?, updated_at = ?, next_at = ?, request_count = request_count + (
        SELECT COUNT(*) FROM receiver_detail WHERE receiver_detail.receiver_id = task.receiver_id) WHERE task_id = ?"""
    account.database.write(sql, (TO_START, run.at, began_at + cycle["IntervalTime"] * 3600, run.task_id))
