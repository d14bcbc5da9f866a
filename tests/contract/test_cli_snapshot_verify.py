"""`mailtrail snapshot verify` finds whatever is not as it was written; `mailtrail snapshot days` tells where days stand."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.main import main
from cli.trail import open_trail
from functions.snapshot.checkpoint import new_checkpoint, write_checkpoint
from functions.snapshot.manifest import digest_of, encode_manifest
from shared.trail.store import Store
from tests.handlers import DAY, bucket, run, timer
from tests.pacing import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud import LocalCloud

Manifest = dict[str, Any]
YESTERDAY = "2026-11-19"
MANIFEST = f"status/dt={YESTERDAY}/manifest.json"


def mailtrail(*arguments: str, code: int = 0, **options: Any) -> Result:
    """Run `mailtrail snapshot …` in this process, over the cloud of the environment."""
    done = CliRunner(**options).invoke(main, ["snapshot", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def verified(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Read what `verify --json` prints."""
    found: dict[str, Any] = json.loads(mailtrail("verify", *arguments, "--json", code=code).stdout)
    return found


def problems(day: str = YESTERDAY) -> list[tuple[str, str]]:
    """Return what `verify` has against which object of a day."""
    return [(one["key"], one["text"]) for one in verified("--day", day, code=1)["problems"]]


@pytest.fixture
def taken(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> LocalCloud:
    """Take two days of SES, of five parts each, and SendCloud's."""
    Stopwatch(monkeypatch)
    monkeypatch.setattr("functions.snapshot.merging.ROWS_PER_PART", 30)
    for day in (YESTERDAY, "2026-11-15"):
        cloud.seed(day=day, messages=150, tasks=0, sendcloud=40, seed=7)
        run("snapshot", timer(day), time_limit_s=900)
    return cloud


def store() -> Store:
    return open_trail(None).store


def manifest() -> Manifest:
    found: Manifest = json.loads(bucket(MANIFEST)[MANIFEST])
    return found


def rewritten(change: Callable[[Manifest], Any]) -> None:
    """Write the manifest as a function with a fault would: its digest is right, what it says is not."""
    found = manifest()
    change(found)
    found["digest"] = digest_of(found)  # type: ignore[arg-type]
    store().put(MANIFEST, encode_manifest(found))  # type: ignore[arg-type]


def with_part(number: int, change: Callable[[list[bytes]], list[bytes]]) -> str:
    """Write one part with other lines, and a manifest that is right about it."""
    part = manifest()["parts"][number]
    body = b"".join(change(bucket(part["key"])[part["key"]].splitlines(keepends=True)))
    store().put(part["key"], body)
    told = {"rows": body.count(b"\n"), "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}

    def rename(found: Manifest) -> None:
        found["parts"][number].update(told)
        found["rows"] = sum(one["rows"] for one in found["parts"])

    rewritten(rename)
    key: str = part["key"]
    return key


def test_what_was_written_is_in_order_and_told_in_numbers(taken: LocalCloud) -> None:
    found = verified()
    assert found == {
        "manifests": 4,
        "parts": 2 * (5 + 2),
        "rows": 2 * (150 + 40),
        "bytes": sum(len(body) for key, body in bucket().items() if "/part-" in key),
        "problems": [],
        "notes": [],
    }
    assert mailtrail("verify").stdout == f"4 manifests, 14 parts, 380 rows, {found['bytes']} bytes, 0 problems\n"
    assert verified("--day", "yesterday")["manifests"] == 2
    assert verified("--from", "5d", "--to", "5d")["rows"] == 190


def test_one_changed_byte_is_found_wherever_it_is(taken: LocalCloud) -> None:
    """In a manifest, or in any object that one names."""
    whole = {key: body for key, body in bucket().items() if key.startswith(("status/", "sendcloud/"))}
    assert len(whole) == 4 + 14

    @settings(max_examples=100)
    @given(st.sampled_from(sorted(whole)), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
    def changed(key: str, where: float, how: int) -> None:
        body = bytearray(whole[key])
        body[int(where * len(body))] ^= how
        store().put(key, bytes(body))
        try:
            assert key in {found for found, _ in problems(key[key.index("=") + 1 :][:10])}
        finally:
            store().put(key, whole[key])

    changed()
    assert verified()["problems"] == []


def test_everything_that_is_wrong_is_told_at_once_with_its_object(taken: LocalCloud) -> None:
    first, second, third, *_ = (part["key"] for part in manifest()["parts"])
    body = bucket(second)[second]
    store().delete(first)
    store().put(second, body[:-1] + b"}")
    store().put(third, b"")
    other = f"sendcloud/dt={YESTERDAY}/manifest.json"
    store().put(other, b" " + bucket(other)[other])
    found = problems()
    assert [key for key, _ in found] == [first, second, second, third, third, third, other]
    texts = [text for _, text in found]
    assert texts[0] == "is missing"
    assert texts[1:3] == ["its sha256 is not the manifest's", "line 30 is cut off"]
    assert texts[3] == "its sha256 is not the manifest's"
    assert texts[4].startswith("has 0 bytes, the manifest says ")
    assert texts[5] == "has 0 rows, the manifest says 30"
    assert texts[6] == "its bytes are not those that were written"
    shown = mailtrail("verify", code=1).stdout
    assert f"{first} │ is missing" in shown
    assert ", 7 problems" in shown


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda lines: [lines[1], lines[0], *lines[2:]], "line 2 is out of order"),
        (lambda lines: [*lines, lines[-1]], "line 31 is a row that came before"),
        (lambda lines: [b"{}\n", *lines], "line 1 is no row of its day"),
        (lambda lines: [b"[" * 100_000 + b"\n", b"\xff\n", *lines], "line 1 is no row of its day, and 1 more"),
        (lambda lines: [lines[0].replace(b"2026-11-19", b"2026-11-18", 1), *lines[1:]], "line 1 is no row of its day"),
        (lambda lines: [lines[0].replace(b'"sender"', b'"sendet"'), *lines[1:]], "line 1 is no row of its day"),
    ],
)
def test_lines_are_read_even_if_every_hash_is_right(
    change: Callable[[list[bytes]], list[bytes]], text: str, taken: LocalCloud
) -> None:
    """A hash proves that nothing changed, not that it was right."""
    key = with_part(2, change)
    assert (key, text) in problems()


def test_a_row_twice_is_found_across_parts(taken: LocalCloud) -> None:
    last = bucket(key := manifest()["parts"][1]["key"])[key].splitlines(keepends=True)[-1]
    key = with_part(2, lambda lines: [last, *lines])
    assert problems() == [(key, "line 1 is a row that came before")]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda one: one.update(rows=151), "says 151 rows, its parts have 150"),
        (lambda one: one.update(first_at="2026-11-01T00:00:00Z"), "says first_at 2026-11-01T00:00:00Z, its rows say"),
        (lambda one: one.update(last_at=None), "says last_at None, its rows say 2026-11-19T"),
        (lambda one: one.update(day="2026-11-18"), "says that it is of status 2026-11-18"),
        (lambda one: one.update(complete=False), "says that the day is not complete"),
        (lambda one: one.update(parts=None), "is no manifest"),
        (lambda one: one["parts"][0].update(rows="30"), "is no manifest"),
        (lambda one: one.pop("superseded"), "is no manifest"),
        (lambda one: one["parts"].append(one["parts"][0]), "is no part of its own, or a second time"),
        (lambda one: one["parts"][0].update(key="suppression/x.json"), "names suppression/x.json, which is no part"),
    ],
)
def test_what_a_manifest_says_is_compared_even_if_its_digest_is_right(
    change: Callable[[Manifest], Any], text: str, taken: LocalCloud
) -> None:
    rewritten(change)
    assert any(key == MANIFEST and text in said for key, said in problems())


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"digest": {}}'])
def test_a_manifest_that_is_none_is_a_problem_and_no_traceback(body: bytes, taken: LocalCloud) -> None:
    store().put(MANIFEST, body)
    assert (MANIFEST, "is no manifest") in problems()
    row = next(one for one in standing() if (one["source"], one["day"]) == ("status", YESTERDAY))
    assert (row["damaged"], row["passes"], row["sealed"]) == (True, None, False)
    assert "manifest damaged" in mailtrail("days").stdout


def test_a_day_that_is_named_and_has_no_manifest_is_a_problem(taken: LocalCloud) -> None:
    """SES is always in use; SendCloud may not have been."""
    found = verified("--from", "2026-11-18", "--to", "yesterday", code=1)
    assert found["problems"] == [{"key": "status/dt=2026-11-18/manifest.json", "text": "there is no manifest"}]
    assert found["notes"] == [{"key": "sendcloud/dt=2026-11-18/manifest.json", "text": "there is no manifest"}]


def test_objects_that_no_manifest_names_are_told_and_are_no_problem(taken: LocalCloud) -> None:
    """Not those that the manifest keeps for readers of the one before; those of a pass that goes on are told as such."""
    taken.ses.seed(day=YESTERDAY, messages=10, tasks=0, seed=8)
    run("snapshot", timer(YESTERDAY), time_limit_s=900)
    assert manifest()["superseded"]
    assert verified()["notes"] == []
    stray, of_a_pass = f"status/dt={YESTERDAY}/pass=3/part-00099.jsonl", f"status/dt={DAY}/pass=1/part-00000.jsonl"
    store().put(stray, b"")
    store().put(of_a_pass, b"")
    write_checkpoint(store(), new_checkpoint("status", DAY, 1, "2026-11-20T08:00:00Z"))
    assert verified()["notes"] == [
        {"key": stray, "text": "no manifest names it"},
        {"key": of_a_pass, "text": "of the pass under way"},
    ]
    assert stray in mailtrail("verify").stdout


def test_who_may_not_list_can_verify_what_is_named(taken: LocalCloud) -> None:
    """The function's own role may not."""
    fault = {"service": "cos", "action": "GetBucket", "kind": "error", "code": "AccessDenied", "status": 403}
    taken.add_faults(fault)
    found = verified("--day", YESTERDAY)
    assert found["rows"] == 190
    assert {one["text"] for one in found["notes"]} == {
        "may not be listed; whether other objects lie there is not known"
    }


def test_a_pass_that_ends_meanwhile_is_no_problem(taken: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest that was read first names parts that are gone by the time they are read."""
    old = bucket(f"status/dt={YESTERDAY}/")
    taken.ses.seed(day=YESTERDAY, messages=10, tasks=0, seed=8)
    run("snapshot", timer(YESTERDAY), time_limit_s=900)
    for key in manifest()["superseded"]:
        store().delete(key)
    read, asked = Store.get, [old[MANIFEST]]

    def get(self: Store, key: str) -> bytes | None:
        return asked.pop() if key == MANIFEST and asked else read(self, key)

    monkeypatch.setattr(Store, "get", get)
    assert verified("--day", YESTERDAY)["rows"] == 160 + 40


def test_what_is_damaged_is_mended_by_a_pass_as_long_as_ses_knows_the_day(taken: LocalCloud) -> None:
    """A part at once; of a manifest, after it was deleted."""
    key = manifest()["parts"][1]["key"]
    store().put(key, bucket(key)[key].replace(b'"day"', b'"day!', 3))
    assert {found for found, _ in problems()} == {key}
    mailtrail("--day", YESTERDAY)
    assert (verified("--day", YESTERDAY)["problems"], manifest()["rows"]) == ([], 150)
    store().put(MANIFEST, b"{}")
    assert {found for found, _ in problems()} == {MANIFEST}
    store().delete(MANIFEST)
    mailtrail("--day", YESTERDAY)
    assert (verified("--day", YESTERDAY)["problems"], manifest()["rows"]) == ([], 150)


@pytest.mark.parametrize("verb", ["verify", "days"])
def test_a_cos_that_does_not_answer_is_a_message(verb: str, taken: LocalCloud) -> None:
    taken.add_faults({"service": "cos", "kind": "error", "code": "AccessDenied", "status": 403})
    assert "COS: get: AccessDenied" in mailtrail(verb, code=1).stderr


def standing(*arguments: str) -> list[dict[str, Any]]:
    """Read what `days --json` prints."""
    found: list[dict[str, Any]] = json.loads(mailtrail("days", "--json", *arguments).stdout)
    return found


def of_status(day: str) -> dict[str, Any]:
    return next(one for one in standing() if (one["source"], one["day"]) == ("status", day))


def test_days_tells_where_each_stands(taken: LocalCloud) -> None:
    write_checkpoint(store(), {**new_checkpoint("status", DAY, 1, "2026-11-20T08:00:00Z"), "pages": 1200})
    assert len(standing()) == 2 * 34
    assert of_status("2026-11-15") == {
        "source": "status",
        "day": "2026-11-15",
        "phase": "settled",
        "damaged": False,
        "passes": 2,
        "rows": 150,
        "unseen": 0.0,
        "agreed": True,
        "sealed": True,
        "pages_under_way": None,
        "days_left": 25,
        "at_risk": False,
    }
    yesterday, today = of_status(YESTERDAY), of_status(DAY)
    assert (yesterday["phase"], yesterday["agreed"], yesterday["sealed"]) == ("closed", True, False)
    assert (today["phase"], today["passes"], today["rows"], today["pages_under_way"]) == ("open", 0, None, 1200)
    shown = mailtrail("days").stdout
    assert "1200 pages" in shown
    assert "2026-11-15 │ settled │ 2      │ 150  │ 0      │ yes    │ yes" in shown


def test_days_of_a_source_that_is_not_in_use_are_not_told(taken: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENDCLOUD_API_USER")
    monkeypatch.delenv("SENDCLOUD_API_KEY")
    assert {one["source"] for one in standing()} == {"status"}


def test_days_that_are_not_sealed_and_soon_forgotten_stand_out(taken: LocalCloud) -> None:
    taken.advance(26 * 86400)
    at_risk = [one for one in standing() if one["at_risk"]]
    assert [one["day"] for one in at_risk if one["source"] == "status"] == [
        f"2026-11-{day}" for day in (*range(13, 15), *range(16, 22))
    ]
    assert of_status("2026-11-15")["days_left"] is None
    assert of_status("2026-11-16")["days_left"] == 0
    shown = mailtrail("days", env={"FORCE_COLOR": "1", "TERM": "xterm"}).stdout.splitlines()
    colour = "\x1b[1;31m"
    assert colour in next(line for line in shown if "2026-11-16" in line)
    assert colour not in next(line for line in shown if "2026-12-01" in line)
    assert "forgotten" in next(line for line in shown if "2026-11-15" in line)
