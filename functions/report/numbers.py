"""The day's numbers: what was counted, and how each is defined.

One (message, recipient) is one unit. Events are counted by ``event_id``, so a callback that came twice counts once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from functions.report.authenticity import count_refused, read_refusal
from functions.report.engagement import ALL_AND_HUMAN, done, events_by_machine, rates
from functions.report.event_reading import Missed, iter_events
from functions.report.reading import count_quarantined, iter_sends, read_snapshot
from functions.report.tasks import read_tasks
from functions.report.told import FILLED_IN
from shared.trail.fold import ENGAGEMENTS, State
from shared.trail.layout import CALLBACK_TOKEN_REFUSED_KEY, UNSUBSCRIBE_REFUSED_KEY
from shared.trail.machine import JUDGED
from shared.trail.records import VERSION
from shared.trail.suppression_rules import FLAGS, entry_of, entry_of_flag
from shared.trail.vocabulary import SUPPRESSING, send_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.trail.store import Store
    from shared.trail.suppression import Entry

Key = tuple[str, str]


class Day:
    """Everything counted about one day while its records stream by."""

    def __init__(self) -> None:
        self.states: defaultdict[Key, State] = defaultdict(State)
        self.sources: defaultdict[Key, set[str]] = defaultdict(set)
        self.events: Counter[str] = Counter()
        self.event_lines = 0
        self.send_status: Counter[int | None] = Counter()
        self.status_types: Counter[str] = Counter()
        self.sends = 0
        self.suppressions: dict[Entry, None] = {}
        self._flagged: dict[tuple[Key, str], Entry] = {}
        self._said_so: set[tuple[Key, str]] = set()
        self._seen: dict[bytes, bool] = {}
        self._filled_in: set[bytes] = set()

    def add_event(self, record: Mapping[str, Any]) -> None:
        """Count one event line; a repeat counts as a line and no more."""
        is_filled_in = record["source"] == FILLED_IN
        # A repeat too: copies may differ, and the fold says which stands.
        self._say(record, "status" if is_filled_in else "event")
        # Of copies, one may say whose fault it was and another not: the list takes all, whichever is read first.
        if record["type"] in SUPPRESSING and (entry := entry_of(record)):
            self.suppressions[entry] = None
            self._said_so.add((_key(record), record["type"]))
        identity = bytes.fromhex(record["event_id"])
        if is_filled_in:  # what the webhook heard is counted without it
            self._filled_in.add(identity)
            return
        self.event_lines += 1
        # Copies may differ here too (a key that was set in between): proven once is proven.
        known = self._seen.get(identity)
        self._seen[identity] = bool(known or record["verified"])
        if known is None:
            self.events[record["type"]] += 1

    def filled_in(self) -> int:
        """Count the events that were made of status rows because no callback told them."""
        return len(self._filled_in)

    def verified(self) -> int:
        """Count the distinct events that carried our token or SendCloud's signature."""
        return sum(self._seen.values())

    def add_status(self, record: Mapping[str, Any]) -> None:
        """Count one status row."""
        self.send_status[record["send_status"]] += 1
        self.status_types[record["type"]] += 1
        self._say(record, "status")
        self.states[_key(record)].add_flags(record)
        for flag in FLAGS:
            if record[flag] and (entry := entry_of_flag(record, flag)):
                self._flagged[_key(record), flag] = entry

    def suppress_flagged(self) -> None:
        """Add who complained or unsubscribed by their rows alone: a callback that is lost must not have them mailed."""
        untold = self._flagged.keys() - self._said_so
        self.suppressions.update(dict.fromkeys(self._flagged[each] for each in sorted(untold)))

    def add_send(self, record: Mapping[str, Any]) -> None:
        """Count one accepted send: every recipient of it is accepted, whatever follows."""
        self.sends += 1
        for recipient in record["recipients"]:
            said = {"message_id": record["message_id"], "recipient": recipient, "type": "accepted"}
            self._say({**said, "occurred_at": record["accepted_at"]}, "send")

    def _say(self, record: Mapping[str, Any], source: str) -> None:
        self.states[_key(record)].add(record)
        self.sources[_key(record)].add(source)


def _key(record: Mapping[str, Any]) -> Key:
    return record["message_id"] or "", (record["recipient"] or "").lower()


def read_day(store: Store, day: str, utc_offset_s: int) -> tuple[Day, dict[str, Any]]:
    """Read a day of the trail; return what was counted, and the report's JSON object. Raises StoreError."""
    counted = Day()
    missed = Missed()
    for event in iter_events(store, day, missed):
        counted.add_event(event)
    for send in iter_sends(store, day):
        counted.add_send(send)
    snapshots = {source: _read_rows(store, source, day, counted) for source in ("status", "sendcloud")}
    counted.suppress_flagged()
    by_domain = _by_domain(counted)
    recipients = _recipients(counted, by_domain)
    return counted, {
        "v": VERSION,
        "day": day,
        "sends": counted.sends,
        "events": {
            "distinct": sum(counted.events.values()),
            "lines": counted.event_lines,
            "by_type": dict(counted.events.most_common()),
            "filled_in": counted.filled_in(),
            "vanished": missed.vanished,
            "unreadable": missed.unreadable,
            "by_machine": events_by_machine(counted.states.values()),
            "verified": counted.verified(),
            "unverified": sum(counted.events.values()) - counted.verified(),
        },
        "recipients": recipients,
        "rates": rates(counted.states.values(), recipients),
        "by_domain": by_domain,
        "status": {**snapshots["status"], "by_send_status": _by_send_status(counted)},
        "sendcloud": snapshots["sendcloud"],
        "tasks": read_tasks(store, day, utc_offset_s),
        "quarantined": count_quarantined(store, day),
        "refused": count_refused(store, day),
        "callback_token_refused": read_refusal(store, CALLBACK_TOKEN_REFUSED_KEY),
        "unsubscribe_refused": read_refusal(store, UNSUBSCRIBE_REFUSED_KEY),
    }


def _read_rows(store: Store, source: str, day: str, counted: Day) -> dict[str, Any]:
    manifest, rows = read_snapshot(store, source, day)
    number = 0
    own = Day() if source == "sendcloud" else counted
    for number, row in enumerate(rows, 1):  # noqa: B007 - the last one is the count
        own.add_status(row)
        if own is not counted:
            counted._say(row, "status")  # noqa: SLF001 - its codes are not SES's, its states are the day's
    told = {name: manifest.get(name) for name in ("complete", "passes", "finished_at")}
    return {**told, "rows": number, "by_type": dict(own.status_types.most_common())}


def _recipients(counted: Day, by_domain: list[dict[str, Any]]) -> dict[str, Any]:
    states = counted.states.values()
    return {
        "total": len(counted.states),
        "final": sum(state.is_final for state in states),
        "by_outcome": dict(Counter(state.delivery.type for state in states).most_common()),
        **{name: sum(row.get(name, 0) for row in by_domain) for name in ALL_AND_HUMAN},
    }


def _by_domain(counted: Day) -> list[dict[str, Any]]:
    domains: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (_, recipient), state in counted.states.items():
        told = domains[recipient.rpartition("@")[2] or "(unknown)"]
        told.update(["recipients", state.delivery.type, *done(state)])
    ordered = sorted(domains.items(), key=lambda item: (-item[1]["recipients"], item[0]))
    return [{"domain": domain, **told} for domain, told in ordered]


def _by_send_status(counted: Day) -> list[dict[str, Any]]:
    rows = sorted(counted.send_status.items(), key=lambda item: (-item[1], item[0] or 0))
    return [
        {"send_status": code, "meaning": send_status(-1 if code is None else code).text, "rows": count}
        for code, count in rows
    ]


def iter_table(counted: Day) -> Iterator[dict[str, Any]]:
    """Yield one row for each (message, recipient), in order: the report's CSV."""
    for key in sorted(counted.states):
        state = counted.states[key].as_dict()
        row = {"message_id": key[0], "recipient": key[1], "outcome": state["type"]}
        row |= {name: state[name] for name in ("class", "reason", "fault", "at", "final")}
        row |= {name: state[f"{name}_count"] or int(state[name]) for name in ENGAGEMENTS}
        row |= {f"{name}_human": state[f"{name}_human_count"] for name in JUDGED}
        yield {**row, "told_by": " ".join(sorted(counted.sources[key]))}
