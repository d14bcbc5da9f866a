"""Records of one message -> its state, whatever their order and however often each is repeated.

The delivery state is the greatest of all that was said: by rank, then by event time, then by content, so that every
order and repetition gives the same answer. Opens, clicks, complaints and unsubscribes are flags beside it, set and
never unset, with first and last time and the count of distinct events.

rank: accepted 0 < deferred 1 < soft or retryable 2 < delivered 3 < final failure 4. A hard bounce after a delivery
wins (an asynchronous bounce); a delivery after a soft bounce wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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


def rank_of(kind: str, class_: str | None, reason: str | None) -> int:
    """Return how much a delivery statement outweighs; -1 for what is none."""
    if kind == "bounced":
        return 4 if class_ == "hard" else 2
    if kind == "rejected":
        return 2 if reason in _RETRYABLE else 4
    return _RANKS.get(kind, _UNSAID)


def _sortable(at: str) -> str:
    return at.removesuffix("Z")


class State:
    """What is known of one (message_id, recipient). Grows by ``add``; the order of adding never matters."""

    __slots__ = ("_seen", "delivery")

    def __init__(self) -> None:
        self.delivery = NOTHING_SAID
        self._seen: dict[str, dict[str, str]] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """Take one event or status record in."""
        kind = record["type"]
        if kind in ENGAGEMENTS:
            self._seen.setdefault(kind, {})[record["event_id"]] = record["occurred_at"]
            return
        at = record.get("occurred_at") or record.get("delivered_at") or record.get("requested_at") or ""
        words = [record.get(name) or "" for name in ("class", "reason", "fault")]
        said = Delivery(rank_of(kind, record.get("class"), record.get("reason")), _sortable(at), kind, *words)
        self.delivery = max(self.delivery, said)

    def add_flags(self, status: Mapping[str, Any]) -> None:
        """Take in the engagement flags of a status row: they say that it happened, not when or how often."""
        for kind in ENGAGEMENTS:
            if status.get(kind):
                self._seen.setdefault(kind, {})

    def has(self, engagement: str) -> bool:
        """Whether the recipient did this at all."""
        return engagement in self._seen

    def count(self, engagement: str) -> int:
        """Count distinct events of this engagement; 0 when only a status row's flag is known."""
        return len(self._seen.get(engagement, ()))

    def first_and_last(self, engagement: str) -> tuple[str, str]:
        """First and last time of an engagement, empty when no event told it."""
        times = self._seen.get(engagement) or {"": ""}
        return min(times.values(), key=_sortable), max(times.values(), key=_sortable)

    @property
    def is_final(self) -> bool:
        """Whether delivery is settled: only a hard bounce can still follow a delivery."""
        return self.delivery.rank >= 3

    def as_dict(self) -> dict[str, Any]:
        """Return the state as a flat JSON object."""
        flags: dict[str, Any] = {}
        for kind in ENGAGEMENTS:
            first, last = self.first_and_last(kind)
            flags |= {kind: self.has(kind), f"{kind}_count": self.count(kind)}
            flags |= {f"{kind}_first_at": first or None, f"{kind}_last_at": last or None}
        said = self.delivery
        return {
            "type": said.type,
            "class": said.class_ or None,
            "reason": said.reason or None,
            "fault": said.fault or None,
            "at": f"{said.at}Z" if said.at else None,
            "final": self.is_final,
            **flags,
        }


def fold(records: Iterable[Mapping[str, Any]]) -> State:
    """Return the state that the records of one (message_id, recipient) amount to."""
    state = State()
    for record in records:
        state.add(record)
    return state
