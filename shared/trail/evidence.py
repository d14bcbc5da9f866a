"""What proves that a mail nobody heard of was sent, or that it was not. Pure: what was seen in, a verdict or none out.

1. An event that carries the attempt's own reference (in our token, verified) or its own Message-Id: **sent**. Both are
   of this claim alone.
2. A status row has neither. It proves that the mail was **sent** when it cannot be another one's: of the same sender,
   to each of the recipients, requested within two minutes of the attempt; of a message that no line in ``sends/`` names
   and no event gives to somebody else or to a bulk task; the only one of its kind; when no other attempt to one of
   these people is in doubt at that time, and no bulk task of that sender may have been at work.
3. **Not accepted**: half an hour later, no such row in a window that is wider than clocks can differ and functions can
   live, and no event.

Rows count for two days: for so long it is noted what else was in doubt.

Anything else proves nothing: two rows that may be the mail's, one that is a little early. It stays uncertain.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.ledger import LONGEST_LIFE_S, REFUSED, SENT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

ASK_AFTER_S = 300
"""Seconds after the attempt before which status rows are not asked for: SES has them with a delay that it does not
name, and by then whoever was sending at that time has written its line in ``sends/``."""
NOT_ACCEPTED_AFTER_S = 1800
"""Seconds after the attempt from which a row that is not there counts. Not established by anything the vendor says."""
NEAR_S = (60, 120)
"""Seconds before and after the claim in which SES has the request of a row that proves something."""
WINDOW_S = (300, LONGEST_LIFE_S + 300)
"""The same for a row that forbids to say "not accepted": SES takes no signature of a clock that is 300 s off."""
ROWS_PROVE_FOR_S = 2 * 86400 - 3600
"""Seconds for which a row proves something: what else was in doubt at that time is noted for two days."""
SILENCE_PROVES_FOR_S = 14 * 86400
"""The same for a row that is not there: SES forgets rows after thirty days."""
BY_EVENT, BY_STATUS = "event", "status"
_SENDER = r"(?:[^<>]*<)?(?P<address>[^<>@\s]+@[^<>@\s]+)>?"
_OUR_MESSAGE_ID = re.compile(r"mt\.[0-9a-f]{32}@.+")


class Attempt(NamedTuple):
    """One try to send: what its claim remembers of it. ``at``: epoch seconds of the claim."""

    key_sha256: str
    generation: int
    at: float
    reference: str
    smtp_message_id: str
    sender: str
    recipients: tuple[str, ...]

    @property
    def window(self) -> tuple[float, float]:
        """Epoch seconds between which SES can have accepted it, whatever the clocks."""
        return self.at - WINDOW_S[0], self.at + WINDOW_S[1]

    def is_rival_of(self, other: Attempt) -> bool:
        """Whether a row of somebody whom both are to may be the one's or the other's."""
        return self[:2] != other[:2] and abs(self.at - other.at) <= sum(NEAR_S)


class Row(NamedTuple):
    """What a status row says of whose it is. ``requested_s``: epoch seconds, None when it cannot be read."""

    message_id: str
    recipient: str
    sender: str
    requested_s: float | None


class Verdict(NamedTuple):
    """What was found out. ``message_id``: SES's, of what was sent."""

    state: str
    by: str
    message_id: str | None = None


def own_message_id(reference: str, sender: str) -> str:
    """Return the Message-Id of an attempt of ours; ``sender``: a bare address."""
    return f"<mt.{reference}@{sender.rpartition('@')[2]}>"


def attempt_of(key_sha256: str, generation: int, claim: Mapping[str, Any], at: float) -> Attempt:
    """Return what the line of a claim remembers."""
    return Attempt(
        key_sha256,
        generation,
        at,
        claim.get("reference", ""),
        claim.get("smtp_message_id", ""),
        claim.get("sender", ""),
        tuple(claim.get("recipients", ())),
    )


class Sightings:
    """What events say of whose mails they are, as far as it matters to ``attempts`` or to those messages."""

    def __init__(self, attempts: Iterable[Attempt], message_ids: Collection[str]) -> None:
        self._wanted = {mark for attempt in attempts for mark in _marks(attempt.reference, attempt.smtp_message_id)}
        self._message_ids = message_ids
        self._of_tasks: set[str] = set()
        self._marks: defaultdict[str, set[str]] = defaultdict(set)  # SES's message id -> whose its events say it is
        self._bearers: defaultdict[str, set[str]] = defaultdict(set)  # the other way round

    def add(self, message_id: str, reference: str, smtp_message_id: str, *, is_of_task: bool = False) -> None:
        """Take an event in. ``reference``: of a verified token, or empty; ``is_of_task``: it names a bulk task."""
        if is_of_task and message_id in self._message_ids:
            self._of_tasks.add(message_id)
        marks = _marks(reference, smtp_message_id)
        if marks and (message_id in self._message_ids or not marks.isdisjoint(self._wanted)):
            self._marks[message_id] |= marks
            for mark in marks:
                self._bearers[mark].add(message_id)

    def bearing(self, marks: set[str]) -> list[str]:
        """Return the messages whose events bear one of ``marks``."""
        return sorted(set().union(*(self._bearers.get(mark, ()) for mark in marks)))

    def is_proven(self, attempt: Attempt) -> bool:
        """Whether an event says that this very attempt was sent."""
        return bool(self.bearing(_proofs(attempt)))

    def is_anothers(self, message_id: str, attempt: Attempt) -> bool:
        """Whether an event of this message names a task, or bears a mark that only another attempt can have made."""
        ours = _proofs(attempt)
        return message_id in self._of_tasks or any(
            _is_of_one(mark) and mark not in ours for mark in self._marks.get(message_id, ())
        )


class Question(NamedTuple):
    """What is known of one attempt, to be judged.

    ``rows``: all that SES has for its recipients and days, None when nobody could ask. ``owner_of``: message id -> the
    hash of the key under which a line in ``sends/`` has it, empty when that had no key, None when there is no line.
    ``may_be_a_tasks``: whether a bulk task of the same sender may have written at that time.
    """

    attempt: Attempt
    seen: Sightings
    rows: Collection[Row] | None
    has_rivals: bool
    owner_of: Callable[[str], str | None]
    may_be_a_tasks: Callable[[], bool]

    def is_free(self, message_id: str) -> bool:
        """Whether nothing says that a message is another mail's."""
        return not self.seen.is_anothers(message_id, self.attempt) and self.owner_of(message_id) is None


def judge(question: Question, *, now: float) -> Verdict | None:
    """Return what is proven, or None."""
    attempt, seen = question.attempt, question.seen
    if proven := seen.bearing(_proofs(attempt)):
        return Verdict(SENT, BY_EVENT, proven[0])
    # A Message-Id of the caller's own may be in other mails, too.
    named = list(filter(question.is_free, seen.bearing(_marks("", attempt.smtp_message_id))))
    if named:
        return Verdict(SENT, BY_EVENT, named[0]) if len(named) == 1 and not question.has_rivals else None
    return _judge_rows(question, question.rows, now) if question.rows is not None and attempt.recipients else None


def _judge_rows(question: Question, rows: Collection[Row], now: float) -> Verdict | None:
    attempt = question.attempt
    possible = sorted({row.message_id for row in rows if _may_be(row, attempt, attempt.window)})
    # The line of a send can be there without its outcome: what is written second was written.
    if own := [message_id for message_id in possible if question.owner_of(message_id) == attempt.key_sha256]:
        return Verdict(SENT, BY_STATUS, own[0])
    free, age_s = list(filter(question.is_free, possible)), now - attempt.at
    if not free:
        return Verdict(REFUSED, BY_STATUS) if NOT_ACCEPTED_AFTER_S <= age_s <= SILENCE_PROVES_FOR_S else None
    is_only = age_s <= ROWS_PROVE_FOR_S and len(free) == 1 and not question.has_rivals
    is_certain = is_only and _covers(rows, free[0], attempt)
    return Verdict(SENT, BY_STATUS, free[0]) if is_certain and not question.may_be_a_tasks() else None


def _covers(rows: Iterable[Row], message_id: str, attempt: Attempt) -> bool:
    near = (attempt.at - NEAR_S[0], attempt.at + NEAR_S[1])
    told = {
        row.recipient.lower()
        for row in rows
        if row.message_id == message_id and row.requested_s is not None and _is_of(row, attempt, near)
    }
    return bool(message_id) and told >= {to.lower() for to in attempt.recipients}


def bare_address(sender: object) -> str | None:
    """Return the address of ``name <address>`` or of a bare one, in lower case; None for what cannot be read."""
    match = re.fullmatch(_SENDER, str(sender or "").strip().lower())
    return match["address"] if match else None


def _may_be(row: Row, attempt: Attempt, window: tuple[float, float]) -> bool:
    is_in_time = row.requested_s is None or window[0] <= row.requested_s <= window[1]
    return is_in_time and bare_address(row.sender) in (None, attempt.sender.lower())


def _is_of(row: Row, attempt: Attempt, window: tuple[float, float]) -> bool:
    return _may_be(row, attempt, window) and bare_address(row.sender) is not None


def _marks(reference: str, smtp_message_id: str) -> set[str]:
    bare = smtp_message_id.strip().removeprefix("<").removesuffix(">")
    return {mark for mark in (reference and f"reference:{reference}", bare and f"message-id:{bare}") if mark}


def _proofs(attempt: Attempt) -> set[str]:
    """Return the marks that nothing but this attempt can have made."""
    return {mark for mark in _marks(attempt.reference, attempt.smtp_message_id) if _is_of_one(mark)}


def _is_of_one(mark: str) -> bool:
    kind, _, value = mark.partition(":")
    return kind == "reference" or _OUR_MESSAGE_ID.fullmatch(value) is not None
