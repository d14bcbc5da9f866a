"""What time it is, and how much of an invocation is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shared.edge.environment import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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
    """Return a function that tells the seconds left of this invocation, less a margin to answer in.

    SCF tells only the limit (``time_limit_in_ms``), so the time is counted from now.
    """
    end = time.monotonic() + _limit_s(context) - margin_s
    return lambda: end - time.monotonic()


def time_left_to_answer(context: Mapping[str, object]) -> Callable[[], float]:
    """Return the same for an HTTP function, which must answer before the gateway gives up.

    That waits a second less than the function may live (serverless.yml), and has begun to before the function has.
    Where there is little time a second must do: a callback that is late is written into the log within it.
    """
    return time_left(context, margin_s=min(2.0, max(1.0, _limit_s(context) / 5)))


def _limit_s(context: Mapping[str, object]) -> float:
    return float(str(context.get("time_limit_in_ms") or 3000)) / 1000
