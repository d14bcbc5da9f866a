"""The mails that a storm tells of: histories as they happen, drawn by weight, a few numbers for each. Pure."""

from __future__ import annotations

import hashlib
import json
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from localcloud.defaults import APP_ID, SENDER_DOMAIN, SIMULATOR_DOMAIN
from localcloud.ses.days import day_start, format_local, parse_day
from localcloud.ses.outcomes import EVENT_IDS
from localcloud.simulator import LINK, USERAGENT

if TYPE_CHECKING:
    import random

SENDING_S = 12 * 3600
"""The mails are sent within the first half of the day, so that nearly all events are of that day."""
RECIPIENTS = ((1, 2, 3, 5), (80, 12, 5, 3))
"""Recipients of a mail, and how often of 100."""


class Event(NamedTuple):
    """One event of a history, ``after_s`` seconds after the mail was accepted."""

    after_s: int
    event: str
    reason: str = ""
    bounce_type: str = ""
    link: str = ""


class History(NamedTuple):
    """One way a mail goes on: how often of 1000, and its events in order of time."""

    weight: int
    events: tuple[Event, ...]


_DELIVERED = Event(2, "delivered")
_DEFERRED = Event(3, "deferred", "451 4.7.1 greylisted, try again later")
_HARD = ("550 5.1.1 The email account that you tried to reach does not exist", "hard_bounce")
_SOFT = ("452 4.2.2 mailbox full", "soft_bounce")

HISTORIES = (
    History(470, (_DELIVERED,)),
    History(200, (_DELIVERED, Event(600, "open"))),
    History(60, (_DELIVERED, Event(40, "open"), Event(1900, "open"), Event(9000, "open"))),
    History(60, (_DELIVERED, Event(90, "open"), Event(97, "click", link=LINK))),
    History(20, (_DELIVERED, Event(90, "open"), Event(97, "click", link=LINK), Event(99, "click", link=f"{LINK}/2"))),
    History(60, (_DEFERRED, Event(903, "deferred", _DEFERRED.reason), Event(1810, "delivered"))),
    History(10, (_DEFERRED, Event(72 * 3600, "bounce", "4.4.7 expired", "soft_bounce"))),
    History(40, (Event(2, "bounce", *_HARD),)),
    History(20, (Event(4, "bounce", *_SOFT),)),
    History(10, (Event(4, "bounce", *_SOFT), Event(3600, "delivered"))),
    History(10, (_DELIVERED, Event(45, "bounce", *_HARD))),
    History(20, (Event(1, "dropped", "message discarded: content rejected by policy"),)),
    History(10, (_DELIVERED, Event(700, "open"), Event(750, "unsubscribe"))),
    History(10, (_DELIVERED, Event(800, "spamreport"))),
)
_SAID = {
    "delivered": ("delivered", None),
    "deferred": ("deferred", "soft"),
    "dropped": ("rejected", "admin"),
    "hard_bounce": ("bounced", "hard"),
    "soft_bounce": ("bounced", "soft"),
}
_DONE = {"open": "opened", "click": "clicked", "spamreport": "complained", "unsubscribe": "unsubscribed"}


class Truth(NamedTuple):
    """What one (message, recipient) has come to. ``type`` and ``class_`` as in shared/trail/vocabulary.py.

    ``events``: its distinct events; the last four: how many of them were of that kind.
    """

    message_id: str
    recipient: str
    type: str
    class_: str | None
    events: int
    opened: int
    clicked: int
    complained: int
    unsubscribed: int


class Invented(NamedTuple):
    """One distinct event: what it is about, and the callback's body."""

    message_id: str
    recipient: str
    event: str
    occurred_at: int
    body: bytes


class Mails:
    """Columns: by pair of message and recipient the outcome, message and place in it; by event the time."""

    def __init__(self) -> None:
        self.outcomes = array("B")
        self.messages = array("L")
        self.places = array("B")
        self.firsts = array("L")
        self.sent_at = array("L")
        self.times = array("L")

    def add_pair(self, message: int, place: int, outcome: int, room: int) -> None:
        """Append a pair with as many events of its history as there is ``room`` for."""
        self.outcomes.append(outcome)
        self.messages.append(message)
        self.places.append(place)
        self.firsts.append(len(self.times))
        self.times.extend(self.sent_at[message] + event.after_s for event in HISTORIES[outcome].events[:room])

    def event(self, number: int, key: bytes) -> Invented:
        """Build distinct event ``number``; ``key`` is what the ids are made of."""
        pair = bisect_right(self.firsts, number) - 1
        event = HISTORIES[self.outcomes[pair]].events[number - self.firsts[pair]]
        message_id, recipient = self._names(pair, key)
        at = self.times[number]
        sent_at = self.sent_at[self.messages[pair]]
        body = json.dumps(_payload(event, message_id, recipient, at, sent_at), separators=(",", ":")).encode()
        return Invented(message_id, recipient, event.event, at, body)

    def truth_of(self, pair: int, key: bytes) -> Truth:
        """Return what a pair has come to: its last word on delivery, and what was counted."""
        end = self.firsts[pair + 1] if pair + 1 < len(self.firsts) else len(self.times)
        events = HISTORIES[self.outcomes[pair]].events[: end - self.firsts[pair]]
        said = [_SAID[event.bounce_type or event.event] for event in events if event.event not in _DONE]
        counts = (sum(event.event == word for event in events) for word in _DONE)
        return Truth(*self._names(pair, key), *said[-1], len(events), *counts)

    def _names(self, pair: int, key: bytes) -> tuple[str, str]:
        message = self.messages[pair]
        unique = hashlib.blake2b(message.to_bytes(8, "big"), key=key, digest_size=6).hexdigest()
        local = format_local(self.sent_at[message], "%Y%m%d%H%M%S")
        recipient = f"storm+{unique[:4]}{pair}.{self.places[pair]}@{SIMULATOR_DOMAIN}"
        return f"qcloudses-30-{APP_ID}-date-{local}-{unique}", recipient


def invent(die: random.Random, events: int, day: str) -> Mails:
    """Invent mails of ``day`` until they have ``events`` events. Raises ValueError for a day that is not one."""
    mails = Mails()
    start = day_start(parse_day(day))
    weights = [history.weight for history in HISTORIES]
    while len(mails.times) < events:
        message = len(mails.sent_at)
        mails.sent_at.append(start + die.randrange(SENDING_S))
        (recipients,) = die.choices(*RECIPIENTS)
        for place, outcome in enumerate(die.choices(range(len(HISTORIES)), weights, k=recipients)):
            if len(mails.times) < events:
                mails.add_pair(message, place, outcome, events - len(mails.times))
    return mails


def _payload(event: Event, message_id: str, recipient: str, at: int, sent_at: int) -> dict[str, object]:
    # As documented on 2025-10-30 (https://www.tencentcloud.com/document/product/1084/39492).
    payload: dict[str, object] = {
        "event": event.event,
        "email": recipient,
        "bulkId": message_id,
        "timestamp": at,
        "reason": event.reason,
        "bounceType": event.bounce_type,
        "username": APP_ID,
        "from": f"noreply@{SENDER_DOMAIN}",
        "fromDomain": SENDER_DOMAIN,
        "templateId": 100091,
        "subject": "Your code",
        "messageId": f"<{message_id}@{SENDER_DOMAIN}>",
        "eventid": EVENT_IDS[event.event],
        "sentTimestamp": sent_at,
    }
    if event.event in ("open", "click"):
        payload["useragent"] = USERAGENT
    return payload | ({"link": event.link} if event.link else {})
