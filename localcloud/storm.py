"""A storm of SES callbacks out of a seed: many distinct events, each told many times, in any order. Pure.

Nothing is held but a few numbers per event and delivery; a body is built when its delivery comes. The mails it tells
of are invented: nobody sent them. What a receiver must make of them is known beforehand: ``Storm.truths``.
"""

from __future__ import annotations

import hashlib
import random
from array import array
from typing import TYPE_CHECKING, NamedTuple

from localcloud import storm_histories
from localcloud.storm_histories import Invented, Truth
from localcloud.storm_plan import ORDERS, plan_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ORDERS", "Delivery", "Storm", "Truth", "storm"]

DAY = "2026-01-01"


class Delivery(NamedTuple):
    """One callback to deliver. ``number``: which of the distinct events, from 0; ``copy``: which telling, from 1."""

    number: int
    copy: int
    event: str
    message_id: str
    recipient: str
    occurred_at: int
    body: bytes


class Storm:
    """``events`` distinct events; iterating yields every delivery, ``truths`` what they amount to.

    Each event is told ``min_copies`` to ``max_copies`` times: evenly spread, or, with ``deliveries``, so that there are
    exactly so many in all and a few events get very many. ``order``: ``random``, ``time`` (as they happened, an event's
    copies together) or ``reverse``. ``day``: YYYY-MM-DD of the account's zone (UTC+8), on which the mails were sent.
    The same arguments give the same storm. Raises ValueError for numbers that cannot be met.
    """

    def __init__(
        self,
        events: int,
        seed: int,
        *,
        min_copies: int = 1,
        max_copies: int = 50,
        deliveries: int | None = None,
        order: str = "random",
        day: str = DAY,
    ) -> None:
        die = random.Random(f"storm/{seed}/{day}")  # noqa: S311 - a die that must be repeatable
        self._key = hashlib.blake2b(f"{seed}/{day}".encode(), digest_size=16).digest()
        self._mails = storm_histories.invent(die, events, day)
        self._plan = plan_deliveries(
            die, self._mails.times, copies=range(min_copies, max_copies + 1), deliveries=deliveries, order=order
        )

    @property
    def events(self) -> int:
        """Distinct events."""
        return len(self._mails.times)

    @property
    def deliveries(self) -> int:
        """Deliveries in all."""
        return len(self._plan)

    @property
    def pairs(self) -> int:
        """Distinct pairs of message and recipient."""
        return len(self._mails.outcomes)

    def __iter__(self) -> Iterator[Delivery]:
        told = array("B", bytes(self.events))
        for number in self._plan:
            told[number] += 1
            yield self._delivery(number, told[number])

    def truths(self, start: int = 0, limit: int | None = None) -> Iterator[Truth]:
        """Yield what each (message, recipient) has come to once every event is known: ``limit`` many from ``start``."""
        end = self.pairs if limit is None else min(start + limit, self.pairs)
        for pair in range(start, end):
            yield self._mails.truth_of(pair, self._key)

    def event(self, number: int) -> Delivery:
        """Return distinct event ``number`` as its first telling."""
        return self._delivery(number, 1)

    def _delivery(self, number: int, copy: int) -> Delivery:
        mail: Invented = self._mails.event(number, self._key)
        return Delivery(number, copy, mail.event, mail.message_id, mail.recipient, mail.occurred_at, mail.body)


def storm(
    events: int,
    seed: int,
    *,
    min_copies: int = 1,
    max_copies: int = 50,
    deliveries: int | None = None,
    order: str = "random",
    day: str = DAY,
) -> Iterator[Delivery]:
    """Yield the deliveries of a ``Storm`` with these arguments."""
    yield from Storm(
        events, seed, min_copies=min_copies, max_copies=max_copies, deliveries=deliveries, order=order, day=day
    )
