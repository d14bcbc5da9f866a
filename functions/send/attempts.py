"""SendEmail once more, where the table says that the first call took no effect and that waiting a moment may help."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from shared.upstream.errors import UpstreamRefused

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MOST = 3
"""Calls in all. Whoever still wants the mail then is told when to come back: a function that waits costs, too."""
PAUSE_S = 0.25
"""Before the second call at most; twice that before the third."""
_MAY_PASS = frozenset({"rate_limited", "upstream_unavailable", "upstream_unreachable"})
"""Of what took no effect, what is over in a moment; a recipient's hour or a day's quota is not."""


def call_again(
    call: Callable[[], T], *, spare_s: Callable[[], float], heed: Callable[[UpstreamRefused], None] = lambda _: None
) -> T:
    """Call, and call again after a refusal that may be over in a moment. ``spare_s``: seconds that there are to wait.

    ``heed`` hears every refusal, those that are called again after among them.

    Raises what the last call raised; UpstreamUncertain at once, whatever the call.
    """
    for number in range(1, MOST + 1):
        try:
            return call()
        except UpstreamRefused as error:
            heed(error)
            # Apart from others that were refused with us, and never at once.
            pause_s = PAUSE_S * number * random.uniform(0.5, 1)  # noqa: S311 - jitter is no secret
            is_over = not error.rule.retry_safe or error.rule.code not in _MAY_PASS
            if number == MOST or is_over or spare_s() < pause_s:
                raise
        time.sleep(pause_s)
    raise AssertionError("the loop returns or raises")
