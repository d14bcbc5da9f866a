"""History out of a seed: a day of status rows and tasks such as an ordinary sender has. No mail, no callback."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.defaults import SENDER_DOMAIN
from localcloud.ses import history, outbox
from localcloud.ses.days import DAY_S, day_start, format_local, parse_day
from localcloud.ses.store import LOCAL_RECEIVER_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.ses.account import Account


class Fate(NamedTuple):
    """One way a mail ends: how often in 10 000, the row's codes and text, the longest delivery in seconds."""

    weight: int
    send_status: int
    deliver_status: int
    message: str
    within_s: int


FATES = (
    Fate(9520, 0, 1, "", 40),
    Fate(90, 0, 3, "550 Mailbox not found. http://service.mail.qq.com/cgi-bin/help?id=1000728", 10),
    Fate(40, 0, 3, "550 5.1.1 The email account that you tried to reach does not exist", 10),
    Fate(30, 0, 3, "551 5.1.1 recipient is not exist", 10),
    Fate(45, 0, 3, "452 4.2.2 mailbox full", 3600),
    Fate(30, 0, 3, "554 DT:SPM 163 mx, spam detected", 20),
    Fate(25, 0, 3, "550 5.7.1 rejected by policy of the recipient's domain", 20),
    Fate(20, 0, 3, "4.4.7 expired", 72 * 3600),
    Fate(45, 0, 8, "451 4.7.1 greylisted, try again later", 30),
    Fate(35, 0, 2, "message discarded: content rejected by policy", 0),
    Fate(20, 0, 0, "", 0),
    Fate(40, 1007, 2, "the recipient address is in the blocklist", 0),
    Fate(20, 1006, 2, "too many mails to the same address", 0),
    Fate(20, 1013, 2, "the recipient has unsubscribed from the domain", 0),
    Fate(10, 3008, 2, "temporarily blocked by the recipient's domain", 0),
    Fate(10, 3024, 2, "the address did not pass the format check", 0),
)
DOMAINS = {
    "qq.com": 42,
    "163.com": 17,
    "126.com": 6,
    "gmail.com": 12,
    "outlook.com": 6,
    "foxmail.com": 5,
    "sina.com": 3,
    "aliyun.com": 2,
    "139.com": 2,
    "icloud.com": 2,
    "example.net": 3,
}
"""Recipients' domains, in percent."""
HOURS = (3, 2, 1, 1, 1, 2, 4, 7, 11, 14, 14, 12, 10, 11, 12, 12, 11, 10, 9, 9, 9, 8, 6, 4)
"""How busy each hour of the day is."""
_SENDERS = tuple(f"{name}@{SENDER_DOMAIN}" for name in ("noreply", "news", "billing"))
_STATUS_ROW = """INSERT INTO status (day, seq, message_id, recipient, sender, send_status, deliver_status,
    deliver_message, request_time, deliver_time, opened, clicked, unsubscribed, complained, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_TASK_ROW = """INSERT INTO task (created_at, updated_at, sender, receiver_id, receivers_name, status, type,
    request_count, send_count, cache_count, subject, template_id, template_data, cycle, timed, err_msg)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def seed_day(account: Account, day: str, *, messages: int, tasks: int, seed: int) -> dict[str, int]:
    """Add ``messages`` rows and ``tasks`` tasks to ``day``; what they are depends on seed, day and rows already there.

    The day that is today ends now: no row is of the future.
    """
    number = parse_day(day)
    start = day_start(number)
    span_s = min(max(account.clock.now() - start, 1.0), DAY_S - 1.0)
    database = account.database
    with database.transaction():
        first = outbox.next_seq(account, number)
        dice = random.Random(f"{seed}/{day}/{first}")  # noqa: S311 - a die that must be repeatable
        rows = _status_rows(account.app_id, dice, _times(dice, messages, start, span_s))
        database.write_many(_STATUS_ROW, ((number, first + index, *row, row[6]) for index, row in enumerate(rows)))
        history.count(database, number, first)
        database.write_many(_TASK_ROW, (_task_row(dice, at) for at in _times(dice, tasks, start, span_s)))
    return {"messages": messages, "tasks": tasks}


def _times(dice: random.Random, count: int, start: int, span_s: float) -> list[int]:
    hours = dice.choices(range(24), HOURS, k=count)
    return sorted(start + int((hour * 3600 + dice.random() * 3600) * span_s / DAY_S) for hour in hours)


def _status_rows(app_id: str, dice: random.Random, times: list[int]) -> Iterator[tuple[Any, ...]]:
    fates = dice.choices(FATES, [fate.weight for fate in FATES], k=len(times))
    domains = dice.choices(list(DOMAINS), list(DOMAINS.values()), k=len(times))
    for at, fate, domain in zip(times, fates, domains, strict=True):
        message_id = outbox.new_message_id(app_id, at, f"{dice.getrandbits(48):012x}")
        recipient = f"user{dice.getrandbits(20)}@{domain}"
        deliver_time = at + int(dice.random() * fate.within_s) + 1 if fate.within_s else 0
        row = (fate.send_status, fate.deliver_status, fate.message, at, deliver_time)
        flags = _flags(dice.random()) if fate.deliver_status == 1 else (0, 0, 0, 0)
        yield (message_id, recipient, _SENDERS[at % 3], *row, *flags)


def _flags(die: float) -> tuple[int, int, int, int]:
    # Opened, clicked, unsubscribed, complained: 30 %, 6 %, 0.3 % and 0.06 % of what is delivered.
    return int(die < 0.30), int(die < 0.06), int(0.06 <= die < 0.063), int(0.29 <= die < 0.2906)


def _task_row(dice: random.Random, at: int) -> tuple[Any, ...]:
    kind = dice.choices((1, 2, 3), (6, 3, 1))[0]
    status = dice.choices((10, 5, 6, 7), (90, 4, 3, 3))[0]
    requested = dice.randrange(50, 20_000)
    sent = requested if status == 10 else dice.randrange(requested)
    begin = format_local(at)
    cycle = {"BeginTime": begin, "IntervalTime": 24, "TermCycle": 0} if kind == 3 else None
    timed = {"BeginTime": begin} if kind == 2 else None
    return (
        at,
        at + dice.randrange(5, 1800),
        _SENDERS[at % 3],
        LOCAL_RECEIVER_ID,
        "Local people",
        status,
        kind,
        requested,
        sent,
        requested - sent if status == 6 else 0,
        f"Newsletter {dice.randrange(1, 500)}",
        100091,
        json.dumps({"code": "1"}),
        json.dumps(cycle) if cycle else None,
        json.dumps(timed) if timed else None,
        "daily quota exceeded" if status == 7 else "",
    )
