"""The account's own blacklist: Create/List/Update/DeleteCustomBlacklist (two of them spelled ...BlackList).

Source: https://intl.cloud.tencent.com/document/product/1084/77211 and its neighbours. The form of ExpireDate is not
documented: a day (good to its end) or a second is taken, UTC+8; none is forever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.ses.addresses import is_address
from localcloud.ses.days import DAY_S, day_start, format_local, parse_day, parse_local
from localcloud.ses.errors import ApiError
from localcloud.ses.paging import parse_page

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.params import Params

CALL_LIMIT = 20_000
EMAIL_LIMIT_CHARS = 254
FOREVER = 32_503_680_000.0
"""The year 3000."""
EXPIRED, ACTIVE, ALL = 0, 1, 2
_PUT = """INSERT INTO custom_block (email, created_at, until) VALUES (?, ?, ?)
    ON CONFLICT (email) DO UPDATE SET until = excluded.until, created_at = excluded.created_at WHERE until <= ?"""


def create_custom_blacklist(account: Account, params: Params) -> dict[str, Any]:
    """Add addresses; one that is listed and active counts as repeated, one that has expired is listed anew."""
    params.allow("Emails", "ExpireDate")
    emails = params.texts("Emails")
    if not emails:
        raise ApiError("MissingParameter.EmailsNecessary")
    if len(emails) > CALL_LIMIT:
        raise ApiError("LimitExceeded")
    until, now = _parse_expiry(params), account.clock.now()
    short = [email for email in emails if len(email) <= EMAIL_LIMIT_CHARS]
    good = [email.lower() for email in short if is_address(email)]
    with account.database.transaction():
        added = sum(account.database.change(_PUT, (email, now, until, now)) for email in good)
    return {
        "TotalCount": len(emails),
        "ValidCount": added,
        "TooLongCount": len(emails) - len(short),
        "RepeatCount": len(good) - added,
        "InvalidCount": len(short) - len(good),
    }


def list_custom_blacklist(account: Account, params: Params) -> dict[str, Any]:
    """Answer a page, newest first. Status: 0 expired, 1 active, 2 (or none) all; Email finds parts of an address."""
    params.allow("Offset", "Limit", "Status", "Email")
    page = parse_page(params)
    now = account.clock.now()
    condition = {EXPIRED: "until <= ?", ACTIVE: "until > ?", ALL: "?"}[params.one_of("Status", (0, 1, 2), default=ALL)]
    where, values = f"{condition} AND instr(email, ?)", (now, params.text_or("Email", "").lower())
    found = account.database.row(f"SELECT COUNT(*) FROM custom_block WHERE {where}", values)
    sql = f"""SELECT id, email, created_at, until, until > ? FROM custom_block WHERE {where}
        ORDER BY id DESC LIMIT ? OFFSET ?"""
    rows = account.database.rows(sql, (now, *values, page.limit, page.offset))
    return {"TotalCount": found[0] if found else 0, "Data": [_build_row(row) for row in rows]}


def update_custom_black_list(account: Account, params: Params) -> dict[str, Any]:
    """Change address and expiry of the entry with ``Id``."""
    params.allow("Id", "Email", "ExpireDate")
    number, email = params.integer("Id"), params.text("Email").lower()
    if not is_address(email):
        raise ApiError("InvalidParameterValue.IllegalEmailAddress")
    until = _parse_expiry(params)
    with account.database.transaction():
        if account.database.row("SELECT 1 FROM custom_block WHERE email = ? AND id <> ?", (email, number)):
            raise ApiError("InvalidParameterValue.RepeatEmailAddress")
        sql = "UPDATE custom_block SET email = ?, until = ? WHERE id = ?"
        if not account.database.change(sql, (email, until, number)):
            raise ApiError("ResourceNotFound")
    return {}


def delete_custom_black_list(account: Account, params: Params) -> dict[str, Any]:
    """Take addresses off; those that are not on it are no error (nothing is documented)."""
    params.allow("Emails")
    emails = params.texts("Emails")
    if not emails:
        raise ApiError("MissingParameter.EmailsNecessary")
    with account.database.transaction():
        account.database.write_many("DELETE FROM custom_block WHERE email = ?", ((email.lower(),) for email in emails))
    return {}


def _parse_expiry(params: Params) -> float:
    text = params.text_or("ExpireDate", "")
    if not text:
        return FOREVER
    try:
        return float(day_start(parse_day(text)) + DAY_S) if len(text) == 10 else parse_local(text)
    except ValueError as error:
        raise ApiError("InvalidParameterValue.WrongDate") from error


def _build_row(row: tuple[Any, ...]) -> dict[str, Any]:
    number, email, created_at, until, is_active = row
    return {
        "Id": number,
        "Email": email,
        "CreateTime": format_local(created_at),
        "ExpireDate": "" if until >= FOREVER else format_local(until),
        "Status": ACTIVE if is_active else EXPIRED,
    }
