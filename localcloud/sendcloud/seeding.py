"""History out of a seed: a day of emailStatus rows such as an ordinary sender has. No webhook is owed for them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from localcloud.sendcloud.mail_send import new_message_id
from localcloud.sendcloud.store import INSERT_EMAIL
from localcloud.sendcloud.vocabulary import DELIVERED, INVALID, REQUESTED, SOFT_BOUNCE
from localcloud.ses.days import DAY_S, day_start, parse_day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.database import Database

FATES: dict[tuple[int, int | None, str], int] = {
    (DELIVERED, None, "successfully delivered"): 9560,
    (INVALID, 406, "unrouteable address"): 150,
    (INVALID, 401, "in the blocklist of SendCloud"): 40,
    (INVALID, 407, "554 DT:SPM 163 mx, spam detected"): 30,
    (INVALID, 405, "550 5.7.1 IP or domain rejected"): 20,
    (SOFT_BOUNCE, 503, "connection timed out"): 60,
    (SOFT_BOUNCE, 509, "452 4.2.2 mailbox full"): 80,
    (REQUESTED, None, ""): 60,
}
"""Status, sub-status and log → how often in 10 000."""
_DOMAINS = ("qq.com", "163.com", "126.com", "gmail.com", "foxmail.com")


def seed_day(database: Database, api_user: str, day: str, *, count: int, dice_name: str, now: float) -> int:
    """Add ``count`` rows to ``day`` (YYYY-MM-DD, UTC+8); the day that is today ends at ``now``.

    Returns how many were added. Raises ValueError for a day that is not one.
    """
    start = day_start(parse_day(day))
    span_s = min(max(now - start, 1.0), DAY_S - 1.0)
    with database.transaction():
        found = database.row("SELECT COUNT(*) FROM email")
        dice = random.Random(f"{dice_name}/{day}/{found[0] if found else 0}")  # noqa: S311 - must be repeatable
        return database.write_many(INSERT_EMAIL, _rows(api_user, dice, (start, span_s), count))


def _rows(api_user: str, dice: random.Random, span: tuple[int, float], count: int) -> Iterator[tuple[Any, ...]]:
    fates = dice.choices(list(FATES), list(FATES.values()), k=count)
    times = sorted(span[0] + dice.random() * span[1] for _ in range(count))
    for at, (status, sub_status, log) in zip(times, fates, strict=True):
        recipient = f"user{dice.getrandbits(20)}@{dice.choice(_DOMAINS)}"
        message_id = new_message_id(at, f"{dice.getrandbits(24)}_{dice.getrandbits(16)}_{dice.getrandbits(24)}")
        modified_at = at if status == REQUESTED else at + 1 + dice.random() * 30
        origin = (f"{message_id}0${recipient}", message_id, api_user, recipient, "0")
        yield (*origin, status, sub_status, at, modified_at, log, "{}")
