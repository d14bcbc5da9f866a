"""What lies on disk: readable files, any key, restarts, deaths in the middle, sixteen threads."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.clock import Clock
from localcloud.cos.files import file_name
from localcloud.cos.integrity import crc64
from localcloud.cos.service import CosService
from localcloud.cos.store import Content, Store
from localcloud.defaults import BUCKET
from tests.contract.cos_door import KEYS, error_code, send

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def service(tmp_path: Path) -> Iterator[CosService]:
    """Provide a fresh COS."""
    cos = CosService(tmp_path, Clock(), keys=KEYS)
    yield cos
    cos.close()


def tree(root: Path) -> list[str]:
    """Files of the default bucket's objects."""
    objects = root / "cos" / BUCKET / "objects"
    return sorted(str(path.relative_to(objects)) for path in objects.rglob("*") if path.is_file())


def test_objects_are_plain_files(service: CosService, tmp_path: Path):
    """A JSON-lines object can be looked at with cat, under its own key; deletion leaves no empty folders."""
    send(service, "PUT", "events/dt=2026-11-21/hour=09/ab.jsonl", body=b'{"v":1}\n')
    path = tmp_path / "cos" / BUCKET / "objects" / "events" / "dt=2026-11-21" / "hour=09" / "ab.jsonl"
    assert path.read_bytes() == b'{"v":1}\n'
    send(service, "DELETE", "events/dt=2026-11-21/hour=09/ab.jsonl")
    assert not (tmp_path / "cos" / BUCKET / "objects" / "events").exists()
    assert not list((tmp_path / "cos" / "staging").iterdir())


def test_keys_that_file_systems_refuse(service: CosService):
    """Folder and file of one name, dots, empty and very long segments live side by side."""
    keys = [
        "a",
        "a/b",
        "a/b/c",
        "../x",
        "./y",
        "z/..",
        "e//f",
        "g/",
        "n" * 300,
        "s/" * 400,
        "中" * 250,
        "x" * 850,
        "%hashed/q",
    ]
    for order in (keys, keys[::-1]):
        service.reset()
        for key in order:
            assert send(service, "PUT", key, body=key.encode()).status == 200
        for key in keys:
            assert send(service, "GET", key).body == key.encode()
        for key in order:
            assert send(service, "DELETE", key).status == 204
            assert send(service, "GET", key).status == 404
        assert b"<Contents>" not in send(service, "GET").body
    assert error_code(send(service, "PUT", "k" * 851)) == "KeyTooLong"


@given(st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=40))
def test_different_keys_have_different_files(one: bytes, two: bytes):
    """The name of a file gives its key away, and never leads out of the folder."""
    names = (file_name(one), file_name(two))
    assert (names[0] == names[1]) == (one == two)
    for name in names:
        assert name is not None
        assert all(part not in ("", ".", "..") for part in name.split("/"))


def test_everything_survives_a_restart(tmp_path: Path):
    """Objects, appendable objects, buckets and unfinished uploads are there after a restart."""
    first = CosService(tmp_path, Clock(), keys=KEYS)
    send(first, "PUT", "k", body=b"v", headers={"x-cos-meta-a": "1"})
    send(first, "POST", "log", params={"append": "", "position": "0"}, body=b"abc")
    send(first, "PUT", bucket="other-1250000000")
    send(first, "POST", "big", params={"uploads": ""})
    first.close()
    second = CosService(tmp_path, Clock(), keys=KEYS)
    assert send(second, "GET", "k").body == b"v"
    assert send(second, "HEAD", "k").headers["x-cos-meta-a"] == "1"
    assert send(second, "POST", "log", params={"append": "", "position": "3"}, body=b"d").status == 200
    assert send(second, "GET", "log").body == b"abcd"
    assert send(second, "HEAD", bucket="other-1250000000").status == 200
    assert b"<Key>big</Key>" in send(second, "GET", params={"uploads": ""}).body
    second.reset()
    assert send(second, "GET", "k").status == 404
    assert send(second, "HEAD", bucket="other-1250000000").status == 404
    assert send(second, "PUT", "k").status == 200
    assert tree(tmp_path) == ["k"]
    second.close()


def test_a_death_between_row_and_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """If the process dies with the row written and the file not renamed, the next start finishes the rename."""
    store = Store(tmp_path)
    store.index.add_bucket(BUCKET, 0)
    staging = store.files.stage([b"old"])
    staged = staging.__enter__()
    store.put(BUCKET, b"k", Content(staged, staged.md5.hex(), {}), now=1)
    staging = store.files.stage([b"newer"])
    staged = staging.__enter__()  # never left: a dead process does not clean up
    monkeypatch.setattr(store.files, "promote", lambda *_: None)
    store.put(BUCKET, b"k", Content(staged, staged.md5.hex(), {}), now=2)
    (tmp_path / "staging" / "half-written").write_bytes(b"ne")
    store.close()
    again = Store(tmp_path)
    row, stream = again.open(BUCKET, b"k")
    with stream:
        assert stream.read() == b"newer"
    assert (row.size, row.etag) == (5, staged.md5.hex())
    assert not list((tmp_path / "staging").iterdir())
    again.close()


def test_a_failing_rename_leaves_the_old_object(service: CosService, monkeypatch: pytest.MonkeyPatch):
    """If the rename itself fails, what stood before still stands, and a new key does not exist."""

    def fail(*_: object) -> None:
        raise OSError("disk full")

    send(service, "PUT", "k", body=b"old")
    monkeypatch.setattr(service.store.files, "promote", fail)
    for key in ("k", "fresh"):
        with pytest.raises(OSError, match="disk full"):
            send(service, "PUT", key, body=b"newer")
    assert send(service, "GET", "k").body == b"old"
    assert send(service, "GET", "fresh").status == 404


def write_until_killed(data: str) -> None:
    """Body of a process that puts and appends without end."""
    service = CosService(Path(data), Clock(), keys=KEYS)
    for number in range(10**9):
        letter = b"abcdefgh"[number % 8 :][:1]
        send(service, "PUT", f"k{number % 3}", body=letter * (1000 + number % 5 * 50_000))
        send(service, "POST", "log", params={"append": "", "position": str(number)}, body=b"x")


@pytest.mark.parametrize("after_s", [0.15, 0.25, 0.4])
def test_kill_leaves_no_torn_object(tmp_path: Path, after_s: float):
    """Killed in the middle of writing, every object is one whole write, with the checksum the index says."""
    process = multiprocessing.get_context("spawn").Process(target=write_until_killed, args=(str(tmp_path),))
    process.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "cos" / BUCKET / "objects" / "log").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    service = CosService(tmp_path, Clock(), keys=KEYS)
    for key in ("k0", "k1", "k2"):
        answer = send(service, "GET", key)
        if answer.status == 404:
            continue
        assert len(set(answer.body)) == 1
        assert send(service, "GET", key, headers={"if-match": answer.headers["ETag"]}).status == 200
        copied = send(service, "PUT", f"copy-{key}", body=answer.body)
        assert copied.headers["ETag"] == answer.headers["ETag"]
    log = send(service, "GET", "log").body
    assert set(log) == {ord("x")}
    assert send(service, "POST", "log", params={"append": "", "position": str(len(log))}, body=b"y").status == 200
    assert send(service, "GET", "log").body == log + b"y"
    service.close()


def die_at(data: str, verb: str, moment: str, step: str) -> None:
    """Body of a process that dies just before or after one step of a write, with no clean-up, as if killed."""
    service = CosService(Path(data), Clock(), keys=KEYS)
    send(service, "PUT", "k", body=b"old")
    send(service, "POST", "log", params={"append": "", "position": "0"}, body=b"old")
    owner, name = {"row": (type(service.store.index), "put"), "rename": (type(Path()), "replace")}[step]
    original = getattr(owner, name)

    def fatal(*args: Any) -> None:
        if moment == "after":
            original(*args)
        os._exit(9)

    setattr(owner, name, fatal)
    if verb == "append":
        send(service, "POST", "log", params={"append": "", "position": "3"}, body=b"+new")
    else:
        send(service, "PUT", "k", body=b"newer")


@pytest.mark.parametrize(
    ("verb", "moment", "step"),
    [("put", moment, step) for moment in ("before", "after") for step in ("row", "rename")]
    + [("append", moment, "row") for moment in ("before", "after")],
)
def test_a_death_at_any_step_leaves_a_whole_object(tmp_path: Path, verb: str, moment: str, step: str):
    """Whichever step of a write was the last, the object is the old or the new one, with its own length and checksum."""
    process = multiprocessing.get_context("spawn").Process(target=die_at, args=(str(tmp_path), verb, moment, step))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    service = CosService(tmp_path, Clock(), keys=KEYS)
    key = "log" if verb == "append" else "k"
    answer = send(service, "GET", key)
    assert answer.body in ((b"old", b"old+new") if verb == "append" else (b"old", b"newer"))
    assert answer.headers["x-cos-hash-crc64ecma"] == str(crc64(answer.body))
    assert answer.headers["Content-Length"] == str(len(answer.body))
    if verb == "append":
        at = {"append": "", "position": str(len(answer.body))}
        assert send(service, "POST", key, params=at, body=b"!").status == 200
        assert send(service, "GET", key).body == answer.body + b"!"
    assert not list((tmp_path / "cos" / "staging").iterdir())
    service.close()


def race(threads: int, act) -> list[int]:
    """Statuses of ``act(number)`` called by ``threads`` threads at the same moment."""
    barrier = threading.Barrier(threads)

    def run(number: int) -> int:
        barrier.wait()
        return act(number).status

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def test_16_threads_create_if_absent_one_wins(service: CosService):
    """Of sixteen threads creating the same key, exactly one is acknowledged, and its bytes are what is kept."""
    only_new = {"x-cos-forbid-overwrite": "true"}
    for round_number in range(20):
        key = f"claim-{round_number}"
        statuses = race(16, lambda n, key=key: send(service, "PUT", key, body=b"%d" % n, headers=only_new))
        assert sorted(statuses) == [200] + [409] * 15
        assert send(service, "GET", key).body == b"%d" % statuses.index(200)


def test_16_threads_append_one_wins(service: CosService):
    """Of sixteen threads appending at one position, exactly one is acknowledged; nothing is lost or doubled."""
    expected = b""
    for _ in range(10):
        at = {"append": "", "position": str(len(expected))}
        statuses = race(16, lambda n, at=at: send(service, "POST", "log", params=at, body=b"%02d" % n))
        assert sorted(statuses) == [200] + [409] * 15
        expected += b"%02d" % statuses.index(200)
        assert send(service, "GET", "log").body == expected


def test_readers_see_whole_versions_while_writers_overwrite(service: CosService):
    """Under overwriting, a GET gives one whole version whose ETag is that version's."""
    versions = {letter: letter * 100_000 for letter in (b"a", b"b", b"c")}
    etags = {send(service, "PUT", "k", body=body).headers["ETag"]: body for body in versions.values()}

    def act(number: int):
        for turn in range(30):
            if number % 4 == 0:
                answer = send(service, "PUT", "k", body=list(versions.values())[turn % 3])
            else:
                answer = send(service, "GET", "k")
                assert etags[answer.headers["ETag"]] == answer.body
        return answer

    assert set(race(8, act)) == {200}


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["put", "create", "append", "delete"]),
            st.sampled_from(["a", "a/b", "c"]),
            st.binary(max_size=5),
        ),
        max_size=25,
    )
)
def test_any_sequence_of_writes_is_what_a_dictionary_would_hold(tmp_path_factory, steps):
    """Put, create-if-absent, append and delete on clashing keys agree with a dictionary, also after a restart."""
    root = tmp_path_factory.mktemp("cos")
    service = CosService(root, Clock(), keys=KEYS)
    model: dict[str, tuple[str, bytes]] = {}
    for verb, key, data in steps:
        kind, held = model.get(key, ("", b""))
        if verb == "put":
            assert send(service, "PUT", key, body=data).status == 200
            model[key] = ("normal", data)
        elif verb == "create":
            status = send(service, "PUT", key, body=data, headers={"x-cos-forbid-overwrite": "true"}).status
            assert status == (409 if kind else 200)
            model.setdefault(key, ("normal", data))
        elif verb == "append":
            status = send(service, "POST", key, params={"append": "", "position": str(len(held))}, body=data).status
            assert status == (409 if kind == "normal" else 200)
            model[key] = (kind, held) if kind == "normal" else ("appendable", held + data)
        else:
            assert send(service, "DELETE", key).status == 204
            model.pop(key, None)
    for _ in range(2):
        for key in ("a", "a/b", "c"):
            answer = send(service, "GET", key)
            assert (answer.status == 200) == (key in model)
            if key in model:
                assert (answer.headers["x-cos-object-type"], answer.body) == model[key]
        service.close()
        service = CosService(root, Clock(), keys=KEYS)
    service.close()
