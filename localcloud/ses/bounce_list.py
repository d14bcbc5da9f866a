"""The list of hard bounces, shared by all accounts: ListBlackEmailAddress and DeleteBlackList.

Source: https://tencentcloud.com/document/api/1084/39416 and .../39417. An address stays for 14 days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.ses.days import day_start, format_local, parse_days
from localcloud.ses.errors import ApiError
from localcloud.ses.paging import parse_page

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.params import Params


def list_black_email_address(account: Account, params: Params) -> dict[str, Any]:
    """Answer who bounced from StartDate to EndDate and is still listed, latest bounce first."""
    params.allow("StartDate", "EndDate", "Limit", "Offset", "EmailAddress", "TaskID")
    first, last = parse_days(params)
    page = parse_page(params)
    where = "bounced_at >= ? AND bounced_at < ? AND until > ?"
    values: list[Any] = [day_start(first), day_start(last + 1), account.clock.now()]
    if email := params.text_or("EmailAddress", ""):
        where += " AND email = ?"
        values.append(email.lower())
    found = account.database.row(f"SELECT COUNT(*) FROM blocked WHERE {where}", values)
    sql = f"""SELECT bounced_at, email, reason FROM blocked WHERE {where}
        ORDER BY bounced_at DESC, email LIMIT ? OFFSET ?"""
    rows = account.database.rows(sql, (*values, page.limit, page.offset))
    return {
        "BlackList": [
            {"BounceTime": format_local(at), "EmailAddress": email, "IspDesc": reason} for at, email, reason in rows
        ],
        "TotalCount": found[0] if found else 0,
    }


def delete_black_list(account: Account, params: Params) -> dict[str, Any]:
    """Take addresses off the list; those that are not on it are no error (nothing is documented)."""
    params.allow("EmailAddressList")
    emails = params.texts("EmailAddressList")
    if not emails:
        raise ApiError("MissingParameter", "`EmailAddressList` is required.")
    with account.database.transaction():
        account.database.write_many("DELETE FROM blocked WHERE email = ?", ((email.lower(),) for email in emails))
    return {}
