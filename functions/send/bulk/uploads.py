"""Recipients into a list at SES, in chunks of which each is uploaded once to one list.

When nobody knows whether a chunk arrived, nobody ever knows what its list holds: it is left.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from functions.send.attempts import call_again
from functions.send.bulk import journal
from functions.send.bulk.problems import preparing, problem_of
from shared.trail.ledger import CLAIMED, REFUSED, UNCERTAIN
from shared.upstream.errors import UpstreamRefused, UpstreamUncertain
from shared.upstream.receivers import add_receivers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.send.bulk.journal import Attempt, Life
    from functions.send.bulk.request import Person
    from functions.send.office import Office

CHUNK_PEOPLE = 5000
CHUNK_BYTES = 2 * 1024 * 1024
"""A quarter of what SES takes in a call, 20 000 and 8 MB: one that is not answered in time costs a list."""
IN_FLIGHT_S = 30
"""Seconds for which another request may be uploading a chunk; then it is taken for dead, and its list is left."""
SOMEBODY_ELSES_S = 10
TIME_FOR_A_CHUNK_S = 5.0


class SpoiledError(Exception):
    """Nobody can prove what this list holds, or that it will ever hold what it must."""


def chunks(people: Sequence[Person]) -> Iterator[list[Person]]:
    """Cut recipients into what one call uploads: always in the same way."""
    chunk: list[Person] = []
    size_bytes = 0
    for person in people:
        # As it is sent: in ASCII, the JSON of the variables in a string of JSON.
        one_bytes = len(person.email) + 40 + (len(json.dumps(person.data)) if person.data else 0)
        if chunk and (len(chunk) == CHUNK_PEOPLE or size_bytes + one_bytes > CHUNK_BYTES):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(person)
        size_bytes += one_bytes
    if chunk:
        yield chunk


def uploaded(office: Office, life: Life) -> int:
    """Return how many recipients SES has acknowledged for the newest list. Raises StoreError."""
    number, _ = journal.newest_list(office.store, life)
    total = 0
    for index in itertools.count():
        attempt = journal.read(office.store, life, _step(number, index))
        if attempt is None:
            return total
        total += attempt.claim["people"] if attempt.state == journal.DONE else 0
    raise AssertionError("the loop returns")


def upload_all(office: Office, life: Life, number: int, receiver_id: int, people: Sequence[Person]) -> float:
    """Upload what is not yet; return when the last chunk was claimed, in epoch seconds."""
    done, at = 0, 0.0
    for index, chunk in enumerate(chunks(people)):
        attempt = journal.read(office.store, life, _step(number, index))
        if attempt is None or journal.may_follow(attempt):
            if office.time_left_s() < TIME_FOR_A_CHUNK_S:
                raise preparing(done, len(people))
            attempt = _upload(office, life, _step(number, index), attempt, receiver_id, chunk)
        if attempt is None or (attempt.state == CLAIMED and 0 <= office.clock() - attempt.at < IN_FLIGHT_S):
            raise preparing(done, len(people), SOMEBODY_ELSES_S)
        if attempt.state != journal.DONE:
            raise SpoiledError("an upload without an answer")
        done, at = done + len(chunk), max(at, attempt.at)
    return at


def _upload(
    office: Office, life: Life, step: str, before: Attempt | None, receiver_id: int, chunk: Sequence[Person]
) -> Attempt | None:
    """Upload a chunk; return the attempt as it ended, None when somebody else has claimed it."""
    mine = journal.take(office.store, life, step, before, at=office.clock(), people=len(chunk))
    if mine is None:
        return None

    def settle(state: str) -> Attempt:
        answer = {"retry_safe": state == REFUSED}
        journal.settle(office.store, life, step, mine, state, answer, at=office.clock())
        return mine._replace(state=state)

    try:
        call_again(lambda: add_receivers(office.ses, receiver_id, chunk), spare_s=office.spare_s)
    except UpstreamUncertain:
        return settle(UNCERTAIN)
    except UpstreamRefused as error:
        settle(REFUSED)
        if error.rule.code == "not_found":
            raise SpoiledError("it was deleted") from error
        raise problem_of(error) from error
    return settle(journal.DONE)


def _step(number: int, index: int) -> str:
    return f"upload-{number}-{index}"
