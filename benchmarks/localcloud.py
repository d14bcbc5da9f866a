"""localcloud beside moto's SES, in the same run: until it answers, mails a second, pages of a long day, 45 days.

Sides take turns: each round sends a few hundred mails through every one of them, so that a busy moment of the machine
falls on each. A rate is the median over the rounds. Ours verify every signature and keep every mail on disk; moto's
verifies none and keeps them in memory. moto has neither status rows nor a clock, so those two stand alone.
"""

from __future__ import annotations

import importlib.util
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import localcloud_history as history
from benchmarks import localcloud_mail as mail
from benchmarks import localcloud_servers as servers
from benchmarks.goals import Goal
from localcloud.world import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

MAILS_A_ROUND = 200
STARTS = 5


class Side(NamedTuple):
    """One way to send. ``open``: a context manager that yields ``send(number)``, opened anew each round."""

    name: str
    open: Callable[[], AbstractContextManager[mail.Send]]


RATES = {"dispatch": 1000, "mock_tencent": 400, "server": 300}
"""Side → mails a second that it must reach (issue: localcloud)."""


def measure(rounds: int) -> tuple[dict[str, Any], list[Goal]]:
    """Return every number and the goals of DESIGN §10. Raises BenchmarkError when a server does not start."""
    has_moto = importlib.util.find_spec("moto") is not None
    with tempfile.TemporaryDirectory() as folder:
        up_s = _measure_starts(Path(folder), has_moto=has_moto)
    rates = _measure_rates(rounds, has_moto=has_moto)
    per_second = {name: round(statistics.median(values), 1) for name, values in rates.items()}
    pages, days = history.measure_pages(max(rounds, 5)), history.measure_days()
    results = {
        "moto": "beside us" if has_moto else "not installed: pip install -e '.[bench]'",
        "up_s": up_s,
        "mails_per_s": per_second,
        "rounds_mails_per_s": rates,
        "pages": pages,
        "days": days,
    }
    goals = [Goal("seconds until the server answers", statistics.median(up_s["localcloud"]), 1.0)]
    goals += [
        Goal(f"ms for a SendEmail through {name} ({rate}/s)", round(1000 / per_second[name], 3), round(1000 / rate, 3))
        for name, rate in RATES.items()
    ]
    goals += [
        Goal("page 10 000 of a million rows, times page 1", pages["ratio"], 3.0),
        Goal("seconds for 45 days of 500 mails", days["seconds"], 60.0),
    ]
    return results, goals


def _measure_starts(folder: Path, *, has_moto: bool) -> dict[str, list[float]]:
    up_s: dict[str, list[float]] = {"localcloud": [], **({"moto": []} if has_moto else {})}
    for number in range(STARTS):
        with servers.localcloud_up(folder / str(number)) as running:
            up_s["localcloud"].append(running.up_s)
        if has_moto:
            with servers.moto_up() as running:
                up_s["moto"].append(running.up_s)
    return up_s


def _measure_rates(rounds: int, *, has_moto: bool) -> dict[str, list[float]]:
    with ExitStack() as stack:
        sides = _open_sides(stack, has_moto=has_moto)
        rates: dict[str, list[float]] = {side.name: [] for side in sides}
        for number in range(rounds):
            # Each round begins with another side.
            at = number % len(sides)
            for side in sides[at:] + sides[:at]:
                rates[side.name].append(_rate_of(side))
    return rates


def _open_sides(stack: ExitStack, *, has_moto: bool) -> list[Side]:
    cloud = stack.enter_context(LocalCloud(ses_rate_per_s=0))
    # What is measured is not the day's quota of the level that a domain is born with.
    cloud.ses.switches.update({"reputation_level": 20})
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    ours = stack.enter_context(servers.localcloud_without_limit(folder))
    ses_url = f"http://127.0.0.1:{ours.port + 1}"
    sides = [
        Side("dispatch", lambda: mail.through_dispatch(cloud)),
        Side("mock_tencent", mail.through_mock),
        Side("mock_tencent, official SDK", mail.through_mock_by_sdk),
        Side("server", lambda: mail.through_server(ses_url)),
    ]
    if has_moto:
        moto_url = f"http://127.0.0.1:{stack.enter_context(servers.moto_up()).port}"
        sides.append(Side("moto mock_aws, boto3", mail.through_moto))
        sides.append(Side("moto server", lambda: mail.through_moto_server(moto_url)))
    return sides


def _rate_of(side: Side) -> float:
    with side.open() as send:
        for number in range(5):
            send(number)
        begun = time.perf_counter()
        for number in range(5, MAILS_A_ROUND + 5):
            send(number)
        return round(MAILS_A_ROUND / (time.perf_counter() - begun), 1)
