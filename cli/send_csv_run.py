"""Batch after batch until everybody's mail is accepted or refused for good, or it is given up."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cli.send_csv_post import post_batch
from cli.send_csv_queue import ACCEPTED, REFUSED
from cli.terminal import note, printable
from functions.send.batch_request import MOST
from shared.upstream.errors import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cli.send_csv_post import Endpoint, Reply
    from cli.send_csv_queue import Queue
    from cli.send_csv_results import Results
    from cli.send_csv_rows import Row

    Pair = tuple[Row, str]

MOST_BYTES = 4 * 1024 * 1024
"""Of the rows of one batch: an event of SCF has 6 MB at most."""
_LONGEST_PAUSE_S = 60.0
_LONGEST_SILENCE_S = 10.0
_FIELD = re.compile(r"recipients\[(\d+)\]\.?(.*)", re.DOTALL)
_THEIR_OWN = frozenset({"recipient_rate_limited", "in_flight", "outcome_uncertain", "out_of_time"})
"""What one mail waits for while others need not; anything else is everybody's: the rate, the quota, COS, SES."""
monotonic, pause = time.monotonic, time.sleep


class Course(NamedTuple):
    """What a run needs: the endpoint, what all mails have in common, where rows come from and results go to.

    ``ended`` is called with the number of rows that are done with, each time there are more.
    """

    endpoint: Endpoint
    common: Mapping[str, Any]
    queue: Queue
    results: Results
    give_up_after_s: float
    ended: Callable[[int], object]


class Patience:
    """How long to go on: until nothing was accepted for ``give_up_after_s``. ``most``: rows that one batch may have."""

    def __init__(self, give_up_after_s: float) -> None:
        self.most = MOST
        self._give_up_after_s = give_up_after_s
        self.went_well()

    def went_well(self) -> None:
        """Begin anew."""
        self._failures = 0
        self._until = monotonic() + self._give_up_after_s

    def was_answered(self) -> None:
        """Note that there is somebody to talk to."""
        self._failures = 0

    @property
    def rows(self) -> int:
        """How many rows to try at once: after a failure one, so that not everybody is put in doubt."""
        return 1 if self._failures else self.most

    def wait(self, seconds: float, why: str) -> bool:
        """Wait; False, at once, when that is longer than one is to go on."""
        if monotonic() + seconds > self._until:
            return False
        if seconds >= _LONGEST_SILENCE_S:
            note(f"waiting for {seconds:.0f} s: {why}")
        pause(seconds)
        return True

    def wait_after_failure(self, seconds: float, why: str) -> bool:
        """Wait as told, or twice as long each time where nothing is."""
        self._failures += 1
        return self.wait(seconds or min(_LONGEST_PAUSE_S, 2.0**self._failures), why)


def send_all(course: Course) -> str:
    """Send to everybody who is due; return why it ended before all were done with, or "".

    Raises ClickException for what no repeat can mend.
    """
    patience = Patience(course.give_up_after_s)
    while True:
        if pairs := course.queue.due_rows(monotonic(), patience.rows, MOST_BYTES):
            people = [row.person for row, _ in pairs]
            why = _heed(course, pairs, post_batch(course.endpoint, course.common, people), patience)
        elif (due := course.queue.next_due()) is None:
            return ""
        else:
            waited = patience.wait(max(0.0, due - monotonic()), "what is left is not due yet")
            why = "" if waited else "given up: what is left did not come to an end in time"
        if why:
            return why


def _heed(course: Course, pairs: Sequence[Pair], reply: Reply, patience: Patience) -> str:
    """Do what an answer asks for; return why to give up, or ""."""
    if reply.results is not None:
        goes_on = _take_in(course, pairs, reply.results, patience)
        return "" if goes_on else f"given up: nothing is accepted; {reply.detail}"
    if reply.status == 413 and len(pairs) > 1:
        patience.most = max(1, len(pairs) // 2)
    elif reply.is_over:
        _refuse(course, pairs, reply)
    elif not patience.wait_after_failure(reply.retry_after_s, reply.detail):
        return f"given up: {reply.detail}"
    return ""


def _take_in(course: Course, pairs: Sequence[Pair], results: Sequence[dict[str, Any]], patience: Patience) -> bool:
    """Note what came of a batch, and wait where all have to; False when that is too long."""
    final = [(row, key, told) for (row, key), told in zip(pairs, results, strict=True) if _is_final(told)]
    for row, key, told in final:
        # In this order: interrupted in between, a line is missing, and none is there twice.
        course.queue.end(key, ACCEPTED if told["status"] == 202 else REFUSED)
        course.results.write(row, key, told)
    waiting = [(key, told) for (_, key), told in zip(pairs, results, strict=True) if not _is_final(told)]
    for key, told in waiting:
        is_unknown = told.get("outcome") == UNKNOWN
        # Before that nothing can be known of what nobody has heard of.
        after_s = told.get("retry_after_s") or (_LONGEST_PAUSE_S if is_unknown else 1)
        course.queue.put_off(key, told, monotonic() + float(after_s))
    course.results.flush()
    course.ended(len(final))
    if any(told["status"] == 202 for *_, told in final):
        patience.went_well()
    elif waiting and all(told.get("outcome") == UNKNOWN for _, told in waiting):
        return patience.wait_after_failure(0, "nobody knows whether SES takes the mails")
    patience.was_answered()
    shared = {str(told["code"]): float(told.get("retry_after_s") or 1) for _, told in waiting if _is_everybodys(told)}
    return patience.wait(max(shared.values()), ", ".join(sorted(shared))) if shared else True


def _is_final(told: Mapping[str, Any]) -> bool:
    """Whether a repeat would be told the same."""
    if told["status"] == 202:
        return True
    # A claim that may be in doubt: told not to be safe, as the function cannot know that the repeat has the same key.
    may_change = told.get("retry_safe") or told.get("outcome") == UNKNOWN or told.get("code") == "trail_unavailable"
    return not may_change


def _is_everybodys(told: Mapping[str, Any]) -> bool:
    """Whether what one mail waits for stands in the way of all: the rate, a quota, COS, SES."""
    return told.get("outcome") != UNKNOWN and told.get("code") not in _THEIR_OWN


def _refuse(course: Course, pairs: Sequence[Pair], reply: Reply) -> None:
    """Take the rows out that the endpoint names; raises ClickException when it is about something else."""
    places = [_FIELD.match(error.get("field", "")) for error in reply.errors]
    named: dict[int, list[str]] = {0: [reply.detail]} if reply.status == 413 else {}
    for error, place in zip(reply.errors, places, strict=True):
        if place:
            named.setdefault(int(place[1]), []).append(f"{place[2]}: {error.get('problem')}")
    if not named or not all(places) or max(named) >= len(pairs):
        told = [reply.detail, *(f"{error.get('field')}: {error.get('problem')}" for error in reply.errors)]
        raise click.ClickException(f"{course.endpoint.url} refuses the mails: " + "\n  ".join(map(printable, told)))
    for place_of_row, problems in named.items():
        row, key = pairs[place_of_row]
        course.queue.end(key, REFUSED)
        answer = {"status": reply.status, "code": "invalid_request", "detail": "; ".join(problems)}
        course.results.write(row, key, answer)
    course.results.flush()
    course.ended(len(named))
