"""What a storm must have left in the bucket, worked out from what was sent; and what lies there, read from the disk.

Neither side goes through the product's own reader. The fold is the product's: it is what is on trial, and its judge is
``Storm.truths``, which knows how each history was made.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.trail.fold import ENGAGEMENTS, State
from shared.trail.machine import JUDGED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from localcloud.storm import Storm

ZONE = timezone(timedelta(hours=8))
"""The account's."""
OURS = {
    "delivered": "delivered", "deferred": "deferred", "dropped": "rejected", "bounce": "bounced", "open": "opened",
    "click": "clicked", "spamreport": "complained", "unsubscribe": "unsubscribed",
}  # fmt: skip
"""SES's word -> ours."""
SHOWN = 20
"""Differences that are told in words; all are counted."""


def digest(raw: Any) -> bytes:
    """Return what tells one upstream object from another, whatever the order of its members."""
    return hashlib.sha256(json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()).digest()


class Differences(list[str]):
    """The first of them in words; ``count`` is how many there are."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def add(self, text: str) -> None:
        """Note one."""
        self.count += 1
        if len(self) < SHOWN:
            self.append(text)


class Day(NamedTuple):
    """What a report of one day must say.

    ``outcomes``, ``engaged``: (message, recipient) pairs by their last word, and by what was done to them at all.
    """

    events: int
    by_type: dict[str, int]
    outcomes: dict[str, int]
    engaged: dict[str, int]


class Sent:
    """The distinct events of a storm.

    ``digests``: of each, by its number; ``days``: what each day amounts to; ``suppressed``: who may get no more mail.
    """

    def __init__(self, storm: Storm) -> None:
        self.digests: list[bytes] = []
        self.suppressed: set[str] = set()
        types: defaultdict[str, Counter[str]] = defaultdict(Counter)
        words: defaultdict[str, dict[tuple[str, str], str]] = defaultdict(dict)
        engaged: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
        for number in range(storm.events):
            event = storm.event(number)
            raw = json.loads(event.body)
            self.digests.append(digest(raw))
            if raw["bounceType"] == "hard_bounce" or event.event in ("spamreport", "unsubscribe"):
                self.suppressed.add(event.recipient)
            day = datetime.fromtimestamp(event.occurred_at, ZONE).strftime("%Y-%m-%d")
            kind, pair = OURS[event.event], (event.message_id, event.recipient)
            types[day][kind] += 1
            if kind in ENGAGEMENTS:
                engaged[day].add((kind, *pair))
                words[day].setdefault(pair, "unknown")
            else:
                words[day][pair] = kind  # numbers follow time: the last word stands
        self.days = {
            day: Day(
                sum(types[day].values()),
                dict(types[day]),
                dict(Counter(words[day].values())),
                dict(Counter(kind for kind, _, _ in engaged[day])),
            )
            for day in types
        }


class Stored:
    """What lies under ``events/`` on localcloud's disk, read in an order that nobody planned."""

    def __init__(self, objects: Path, *, seed: int) -> None:
        self.keys: set[str] = set()
        self.lines = 0
        self.events: dict[str, bytes] = {}
        """Event id -> digest of its upstream object."""
        self.states: defaultdict[tuple[str, str], State] = defaultdict(State)
        self.differences = Differences()
        paths = sorted(path for path in (objects / "events").rglob("*") if path.is_file())
        random.Random(seed).shuffle(paths)  # noqa: S311 - a die that must be repeatable
        for path in paths:
            key = path.relative_to(objects).as_posix()
            self.keys.add(key)
            self._read(key, path.read_bytes())

    def _read(self, key: str, body: bytes) -> None:
        *lines, rest = body.split(b"\n")
        if rest or not lines:
            self.differences.add(f"{key} is not whole lines")
            return
        self.lines += len(lines)
        try:
            records = [json.loads(line) for line in lines]
            for record in records:
                self._take(key, record)
            self._check_name(key, body, records)
        except (ValueError, KeyError, TypeError) as error:
            self.differences.add(f"{key}: {type(error).__name__}: {error}")

    def _take(self, key: str, record: dict[str, Any]) -> None:
        raw = record["raw"]
        known = self.events.setdefault(record["event_id"], digest(raw))
        if known != digest(raw):
            self.differences.add(f"{key}: {record['event_id']} tells two different things")
        hour = datetime.fromtimestamp(raw["timestamp"], ZONE).strftime("events/dt=%Y-%m-%d/hour=%H")
        if key.rpartition("/")[0] != hour:
            self.differences.add(f"{key} holds an event of {hour}")
        said = (record["source"], record["type"], record["message_id"], record["recipient"], record["verified"])
        if said != ("ses", OURS[raw["event"]], raw["bulkId"], raw["email"], False):
            self.differences.add(f"{key} says {said}")
        self.states[record["message_id"], record["recipient"]].add(record)

    def _check_name(self, key: str, body: bytes, records: list[dict[str, Any]]) -> None:
        name = key.rpartition("/")[2]
        if name.startswith("merged-"):
            right = f"merged-{hashlib.sha256(body).hexdigest()}.jsonl"
        else:
            right = f"{digest([[one['source'], one['raw']] for one in records]).hex()}.jsonl"
        if name != right:
            self.differences.add(f"{key} is not what its name says")


def compare(storm: Storm, sent: Sent, stored: Stored) -> Differences:
    """Return every difference between what was sent and what is stored; none means that all is right."""
    found = stored.differences
    wanted, kept = set(sent.digests), set(stored.events.values())
    for _ in wanted - kept:
        found.add("an event that was sent is not stored")
    for _ in kept - wanted:
        found.add("an event is stored that was never sent")
    if not len(stored.events) == len(kept) == storm.events:
        found.add(f"{len(stored.events)} ids of {len(kept)} events, of {storm.events} that were sent")
    for truth in storm.truths():
        state = stored.states.pop((truth.message_id, truth.recipient), State())
        is_like = [(state.delivery.type, state.delivery.class_ or None)]
        is_like += [state.count(kind) for kind in ENGAGEMENTS] + [state.tally(kind).human for kind in JUDGED]
        should = [(truth.type, truth.class_), *(getattr(truth, kind) for kind in ENGAGEMENTS)]
        should += [getattr(truth, f"{kind}_human") for kind in JUDGED]
        if is_like != should:
            found.add(f"{truth.message_id}: {is_like} and not {should}")
    for pair in stored.states:
        found.add(f"{pair}: nobody sent that")
    return found


def missing(sent: Sent, stored: Stored, numbers: Iterable[int]) -> int:
    """Count those of the events by ``numbers`` that are not stored."""
    kept = set(stored.events.values())
    return sum(sent.digests[number] not in kept for number in numbers)


def compare_report(sent: Sent, day: str, report: dict[str, Any]) -> Differences:
    """Return every difference between a day's report and what was sent."""
    found, wanted = Differences(), sent.days[day]
    recipients = report["recipients"]
    for what, is_like, should in (
        ("distinct events", report["events"]["distinct"], wanted.events),
        ("events by type", report["events"]["by_type"], wanted.by_type),
        ("vanished", report["events"]["vanished"], 0),
        ("unreadable", report["events"]["unreadable"], 0),
        ("recipients", recipients["total"], sum(wanted.outcomes.values())),
        ("outcomes", recipients["by_outcome"], wanted.outcomes),
        ("engaged", {kind: recipients[kind] for kind in ENGAGEMENTS if recipients[kind]}, wanted.engaged),
    ):
        if is_like != should:
            found.add(f"{what} {is_like} and not {should}")
    return found


def compare_suppression(sent: Sent, objects: Path) -> Differences:
    """Return every difference between the suppression list on the disk and who is to be on it."""
    found = Differences()
    listed = {path.stem for path in (objects / "suppression").glob("*.json")}
    wanted = {hashlib.sha256(address.encode()).hexdigest() for address in sent.suppressed}
    for name in listed ^ wanted:
        found.add(f"suppression/{name}.json {'is there' if name in listed else 'is missing'}")
    return found
