"""What the function has at hand for one request, whatever it is asked to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.edge.http_event import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.edge.settings import SendSettings
    from shared.trail.store import Store
    from shared.upstream.ses import SesClient

TIME_FOR_SES_S = 4.0
"""Seconds that must be left before SendEmail is called: dying between its call and its answer leaves a key in doubt."""
TIME_TO_REMEMBER_S = 2.0
"""Seconds that the trail may take once SES has answered: the caller waits for an answer that is known."""


class Office(NamedTuple):
    """What a send needs at hand: the trail, SES, the settings, the clock (epoch seconds), the time left.

    ``may_look``: whether there is time to look into what is in doubt.
    """

    store: Store
    ses: SesClient
    settings: SendSettings
    clock: Callable[[], float]
    time_left_s: Callable[[], float]
    may_look: bool = True

    def check_time(self) -> None:
        """Raise Problem (503) when too little time is left to hear SES's answer."""
        if self.time_left_s() < TIME_FOR_SES_S:
            detail = "the trail took too long; nothing was sent"
            raise Problem(503, "out_of_time", detail, retry_safe=True, retry_after_s=1)

    def spare_s(self) -> float:
        """Return the seconds that there are to wait before SendEmail is called."""
        return self.time_left_s() - TIME_FOR_SES_S

    def briefly(self) -> Store:
        """Return the store for what follows SES's answer: with retries, but not for long."""
        return self.store.within(TIME_TO_REMEMBER_S)
