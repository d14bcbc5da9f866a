"""Records of one message -> its state, whatever their order and however often each is repeated.

The delivery state is the greatest of all that was said: by rank, then by event time, then by content, so that every
order and repetition gives the same answer. Opens, clicks, complaints and unsubscribes are flags beside it, set and
never unset, with first and last time and the count of distinct events, in all and those that look like a person's.

rank: accepted 0 < deferred 1 < soft or retryable 2 < delivered 3 < final failure 4. A hard bounce after a delivery
wins (an asynchronous bounce); a delivery after a soft bounce wins.

An event counts once by its ``event_id``. Of copies that differ (one was labelled again, or two things happened in one
second) the greater stands: the heavier ``machine``, then the later time. What several events tell together about who
did it is worked out when it is asked for, from the set of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.machine import JUDGED, Fetch, fetch_of, is_too_soon, swept

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENGAGEMENTS = ("opened", "clicked", "complained", "unsubscribed")
_RETRYABLE = frozenset({"rate_limited", "quota", "reputation", "greylisted"})
_RANKS = {"accepted": 0, "deferred": 1, "delivered": 3, "failed": 4}
_UNSAID = -1


class Delivery(NamedTuple):
    """One statement about delivery, ordered by how much it outweighs another.

    ``at``: ISO 8601 in UTC without its ``Z``, which would sort a whole second after its own milliseconds.
    """

    rank: int
    at: str
    type: str
    class_: str
    reason: str
    fault: str


NOTHING_SAID = Delivery(_UNSAID, "", "unknown", "", "", "")


class Tally(NamedTuple):
    """Distinct events of one engagement by who did them."""

    human: int
    suspected: int
    likely: int


NOBODY = Tally(0, 0, 0)
_NO_EVENTS: dict[str, Fetch] = {}


def rank_of(kind: str, class_: str | None, reason: str | None) -> int:
    """Return how much a delivery statement outweighs; -1 for what is none."""
    if kind == "bounced":
        return 4 if class_ == "hard" else 2
    if kind == "rejected":
        return 2 if reason in _RETRYABLE else 4
    return _RANKS.get(kind, _UNSAID)


class State:
    """What is known of one (message_id, recipient). Grows by ``add``; the order of adding never matters.

    ``delivered_at``: the first delivery that an event tells, ISO 8601 without ``Z``, or empty. Status rows are left
    out of it: their times have no zone.
    """

    __slots__ = ("_seen", "delivered_at", "delivery")

    def __init__(self) -> None:
        self.delivery = NOTHING_SAID
        self.delivered_at = ""
        self._seen: dict[str, dict[str, Fetch]] | None = None  # most are never engaged, and there are millions

    def add(self, record: Mapping[str, Any]) -> None:
        """Take one event or status record in."""
        kind = record["type"]
        if kind in ENGAGEMENTS:
            seen, fetch = self._events(kind), fetch_of(record)
            seen[record["event_id"]] = max(fetch, seen.get(record["event_id"], fetch))
            return
        at = record.get("occurred_at") or record.get("delivered_at") or record.get("requested_at") or ""
        at = at.removesuffix("Z")
        words = [record.get(name) or "" for name in ("class", "reason", "fault")]
        said = Delivery(rank_of(kind, record.get("class"), record.get("reason")), at, kind, *words)
        self.delivery = max(self.delivery, said)
        if at and kind == "delivered" and "event_id" in record and record.get("source") != "status":
            self.delivered_at = min(self.delivered_at or at, at)

    def add_flags(self, status: Mapping[str, Any]) -> None:
        """Take in the engagement flags of a status row: they say that it happened, not when, how often or by whom."""
        for kind in ENGAGEMENTS:
            if status.get(kind):
                self._events(kind)

    def _events(self, kind: str) -> dict[str, Fetch]:
        if self._seen is None:
            self._seen = {}
        return self._seen.setdefault(kind, {})

    @property
    def is_engaged(self) -> bool:
        """Whether any engagement happened at all."""
        return self._seen is not None

    def has(self, engagement: str) -> bool:
        """Whether it happened at all, whoever did it."""
        return self._seen is not None and engagement in self._seen

    def count(self, engagement: str) -> int:
        """Count distinct events of this engagement; 0 when only a status row's flag is known."""
        return len(self._told(engagement))

    def tally(self, engagement: str) -> Tally:
        """Count distinct events of an engagement by who did them, all records considered.

        A flag of a status row is in none of them: it does not tell who did it.
        """
        told = self._told(engagement)
        if not told:
            return NOBODY
        if engagement not in JUDGED:
            return Tally(len(told), 0, 0)
        in_sweep: frozenset[Fetch] = frozenset()
        if engagement != "opened":
            in_sweep = swept([*self._told("clicked").values(), *self._told("unsubscribed").values()])
        counts = [0, 0, 0]
        for fetch in told.values():
            is_untimely = is_too_soon(engagement, fetch, self.delivered_at) or fetch in in_sweep
            counts[max(fetch.machine, int(is_untimely))] += 1
        return Tally(*counts)

    def first_and_last(self, engagement: str) -> tuple[str, str]:
        """First and last time of an engagement, empty when no event told it."""
        times = [fetch.at for fetch in self._told(engagement).values()]
        return (f"{min(times)}Z", f"{max(times)}Z") if times else ("", "")

    def _told(self, engagement: str) -> Mapping[str, Fetch]:
        return self._seen.get(engagement, _NO_EVENTS) if self._seen else _NO_EVENTS

    @property
    def is_final(self) -> bool:
        """Whether delivery is settled: only a hard bounce can still follow a delivery."""
        return self.delivery.rank >= 3

    def as_dict(self) -> dict[str, Any]:
        """Return the state as a flat JSON object.

        ``<kind>_human`` and ``<kind>_human_count``: whether, and how many, of its events look like a person's. A flag
        alone (``<kind>`` is true, ``<kind>_count`` is 0) is no sign of one.
        """
        said = self.delivery
        return {
            "type": said.type,
            "class": said.class_ or None,
            "reason": said.reason or None,
            "fault": said.fault or None,
            "at": f"{said.at}Z" if said.at else None,
            "final": self.is_final,
            **(self._flags() if self._seen else _NO_FLAGS),
        }

    def _flags(self) -> dict[str, Any]:
        flags: dict[str, Any] = {}
        for kind in ENGAGEMENTS:
            first, last = self.first_and_last(kind)
            flags |= {kind: self.has(kind), f"{kind}_count": self.count(kind)}
            if kind in JUDGED:
                human = self.tally(kind).human
                flags |= {f"{kind}_human": human > 0, f"{kind}_human_count": human}
            flags |= {f"{kind}_first_at": first or None, f"{kind}_last_at": last or None}
        return flags


_NO_FLAGS = State()._flags()  # noqa: SLF001 - what nearly every state says, written once


def fold(records: Iterable[Mapping[str, Any]]) -> State:
    """Return the state that the records of one (message_id, recipient) amount to."""
    state = State()
    for record in records:
        state.add(record)
    return state
