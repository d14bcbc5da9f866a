"""A list at SES that holds a task's recipients, each once, and that this is proven of before anybody is mailed.

SES takes uploads without any mark of ours, in its own time, and keeps an address that comes twice. So:

* a list's name has a nonce of the task's, and SES has no two lists of one name: whoever makes it finds the same one;
* a chunk is uploaded to a list once. When nobody knows whether it arrived, the list is **left for the next one**, whose
  name has the next number: what arrives late arrives in a list that nobody mails;
* a list is mailed when every chunk was acknowledged and SES counts as many addresses as were uploaded.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, NamedTuple

from functions.send.attempts import call_again
from functions.send.bulk import journal
from functions.send.bulk.problems import preparing, problem_of
from functions.send.bulk.uploads import SpoiledError, upload_all
from shared.edge.http_event import Problem
from shared.edge.log import log
from shared.trail.store import StoreError
from shared.upstream.errors import UpstreamError, UpstreamRefused, UpstreamUncertain
from shared.upstream.receivers import UPLOADED, create_receiver, delete_receiver, find_receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    from functions.send.bulk.journal import Life
    from functions.send.bulk.request import Person
    from functions.send.office import Office
    from shared.upstream.receivers import ReceiverList

    T = TypeVar("T")

MOST_LISTS = 5
"""That are made for one task before it is given up."""
UPLOAD_LASTS_S = 900
"""Seconds that SES has for what it acknowledged; a list that is not whole by then is left."""
MOST_WAIT_S = 6.0
"""Seconds that one request waits for SES to have uploaded everything; then its caller comes again."""
_PAUSES_S = (0.5, 1.0, 2.0)
_TAKEN = "InvalidParameterValue.RepeatReceiverName"
_DESCRIPTION = "made by mailtrail for one batch task"
sleep = time.sleep


class Proven(NamedTuple):
    """A list that holds the recipients. ``number``: which of the task's, None for one that SES had before.

    ``invalid``: how many of them SES takes for no address.
    """

    receiver_id: int
    invalid: int = 0
    number: int | None = None


def prepare(office: Office, life: Life, people: Sequence[Person]) -> Proven:
    """Return a list that holds ``people`` and nobody else; go on with what was begun. Raises StoreError.

    Raises Problem: 503 ``preparing`` when the same request is to come again, or whatever SES refused.
    """
    number, receiver_id = journal.newest_list(office.store, life)
    while number < MOST_LISTS:
        if (proven := _fill(office, life, number, receiver_id, people)) is not None:
            return proven
        number, receiver_id = number + 1, None
    detail = f"of {MOST_LISTS} lists, none was proven to hold every recipient once; nothing was sent"
    raise Problem(502, "list_unproven", detail)


def _fill(office: Office, life: Life, number: int, receiver_id: int | None, people: Sequence[Person]) -> Proven | None:
    """Return the n-th list when it holds everyone; None when it must be left."""
    try:
        if receiver_id is None:
            receiver_id = _make(office, life, number, len(people))
        uploaded_at = upload_all(office, life, number, receiver_id, people)
        proven = _prove(office, list_name(life, number), receiver_id, len(people), uploaded_at)
        return proven._replace(number=number)
    except SpoiledError as spoiled:
        log("WARNING", "list left", key_sha256=life.key_sha256, list=number, why=str(spoiled))
        return None


def list_name(life: Life, number: int) -> str:
    """Return the name of the n-th list of a task: no other task has one of this name, at any time."""
    return f"mailtrail-{life.life}-{number}"


def tidy(office: Office, life: Life, numbers: Iterable[int]) -> None:
    """Delete lists of a task that nobody needs any more: they hold addresses. A failure is logged, the rest stays."""
    try:
        for number in itertools.takewhile(lambda _: office.spare_s() > 0, numbers):
            if receiver_id := journal.list_id(office.briefly(), life, number):
                delete_receiver(office.ses, receiver_id)
    except (UpstreamError, StoreError) as error:
        log("WARNING", "list not deleted", key_sha256=life.key_sha256, code=error.code)


def _make(office: Office, life: Life, number: int, recipients: int) -> int:
    """Make the list, or find it: its name is this task's alone."""
    name = list_name(life, number)
    try:
        receiver_id = call_again(lambda: create_receiver(office.ses, name, _DESCRIPTION), spare_s=office.spare_s)
    except UpstreamError as error:
        if isinstance(error, UpstreamRefused) and error.code != _TAKEN:
            raise problem_of(error) from error
        row = ask(office, lambda: find_receiver(office.ses, name), preparing(0, recipients))
        if row is None:  # not there yet; once more, and the name says whether it is
            raise preparing(0, recipients) from error
        receiver_id = row.receiver_id
    return journal.note_list(office.store, life, number, receiver_id, at=office.clock())


def _prove(office: Office, name: str, receiver_id: int, expected: int, uploaded_at: float) -> Proven:
    """Wait until SES counts every recipient, and no more. Raises SpoiledError when it never will."""
    not_yet, waited_s = preparing(expected, expected), 0.0
    for pause_s in itertools.chain(_PAUSES_S, itertools.repeat(_PAUSES_S[-1])):
        row = ask(office, lambda: find_receiver(office.ses, name), not_yet)
        if row is not None and row.receiver_id == receiver_id and _is_whole(row, expected):
            return Proven(receiver_id, row.invalid)
        if office.clock() - uploaded_at > UPLOAD_LASTS_S:
            raise SpoiledError("SES does not count every recipient")
        waited_s += pause_s
        if waited_s > MOST_WAIT_S or office.spare_s() < pause_s:
            break
        sleep(pause_s)
    raise not_yet


def _is_whole(row: ReceiverList, expected: int) -> bool:
    if row.addresses > expected:
        raise SpoiledError("SES counts more than were uploaded")
    return row.status == UPLOADED and row.addresses == expected


def ask(office: Office, query: Callable[[], T], instead: Problem) -> T:
    """Ask SES for what it knows. Raises ``instead`` without an answer, Problem for a refusal."""
    try:
        return call_again(query, spare_s=office.spare_s)
    except UpstreamRefused as error:
        raise problem_of(error) from error
    except UpstreamUncertain as error:
        raise instead from error
