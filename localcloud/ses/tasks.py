"""BatchSendEmail and ListSendTasks: https://www.tencentcloud.com/document/product/1084/39500 and .../39499."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.ses.addresses import check_optional
from localcloud.ses.content import check_variables, parse_subject, parse_template
from localcloud.ses.days import format_local, parse_local
from localcloud.ses.errors import ApiError
from localcloud.ses.paging import parse_page
from localcloud.ses.receivers import status_of
from localcloud.ses.send import check_sender, check_unsubscribe
from localcloud.ses.store import DETAIL_VALID, RECEIVER_UPLOADED

if TYPE_CHECKING:
    from localcloud.ses.account import Account, Template
    from localcloud.ses.params import Params

IMMEDIATE, TIMED, RECURRING = 1, 2, 3
TO_START, SENDING, SUSPENDED, FAILED, DONE = 1, 5, 6, 7, 10
SUBJECT_LIMIT_CHARS = 100
START_DELAY_S = 1.0

_PARAMETERS = (
    "FromEmailAddress",
    "ReceiverId",
    "Subject",
    "TaskType",
    "ReplyToAddresses",
    "Template",
    "Simple",
    "Attachments",
    "CycleParam",
    "TimedParam",
    "Unsubscribe",
    "ADLocation",
)
_COLUMNS = """task_id, sender, receiver_id, receivers_name, status, type, request_count, send_count, cache_count,
    created_at, updated_at, subject, template_id, template_data, cycle, timed, err_msg"""
_INSERT = """INSERT INTO task (created_at, updated_at, next_at, sender, receiver_id, receivers_name, status, type,
    request_count, subject, template_id, template_data, cycle, timed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class _Schedule(NamedTuple):
    begin_at: float
    cycle: dict[str, Any] | None = None
    timed: dict[str, Any] | None = None


def batch_send_email(account: Account, params: Params) -> dict[str, Any]:
    """Check a task, store it to start, and answer its TaskId (an integer)."""
    params.allow(*_PARAMETERS)
    sender = check_sender(account, params)
    receiver_id = params.integer("ReceiverId")
    subject = parse_subject(params, SUBJECT_LIMIT_CHARS)
    kind = params.one_of("TaskType", (IMMEDIATE, TIMED, RECURRING))
    params.one_of("ADLocation", (0, 1, 2), default=0)
    check_optional(params, "ReplyToAddresses")
    check_unsubscribe(account, params)
    if params.structures("Attachments"):
        raise ApiError("UnsupportedOperation", "`Attachments` of a task are not supported yet.")
    now = account.clock.now()
    schedule = _parse_schedule(params, kind, now)
    name, count = _check_receiver(account, receiver_id)
    template, data = _parse_template(account, params, receiver_id)
    head = (now, now, schedule.begin_at, sender.text, receiver_id, name, TO_START, kind, count, subject)
    tail = (template.template_id, data, _json_or_none(schedule.cycle), _json_or_none(schedule.timed))
    return {"TaskId": account.database.write(_INSERT, (*head, *tail))}


def list_send_tasks(account: Account, params: Params) -> dict[str, Any]:
    """Answer a page of tasks, newest first (the order is not documented), and how many there are."""
    params.allow("Offset", "Limit", "Status", "ReceiverId", "TaskType")
    offset, limit = parse_page(params)
    columns = {"Status": "status", "ReceiverId": "receiver_id", "TaskType": "type"}
    given = {column: params.integer(name) for name, column in columns.items() if params.has(name)}
    where = " AND ".join(f"{column} = ?" for column in given) or "1"
    found = account.database.row(f"SELECT COUNT(*) FROM task WHERE {where}", tuple(given.values()))
    sql = f"SELECT {_COLUMNS} FROM task WHERE {where} ORDER BY created_at DESC, task_id DESC LIMIT ? OFFSET ?"
    rows = account.database.rows(sql, (*given.values(), limit, offset))
    task_id: type[int | str] = str if account.switches.task_id == "string" else int
    return {"TotalCount": found[0] if found else 0, "Data": [_build_row(row, task_id) for row in rows]}


def _parse_schedule(params: Params, kind: int, now: float) -> _Schedule:
    if kind == IMMEDIATE:
        return _Schedule(now + START_DELAY_S)
    name = "TimedParam" if kind == TIMED else "CycleParam"
    given = params.structure(name)
    needed = ("BeginTime",) if kind == TIMED else ("BeginTime", "IntervalTime")
    if given is None or not all(map(given.has, needed)):
        raise ApiError(f"MissingParameter.{name}Necessary")
    if kind == TIMED:
        given.allow("BeginTime")
        return _Schedule(_parse_begin(given, now), timed={"BeginTime": given.text("BeginTime")})
    given.allow("BeginTime", "IntervalTime", "TermCycle")
    cycle = {
        "BeginTime": given.text("BeginTime"),
        "IntervalTime": given.one_of("IntervalTime", range(1, 24 * 366)),
        "TermCycle": given.one_of("TermCycle", (0, 1), default=0),
    }
    return _Schedule(_parse_begin(given, now), cycle=cycle)


def _parse_begin(params: Params, now: float) -> float:
    try:
        begin_at = parse_local(params.text("BeginTime"))
    except ValueError as error:
        raise ApiError("InvalidParameterValue", "`BeginTime` must be YYYY-MM-DD HH:MM:SS.") from error
    if begin_at < int(now):
        raise ApiError("InvalidParameterValue.BeginTimeBeforeNow")
    return begin_at


def _check_receiver(account: Account, receiver_id: int) -> tuple[str, int]:
    """Return the list's name and its length."""
    found = account.database.row("SELECT name FROM receiver WHERE receiver_id = ?", (receiver_id,))
    if found is None:
        raise ApiError("OperationDenied.ReceiverNotExist")
    count = count_valid(account, receiver_id)
    if status_of(account, receiver_id) != RECEIVER_UPLOADED or not count:
        raise ApiError("OperationDenied.ReceiverStatusError")
    return found[0], count


def count_valid(account: Account, receiver_id: int) -> int:
    """Count the addresses of a list that a task writes to."""
    sql = "SELECT COUNT(*) FROM receiver_detail WHERE receiver_id = ? AND status = ?"
    found = account.database.row(sql, (receiver_id, DETAIL_VALID))
    return int(found[0]) if found else 0


def _parse_template(account: Account, params: Params, receiver_id: int) -> tuple[Template, str]:
    """Read the template; its variables come from the task, and from each person of the list."""
    given = params.structure("Template")
    if given is None:
        is_simple = params.structure("Simple") is not None
        raise ApiError(f"FailedOperation.{'WithOutPermission' if is_simple else 'MissingEmailContent'}")
    template, variables = parse_template(account, given)
    sql = "SELECT DISTINCT template_data FROM receiver_detail WHERE receiver_id = ? AND status = ?"
    for (data,) in account.database.rows(sql, (receiver_id, DETAIL_VALID)):
        check_variables(template, variables | json.loads(data))
    return template, given.text("TemplateData")


def _build_row(row: tuple[Any, ...], task_id: type[int | str]) -> dict[str, Any]:
    return {
        "TaskId": task_id(row[0]),
        "FromEmailAddress": row[1],
        "ReceiverId": row[2],
        "ReceiversName": row[3],
        "TaskStatus": row[4],
        "TaskType": row[5],
        "RequestCount": row[6],
        "SendCount": row[7],
        "CacheCount": row[8],
        "CreateTime": format_local(row[9]),
        "UpdateTime": format_local(row[10]),
        "Subject": row[11],
        "Template": {"TemplateID": row[12], "TemplateData": row[13]},
        "CycleParam": json.loads(row[14]) if row[14] else None,
        "TimedParam": json.loads(row[15]) if row[15] else None,
        "ErrMsg": row[16],
    }


def _json_or_none(value: dict[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)
