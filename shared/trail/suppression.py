"""Who gets no mail any more: an entry for each address, with its causes and what of them was taken back. Pure.

An entry only grows. Causes and removals are sets, two entries of an address merge into their union, and what holds now
is computed from the sets: every order and repetition of the same events and commands gives the same bytes. A removal
is such a member too: it says which causes no longer count, those of before that are only learned of later included.

The top level of the JSON says what holds: the cause that holds longest, or nulls. Whether it is over is a comparison of
``until`` with the clock, so one GET by key (``layout.suppression_key``) is all that a sender needs.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.records import VERSION, encode_line, epoch, iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REASONS = ("complaint", "unsubscribe", "hard_bounce", "manual", "import", "soft_bounce")
"""Why an address gets no mail; of causes that hold equally long, the one that stands first here is named."""
REPEAT_S = 30 * 86400
"""Two soft bounces for want of the address, this near to each other, hold for good."""
_KEPT = 3
"""Causes of one kind that are kept: the first and the last so many. An entry must not grow with every bounce."""
_NEVER = "~"  # sorts after every time


class Cause(NamedTuple):
    """One thing that suppresses an address. Times are ISO 8601 in UTC with ``Z``; ``until`` None: for good."""

    since: str
    reason: str
    until: str | None
    source: str  # ses | sendcloud | status | one-click | cli | the name of an imported file
    event_id: str | None = None
    message_id: str | None = None
    detail: str | None = None  # the event's own reason, such as invalid_recipient; of one-click, the sender's domain
    machine: str | None = None  # suspected | likely: a scanner may have done it
    note: str | None = None


class Selection(NamedTuple):
    """Which causes are meant: all that agree with every member that is not None. Times are inclusive."""

    reason: str | None = None
    source: str | None = None
    since: str | None = None
    until: str | None = None
    machine: bool = False  # only those that a machine may have caused

    def covers(self, cause: Cause) -> bool:
        """Whether ``cause`` is one of them."""
        return (
            self.reason in (None, cause.reason)
            and self.source in (None, cause.source)
            and (self.since is None or moment(self.since) <= moment(cause.since))
            and (self.until is None or moment(cause.since) <= moment(self.until))
            and (not self.machine or cause.machine is not None)
        )


class Removal(NamedTuple):
    """Causes that were taken back, when and by whom; ``restored_at``: when that was taken back in turn."""

    at: str
    by: str
    selection: Selection
    restored_at: str | None = None


class Entry(NamedTuple):
    """Everything known of one address, in lower case. Build it with ``entry``."""

    address: str
    causes: tuple[Cause, ...]
    removals: tuple[Removal, ...]


def entry(address: str, causes: Iterable[Cause] = (), removals: Iterable[Removal] = ()) -> Entry:
    """Return the entry of ``address``. Raises ValueError for an empty address or a reason that is none of REASONS."""
    address, causes = address.strip().lower(), set(causes)
    if not address:
        raise ValueError("no address")
    if unknown := {cause.reason for cause in causes}.difference(REASONS):
        raise ValueError(f"a reason that is not known: {min(unknown)}")
    return Entry(address, _kept(causes), _joined(removals))


def merge(one: Entry, other: Entry) -> Entry:
    """Return what both entries of an address say together. Raises ValueError for two addresses."""
    if one.address != other.address:
        raise ValueError("entries of two addresses")
    return entry(one.address, one.causes + other.causes, one.removals + other.removals)


def standing(known: Entry) -> list[Cause]:
    """Return the causes that were not taken back, in order of time; some of them may be over."""
    taken_back = [removal.selection for removal in known.removals if removal.restored_at is None]
    return [cause for cause in known.causes if not any(selection.covers(cause) for selection in taken_back)]


def strongest(known: Entry) -> Cause | None:
    """Return the cause that holds longest, and of equals the gravest and then the first; None when none stands."""
    causes = _lasting_by_repetition(standing(known))
    longest = max(map(_end, causes), default="")
    lasting = [cause for cause in causes if _end(cause) == longest]
    return min(lasting, key=lambda cause: (REASONS.index(cause.reason), _order(cause)), default=None)


def is_suppressed(told: Mapping[str, Any] | Cause | None, now: float) -> bool:
    """Whether an address gets no mail at ``now`` (epoch seconds).

    ``told``: the JSON object of its entry, or its strongest cause; None: there is no entry, or no cause.
    """
    if told is None:
        return False
    reason, until = (told.reason, told.until) if isinstance(told, Cause) else (told["reason"], told["until"])
    return reason is not None and (until is None or now < epoch(until))


def encode(known: Entry) -> bytes:
    """Return the entry as it lies in the bucket: one line of JSON, the same bytes for the same entry."""
    return encode_line(as_json(known))


def as_json(known: Entry) -> dict[str, Any]:
    """Return the entry as a JSON object."""
    holds = strongest(known)
    return {
        "v": VERSION,
        "address": known.address,
        **(holds._asdict() if holds else dict.fromkeys(Cause._fields)),
        "causes": [cause._asdict() for cause in known.causes],
        "removals": [
            {"at": at, "by": by, **selection._asdict(), "restored_at": restored_at}
            for at, by, selection, restored_at in known.removals
        ],
    }


def parse(body: bytes | str) -> Entry:
    """Read an entry. Raises ValueError for anything else, an entry of a later version among it."""
    try:
        told = json.loads(body)
        if told["v"] != VERSION:
            raise ValueError(f"an entry of version {told['v']}")
        causes = [_checked(Cause(**cause)) for cause in told["causes"]]
        removals = [_removal(**removal) for removal in told["removals"]]
        return entry(told["address"], causes, removals)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not an entry of the suppression list") from error


def moment(at: str) -> str:
    """Return a time so that it sorts: without its ``Z`` a whole second comes before its own milliseconds."""
    return at.removesuffix("Z")


def _removal(at: str, by: str, restored_at: str | None, **selection: Any) -> Removal:
    _check_times(at, restored_at, selection["since"], selection["until"])
    _check_texts(at, by, restored_at, selection["reason"], selection["source"])
    return Removal(at, by, Selection(**selection), restored_at)


def _checked(cause: Cause) -> Cause:
    _check_times(cause.since, cause.until)
    _check_texts(*cause)
    return cause


def _check_texts(*members: str | None) -> None:
    # Everything that shows or exports an entry takes them for texts.
    if not all(member is None or isinstance(member, str) for member in members):
        raise TypeError


def _check_times(*times: str | None) -> None:
    # They are compared as text, so there may be one way only to write each.
    if wrong := [time for time in times if time is not None and iso(epoch(time)) != time]:
        raise ValueError(f"not a time of ours: {wrong[0]}")


def _end(cause: Cause) -> str:
    return _NEVER if cause.until is None else moment(cause.until)


def _order(record: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what sorts causes by time, and removals, None before any text."""
    first, *rest = record
    return moment(first), *((value is not None, str(value)) for value in rest)


def _kept(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Drop what lies between the first and the last of a kind: of any union, the same is left in any order."""
    kinds: defaultdict[tuple[Any, ...], list[Cause]] = defaultdict(list)
    for cause in sorted(causes, key=_order):
        kinds[cause.reason, cause.source, cause.until is None, cause.machine].append(cause)
    kept = {cause for kind in kinds.values() for cause in kind[:_KEPT] + kind[-_KEPT:]}
    return tuple(sorted(kept, key=_order))


def _joined(removals: Iterable[Removal]) -> tuple[Removal, ...]:
    restored: dict[tuple[str, str, Selection], str] = {}
    for at, by, selection, restored_at in removals:
        restored[at, by, selection] = max(restored.get((at, by, selection), ""), restored_at or "", key=moment)
    joined = [Removal(*removal, restored_at or None) for removal, restored_at in restored.items()]
    return tuple(sorted(joined, key=_order))


def _lasting_by_repetition(causes: list[Cause]) -> list[Cause]:
    soft = [cause for cause in causes if cause.reason == "soft_bounce"]
    twice = any(
        epoch(later.since) - epoch(earlier.since) <= REPEAT_S and not _is_same_bounce(earlier, later)
        for earlier, later in itertools.pairwise(soft)
    )
    if not twice:
        return causes
    return [cause._replace(until=None) if cause.reason == "soft_bounce" else cause for cause in causes]


def _is_same_bounce(one: Cause, other: Cause) -> bool:
    # One that was filled in from a status row and told late all the same has two ids, and so may one that is repeated
    # with the time of its repetition: a mail bounces once.
    return one.event_id == other.event_id or (one.message_id is not None and one.message_id == other.message_id)
