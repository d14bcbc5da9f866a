"""An answer that drips in byte by byte is given up when its time is over: a function that dies waiting tells nobody."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import requests

from shared.session import PATIENCE_S, WarmSession
from shared.trail.store import FORBID_OVERWRITE, Place, Store, StoreError
from shared.upstream import transport
from shared.upstream.errors import NO_ANSWER, UpstreamUncertain

if TYPE_CHECKING:
    from collections.abc import Iterator

DRIP_S = 0.02
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@contextlib.contextmanager
def dripping(first: bytes) -> Iterator[int]:
    """Serve an answer that begins with ``first`` and goes on by one byte each DRIP_S, for ever; yield the port."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def drip() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(first)
                    while not over.wait(DRIP_S):
                        connection.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        thread.join()
        listener.close()


@pytest.mark.parametrize("first", [b"", HEAD], ids=["headers", "body"])
def test_a_query_ends_in_its_time(first: bytes):
    """Each byte comes well within the time-out of a read; the whole does not."""
    with dripping(first) as port:
        began = time.monotonic()
        with pytest.raises(UpstreamUncertain) as caught:
            transport.post(f"http://127.0.0.1:{port}", b"{}", {}, timeout_s=(0.3, 0.3))
        assert 0.2 < time.monotonic() - began < 2
    assert caught.value.rule is NO_ANSWER
    transport.warm_session.cache_clear()


@pytest.mark.parametrize("first", [b"", HEAD], ids=["headers", "body"])
def test_a_write_and_a_read_of_the_bucket_end_in_their_time(first: bytes):
    """What is left of the invocation, not what is left after each byte."""
    with dripping(first) as port:
        place = Place("id", "key", "", "b-1250000000", "ap-guangzhou", f"http://127.0.0.1:{port}", FORBID_OVERWRITE)
        began = time.monotonic()
        store = Store(place, lambda: began + 0.5 - time.monotonic())
        with pytest.raises(StoreError) as caught:
            store.put("a", b"x")
        assert caught.value.unanswered
        with pytest.raises(StoreError):
            store.get("a")
        assert time.monotonic() - began < 2


def test_an_answer_that_stops_in_the_middle_has_what_is_left_of_its_time():
    """Not the whole of it anew, from its first byte on."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            time.sleep(1.5)
            connection.sendall(b"HTTP/1.1 2")
            over.wait(5)

    thread = threading.Thread(target=serve)
    thread.start()
    token = PATIENCE_S.set(2.0)
    began = time.monotonic()
    with pytest.raises(requests.RequestException):
        WarmSession().get(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=(1, 10))
    took_s = time.monotonic() - began
    over.set()
    PATIENCE_S.reset(token)
    thread.join()
    listener.close()
    assert 1.9 < took_s < 3, "3.5 if it had the whole of it anew"


def test_without_a_patience_the_time_outs_are_those_given():
    """A large object may take as long as it keeps coming."""
    token = PATIENCE_S.set(None)
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
    with dripping(whole) as port:
        answer = WarmSession().get(f"http://127.0.0.1:{port}/", timeout=(0.3, 0.3))
    assert (answer.status_code, answer.content) == (200, b"x" * 20)
    PATIENCE_S.reset(token)


def test_a_connection_is_used_again_with_another_patience():
    """The bound is the request's, not the connection's."""
    session, seen = WarmSession(), []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for wait_s in (0.0, 0.3):
                seen.append(connection.recv(65536))
                time.sleep(wait_s)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    thread = threading.Thread(target=serve)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    for patience_s in (0.2, 5.0):
        token = PATIENCE_S.set(patience_s)
        assert session.get(url, timeout=(1, 10)).content == b"ok"
        PATIENCE_S.reset(token)
    thread.join()
    listener.close()
    assert len(seen) == 2
    with pytest.raises(requests.RequestException):
        session.get(url, timeout=(0.2, 0.2))


def test_a_process_that_forked_makes_connections_of_its_own(monkeypatch: pytest.MonkeyPatch):
    """Two on one connection would read each other's answers, and take somebody else's 200 for their own."""
    session, connections = WarmSession(), []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while len(connections) < 2:
            connections.append(listener.accept()[0])
            threading.Thread(target=answer_all, args=(connections[-1],)).start()

    def answer_all(connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    thread = threading.Thread(target=serve)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    assert [session.get(url, timeout=(1, 1)).content for _ in range(2)] == [b"ok"] * 2
    assert len(connections) == 1
    monkeypatch.setattr("shared.session.os", SimpleNamespace(getpid=lambda: -1))
    assert [session.get(url, timeout=(1, 1)).content for _ in range(2)] == [b"ok"] * 2
    thread.join()
    listener.close()
    assert len(connections) == 2
    session.close()
