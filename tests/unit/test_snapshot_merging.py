"""A merge is a join: whatever passes bring, in whichever runs, and wherever it is left, the day is their union, once."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.snapshot import merging, runs, spills
from functions.snapshot.checkpoint import new_checkpoint
from functions.snapshot.lines import key_of, line_of, requested_at, says_the_same
from functions.snapshot.merging import Merge
from functions.snapshot.rows import ses_status_record
from functions.snapshot.runs import Fresh
from functions.snapshot.spills import Spills
from shared.trail.layout import checkpoint_key

if TYPE_CHECKING:
    from functions.snapshot.checkpoint import Checkpoint

DAY = "2026-11-19"
FIRST_S = 1795017600


class Bucket:
    """The verbs of Store that a merge uses, over a dict."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        body = self.objects.get(key)
        return None if body is None else body[start : start + length]

    def put(self, key: str, body: bytes, **_: Any) -> None:
        self.objects[key] = body

    def put_once(self, key: str, body: bytes) -> bool:
        return self.objects.setdefault(key, body) is body

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)


class LeftError(Exception):
    """The merge is left here; another goes on."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few rows be many."""
    monkeypatch.setattr(spills, "SPILL_ROWS", 7)
    monkeypatch.setattr(merging, "ROWS_PER_PART", 5)


def row(number: int, version: int) -> dict[str, Any]:
    """Return a row as SES tells it; later versions were opened more recently."""
    return {
        "MessageId": f"qcloudses-{number // 3}",
        "ToEmailAddress": f"user{number}@example.com",
        "FromEmailAddress": 'a,"sender":b@example.com',
        "SendStatus": 0,
        "DeliverStatus": 1,
        "DeliverMessage": ',"fetched_at":"x","raw":{' if number % 4 else "",
        "RequestTime": FIRST_S + number,
        "DeliverTime": FIRST_S + number + version,
        "UserOpened": version > 1,
    }


def record(number: int, version: int, fetched_at: str = "2026-11-20T00:00:00Z") -> Any:
    return ses_status_record(row(number, version), DAY, fetched_at)


def spill(bucket: Bucket, checkpoint: Checkpoint, pages: list[dict[int, int]], fetched_at: str) -> None:
    """Read pages, each durable before the next, and each taken up by another instance."""
    for page in pages:
        run = Spills(bucket, checkpoint, now=0.0)  # type: ignore[arg-type]
        run.add([record(number, version, fetched_at) for number, version in page.items()])
        run.keep(1.0)
        checkpoint.update(json.loads(bucket.objects[checkpoint_key("status", DAY)]))
    Spills(bucket, checkpoint, now=0.0).keep(1.0, last=True)  # type: ignore[arg-type]


def merge(bucket: Bucket, checkpoint: Checkpoint, known: list[Any], lefts: list[int]) -> Any:
    """Merge, left at the numbered moments, each time gone on with from what JSON keeps."""
    while True:
        one = Merge(bucket, checkpoint, known)  # type: ignore[arg-type]
        fresh = Fresh(bucket, checkpoint["spills"], [], one.state["positions"])  # type: ignore[arg-type]
        steps = lefts.pop() if lefts else -1

        def between_parts(one: Merge = one) -> None:
            nonlocal steps
            checkpoint["merge"] = json.loads(json.dumps(one.state))
            if steps == 0:
                raise LeftError
            steps -= 1

        try:
            one.run(fresh, between_parts)
        except LeftError:
            continue
        return one.state


def read(bucket: Bucket, parts: list[Any]) -> list[bytes]:
    """Return the day's lines; every part is what it says."""
    lines: list[bytes] = []
    for part in parts:
        body = bucket.objects[part["key"]]
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (part["sha256"], part["bytes"])
        own = body.splitlines(keepends=True)
        assert len(own) == part["rows"] > 0
        lines += own
    return lines


PAGES = st.lists(st.dictionaries(st.integers(0, 40), st.integers(1, 3), max_size=9), max_size=8)


@given(passes=st.lists(PAGES, min_size=1, max_size=4), lefts=st.lists(st.integers(0, 4), max_size=6))
def test_the_day_is_the_union_of_all_passes_each_row_once_and_as_it_was_met_last(
    passes: list[list[dict[int, int]]], lefts: list[int]
) -> None:
    bucket, parts = Bucket(), []
    truth: dict[int, int] = {}
    for number, pages in enumerate(passes, 1):
        met = {key: version for page in pages for key, version in page.items()}
        checkpoint = new_checkpoint("status", DAY, number, "t")
        spill(bucket, checkpoint, pages, f"2026-11-20T00:00:0{number}Z")
        state = merge(bucket, checkpoint, parts, list(lefts))
        assert state["gained"] == len(met.keys() - truth.keys())
        assert state["missed"] == len(truth.keys() - met.keys())
        assert state["changed"] == sum(truth.get(key, version) != version for key, version in met.items())
        truth |= met
        parts = state["parts"]
        lines = read(bucket, parts)
        assert [key_of(line) for line in lines] == sorted({key_of(line_of(record(*item))) for item in truth.items()})
        told = {json.loads(line)["recipient"]: json.loads(line)["raw"] for line in lines}
        assert told == {f"user{key}@example.com": row(key, version) for key, version in truth.items()}
        times = [json.loads(line)["requested_at"] for line in lines]
        assert (state["first_at"], state["last_at"]) == ((min(times), max(times)) if times else ("", ""))


@given(pages=PAGES, lefts=st.lists(st.integers(0, 4), max_size=6))
def test_wherever_a_merge_is_left_it_makes_the_same_bytes(pages: list[dict[int, int]], lefts: list[int]) -> None:
    made = []
    for moments in ([], lefts):
        bucket = Bucket()
        before = new_checkpoint("status", DAY, 1, "t")
        spill(bucket, before, [dict.fromkeys(range(0, 40, 2), 1)], "2026-11-20T00:00:01Z")
        known = merge(bucket, before, [], [])["parts"]
        checkpoint = new_checkpoint("status", DAY, 2, "t")
        spill(bucket, checkpoint, pages, "2026-11-20T00:00:02Z")
        made.append((merge(bucket, checkpoint, known, list(moments)), bucket.objects))
    assert made[0] == made[1]


@given(pages=PAGES)
def test_a_pass_that_repeats_what_is_known_leaves_every_part_as_it_is(pages: list[dict[int, int]]) -> None:
    """However much later: the time of fetching is the first at which a row said what it says."""
    bucket, checkpoint = Bucket(), new_checkpoint("status", DAY, 1, "t")
    spill(bucket, checkpoint, pages, "2026-11-20T00:00:01Z")
    first = merge(bucket, checkpoint, [], [])["parts"]
    met = {key: version for page in pages for key, version in page.items()}
    again = new_checkpoint("status", DAY, 2, "t")
    spill(bucket, again, [met], "2026-11-21T00:00:01Z")
    state = merge(bucket, again, first, [])
    assert state["parts"] == first
    assert (state["gained"], state["missed"], state["changed"]) == (0, 0, 0)


def test_runs_that_are_all_open_at_once_hold_little_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages in an order that has nothing to do with the keys: every run reaches from the first row to the last."""
    monkeypatch.setattr(runs, "READ_AHEAD_BYTES", 20_000)
    monkeypatch.setattr(runs, "LARGEST_READ_BYTES", 5_000)
    monkeypatch.setattr(runs, "SMALLEST_READ_BYTES", 100)
    monkeypatch.setattr(spills, "SPILL_ROWS", 100)
    bucket, checkpoint = Bucket(), new_checkpoint("status", DAY, 1, "2026-11-20T00:00:00Z")
    spill(bucket, checkpoint, [dict.fromkeys(range(at, 4000, 40), 1) for at in range(40)], "2026-11-20T00:00:00Z")
    assert len(checkpoint["spills"]) == 40
    assert all(one["bytes"] > 40_000 for one in checkpoint["spills"])
    fresh = Fresh(bucket, checkpoint["spills"], [], [])  # type: ignore[arg-type]
    most = taken = 0
    while fresh.key is not None:
        fresh.take()
        taken += 1
        most = max(most, sum(run.held_bytes for run in fresh._runs.values()))
    assert taken == 4000
    # Beyond what is shared, the smallest piece of each, and the part of a line before it.
    assert 5_000 < most <= 20_000 + 40 * (100 + 600)


def test_rows_without_an_id_are_never_taken_for_each_other() -> None:
    """SES has been seen to leave fields out: what looks alike is one row, what differs is two, and none is lost."""
    nameless = [ses_status_record({**row(1, 1), "MessageId": None, "DeliverTime": n}, DAY, "t") for n in (1, 2, 2)]
    assert len({key_of(line_of(one)) for one in nameless}) == 2


def test_nothing_of_a_damaged_part_is_trusted_and_the_passes_bring_its_rows_back() -> None:
    """A changed byte may have made another row of a row; what a pass brings counts as new, so that more passes follow."""
    bucket, checkpoint = Bucket(), new_checkpoint("status", DAY, 1, "t")
    spill(bucket, checkpoint, [dict.fromkeys(range(4), 1)], "2026-11-20T00:00:01Z")
    (part,) = merge(bucket, checkpoint, [], [])["parts"]
    body = bucket.objects[part["key"]]
    bucket.objects[part["key"]] = body.replace(b"user3@", b"user4@", 1)
    again = new_checkpoint("status", DAY, 2, "t")
    spill(bucket, again, [{0: 1, 1: 1, 3: 1}], "2026-11-20T00:00:02Z")
    state = merge(bucket, again, [part], [])
    told = [json.loads(line)["recipient"] for line in read(bucket, state["parts"])]
    assert told == [f"user{number}@example.com" for number in (0, 1, 3)]
    assert state["gained"] == 3
    assert state["parts"][0]["key"] != part["key"]


def test_what_a_line_says_is_read_without_parsing_it() -> None:
    """Members are found by their marks; a text that looks like one is not taken for it."""
    one, other = (line_of(record(1, 1, at)) for at in ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"))
    assert says_the_same(one, other)
    assert not says_the_same(one, line_of(record(1, 2)))
    assert requested_at(one) == json.loads(one)["requested_at"]
    assert key_of(one).decode() in one.decode()
    assert json.loads(key_of(one) + b"}")["recipient"] == "user1@example.com"
