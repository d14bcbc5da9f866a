"""data/emailStatus: https://www.sendcloud.net/doc/en_US/email_v2/deliver_response/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.sendcloud.codes import SERVER_ERROR, SendCloudError
from localcloud.sendcloud.vocabulary import STATUS_NAMES, SUB_STATUS_NAMES
from localcloud.ses.addresses import is_address
from localcloud.ses.days import day_number, day_start, format_local, parse_day

if TYPE_CHECKING:
    from collections.abc import Collection

    from localcloud.database import Database
    from localcloud.sendcloud.form import Form

WINDOW_DAYS = {"apiv2": 30, "api": 3}
"""Path prefix → days in one query: the China documentation says 30, those of the /api/ hosts 3."""
KEPT_DAYS = 90
LIMIT_ROWS = 100
VALUES_LIMIT = 1000
"""Values in one filter; nothing is documented, and SQLite has a limit of its own."""

_COLUMNS = "email_id, status, sub_status, api_user, recipient, requested_at, modified_at, send_log"


class Query(NamedTuple):
    """A checked query: an SQL condition with its values, and the page."""

    where: str
    values: tuple[Any, ...]
    start: int
    limit: int


def parse_query(form: Form, *, prefix: str, users: Collection[str], now: float) -> Query:
    """Check the parameters; ``now``: simulated epoch seconds. Raises SendCloudError."""
    start = _number(form, "start", default=0, codes=(40001, 40002), highest=2**62)
    limit = _number(form, "limit", default=LIMIT_ROWS, codes=(40003, 40004), highest=LIMIT_ROWS)
    first, last = _window(form, WINDOW_DAYS[prefix], day_number(now))
    parts: list[tuple[str, tuple[Any, ...]]] = [
        ("requested_at >= ? AND requested_at < ?", (day_start(first), day_start(last + 1))),
        _any_of("api_user", _api_users(form, users)),
    ]
    parts += [
        _any_of(column, wanted)
        for column, wanted in (
            ("recipient", _email(form)),
            ("email_id", form.items("emailIds")),
            ("label_id", _label(form)),
            ("status", form.items("status", ";,")),
            ("sub_status", form.items("subStatus")),
        )
        if wanted
    ]
    where = " AND ".join(condition for condition, _ in parts)
    return Query(where, tuple(value for _, values in parts for value in values), start, limit)


def fetch(database: Database, query: Query) -> dict[str, Any]:
    """Run the query; ``total`` is a text and ``voListSize`` a number, as the vendor has it."""
    found = database.row(f"SELECT COUNT(*) FROM email WHERE {query.where}", query.values)
    sql = f"SELECT {_COLUMNS} FROM email WHERE {query.where} ORDER BY requested_at, id LIMIT ? OFFSET ?"
    rows = database.rows(sql, (*query.values, query.limit, query.start))
    return {
        "total": str(found[0] if found else 0),
        "voListSize": len(rows),
        "voList": [_build_row(row) for row in rows],
    }


def _build_row(row: tuple[Any, ...]) -> dict[str, Any]:
    email_id, status, sub_status, api_user, recipient, requested_at, modified_at, send_log = row
    # The documented sample has both spellings: subStatusDesc where there is none, subStatDesc where there is one.
    description = {"subStatusDesc": None} if sub_status is None else {"subStatDesc": SUB_STATUS_NAMES[sub_status]}
    return {
        "emailId": email_id,
        "status": STATUS_NAMES[status],
        "subStatus": None if sub_status is None else str(sub_status),
        **description,
        "apiUser": api_user,
        "recipients": recipient,
        "requestTime": format_local(requested_at),
        "modifiedTime": format_local(modified_at),
        "sendLog": send_log,
    }


def _any_of(column: str, wanted: list[str]) -> tuple[str, tuple[Any, ...]]:
    if len(wanted) > VALUES_LIMIT:
        raise SendCloudError(SERVER_ERROR, "too many values")
    return f"{column} IN ({', '.join('?' * len(wanted))})", tuple(wanted)


def _number(form: Form, name: str, *, default: int, codes: tuple[int, int], highest: int) -> int:
    text = form.get(name)
    if text is None:
        return default
    if not text.strip():
        raise SendCloudError(codes[0])
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) <= highest):
        raise SendCloudError(codes[1])
    return int(text)


def _window(form: Form, days_limit: int, today: int) -> tuple[int, int]:
    """Return the first and the last day asked for, both included."""
    start, end = form.get("startDate"), form.get("endDate")
    if start is None and end is None:
        days = _number(form, "days", default=0, codes=(40006, 40006), highest=days_limit)
        if days == 0:
            raise SendCloudError(40006, f"days or startDate and endDate, at most {days_limit} days")
        return today - days + 1, today
    first, last = _day(start, 40007), _day(end, 40008)
    if last < first or last - first >= days_limit:
        raise SendCloudError(40008, f"startDate to endDate, at most {days_limit} days")
    if first < today - KEPT_DAYS:
        raise SendCloudError(40007, "not longer than 3 months ago")
    return first, last


def _day(text: str | None, code: int) -> int:
    try:
        return parse_day(text or "")
    except ValueError as error:
        raise SendCloudError(code) from error


def _api_users(form: Form, users: Collection[str]) -> list[str]:
    asked = form.items("apiUserList") or [form.get("apiUser") or ""]
    if not all(user in users for user in asked):
        raise SendCloudError(40016)
    return asked


def _email(form: Form) -> list[str]:
    text = form.get("email")
    if text is None:
        return []
    if not text.strip():
        raise SendCloudError(40011)
    if not is_address(text):
        raise SendCloudError(40012)
    return [text]


def _label(form: Form) -> list[str]:
    label_id, name = form.get("labelId"), form.get("labelName")
    if label_id is not None and not label_id.isdecimal():
        raise SendCloudError(40015)
    # There are no labels here, so a name alone matches nothing.
    return [label_id] if label_id is not None else ["-"] if name else []
