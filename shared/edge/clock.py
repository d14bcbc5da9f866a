"""What time it is, and how much of an invocation is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shared.edge.environment import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


HTTP_MARGIN_S = 2.0
"""Seconds before its time-out by which an HTTP function answers: the gateway waits a second less than it may live
(serverless.yml), and has begun to before the function has."""


def clock(environ: Mapping[str, str]) -> Callable[[], float]:
    """Return the clock to live by, in epoch seconds: the machine's.

    ``MAILTRAIL_CLOCK_OFFSET_S`` moves it; localcloud sets it so that functions live in its simulated time.
    Raises SettingsError.
    """
    try:
        offset_s = float(environ.get("MAILTRAIL_CLOCK_OFFSET_S") or 0)
    except ValueError as error:
        raise SettingsError(["MAILTRAIL_CLOCK_OFFSET_S must be a number of seconds"]) from error
    return lambda: time.time() + offset_s


def time_left(context: Mapping[str, object], margin_s: float) -> Callable[[], float]:
    """Return a function that tells the seconds left of this invocation, less a margin to answer in, a fifth at most.

    SCF tells only the limit (``time_limit_in_ms``), so the time is counted from now.
    """
    limit_s = float(str(context.get("time_limit_in_ms") or 3000)) / 1000
    end = time.monotonic() + limit_s - min(margin_s, limit_s / 5)
    return lambda: end - time.monotonic()
