"""What must be true of whatever arrives: answered, kept, counted once. Both targets raise when something is not."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
import re
import time
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest import mock

from functions.webhook import handler, refusals, unsubscribe
from functions.webhook.body import BrokenLine, UnreadableError, parse_objects
from functions.webhook.ingest import DEEPEST, Desk, Stored
from functions.webhook.receive import Callback, store_callback
from localcloud.gateway.environment import account_environment
from shared.trail.records import canonical_json
from tests.fuzz.memory import MemoryStore
from tests.handlers import NOW, context

if TYPE_CHECKING:
    from collections.abc import Iterator

OFFSET_S = 8 * 3600
TOKEN_KEYS = ["a-token-key-of-the-fuzz"]
EVENT_KEY = re.compile(r"events/dt=(\d{4}-\d\d-\d\d)/hour=(\d\d)/[0-9a-f]{64}\.jsonl")
QUARANTINE_KEY = re.compile(r"quarantine/dt=2026-11-20/([0-9a-f]{64})\.json")
OTHER_KEY = re.compile(
    r"(suppression/[0-9a-f]{64}|state/webhook/(tokens/dt=[0-9-]{10}|refused/dt=[0-9-]{10}|unsubscribed)/[0-9a-f]+)\.json"
)
TYPES = frozenset(
    "accepted deferred delivered bounced rejected failed opened clicked complained unsubscribed unknown".split()
)
LONGEST_S = 2.0
"""Seconds of CPU that one input may take; 256 KB of the worst known take a third of one."""


def check_body(data: bytes) -> None:
    """Store a body as one of ``ses`` or ``sendcloud``, and some of them twice: a hash tells, so that it is repeatable."""
    number = zlib.crc32(data)
    check_body_of("sendcloud" if number & 1 else "ses", data, thoroughly=not number & 6)


def check_body_of(provider: str, data: bytes, *, thoroughly: bool = True) -> None:
    """Look at what lies in the bucket after a callback; ``thoroughly``: after a redelivery and another order as well."""
    store = MemoryStore()
    began = time.process_time()
    stored = _store(provider, data, store)
    assert time.process_time() - began < LONGEST_S
    _check_kept(store, stored, data)
    if not thoroughly:
        return
    # A redelivery is nothing new, and neither is the same in another order.
    before = dict(store.objects)
    assert _store(provider, data, store) == stored
    assert store.objects == before
    for other in _reordered(data):
        again = MemoryStore()
        _store(provider, other, again)
        assert set(dict(again.under("events/"))) == set(dict(store.under("events/")))
        assert _ids(again) == _ids(store)


def check_event(data: bytes) -> None:
    """Give the handler an event as the platform would and look at its answer; what is no JSON reaches no handler."""
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return
    store = MemoryStore()
    with (
        mock.patch.object(handler, "Store", return_value=store),
        mock.patch.object(unsubscribe, "Store", return_value=store),
        mock.patch.object(handler, "refusals", refusals.Refusals()),
    ):
        reply = handler.main_handler(event, context())
    assert set(reply) == {"isBase64Encoded", "statusCode", "headers", "body"}
    assert reply["statusCode"] in (200, 400, 401, 404, 405, 413), reply
    json.dumps(reply)
    if reply["headers"]["Content-Type"].startswith("text/html"):
        _check_page(reply, store)
        return
    told = json.loads(reply["body"].encode())
    if reply["statusCode"] == 200 and "stored" in told:
        _check_kept(store, Stored(told["stored"], told.get("quarantined", 0)), None)
    elif reply["statusCode"] != 401:
        assert not store.objects


def _check_page(reply: dict[str, Any], store: MemoryStore) -> None:
    """Only the page that says so has unsubscribed anybody, and then one person."""
    reply["body"].encode()
    is_done = "You are unsubscribed" in reply["body"] or "已退订" in reply["body"]
    assert len(list(store.under("suppression/"))) == int(is_done)
    assert all(OTHER_KEY.fullmatch(key) for key in store.objects)
    assert bool(store.objects) is is_done


def environment() -> dict[str, str]:
    """Return the environment in which ``check_event`` wants to run: the local account's, at the time of the events."""
    return {
        **os.environ,
        **account_environment(),
        "MAILTRAIL_CLOCK_OFFSET_S": str(NOW - time.time()),
        "LOG_LEVEL": "ERROR",
    }


def _store(provider: str, body: bytes, store: MemoryStore) -> Stored:
    desk: Any = Desk(store, OFFSET_S, NOW)  # type: ignore[arg-type]
    return store_callback(Callback(provider, {"content-type": "x"}, body, NOW, verified=False), desk, TOKEN_KEYS)


def _check_kept(store: MemoryStore, stored: Stored, body: bytes | None) -> None:
    objects = [] if body is None else _objects(body)
    lines, quarantined = 0, 0
    left = Counter(canonical_json(raw) for raw in objects if isinstance(raw, dict) and not _is_split(raw))
    for key, content in store.objects.items():
        if match := EVENT_KEY.fullmatch(key):
            for line in _lines(content):
                lines += 1
                _check_line(line, *match.groups())
                raw = canonical_json(line["raw"])
                if body is not None and not _is_split(line["raw"]):
                    assert left[raw] > 0, "raw is what came"
                    left[raw] -= 1
        elif match := QUARANTINE_KEY.fullmatch(key):
            quarantined += 1
            _check_quarantined(json.loads(content), match[1], body, objects)
        else:
            assert OTHER_KEY.fullmatch(key), key
            json.loads(content)
    assert lines == stored.events
    assert (quarantined == 0) is (stored.quarantined == 0)
    assert quarantined <= stored.quarantined
    if body is not None:
        assert lines or quarantined or objects == []


def _check_line(line: dict[str, Any], day: str, hour: str) -> None:
    assert line["v"] == 1
    assert line["type"] in TYPES
    assert re.fullmatch("[0-9a-f]{64}", line["event_id"])
    occurred = dt.datetime.fromisoformat(line["occurred_at"].replace("Z", "+00:00")) + dt.timedelta(seconds=OFFSET_S)
    assert (occurred.strftime("%Y-%m-%d"), occurred.strftime("%H")) == (day, hour)
    for name in ("message_id", "recipient", "smtp", "enhanced", "link", "task_id", "reason", "machine"):
        assert line[name] is None or isinstance(line[name], str)
    assert isinstance(line["raw"], dict)
    _check_depth(line["raw"])


def _check_depth(raw: Any) -> None:
    level = [raw]
    for _ in range(DEEPEST + 2):
        level = [v for w in level if isinstance(w, (dict, list)) for v in (w.values() if isinstance(w, dict) else w)]
    assert not level


def _check_quarantined(line: dict[str, Any], sha256: str, body: bytes | None, objects: list[Any]) -> None:
    kept = base64.b64decode(line["body_base64"]) if "body_base64" in line else line["body"].encode()
    assert hashlib.sha256(kept).hexdigest() == sha256
    assert line["why"]
    if body is not None and kept != body:
        elements = (one.text.encode() if isinstance(one, BrokenLine) else canonical_json(one) for one in objects)
        assert kept in elements


def _lines(content: bytes) -> Iterator[dict[str, Any]]:
    assert content.endswith(b"\n")
    for line in content[:-1].split(b"\n"):
        yield json.loads(line, parse_constant=_refuse)


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} in the trail")


def _objects(body: bytes) -> list[Any]:
    try:
        return parse_objects(body)
    except UnreadableError:
        return [None]


def _is_split(raw: dict[str, Any]) -> bool:
    return any(name.lower() == "recipientarray" for name in raw)


def _ids(store: MemoryStore) -> Counter[str]:
    return Counter(line["event_id"] for _, content in store.under("events/") for line in _lines(content))


def _reordered(body: bytes) -> Iterator[bytes]:
    try:
        objects = parse_objects(body)
        if all(isinstance(one, dict) for one in objects):
            yield json.dumps([dict(reversed(one.items())) for one in reversed(objects)]).encode()
    except (UnreadableError, RecursionError):
        return
