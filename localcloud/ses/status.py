"""GetSendEmailStatus: https://www.tencentcloud.com/document/product/1084/39503."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.ses.days import day_number, parse_day
from localcloud.ses.errors import ApiError
from localcloud.ses.paging import Page, parse_page
from localcloud.ses.update_order import page_by_update

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.params import Params

KEPT_DAYS = 30

_COLUMNS = """message_id, recipient, sender, send_status, deliver_status, deliver_message, request_time, deliver_time,
    opened, clicked, unsubscribed, complained"""
_FILTERS = {"MessageId": "message_id = ?", "ToEmailAddress": "recipient = ? COLLATE NOCASE"}


def get_send_email_status(account: Account, params: Params) -> dict[str, Any]:
    """Answer a page of one day's rows, by default in the order in which the mails came in. There is no total."""
    params.allow("RequestDate", "Offset", "Limit", "MessageId", "ToEmailAddress")
    day = _parse_date(account, params.text("RequestDate"))
    offset, limit = parse_page(params)
    where: list[str] = ["day = ?"]
    values: list[Any] = [day]
    for name, condition in _FILTERS.items():
        if wanted := params.text_or(name, ""):
            where.append(condition)
            values.append(wanted)
    rows = _page(account, " AND ".join(where), values, Page(offset, limit))
    return {"EmailStatusList": [_build_row(row, account.switches.complaint_fields) for row in rows]}


def _parse_date(account: Account, text: str) -> int:
    try:
        day = parse_day(text)
    except ValueError as error:
        raise ApiError("InvalidParameterValue.WrongDate") from error
    today = day_number(account.clock.now())
    if not today - KEPT_DAYS <= day <= today:
        raise ApiError("FailedOperation.NotSupportDate", f"Only data within {KEPT_DAYS} days can be queried.")
    return day


def _page(account: Account, where: str, values: list[Any], page: Page) -> list[tuple[Any, ...]]:
    """Read a page by the account's order of rows."""
    order = account.switches.row_order
    if len(values) > 1:
        return _page_of_filtered(account, where, values, page)
    if order == "updated_last":
        return page_by_update(account.database, _COLUMNS, values[0], page)
    way = "DESC" if order == "newest_first" else "ASC"
    # Rows are numbered densely: page 10 000 is found like page 1.
    (last,) = account.database.row("SELECT MAX(seq) FROM status WHERE day = ?", values) or (None,)
    condition, edge = ("seq <= ?", (last or 0) - page.offset) if way == "DESC" else ("seq >= ?", page.offset)
    sql = f"SELECT {_COLUMNS} FROM status WHERE day = ? AND {condition} ORDER BY seq {way} LIMIT ?"
    return account.database.rows(sql, (*values, edge, page.limit))


def _page_of_filtered(account: Account, where: str, values: list[Any], page: Page) -> list[tuple[Any, ...]]:
    # Named, because SQLite would rather read the whole day in order of seq. A mail has fewer rows than a person.
    index = "status_message" if "message_id" in where else "status_person"
    order = {"newest_first": "seq DESC", "updated_last": "updated_at, seq"}.get(account.switches.row_order, "seq")
    sql = f"SELECT {_COLUMNS} FROM status INDEXED BY {index} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
    return account.database.rows(sql, (*values, page.limit, page.offset))


def _build_row(row: tuple[Any, ...], complaint_fields: str) -> dict[str, Any]:
    built = {
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
    }
    # The typo is the vendor's; since 2025-07 both are there.
    names = ("UserComplainted", "UserComplained") if complaint_fields == "both" else (complaint_fields,)
    return built | dict.fromkeys(names, bool(row[11]))
