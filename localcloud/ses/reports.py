"""GetStatisticsReport and GetAbuseReport.

Sources: https://www.tencentcloud.com/document/api/1084/39402, https://cloud.tencent.com/document/api/1288/128622. In
the vendor's examples days without mail are left out, the overall volume carries the first day, and complaints are found
by the day of their mail, whenever they were made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.ses import volumes
from localcloud.ses.addresses import domain_of
from localcloud.ses.days import DAY_S, day_start, format_day, format_local, parse_day, parse_days, parse_local
from localcloud.ses.errors import ApiError
from localcloud.ses.paging import parse_page

if TYPE_CHECKING:
    from localcloud.ses.account import Account
    from localcloud.ses.params import Params

SPAN_DAYS = 366
COMPLAINTS_LIMIT = 1000
SOURCE_IP = "127.0.0.1"
_NAMES = (
    "RequestCount",
    "AcceptedCount",
    "DeliveredCount",
    "OpenedCount",
    "ClickedCount",
    "BounceCount",
    "UnsubscribeCount",
)
"""In the order of ``volumes.COLUMNS``."""
_FILTERS = {
    "FromDomain": "sender LIKE '%@' || ?",
    "FromAddress": "sender = ? COLLATE NOCASE",
    "Mta": "recipient LIKE '%@' || ?",
    "ToAddress": "recipient = ? COLLATE NOCASE",
    "TemplateId": "template_id = ?",
}


def get_statistics_report(account: Account, params: Params) -> dict[str, Any]:
    """Answer counts for each day that has mails, and for all of them."""
    params.allow("StartDate", "EndDate", "Domain", "ReceivingMailboxType")
    first, last = parse_days(params)
    if last - first >= SPAN_DAYS:
        raise ApiError("InvalidParameterValue.WrongDate")
    domain, mailbox = (params.text_or(name, "").lower() for name in ("Domain", "ReceivingMailboxType"))
    days = volumes.sums_by_day(account.database, first, last, domain=domain, mailbox=mailbox)
    overall = [sum(counts) for counts in zip(*(row[1:] for row in days), strict=True)] or [0] * len(_NAMES)
    return {
        "DailyVolumes": [_build_volume(day, counts) for day, *counts in days],
        "OverallVolume": _build_volume(first, overall),
    }


def get_abuse_report(account: Account, params: Params) -> dict[str, Any]:
    """Answer complaints about mails that were sent from StartTime to EndTime, oldest mail first."""
    params.allow("StartTime", "EndTime", "Offset", "Limit", *_FILTERS)
    begin = _parse_time(params, "StartTime", "InvalidParameter.InvalidStartTimeFormat")
    end = _parse_time(params, "EndTime", "InvalidParameter.InvalidEndTimeFormat", is_end=True)
    page = parse_page(params, most=COMPLAINTS_LIMIT, default=COMPLAINTS_LIMIT)
    where, values = ["sent_at >= ? AND sent_at < ?"], [begin, end]
    for name, condition in _FILTERS.items():
        if wanted := params.text_or(name, ""):
            where.append(condition)
            values.append(wanted)
    condition = " AND ".join(where)
    found = account.database.row(f"SELECT COUNT(*) FROM abuse WHERE {condition}", values)
    sql = f"""SELECT message_id, sender, recipient, sent_at, complained_at, template_id, smtp_message_id, subject
        FROM abuse WHERE {condition} ORDER BY sent_at, id LIMIT ? OFFSET ?"""
    rows = account.database.rows(sql, (*values, page.limit, page.offset))
    return {"Data": [_build_complaint(row) for row in rows], "TotalCount": found[0] if found else 0}


def _parse_time(params: Params, name: str, code: str, *, is_end: bool = False) -> Any:
    text = params.text(name)
    try:
        if len(text) == 10:
            return day_start(parse_day(text)) + (DAY_S if is_end else 0)
        return parse_local(text) + (1 if is_end else 0)
    except ValueError as error:
        raise ApiError(code) from error


def _build_volume(day: int, counts: list[int]) -> dict[str, Any]:
    return {"SendDate": format_day(day), **dict(zip(_NAMES, counts, strict=True))}


def _build_complaint(row: tuple[Any, ...]) -> dict[str, Any]:
    message_id, sender, recipient, sent_at, complained_at, template_id, smtp_message_id, subject = row
    complained = format_local(complained_at)
    return {
        "DeliverTime": format_local(sent_at),
        "OriginalMailFrom": sender,
        "OriginalRcptTo": recipient,
        "FromDomain": domain_of(sender),
        "ComplainTime": complained,
        "Mta": domain_of(recipient),
        "SourceIp": SOURCE_IP,
        "InsertTime": complained,
        "TemplateId": template_id,
        "BulkId": message_id,
        "MessageId": smtp_message_id,
        "AbuseTime": complained,
        "Subject": subject,
    }
