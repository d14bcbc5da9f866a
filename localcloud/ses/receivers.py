"""Recipient lists: CreateReceiver, ListReceivers, DeleteReceiver.

Source: models.py and errorcodes.py of tencentcloud-sdk-python-ses 3.1.135. How many lists there may be, and how long
their names, is not documented.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.ses.days import format_local
from localcloud.ses.errors import ApiError
from localcloud.ses.paging import parse_page
from localcloud.ses.store import DETAIL_INVALID, RECEIVER_EMPTY, RECEIVER_UPLOADED, RECEIVER_UPLOADING

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.params import Params

LISTS_LIMIT = 1000
NAME_LIMIT_CHARS = 100
DESCRIPTION_LIMIT_CHARS = 300
_SPECIAL = re.compile(r"[\x00-\x1f\x7f<>\"'`;\\]")

_STATUS = f"CASE WHEN status = {RECEIVER_UPLOADED} AND ready_at > ? THEN {RECEIVER_UPLOADING} ELSE status END"
_COUNT = "(SELECT COUNT(*) FROM receiver_detail WHERE receiver_detail.receiver_id = receiver.receiver_id{})"


def create_receiver(account: Account, params: Params) -> dict[str, Any]:
    """Make an empty list and answer its ReceiverId."""
    params.allow("ReceiversName", "Desc")
    name = params.text("ReceiversName")
    if not 1 <= len(name.strip()) <= NAME_LIMIT_CHARS or _SPECIAL.search(name):
        raise ApiError("InvalidParameterValue.ReceiverNameIllegal")
    description = params.text_or("Desc", "")
    is_given = params.has("Desc")
    if is_given and (not 1 <= len(description) <= DESCRIPTION_LIMIT_CHARS or _SPECIAL.search(description)):
        raise ApiError("InvalidParameterValue.ReceiverDescIllegal")
    database = account.database
    with database.transaction():
        if database.row("SELECT 1 FROM receiver WHERE name = ?", (name,)):
            raise ApiError("InvalidParameterValue.RepeatReceiverName")
        found = database.row("SELECT COUNT(*) FROM receiver")
        if found and found[0] >= LISTS_LIMIT:
            raise ApiError("LimitExceeded.ExceedReceiverLimit")
        sql = "INSERT INTO receiver (name, description, status, created_at) VALUES (?, ?, ?, ?)"
        return {"ReceiverId": database.write(sql, (name, description, RECEIVER_EMPTY, account.clock.now()))}


def list_receivers(account: Account, params: Params) -> dict[str, Any]:
    """Answer a page of lists, newest first (the order is not documented), and how many there are."""
    params.allow("Offset", "Limit", "Status", "KeyWord")
    page = parse_page(params)
    now = account.clock.now()
    where: list[str] = ["1"]
    values: list[Any] = []
    if params.has("Status"):
        where.append(f"{_STATUS} = ?")
        values += [now, params.one_of("Status", (RECEIVER_EMPTY, RECEIVER_UPLOADING, RECEIVER_UPLOADED))]
    if key_word := params.text_or("KeyWord", ""):
        where.append("instr(name, ?)")
        values.append(key_word)
    condition = " AND ".join(where)
    found = account.database.row(f"SELECT COUNT(*) FROM receiver WHERE {condition}", values)
    counts = f"{_COUNT.format('')}, {_COUNT.format(f' AND receiver_detail.status = {DETAIL_INVALID}')}"
    sql = f"""SELECT receiver_id, name, description, {_STATUS}, created_at, {counts} FROM receiver WHERE {condition}
        ORDER BY receiver_id DESC LIMIT ? OFFSET ?"""
    rows = account.database.rows(sql, (now, *values, page.limit, page.offset))
    return {"TotalCount": found[0] if found else 0, "Data": [_build_row(row) for row in rows]}


def delete_receiver(account: Account, params: Params) -> dict[str, Any]:
    """Delete a list with its addresses; a task that still wants it fails."""
    params.allow("ReceiverId")
    receiver_id = params.integer("ReceiverId")
    with account.database.transaction():
        if status_of(account, receiver_id) == RECEIVER_UPLOADING:
            raise ApiError("OperationDenied.ReceiverIsOperating")
        account.database.write("DELETE FROM receiver WHERE receiver_id = ?", (receiver_id,))
        account.database.write("DELETE FROM receiver_detail WHERE receiver_id = ?", (receiver_id,))
    return {}


def status_of(account: Account, receiver_id: int) -> int:
    """Return 1 (nothing uploaded), 2 (uploading) or 3 (uploaded). Raises ApiError when there is no such list."""
    sql = f"SELECT {_STATUS} FROM receiver WHERE receiver_id = ?"
    found = account.database.row(sql, (account.clock.now(), receiver_id))
    if found is None:
        raise ApiError("OperationDenied.ReceiverNotExist")
    return int(found[0])


def _build_row(row: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "ReceiverId": row[0],
        "ReceiversName": row[1],
        "Count": row[5],
        "Desc": row[2],
        "ReceiversStatus": row[3],
        "CreateTime": format_local(row[4]),
        "InvalidCount": row[6],
    }
