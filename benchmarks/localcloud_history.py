"""What localcloud remembers, and how time passes in it: pages of a day of a million rows, and 45 days of mail."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks.localcloud_mail import SES_HOST, request_for, signed, signed_mail
from localcloud.world import LocalCloud

if TYPE_CHECKING:
    from localcloud.callbacks import Callback
    from localcloud.exchange import Response

ROWS = 1_000_000
PAGE_ROWS = 100
DAYS, MAILS_A_DAY = 45, 500
DAY_S = 86_400


def measure_pages(times: int) -> dict[str, Any]:
    """Return the median milliseconds of page 1 and page 10 000, asked in turns, and their ratio."""
    with LocalCloud(ses_rate_per_s=0) as cloud:
        day = time.strftime("%Y-%m-%d", time.gmtime(cloud.clock.now() - DAY_S))
        begun = time.perf_counter()
        cloud.ses.seed(day=day, messages=ROWS, tasks=0, seed=1)
        seeded_s = time.perf_counter() - begun
        pages_ms: dict[int, list[float]] = {1: [], ROWS // PAGE_ROWS: []}
        for number in range(times + 1):
            for page, taken_ms in pages_ms.items():
                one = _time_page_ms(cloud, day, page)
                if number:  # the first only warms the file's cache
                    taken_ms.append(one)
    first_ms, last_ms = (statistics.median(taken) for taken in pages_ms.values())
    return {
        "rows": ROWS,
        "seeded_s": round(seeded_s, 2),
        "page_1_ms": round(first_ms, 3),
        "page_10000_ms": round(last_ms, 3),
        "ratio": round(last_ms / first_ms, 3),
    }


def _time_page_ms(cloud: LocalCloud, day: str, page: int) -> float:
    params = {"RequestDate": day, "Offset": (page - 1) * PAGE_ROWS, "Limit": PAGE_ROWS}
    request = request_for(*signed(SES_HOST, "GetSendEmailStatus", params))
    begun = time.perf_counter()
    response = cloud.dispatch("ses", request)
    taken_ms = (time.perf_counter() - begun) * 1000
    if response.body.count(b'"ToEmailAddress"') != PAGE_ROWS:
        raise AssertionError(response.body[:500])
    return taken_ms


def measure_days() -> dict[str, Any]:
    """Return how long 45 simulated days of 500 mails take, every callback carried to a receiver that does nothing.

    Signed SendEmail by ``dispatch``, one every 172.8 simulated seconds, the clock moved from each to the next.
    """
    carried = 0

    def post(_callback: Callback) -> tuple[int, str]:
        nonlocal carried
        carried += 1
        return 200, ""

    with LocalCloud(ses_rate_per_s=0) as cloud:
        cloud.post = post
        begun = time.perf_counter()
        for number in range(DAYS * MAILS_A_DAY):
            _expect_accepted(cloud.dispatch("ses", request_for(*signed_mail(SES_HOST, number))))
            cloud.advance(DAY_S / MAILS_A_DAY)
            cloud.pump_until_idle()
        taken_s = time.perf_counter() - begun
        left = cloud.callbacks.pending()
    if carried != DAYS * MAILS_A_DAY or left:
        raise AssertionError(f"{carried} callbacks were carried, {left} are left")
    return {"days": DAYS, "mails": DAYS * MAILS_A_DAY, "callbacks": carried, "seconds": round(taken_s, 2)}


def _expect_accepted(response: Response) -> None:
    if b"MessageId" not in response.body:
        raise AssertionError(response.body[:500])
