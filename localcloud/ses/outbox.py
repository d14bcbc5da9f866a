"""Accepted mails: the message, a status row for each recipient, and the simulated events that will befall it."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.ses import reputation, volumes
from localcloud.ses.addresses import domain_of
from localcloud.ses.days import day_number, format_local, format_utc
from localcloud.simulator import REFUSALS, plan_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.ses.account import Account
    from localcloud.ses.addresses import Recipients, Sender
    from localcloud.simulator import Plan

_MESSAGE = """INSERT INTO message (message_id, accepted_at, sender, sender_address, recipients, subject, template_id,
    smtp_message_id, echo, task_id, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_STATUS = """INSERT INTO status (day, seq, message_id, recipient, sender, request_time, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_STEP = """INSERT INTO step (send_status, day, seq, due_at, event, reason, bounce_type, link, useragent)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class Mail(NamedTuple):
    """A mail that passed every check. ``echo``: headers that come back in callbacks. ``request``: as it came."""

    sender: Sender
    recipients: Recipients
    subject: str
    template_id: int
    request: dict[str, Any]
    echo: dict[str, str]
    smtp_message_id: str = ""
    task_id: int | None = None


def accept(account: Account, mail: Mail, at: float, refused: Mapping[str, int]) -> str:
    """Write ``mail`` down as accepted at ``at`` (simulated epoch seconds) and return its MessageId.

    ``refused``: recipients that SES will not write to → SendStatus of their rows.
    """
    message_id = new_message_id(account.app_id, at)
    smtp_message_id = mail.smtp_message_id or f"<{message_id}@{mail.sender.domain}>"
    message = (
        message_id,
        at,
        mail.sender.text,
        mail.sender.address,
        json.dumps(mail.recipients),
        mail.subject,
        mail.template_id,
        smtp_message_id,
        json.dumps(mail.echo),
        mail.task_id,
        json.dumps(mail.request),
    )
    day = day_number(at)
    people = mail.recipients.everyone
    plans = [REFUSALS[refused[person]] if person in refused else plan_for(person) for person in people]
    seconds = int(at)
    with account.database.transaction():
        account.database.write(_MESSAGE, message)
        first = next_seq(account, day)
        rows = (
            (day, first + n, message_id, person, mail.sender.address, seconds, seconds)
            for n, person in enumerate(people)
        )
        account.database.write_many(_STATUS, rows)
        account.database.write_many(_STEP, _steps(plans, day, first, at))
        _count(account, mail, plans, day)
    return message_id


def new_message_id(app_id: str, at: float, suffix: str = "") -> str:
    """Make a MessageId; the time in it is the account's local one."""
    return f"qcloudses-30-{app_id}-date-{format_local(at, '%Y%m%d%H%M%S')}-{suffix or secrets.token_hex(6)}"


def next_seq(account: Account, day: int) -> int:
    """Return the number of the next status row of ``day``. Call inside the transaction that uses it."""
    row = account.database.row("SELECT MAX(seq) FROM status WHERE day = ?", (day,))
    return 0 if row is None or row[0] is None else int(row[0]) + 1


def messages(account: Account, limit: int) -> list[dict[str, Any]]:
    """List accepted mails, newest first; see ``SesService.messages``."""
    sql = """SELECT message_id, accepted_at, sender, recipients, subject, template_id, smtp_message_id, echo, task_id,
        request FROM message ORDER BY id DESC LIMIT ?"""
    return [_story(row) for row in account.database.rows(sql, (limit,))]


def _story(row: tuple[Any, ...]) -> dict[str, Any]:
    message_id, accepted_at, sender, recipients, subject, template_id, smtp_message_id, echo, task_id, request = row
    to, cc, bcc = json.loads(recipients)
    return {
        "message_id": message_id,
        "accepted_at": format_utc(accepted_at),
        "from": sender,
        "to": to,
        "cc": cc,
        "bcc": bcc,
        "subject": subject,
        "template_id": template_id,
        "smtp_message_id": smtp_message_id,
        "echo": json.loads(echo),
        "task_id": task_id,
        "request": json.loads(request),
    }


def _steps(plans: list[Plan], day: int, first: int, at: float) -> list[tuple[Any, ...]]:
    return [
        (plan.send_status, day, first + n, at + step.after_s, *step[1:])
        for n, plan in enumerate(plans)
        for step in plan.steps
    ]


def _count(account: Account, mail: Mail, plans: list[Plan], day: int) -> None:
    people, domain = mail.recipients.everyone, mail.sender.domain
    cells = [volumes.Cell(day, domain, domain_of(person), "requested") for person in people]
    cells += [
        volumes.Cell(day, domain, domain_of(person), "accepted")
        for person, plan in zip(people, plans, strict=True)
        if not plan.send_status
    ]
    volumes.add(account.database, cells)
    judged = sum(not account.is_exempt(person) for person in people)
    reputation.add(account, domain, day, reputation.Day(sent=len(people), judged=judged))
