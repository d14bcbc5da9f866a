"""The bucket through the real COS SDK: one winner of a claim, late acknowledgements told from rivals, retries in bounds."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import requests
from qcloud_cos import CosClientError, CosServiceError

from localcloud import defaults, mock_tencent
from shared.trail import cos_client
from shared.trail import store as store_module
from shared.trail.cos_client import Bucket
from shared.trail.store import APPEND, FORBID_OVERWRITE, Entry, Place, Store, StoreError
from tests.unit.wire import HALF, answer, refused_port, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud import LocalCloud
    from localcloud.exchange import Request

PLACE = Place(defaults.SECRET_ID, defaults.SECRET_KEY, "", defaults.BUCKET, defaults.REGION, "", FORBID_OVERWRITE)
BOTH_WAYS = pytest.mark.parametrize("claim", [FORBID_OVERWRITE, APPEND])
WRITES = {FORBID_OVERWRITE: "PutObject", APPEND: "AppendObject"}
KEY = "ledger/send/ab/claim-0.json"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Pause in no time: the clock moves by what was asked for, which is kept. Start with cold connections."""
    asked: list[float] = []
    monkeypatch.setattr(store_module, "time", SimpleNamespace(sleep=asked.append, monotonic=lambda: sum(asked)))
    cos_client.bucket_of.cache_clear()
    cos_client.warm_session.cache_clear()
    yield asked
    cos_client.warm_session().close()
    cos_client.bucket_of.cache_clear()
    cos_client.warm_session.cache_clear()


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """Tencent Cloud inside this process."""
    with mock_tencent() as opened:
        yield opened


@pytest.fixture
def requested(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Request]]:
    """Every request that reaches for COS: its action and itself."""
    seen: list[tuple[str, Request]] = []
    dispatch = cloud.dispatch

    def note(service: str, request: Request, **options: Any) -> Any:
        seen.append((cloud.services[service].action_of(request), request))
        return dispatch(service, request, **options)

    monkeypatch.setattr(cloud, "dispatch", note)
    return seen


def actions(requested: list[tuple[str, Request]]) -> list[str]:
    """Return the names alone."""
    return [action for action, _ in requested]


def fault(cloud: LocalCloud, kind: str, action: str, **how: Any) -> None:
    """Let ``action`` go wrong."""
    cloud.add_faults({"service": "cos", "kind": kind, "action": action, **how})


@pytest.mark.usefixtures("cloud")
def test_what_is_put_is_got():
    """Any bytes, none too; overwritten by the next; gone when deleted, twice if need be; None when there is none."""
    store = Store(PLACE)
    for body in (b"", bytes(range(256)), b'{"v":1}\n' * 1000):
        store.put("a/b.jsonl", body)
        assert store.get("a/b.jsonl") == body
    store.delete("a/b.jsonl")
    store.delete("a/b.jsonl")
    assert store.get("a/b.jsonl") is None


@pytest.mark.usefixtures("cloud")
def test_a_part_is_got_by_where_it_starts():
    """Fewer bytes where the object ends, none at its end and beyond, None when there is no object."""
    store = Store(PLACE)
    body = bytes(range(256))
    store.put("a", body)
    for start, length in ((0, 1), (0, 256), (0, 1000), (100, 56), (255, 1), (250, 100), (256, 1), (10**6, 10)):
        assert store.get_range("a", start, length) == body[start : start + length]
    store.put("empty", b"")
    assert store.get_range("empty", 0, 10) == b""
    assert store.get_range("nothing", 0, 10) is None


def test_no_range_at_all_is_told(requested: list[tuple[str, Request]]):
    """COS ignores bytes=5-4 and sends the whole object."""
    for start, length in ((-1, 5), (0, 0), (5, -1)):
        with pytest.raises(ValueError, match="no range"):
            Store(PLACE).get_range("a", start, length)
    assert requested == []


def test_only_the_part_crosses_the_wire(cloud: LocalCloud, requested: list[tuple[str, Request]]):
    """A range is asked for, and signed; a passing failure is tried again, and any other is told as get tells it."""
    Store(PLACE).put("a", bytes(1000))
    requested.clear()
    fault(cloud, "error", "GetObject", status=503, times=1)
    assert Store(PLACE).get_range("a", 10, 20) == bytes(20)
    assert [request.headers["range"] for _, request in requested] == ["bytes=10-29"] * 2
    assert "range" in requested[0][1].headers["authorization"].partition("q-header-list=")[2].partition("&")[0]
    with pytest.raises(StoreError) as caught:
        Store(PLACE._replace(bucket="elsewhere-1250000000")).get_range("a", 0, 1)
    assert (caught.value.operation, caught.value.code) == ("get", "NoSuchBucket")


@pytest.mark.parametrize("header", [b"Content-Range", b"content-range"])
def test_a_part_that_breaks_off_is_read_again(header: bytes):
    """Never a part of the part, whose end would look like that of the object."""
    whole = b"HTTP/1.1 206 X\r\n%s: bytes 2-5/9\r\nContent-Length: 4\r\nConnection: close\r\n\r\npart" % header
    with serving(whole[:-2], whole) as wire:
        assert Store(local(wire.port)).get_range("a", 2, 4) == b"part"
        assert len(wire.received) == 2


def test_a_whole_object_is_not_taken_for_a_part_of_it():
    """A server may ignore a range and answer 200 with everything (RFC 9110 §14.2)."""
    with serving(answer(b"0123456789")) as wire:
        assert Store(local(wire.port)).get_range("a", 2, 3) == b"234"


def test_whether_there_is_an_object_is_told_by_its_head(cloud: LocalCloud, requested: list[tuple[str, Request]]):
    """Without its bytes; a passing failure is tried again, any other is told."""
    store = Store(PLACE)
    store.put("a", b"x")
    requested.clear()
    fault(cloud, "error", "HeadObject", status=503, times=1)
    assert store.has("a") is True
    assert store.has("nothing") is False
    assert [request.method for _, request in requested] == ["HEAD"] * 3
    fault(cloud, "error", "HeadObject", status=403)
    with pytest.raises(StoreError) as caught:
        store.has("a")
    assert (caught.value.operation, caught.value.status) == ("head", 403)


def test_a_content_type_is_kept(requested: list[tuple[str, Request]]):
    """JSON lines unless something else is said."""
    Store(PLACE).put("a.jsonl", b"{}\n")
    Store(PLACE).put("a.html", b"<p>", content_type="text/html")
    assert [request.headers["content-type"] for _, request in requested] == ["application/x-ndjson", "text/html"]


def test_a_missing_bucket_is_not_a_missing_key(cloud: LocalCloud):
    """None would say that an idempotency key was never used, or that a day is empty."""
    elsewhere = Store(PLACE._replace(bucket="elsewhere-1250000000"))
    with pytest.raises(StoreError) as caught:
        elsewhere.get(KEY)
    assert (caught.value.operation, caught.value.status, caught.value.code) == ("get", 404, "NoSuchBucket")
    assert not caught.value.retry_safe
    fault(cloud, "error", "GetObject", status=404, code="Unknown")
    with pytest.raises(StoreError, match="Unknown"):
        Store(PLACE).get(KEY)


def test_every_page_of_a_list(cloud: LocalCloud, requested: list[tuple[str, Request]]):
    """More than 1000 keys, in byte order, with the characters of our keys as they were written."""
    keys = [f"events/dt=2026-11-20/hour=08/{number:05d}.jsonl" for number in range(1050)]
    store = Store(PLACE)
    store.put(keys[0], b"first")
    requested.clear()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: Store(PLACE).put(key, b"x"), keys[1:]))
    store.put("events/dt=2026-11-21/hour=00/x.jsonl", b"x")
    requested.clear()
    listed = list(store.iterate("events/dt=2026-11-20/"))
    assert [entry.key for entry in listed] == keys
    assert actions(requested) == ["GetBucket"] * 2
    assert listed[0]._replace(modified_at="") == Entry(keys[0], 5, "8b04d5e3775d298e78455efc5ca404d5", "")
    assert listed[0].modified_at.endswith("Z")
    assert [entry.key for entry in store.iterate("events/", after=keys[-2])] == [
        keys[-1],
        "events/dt=2026-11-21/hour=00/x.jsonl",
    ]
    assert list(store.iterate("nothing/")) == []


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("name", ["a b+c%41&d=e", "中文@example.com", "<x>\"'", "a~b"])
def test_a_listed_key_is_the_key_that_was_put(name: str):
    """LIST encodes keys in its answer; what comes out is what get takes."""
    store = Store(PLACE)
    store.put(f"sends/dt=2026-11-20/{name}.jsonl", b"x")
    (entry,) = store.iterate("sends/")
    assert entry.key == f"sends/dt=2026-11-20/{name}.jsonl"
    assert store.get(entry.key) == b"x"


def test_a_list_that_says_truncated_without_a_marker_goes_on_from_its_last_key(monkeypatch: pytest.MonkeyPatch):
    """NextMarker may be left out (436/7734); a page is not read twice, and none is left out."""
    asked: list[str] = []
    item = {"Size": "1", "ETag": '"e"', "LastModified": "t"}

    def page(_: Bucket, __: str, marker: str) -> dict[str, Any]:
        asked.append(marker)
        return {"IsTruncated": "true", "Contents": [{"Key": "a", **item}]} if not marker else {"IsTruncated": "false"}

    monkeypatch.setattr(Bucket, "list_page", page)
    assert [entry.key for entry in Store(PLACE).iterate("")] == ["a"]
    assert asked == ["", "a"]


@pytest.mark.usefixtures("cloud")
def test_put_once_writes_once():
    """The second time it is there already, and its bytes are the first."""
    store = Store(PLACE)
    assert store.put_once("events/x.jsonl", b"first") is True
    assert store.put_once("events/x.jsonl", b"second") is False
    assert store.get("events/x.jsonl") == b"first"


@BOTH_WAYS
@pytest.mark.usefixtures("cloud")
def test_a_claim_has_exactly_one_winner(claim: str):
    """16 threads, each with bytes of its own, several rounds; what lies there is the winner's."""
    for number in range(5):
        bodies = [f'{{"nonce":"{number}-{thread}"}}\n'.encode() for thread in range(16)]
        together = threading.Barrier(len(bodies))

        def contend(body: bytes, key: str = f"ledger/{number}.json", start: threading.Barrier = together) -> bool:
            start.wait(10)
            return Store(PLACE._replace(claim=claim)).create_if_absent(key, body)

        with ThreadPoolExecutor(len(bodies)) as pool:
            won = list(pool.map(contend, bodies))
        assert won.count(True) == 1
        assert Store(PLACE).get(f"ledger/{number}.json") == bodies[won.index(True)]


@BOTH_WAYS
def test_a_late_acknowledgement_is_not_taken_for_a_rival(
    cloud: LocalCloud, requested: list[tuple[str, Request]], claim: str
):
    """The answer to the write was lost: the repeat meets our own object, which is told by its bytes."""
    store = Store(PLACE._replace(claim=claim))
    fault(cloud, "drop_response", WRITES[claim], times=1)
    assert store.create_if_absent(KEY, b"owner") is True
    assert actions(requested) == [WRITES[claim], WRITES[claim], "GetObject"]
    assert store.create_if_absent(KEY, b"rival") is False
    assert store.get(KEY) == b"owner"


@BOTH_WAYS
def test_a_request_that_never_arrived_is_made_again(cloud: LocalCloud, claim: str):
    """And then the claim is ours without a doubt."""
    fault(cloud, "drop_request", WRITES[claim], times=2)
    assert Store(PLACE._replace(claim=claim)).create_if_absent(KEY, b"owner") is True


@BOTH_WAYS
def test_a_claim_whose_fate_is_unknown_raises(cloud: LocalCloud, claim: str):
    """Written or not: neither True nor False would be honest."""
    fault(cloud, "drop_response", WRITES[claim])
    with pytest.raises(StoreError) as caught:
        Store(PLACE._replace(claim=claim)).create_if_absent(KEY, b"owner")
    assert caught.value.retry_safe
    cloud.clear_faults()
    assert Store(PLACE._replace(claim=claim)).create_if_absent(KEY, b"rival") is False
    assert Store(PLACE._replace(claim=claim)).create_if_absent(KEY, b"owner") is True


def test_a_claim_on_a_key_that_was_put_before_is_lost(cloud: LocalCloud):
    """Append answers ObjectNotAppendable there; it is taken all the same."""
    Store(PLACE).put(KEY, b"owner")
    assert Store(PLACE._replace(claim=APPEND)).create_if_absent(KEY, b"rival") is False
    cloud.cos.multi_az = True  # such buckets refuse append: an error, not a lost claim
    with pytest.raises(StoreError):
        Store(PLACE._replace(claim=APPEND)).create_if_absent("another", b"x")


@pytest.mark.parametrize("status", [500, 503])
def test_a_passing_failure_is_tried_again(
    cloud: LocalCloud, requested: list[tuple[str, Request]], pauses: list[float], status: int
):
    """Twice at most when nobody says how long; with growing, jittered pauses."""
    fault(cloud, "error", "PutObject", status=status, times=2)
    Store(PLACE).put("a", b"x")
    assert actions(requested) == ["PutObject"] * 3
    assert len(pauses) == 2
    assert 0 <= pauses[0] <= 0.1
    assert 0 <= pauses[1] <= 0.2


@pytest.mark.parametrize("call", ["put", "get", "iterate", "delete"])
def test_a_failure_that_stays_is_told(cloud: LocalCloud, requested: list[tuple[str, Request]], call: str):
    """After three attempts, ours and not the SDK's on top; it may be tried later."""
    calls: dict[str, Callable[[Store], object]] = {
        "put": lambda store: store.put("a", b"x"),
        "get": lambda store: store.get("a"),
        "iterate": lambda store: list(store.iterate("a")),
        "delete": lambda store: store.delete("a"),
    }
    cloud.add_faults({"service": "cos", "kind": "throttle"})
    with pytest.raises(StoreError, match="SlowDown") as caught:
        calls[call](Store(PLACE))
    assert (caught.value.status, caught.value.retry_safe) == (503, True)
    assert isinstance(caught.value.__cause__, CosServiceError)
    assert len(requested) == 3
    assert not any("x-cos-sdk-retry" in request.headers for _, request in requested)


def test_retries_stay_within_the_time_that_is_left(
    cloud: LocalCloud, requested: list[tuple[str, Request]], pauses: list[float]
):
    """As many as fit, and none that would end after it."""
    left = 20.0
    fault(cloud, "error", "PutObject")
    with pytest.raises(StoreError) as caught:
        Store(PLACE, lambda: left - sum(pauses)).put("a", b"x")
    assert caught.value.retry_safe
    assert sum(pauses) < left
    assert max(pauses) <= 3.0
    assert len(requested) == len(pauses) + 1
    assert len(requested) > 5
    requested.clear()
    with pytest.raises(StoreError):
        Store(PLACE, lambda: 0.05).put("a", b"x")
    assert len(requested) == 1
    requested.clear()
    with pytest.raises(StoreError):
        Store(PLACE, lambda: 0.0).put("a", b"x")
    assert requested == []


@pytest.mark.parametrize(("left", "paused"), [(None, 3.1), (100.0, 3.1), (2.0, 1.5)])
def test_a_store_within_a_time_tries_no_longer(
    cloud: LocalCloud, pauses: list[float], monkeypatch: pytest.MonkeyPatch, left: float | None, paused: float
):
    """The shorter of that time and what is left of the invocation; the store itself goes on as before."""
    monkeypatch.setattr(store_module, "random", SimpleNamespace(uniform=lambda _, longest: longest))
    fault(cloud, "error", "PutObject")
    store = Store(PLACE, None if left is None else lambda: left - sum(pauses))
    with pytest.raises(StoreError):
        store.within(5.0).put("a", b"x")
    assert sum(pauses) == pytest.approx(paused)  # 0.1 0.2 0.4 0.8 1.6 3 3…: the next would have ended too late
    cloud.clear_faults()
    store.put("a", b"x")


def test_a_very_long_trouble_does_not_overflow(cloud: LocalCloud, pauses: list[float], monkeypatch: pytest.MonkeyPatch):
    """The pause doubles only so often: 2**2000 is no float."""
    del cloud
    attempts = iter(range(2000))

    def fail(*_: object) -> None:
        if next(attempts, None) is not None:
            raise CosClientError("down")

    monkeypatch.setattr(Bucket, "put", fail)
    Store(PLACE, lambda: 1e9).put("a", b"x")
    assert len(pauses) == 2000


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_a_refusal_is_not_tried_again(cloud: LocalCloud, requested: list[tuple[str, Request]], code: str):
    """403 stays 403."""
    fault(cloud, "error", "PutObject", status=403, code=code)
    with pytest.raises(StoreError) as caught:
        Store(PLACE, lambda: 100.0).put("a", b"x")
    assert (caught.value.operation, caught.value.code, caught.value.status) == ("put", code, 403)
    assert caught.value.retry_safe is False
    assert len(requested) == 1


@pytest.mark.usefixtures("cloud")
def test_a_wrong_key_is_refused_by_the_signature():
    """The local COS verifies every one."""
    with pytest.raises(StoreError) as caught:
        Store(PLACE._replace(secret_key="another")).put("a", b"x")
    assert (caught.value.status, caught.value.retry_safe) == (403, False)


@pytest.mark.parametrize(("status", "code"), [(409, "PathConflict"), (400, "RequestTimeout")])
def test_collisions_and_slow_wires_pass(cloud: LocalCloud, status: int, code: str):
    """4xx by number, passing by nature: two writes of one key within milliseconds, a request that came too slowly."""
    fault(cloud, "error", "PutObject", status=status, code=code, times=1)
    assert Store(PLACE).create_if_absent(KEY, b"owner") is True


@BOTH_WAYS
def test_the_token_of_the_role_is_sent_and_signed(claim: str):
    """With every request; without one there is no such header (an empty token would be refused)."""
    ok = b"HTTP/1.1 200 OK\r\nETag: 0\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
    calls: list[Callable[[Store], object]] = [
        lambda store: store.put("a", b"x"),
        lambda store: store.get("a"),
        lambda store: store.delete("a"),
        lambda store: store.create_if_absent("a", b"x"),
    ]
    for token in ("token-of-the-role", ""):
        with serving(ok) as wire:
            store = Store(local(wire.port)._replace(token=token, claim=claim))
            for call in calls:
                call(store)
        assert len(wire.received) == len(calls)
        for request in wire.received:
            assert request.headers.get("x-cos-security-token", "") == token
            assert ("x-cos-security-token" in request.headers["authorization"]) is bool(token)


def test_credentials_rotate_and_connections_stay(cloud: LocalCloud):
    """A new key is a new client over the same session; the old ones are let go."""
    del cloud
    buckets = {id(cos_client.bucket_of(PLACE._replace(token=f"token-{number}"))) for number in range(3)}
    assert len(buckets) == 3
    assert Store(PLACE)._bucket is Store(PLACE)._bucket
    assert cos_client.warm_session() is cos_client.warm_session()
    assert cos_client.bucket_of.cache_info().maxsize == 4


def local(port: int) -> Place:
    """Return a place behind a raw server."""
    return PLACE._replace(endpoint=f"http://127.0.0.1:{port}")


def test_an_object_that_breaks_off_is_read_again():
    """Half a body is an error of urllib3's own, not of the SDK's: never half an object."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwhole"
    with serving(HALF, HALF, whole) as wire:
        assert Store(local(wire.port)).get("a") == b"whole"
        assert len(wire.received) == 3
    with serving(HALF) as wire:
        with pytest.raises(StoreError) as caught:
            Store(local(wire.port)).get("a")
        assert caught.value.retry_safe
        assert caught.value.status == 0


def test_a_code_that_stands_in_a_header_counts():
    """COS has it there where a refusal has no body, for some of its buckets: the vendor's SDK reads both."""
    exists = b"HTTP/1.1 409 Conflict\r\nx-cos-error-code: FileAlreadyExists\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with serving(exists) as wire:
        assert Store(local(wire.port)).put_once("a", b"x") is False


def test_the_usual_host_is_named_at_an_address():
    """By IP and port, with the Host that COS would be asked by."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    for host in ("127.0.0.1", "localhost"):
        with serving(ok) as wire:
            Store(PLACE._replace(endpoint=f"http://{host}:{wire.port}")).put("a/b", b"x")
        (request,) = wire.received
        assert request.line == "PUT /a/b HTTP/1.1"
        assert request.headers["host"] == f"{defaults.BUCKET}.cos.{defaults.REGION}.myqcloud.com"


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    "endpoint", ["", "cos-internal.ap-guangzhou.tencentcos.cn", "https://cos.ap-guangzhou.myqcloud.com"]
)
def test_endpoints_by_name(requested: list[tuple[str, Request]], endpoint: str):
    """The region's own, or one by name; TLS unless http is written."""
    host = endpoint.removeprefix("https://") or f"cos.{defaults.REGION}.myqcloud.com"
    Store(PLACE._replace(endpoint=endpoint)).put("a", b"x")
    assert [(request.scheme, request.host) for _, request in requested] == [("https", f"{defaults.BUCKET}.{host}")]


def test_nobody_there_is_told_as_such(pauses: list[float]):
    """A refused connection may pass; the SDK's own sleeps are not added to ours."""
    with pytest.raises(StoreError, match="put: ConnectionError") as caught:
        Store(local(refused_port())).put("a", b"x")
    assert caught.value.retry_safe
    assert len(pauses) == 2


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\n\r\n", answer(b"<html>Please log in")]
)
def test_what_cos_never_answers_to_a_write_acknowledges_none(reply: bytes):
    """The SDK takes every status below 400 for success; what was not stored would be gone."""
    with serving(reply, OK) as wire:
        Store(local(wire.port)).put("a", b"x")
        assert len(wire.received) == 2
    with serving(reply) as wire, pytest.raises(StoreError) as caught:
        Store(local(wire.port)).put_once("a", b"x")
    assert (caught.value.retry_safe, caught.value.unanswered) == (True, True)


@pytest.mark.parametrize("body", [b'{"message": "no upstream"}', b"[1]", b"null", b"<Error><Code/></Error>", b"<html>"])
def test_a_failure_in_other_words_than_those_of_cos_is_tried_again(body: bytes):
    """A balancer answers in its own JSON; the SDK's own reading of it is a KeyError."""
    with serving(answer(body, status=503), OK) as wire:
        Store(local(wire.port)).put("a", b"x")
        assert len(wire.received) == 2
    with serving(answer(body, status=403)) as wire, pytest.raises(StoreError) as caught:
        Store(local(wire.port)).put("a", b"x")
    assert (caught.value.status, caught.value.code, caught.value.retry_safe) == (403, "Unknown", False)


def test_a_body_that_was_not_written_does_not_stay_in_memory():
    """Until the collector comes by, a megabyte for each part that a merge finds written would be held by its own error."""

    class Mark:
        """What can be watched; bytes cannot."""

    class Body(bytes):
        mark: Mark

    body = Body(b"first")
    body.mark = Mark()
    is_held = weakref.ref(body.mark)
    told = b"".join(b"<%b>x</%b>" % (name, name) for name in (b"Message", b"Resource", b"RequestId", b"TraceId"))
    exists = b"<Error><Code>FileAlreadyExists</Code>%b</Error>" % told
    gc.disable()
    try:
        with serving(answer(exists, status=409)) as wire:
            assert Store(local(wire.port)).put_once("status/part", body) is False
        del body
        assert is_held() is None
    finally:
        gc.enable()


def test_a_connection_that_never_answers_leaves_time_for_another(monkeypatch: pytest.MonkeyPatch):
    """Half of what is left for one attempt, all of it for the only one."""
    monkeypatch.setattr(store_module, "_SHARE_S", 0.1)
    end = time.monotonic() + 1.0
    with serving(None, OK) as wire:
        Store(local(wire.port), lambda: end - time.monotonic()).put("a", b"x")
        assert len(wire.received) == 2
        assert time.monotonic() < end
    end = time.monotonic() + 0.4
    with serving(None) as wire, pytest.raises(StoreError) as caught:
        Store(local(wire.port), lambda: end - time.monotonic()).once().put("a", b"x")
    assert caught.value.unanswered
    assert time.monotonic() >= end


def test_the_environment_is_not_asked_for_proxies(monkeypatch: pytest.MonkeyPatch):
    """Nor is the SDK's log written: it names URLs, and keys at debug level."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{refused_port()}")
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with serving(ok) as wire:
        Store(local(wire.port)).put("a", b"x")
    assert not logging.getLogger("qcloud_cos.cos_client").isEnabledFor(logging.CRITICAL)
    assert os.environ["HTTP_PROXY"]
    assert isinstance(cos_client.warm_session(), requests.Session)


def test_a_place_does_not_show_its_keys():
    """Nor does an error show more than operation and code."""
    shown = repr(PLACE._replace(token="token-of-the-role"))
    assert defaults.SECRET_KEY not in shown
    assert "token-of-the-role" not in shown
    assert defaults.BUCKET in shown
    assert str(StoreError("put", "SlowDown", retry_safe=True)) == "put: SlowDown"


def test_many_are_deleted_a_thousand_a_request(requested: list[tuple[str, Request]]):
    """Those that are gone already are no error; the last request holds the rest."""
    store = Store(PLACE)
    keys = [f"events/{number}.jsonl" for number in range(1001)]
    for key in (keys[0], keys[999], keys[1000]):
        store.put(key, b"x")
    requested.clear()
    store.delete_many(iter(keys))
    store.delete_many([])
    assert actions(requested) == ["DeleteMultipleObjects"] * 2
    assert list(store.iterate("events/")) == []


def test_one_that_was_not_deleted_is_told_and_tried_again(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch):
    """The answer is 200 all the same; what is left is deleted by the next attempt, what is refused is not."""
    answers = [{"Error": [{"Key": "a", "Code": "InternalError"}]}, {}]
    client = cos_client.bucket_of(PLACE)._client
    asked: list[Any] = []

    def delete_objects(**given: Any) -> dict[str, Any]:
        asked.append(given["Delete"]["Object"])
        return answers[min(len(asked), len(answers)) - 1]

    monkeypatch.setattr(client, "delete_objects", delete_objects)
    Store(PLACE).delete_many(["a", "b"])
    assert asked == [[{"Key": "a"}, {"Key": "b"}]] * 2
    answers[:] = [{"Error": [{"Key": "a", "Code": "AccessDenied"}]}]
    with pytest.raises(StoreError, match="AccessDenied") as caught:
        Store(PLACE).delete_many(["a"])
    assert (caught.value.retry_safe, caught.value.unanswered, len(asked)) == (False, False, 3)


@pytest.mark.usefixtures("cloud")
def test_many_are_read_in_their_order():
    """However many run ahead; what is gone since it was listed is None; a reader may stop in the middle."""
    store = Store(PLACE)
    for number in range(100):
        store.put(f"events/{number:03d}", b"%d" % number)
    entries = list(store.iterate("events/"))
    store.delete(entries[7].key)
    read = list(store.read_many(iter(entries)))
    assert [entry for entry, _ in read] == entries
    assert [body for _, body in read] == [None if number == 7 else b"%d" % number for number in range(100)]
    assert next(iter(store.read_many(entries)))[1] == b"0"
    assert list(store.read_many([])) == []


def test_what_is_read_ahead_is_bounded_by_its_size(monkeypatch: pytest.MonkeyPatch):
    """Large objects do not pile up: one at a time when each is as large as the bound."""
    store, open_now, most = Store(PLACE), [0], [0]

    def get(_key: str) -> bytes:
        open_now[0] += 1
        most[0] = max(most[0], open_now[0])
        return b"x"

    monkeypatch.setattr(store, "get", get)
    for size, bound in ((store_module._READ_AHEAD_BYTES, 2), (store_module._READ_AHEAD_BYTES // 4, 5), (1, 33)):
        open_now[0] = most[0] = 0
        for _ in store.read_many([Entry(str(number), size, "", "") for number in range(100)]):
            open_now[0] -= 1
        assert 1 <= most[0] <= bound


def test_a_failure_while_reading_many_is_raised(cloud: LocalCloud):
    """Never a gap that looks like a missing object."""
    store = Store(PLACE)
    store.put("events/1", b"x")
    fault(cloud, "error", "GetObject", status=503, code="ServiceUnavailable")
    with pytest.raises(StoreError, match="ServiceUnavailable"):
        list(store.read_many(store.iterate("events/")))
