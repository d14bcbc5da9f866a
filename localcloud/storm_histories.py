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
    """One event of a history, ``after_s`` seconds after the mail was accepted; ``is_machine``: no person did it."""

    after_s: int
    event: str
    reason: str = ""
    bounce_type: str = ""
    link: str = ""
    useragent: str = USERAGENT
    is_machine: bool = False


class History(NamedTuple):
    """One way a mail goes on: how often of 1000, and its events in order of time."""

    weight: int
    events: tuple[Event, ...]


_DELIVERED = Event(2, "delivered")
_DEFERRED = Event(3, "deferred", "451 4.7.1 greylisted, try again later")
_HARD = ("550 5.1.1 The email account that you tried to reach does not exist", "hard_bounce")
_SOFT = ("452 4.2.2 mailbox full", "soft_bounce")
_GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
_PREFETCHED = Event(9, "open", useragent="Mozilla/5.0", is_machine=True)  # Apple's Mail Privacy Protection
_AT_THE_GATE = Event(2, "open", is_machine=True)
_SWEPT = tuple(Event(35, "click", link=link, is_machine=True) for link in (LINK, f"{LINK}/2", f"{LINK}/unsubscribe"))

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
    History(20, (Event(1, "dropped", "message discarded before it was handed over"),)),
    History(10, (_DELIVERED, Event(700, "open"), Event(750, "unsubscribe"))),
    History(10, (_DELIVERED, Event(800, "spamreport"))),
    History(40, (_DELIVERED, _PREFETCHED)),
    History(20, (_DELIVERED, _PREFETCHED, Event(5400, "open"), Event(5410, "click", link=LINK))),
    History(10, (_DELIVERED, Event(300, "open", useragent=_GMAIL))),
    History(10, (_DELIVERED, _AT_THE_GATE, *_SWEPT, Event(35, "unsubscribe", is_machine=True))),
    History(10, (_DELIVERED, _AT_THE_GATE, *_SWEPT, Event(4000, "open"), Event(4030, "click", link=LINK))),
)
_SAID = {
    "delivered": ("delivered", None),
    "deferred": ("deferred", "soft"),
    "dropped": ("rejected", "admin"),
    "hard_bounce": ("bounced", "hard"),
    "soft_bounce": ("bounced", "soft"),
}
_DONE = {"open": "opened", "click": "clicked", "spamreport": "complained", "unsubscribe": "unsubscribed"}
_JUDGED = ("open", "click", "unsubscribe")
_SHORTEST = next(number for number, history in enumerate(HISTORIES) if history.events == (_DELIVERED,))


class Truth(NamedTuple):
    """What one (message, recipient) has come to. ``type`` and ``class_`` as in shared/trail/vocabulary.py.

    ``events``: its distinct events; the next four: how many of them were of that kind; the last: by a person.
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
    opened_human: int
    clicked_human: int
    unsubscribed_human: int


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
        """Append a pair with its history; one for which there is no ``room`` (events) is delivered and no more."""
        if len(HISTORIES[outcome].events) > room:
            outcome = _SHORTEST
        self.outcomes.append(outcome)
        self.messages.append(message)
        self.places.append(place)
        self.firsts.append(len(self.times))
        self.times.extend(self.sent_at[message] + event.after_s for event in HISTORIES[outcome].events)

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
        events = HISTORIES[self.outcomes[pair]].events
        said = [_SAID[event.bounce_type or event.event] for event in events if event.event not in _DONE]
        counts = (sum(event.event == word for event in events) for word in _DONE)
        people = [event.event for event in events if not event.is_machine]
        return Truth(*self._names(pair, key), *said[-1], len(events), *counts, *map(people.count, _JUDGED))

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
        payload["useragent"] = event.useragent
    return payload | ({"link": event.link} if event.link else {})
