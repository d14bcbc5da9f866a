"""A short run of the fuzz in every test run: the same inputs each time, and every input that ever broke something.

`make fuzz` runs a million, guided by coverage; tests/fuzz/oracle.py says what must be true of each.
"""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING

import pytest

from functions.webhook import ingest
from tests.fuzz import mutation, oracle, seeds

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 1000
TARGETS = {
    "body": (oracle.check_body, mutation.mutate, seeds.bodies),
    "event": (oracle.check_event, mutation.mutate_event, seeds.events),
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in oracle.environment().items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("target", TARGETS)
def test_nearly_right_inputs_are_answered_and_kept(target: str) -> None:
    """No exception, no 5xx; what was acknowledged is in the bucket, verbatim, once, whatever its order."""
    check, change, corpus = TARGETS[target]
    originals, rng = corpus(), random.Random(20261121)  # noqa: S311 - the same each time
    assert len(originals) > 40
    for data in originals:
        check(data)
    for _ in range(RUNS):
        check(change(rng.choice(originals), rng))


KEPT = [(target, path) for target in TARGETS for path in seeds.crashers(target)]


@pytest.mark.parametrize(("target", "path"), KEPT, ids=[path.name for _, path in KEPT])
def test_what_once_broke_it_does_so_no_more(target: str, path: Path) -> None:
    """From either provider, twice, and in another order: what broke one way is asked in every way."""
    data = path.read_bytes()
    if target == "event":
        oracle.check_event(data)
        return
    for provider in ("ses", "sendcloud"):
        oracle.check_body_of(provider, data)


@pytest.mark.parametrize(
    ("name", "broken"),
    [("_is_deeper", False), ("_hour", ("2026-11-20", "01")), ("encode_line", b"{}\n"), ("canonical_json", b'{"a":1}')],
)
def test_the_oracle_sees_what_is_wrong(name: str, broken: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that cannot fail proves nothing: an ingest that is broken in one place is told."""
    monkeypatch.setattr(ingest, name, lambda *_: broken)
    event = b'{"event":"open","timestamp":1795161600,"x":%b}'
    both = b"[%b,%b]" % (event % b"1", event % (b"[" * 70 + b"]" * 70))
    ses = next(both + b" " * n for n in range(99) if zlib.crc32(both + b" " * n) & 1 == 0)
    with pytest.raises((AssertionError, KeyError)):
        oracle.check_body(ses)
