"""Opens, clicks and unsubscribes of a day, twice: in all, and those that look like a person's."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from shared.trail.fold import ENGAGEMENTS, NOBODY, State, Tally
from shared.trail.machine import JUDGED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ALL_AND_HUMAN = (*ENGAGEMENTS, *(f"{kind}_human" for kind in JUDGED))
"""What a (message, recipient) can have done, each counted once for it."""


def done(state: State) -> list[str]:
    """Return which of ``ALL_AND_HUMAN`` hold for one state."""
    if not state.is_engaged:
        return []
    in_all = [kind for kind in ENGAGEMENTS if state.has(kind)]
    return in_all + [f"{kind}_human" for kind in JUDGED if state.tally(kind).human]


def events_by_machine(states: Iterable[State]) -> dict[str, dict[str, int]]:
    """Count the distinct events by who did them, all records of their message and recipient considered."""
    sums = dict.fromkeys(JUDGED, NOBODY)
    for state in filter(lambda state: state.is_engaged, states):
        for kind in filter(state.has, JUDGED):
            sums[kind] = Tally(*map(operator.add, sums[kind], state.tally(kind)))
    return {kind: sums[kind]._asdict() for kind in JUDGED}


def rates(states: Collection[State], recipients: Mapping[str, Any]) -> dict[str, Any]:
    """Return each count of ``recipients`` as a part of those who were reached, between 0 and 1; None without any.

    Reached: delivered by the last word, or opened or clicked though no record tells the delivery; so no rate
    exceeds 1, whatever was lost on the way.
    """
    reached = sum(
        state.delivery.type == "delivered" or (state.is_engaged and any(map(state.has, JUDGED))) for state in states
    )
    names = [name for name in ALL_AND_HUMAN if name.startswith(JUDGED)]
    return {"reached": reached, **{name: round(recipients[name] / reached, 4) if reached else None for name in names}}
