"""Who of a task's recipients is on our suppression list, decided once: a repeat must not upload others.

A GET for each of 50 000 would take minutes. The keys of the list are hashes, evenly spread, so it is listed instead, in
as many parts at once as a hash has first digits, and only what matches is read.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, NamedTuple

from shared.edge.guard_modes import ON
from shared.edge.http_event import Problem
from shared.trail.layout import SUPPRESSION_PREFIX, suppression_key, task_audience_key
from shared.trail.records import VERSION, encode_line
from shared.trail.suppression import is_suppressed, parse, strongest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.send.bulk.journal import Life
    from functions.send.bulk.request import Person
    from functions.send.office import Office
    from shared.trail.store import Entry, Store

_PARTS = "0123456789abcdef"
_READERS = 16


class Audience(NamedTuple):
    """Who is mailed, and how many are not because they are on the suppression list."""

    people: list[Person]
    suppressed: int


def decide(office: Office, life: Life, people: Sequence[Person]) -> Audience:
    """Return who is mailed: as it was decided, or decide it. Raises StoreError, and Problem when it takes too long.

    LIST may lag: who was suppressed within the last minute may be missed.
    """
    key = task_audience_key(life.key_sha256, life.life)
    body = office.store.get(key)
    if body is None:
        # SEND_GUARD=suppression=warn cannot warn of thousands by name, so it is as off.
        is_on = office.settings.guard.suppression == ON
        suppressed = _find_suppressed(office, people) if is_on else []
        body = encode_line({"v": VERSION, "suppressed": suppressed})
        if not office.store.offer(key, body):
            body = office.store.get(key) or body  # whoever decided first is right for all
    left_out = set(json.loads(body)["suppressed"])
    if not left_out:
        return Audience(list(people), 0)
    kept = [person for index, person in enumerate(people) if index not in left_out]
    return Audience(kept, len(left_out))


def nobody() -> Problem:
    """Return what is said of a task that has nobody left to mail: decided once, so every repeat hears the same."""
    return Problem(422, "recipient_suppressed", "every recipient is on the suppression list; nothing was sent")


def is_nobody(store: Store, life: Life) -> bool:
    """Whether it was decided that there is nobody to mail. Raises StoreError."""
    body = store.get(task_audience_key(life.key_sha256, life.life))
    return body is not None and len(json.loads(body)["suppressed"]) == life.recipients


def _find_suppressed(office: Office, people: Sequence[Person]) -> list[int]:
    """Return the numbers of the recipients whose entry holds now."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only a task lists so

    wanted = {suppression_key(person.email): index for index, person in enumerate(people)}
    now = office.clock()
    with ThreadPoolExecutor(_READERS) as pool:
        listed = pool.map(_lister(office.store, wanted, office.spare_s), _PARTS)
        matching: list[Entry] = list(itertools.chain.from_iterable(listed))
    found = []
    for entry, body in office.store.read_many(matching):
        if body is not None and _holds(body, now):
            found.append(wanted[entry.key])
    return sorted(found)


def _lister(store: Store, wanted: dict[str, int], spare_s: Callable[[], float]) -> Callable[[str], list[Entry]]:
    def matching(digit: str) -> list[Entry]:
        found = []
        for number, entry in enumerate(store.iterate(f"{SUPPRESSION_PREFIX}{digit}")):
            if number % 1000 == 0 and spare_s() < 0:
                detail = "the suppression list took too long to read; nothing was sent"
                raise Problem(503, "out_of_time", detail, retry_safe=True, retry_after_s=5)
            if entry.key in wanted:
                found.append(entry)
        return found

    return matching


def _holds(body: bytes, now: float) -> bool:
    try:
        return is_suppressed(strongest(parse(body)), now)
    except ValueError:  # somebody's own file
        return False
