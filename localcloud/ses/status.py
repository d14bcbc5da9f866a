"""GetSendEmailStatus: https://www.tencentcloud.com/document/product/1084/39503."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.ses.days import day_number, parse_day
from localcloud.ses.errors import ApiError

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.params import Params

LIMIT_ROWS = 100
KEPT_DAYS = 30

_COLUMNS = """message_id, recipient, sender, send_status, deliver_status, deliver_message, request_time, deliver_time,
    opened, clicked, unsubscribed, complained"""


def get_send_email_status(account: Account, params: Params) -> dict[str, Any]:
    """Answer a page of one day's rows, in the order in which the mails came in. There is no total."""
    params.allow("RequestDate", "Offset", "Limit", "MessageId", "ToEmailAddress")
    day = _parse_date(account, params.text("RequestDate"))
    offset, limit = parse_page(params)
    message_id, recipient = params.text_or("MessageId", ""), params.text_or("ToEmailAddress", "")
    if message_id or recipient:
        rows = _filtered(account, day, {"message_id": message_id, "recipient": recipient}, (limit, offset))
    else:
        # Rows are numbered densely: page 10 000 is found like page 1.
        sql = f"SELECT {_COLUMNS} FROM status WHERE day = ? AND seq >= ? ORDER BY seq LIMIT ?"
        rows = account.database.rows(sql, (day, offset, limit))
    return {"EmailStatusList": [_build_row(row) for row in rows]}


def parse_page(params: Params) -> tuple[int, int]:
    """Read Offset (from 0) and Limit (1 to 100), both required."""
    offset, limit = params.integer("Offset"), params.integer("Limit")
    if offset < 0:
        raise ApiError("InvalidParameterValue", "`Offset` must be 0 or more.")
    if not 1 <= limit <= LIMIT_ROWS:
        raise ApiError("FailedOperation.InvalidLimit")
    return offset, limit


def _parse_date(account: Account, text: str) -> int:
    try:
        day = parse_day(text)
    except ValueError as error:
        raise ApiError("InvalidParameterValue.WrongDate") from error
    today = day_number(account.clock.now())
    if not today - KEPT_DAYS <= day <= today:
        raise ApiError("FailedOperation.NotSupportDate", f"Only data within {KEPT_DAYS} days can be queried.")
    return day


def _filtered(account: Account, day: int, wanted: dict[str, str], page: tuple[int, int]) -> list[tuple[Any, ...]]:
    given = {name: value for name, value in wanted.items() if value}
    where = " AND ".join(["day = ?", *(f"{name} = ?" for name in given)])
    sql = f"SELECT {_COLUMNS} FROM status WHERE {where} ORDER BY seq LIMIT ? OFFSET ?"
    return account.database.rows(sql, (day, *given.values(), *page))


def _build_row(row: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "MessageId": row[0],
        "ToEmailAddress": row[1],
        "FromEmailAddress": row[2],
        "SendStatus": row[3],
        "DeliverStatus": row[4],
        "DeliverMessage": row[5],
        "RequestTime": row[6],
        "DeliverTime": row[7],
        "UserOpened": bool(row[8]),
        "UserClicked": bool(row[9]),
        "UserUnsubscribed": bool(row[10]),
        # The typo is the vendor's; since 2025-07 both are there.
        "UserComplainted": bool(row[11]),
        "UserComplained": bool(row[11]),
    }
