"""The addresses of a recipient list: CreateReceiverDetail, CreateReceiverDetailWithData, ListReceiverDetails.

Limits (API pages of both sites, models.py of tencentcloud-sdk-python-ses 3.1.135): 20 000 addresses a call, 50 000 a
list, 800 bytes of TemplateData each; uploaded asynchronously; repeated addresses are kept and counted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.ses.addresses import is_address
from localcloud.ses.content import parse_variables
from localcloud.ses.days import format_local, parse_local
from localcloud.ses.errors import ApiError
from localcloud.ses.paging import parse_page
from localcloud.ses.receivers import status_of
from localcloud.ses.store import DETAIL_INVALID, DETAIL_VALID, RECEIVER_UPLOADED

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.params import Params

CALL_LIMIT = 20_000
LIST_LIMIT = 50_000
DATA_LIMIT_BYTES = 800
EMAIL_LIMIT_CHARS = 254
UPLOAD_S = 2.0
"""How long an upload takes, in simulated seconds."""


class Person(NamedTuple):
    """An address with the values of its template variables, as JSON text."""

    email: str
    template_data: str = "{}"


def create_receiver_detail(account: Account, params: Params) -> dict[str, Any]:
    """Add plain addresses to a list; they are usable when the upload is over."""
    params.allow("ReceiverId", "Emails")
    receiver_id = _receiver_id(params)
    return _upload(account, receiver_id, [Person(email) for email in params.texts("Emails")])


def create_receiver_detail_with_data(account: Account, params: Params) -> dict[str, Any]:
    """Add addresses with template variables of their own."""
    params.allow("ReceiverId", "Datas")
    receiver_id = _receiver_id(params)
    people, names = [], None
    for data in params.structures("Datas"):
        data.allow("Email", "TemplateData")
        person = Person(data.text("Email"), data.text_or("TemplateData", "{}"))
        given = _variable_names(person.template_data)
        if names is not None and given != names:
            raise ApiError("InvalidParameterValue.TemplateDataInconsistent")
        names = given
        people.append(person)
    return _upload(account, receiver_id, people)


def list_receiver_details(account: Account, params: Params) -> dict[str, Any]:
    """Answer a page of a list, in the order of upload, with how many are valid and how many are not."""
    params.allow("ReceiverId", "Offset", "Limit", "Email", "CreateTimeBegin", "CreateTimeEnd", "Status")
    receiver_id = _receiver_id(params)
    status_of(account, receiver_id)
    page = parse_page(params)
    where, values = _filters(params, receiver_id)
    sql = f"SELECT COUNT(*), COALESCE(SUM(status = {DETAIL_VALID}), 0) FROM receiver_detail WHERE {where}"
    total, valid = account.database.row(sql, values) or (0, 0)
    sql = f"""SELECT email, created_at, template_data, reason, status, rowid FROM receiver_detail WHERE {where}
        ORDER BY rowid LIMIT ? OFFSET ?"""
    rows = account.database.rows(sql, (*values, page.limit, page.offset))
    return {
        "TotalCount": total,
        "Data": [_build_row(row) for row in rows],
        "ValidCount": valid,
        "InvalidCount": total - valid,
    }


def _receiver_id(params: Params) -> int:
    if not params.has("ReceiverId"):
        raise ApiError("MissingParameter.ReceiverIdNecessary")
    return params.integer("ReceiverId")


def _upload(account: Account, receiver_id: int, people: list[Person]) -> dict[str, Any]:
    if not people:
        raise ApiError("MissingParameter.EmailsNecessary")
    if len(people) > CALL_LIMIT:
        raise ApiError("LimitExceeded.ReceiverDetailRequestLimit")
    filled = [person for person in people if person.email.strip()]
    short = [person for person in filled if len(person.email) <= EMAIL_LIMIT_CHARS]
    with account.database.transaction():
        status_of(account, receiver_id)
        sql = "SELECT COUNT(*) FROM receiver_detail WHERE receiver_id = ?"
        found = account.database.row(sql, (receiver_id,))
        if (found[0] if found else 0) + len(short) > LIST_LIMIT:
            raise ApiError("LimitExceeded.ReceiverDetailCountLimit")
        _store(account, receiver_id, short)
    return {
        "TotalCount": len(people),
        "ValidCount": len(short),
        "TooLongCount": len(filled) - len(short),
        "EmptyEmailCount": len(people) - len(filled),
        "RepeatCount": len(short) - len({person.email.lower() for person in short}),
    }


def _store(account: Account, receiver_id: int, people: list[Person]) -> None:
    now = account.clock.now()
    sql = """INSERT INTO receiver_detail (receiver_id, email, template_data, created_at, status, reason)
        VALUES (?, ?, ?, ?, ?, ?)"""
    rows = ((receiver_id, *person, now, *_verdict(person.email)) for person in people)
    account.database.write_many(sql, rows)
    if people:
        sql = "UPDATE receiver SET status = ?, ready_at = ? WHERE receiver_id = ?"
        account.database.write(sql, (RECEIVER_UPLOADED, now + UPLOAD_S, receiver_id))


def _verdict(email: str) -> tuple[int, str]:
    return (DETAIL_VALID, "") if is_address(email) else (DETAIL_INVALID, "the address is malformed")


def _variable_names(text: str) -> set[str]:
    if len(text.encode()) > DATA_LIMIT_BYTES:
        raise ApiError("InvalidParameterValue.TemplateDataLenLimit")
    try:
        return set(parse_variables(text))
    except ApiError as error:
        if error.code == "FailedOperation.WrongContentJson":
            raise ApiError("InvalidParameterValue.TemplateDataError") from error
        raise


def _filters(params: Params, receiver_id: int) -> tuple[str, list[Any]]:
    where, values = ["receiver_id = ?"], [receiver_id]
    given: list[tuple[str, Any]] = []
    if email := params.text_or("Email", ""):
        given.append(("instr(lower(email), ?)", email.lower()))
    for name, condition in (("CreateTimeBegin", "created_at >= ?"), ("CreateTimeEnd", "created_at < ? + 1")):
        if params.text_or(name, ""):
            given.append((condition, _parse_time(params, name)))
    if params.has("Status"):
        given.append(("status = ?", params.one_of("Status", (DETAIL_VALID, DETAIL_INVALID))))
    return " AND ".join([*where, *(condition for condition, _ in given)]), [*values, *(value for _, value in given)]


def _parse_time(params: Params, name: str) -> float:
    try:
        return parse_local(params.text(name))
    except ValueError as error:
        raise ApiError("InvalidParameterValue", f"`{name}` must be YYYY-MM-DD HH:MM:SS.") from error


def _build_row(row: tuple[Any, ...]) -> dict[str, Any]:
    email, created_at, template_data, reason, status, email_id = row
    return {
        "Email": email,
        "CreateTime": format_local(created_at),
        "TemplateData": template_data if json.loads(template_data) else "",
        "Reason": reason,
        "Status": status,
        "EmailId": email_id,
    }
