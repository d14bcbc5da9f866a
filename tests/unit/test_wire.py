"""Connections are kept exactly as long as it is certain whose the next answer will be; over real sockets."""

from __future__ import annotations

import contextlib
import gc
import shutil
import socket
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from shared import wire
from shared.session import PATIENCE_S, WarmSession, host_of
from shared.upstream import transport
from shared.upstream.errors import NOT_SENT, UpstreamRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENSSL = shutil.which("openssl")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


class Server:
    """Answers the n-th request with the n-th of ``answers``, over however many connections; counts those."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = iter(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.connections: list[socket.socket] = []
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,)).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while received := connection.recv(65536):
                self.requests.append(received)
                answer = next(self._answers)
                connection.sendall(answer)
                if answer.startswith(b"HTTP/1.0"):
                    connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hang up."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextlib.contextmanager
def answering(*answers: bytes) -> Iterator[tuple[Server, WarmSession]]:
    """Yield a server and a session that has half a minute."""
    server, session = Server(list(answers)), WarmSession()
    token = PATIENCE_S.set(30.0)
    try:
        yield server, session
    finally:
        PATIENCE_S.reset(token)
        session.close()
        server.close()


@pytest.mark.parametrize(
    ("method", "first"),
    [
        ("GET", OK),
        ("GET", CHUNKED),
        ("HEAD", HEAD),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nVary: a\r\nVary: b\r\nContent-Length: 2\r\n\r\nok"),
        ("GET", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    ],
    ids=["plain", "chunked", "head", "no content", "a header twice", "bare line feeds"],
)
def test_a_connection_is_kept_after_an_answer_of_any_kind(method: str, first: bytes):
    """A handshake costs more than a request."""
    with answering(first, OK) as (server, session):
        assert session.request(method, server.url).status_code in (200, 204)
        assert session.get(server.url).content == b"ok"
        assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("first", "status", "body"),
    [
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, 103, b""),
        (OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother", 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 200, b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
    ],
    ids=["an answer after hints", "an answer too many", "announced", "until it closes"],
)
def test_nobody_gets_the_answer_of_another_request(first: bytes, status: int, body: bytes):
    """Of one mail the other's message id would be kept: what may still come over a connection ends it."""
    with answering(first, OK) as (server, session):
        answer = session.get(server.url)
        assert (answer.status_code, answer.content) == (status, body)
        assert session.get(server.url).content == b"ok"
        assert len(server.connections) == 2


def test_a_failure_that_is_forgotten_later_closes_nobodys_connection(monkeypatch: pytest.MonkeyPatch):
    """A batch holds what it failed with while its other mails are under way."""
    two_lengths = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"
    with answering(two_lengths, OK, OK) as (server, session):
        failures: list[BaseException] = []
        try:
            session.get(server.url)
        except requests.RequestException as error:
            failures.append(error)
        assert failures

        def forget(*given: Any) -> bytes:
            failures.clear()
            gc.collect()
            return receive_head(*given)

        receive_head = wire.receive_head
        monkeypatch.setattr(wire, "receive_head", forget)  # while the second is between its request and its answer
        assert session.get(server.url).content == b"ok"
        pool = next(iter(session.get_adapter(server.url)._pools.values()))  # type: ignore[attr-defined]
        idle = [connection for connection in pool.pool.queue if connection is not None]
        assert len(idle) == len(set(map(id, idle))) == 1


@pytest.mark.parametrize("moment", ["receive_head", "read_plain"])
def test_who_is_interrupted_leaves_no_connection_to_others(monkeypatch: pytest.MonkeyPatch, moment: str):
    """Ctrl-C in ``mailtrail send``: the answer that was on its way is nobody's."""
    with answering(OK, OK) as (server, session):
        with monkeypatch.context() as broken:
            broken.setattr(wire, moment, interrupt)
            with pytest.raises(KeyboardInterrupt):
                session.get(server.url)
        assert session.get(server.url).content == b"ok"
        assert len(server.connections) == 2


def interrupt(*_: object) -> None:
    """Be Ctrl-C."""
    raise KeyboardInterrupt


def test_a_length_is_not_believed_before_it_has_come():
    """Memory is taken for what came, not for what was announced."""
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\nok") as (server, session):
        with pytest.raises(requests.ReadTimeout):
            session.get(server.url, timeout=(1, 0.2))
        assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://ses.tencentcloudapi.com", "ses.tencentcloudapi.com"),
        ("https://COS.Example.com:443", "cos.example.com"),
        ("http://cos.example.com.:80", "cos.example.com"),
        ("http://cos.example.com:443", "cos.example.com:443"),
        ("http://127.0.0.1:9002", "127.0.0.1:9002"),
        ("http://[::1]:9002", "[::1]:9002"),
    ],
)
def test_a_host_is_told_in_one_way(origin: str, host: str):
    """It is signed: a gateway that writes it otherwise would refuse the signature."""
    assert host_of(origin) == host


def test_an_answer_before_the_body_was_taken_is_heard_and_ends_the_connection():
    """A 413 comes early; of the body there is still some on its way."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(OK)

    thread = threading.Thread(target=refuse)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with contextlib.closing(WarmSession()) as session:
        assert session.put(url, data=b"x" * 20_000_000, timeout=(5, 5)).status_code == 413
        assert session.get(url, timeout=(5, 5)).content == b"ok"
    thread.join()
    listener.close()


def test_large_bodies_come_and_go_whole():
    """Larger than what is joined, than a read, and than a socket holds."""
    body = bytes(range(256)) * 30_000
    listener = socket.create_server(("127.0.0.1", 0))

    def echo() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            while stream.readline().strip():
                pass
            received = stream.read(len(body))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(received))
            connection.sendall(received)

    thread = threading.Thread(target=echo)
    thread.start()
    with contextlib.closing(WarmSession()) as session:
        answer = session.put(f"http://127.0.0.1:{listener.getsockname()[1]}/", data=body, timeout=(5, 30))
    assert answer.content == body
    assert answer.raw.read() == body, "the COS SDK reads the raw answer"
    thread.join()
    listener.close()


@pytest.mark.parametrize(
    ("url", "headers"),
    [("a b", {}), ("a\r\nX: y", {}), ("", {"X": "a\r\nY: b"}), ("", {"X\r\n": "a"}), ("", {"X": "中"}), ("é", {})],
)
def test_what_a_request_cannot_carry_is_not_sent(url: str, headers: dict[str, str]):
    """A line break in a key would be a header, or a request, of somebody's making."""
    with answering(OK) as (server, session):
        with pytest.raises(requests.exceptions.InvalidHeader):
            session.get(server.url + url, headers=headers)
        assert server.connections == []


def test_the_host_is_that_of_the_address_unless_it_is_given():
    """COS by IP and port is told the bucket's name."""
    with answering(OK, OK) as (server, session):
        session.get(server.url)
        session.get(server.url, headers={"Host": "bucket-1250000000.cos.ap-guangzhou.myqcloud.com"})
        hosts = [line for request in server.requests for line in request.split(b"\r\n") if line.startswith(b"Host: ")]
        place = server.url.split("/")[2]
        assert hosts == [f"Host: {place}".encode(), b"Host: bucket-1250000000.cos.ap-guangzhou.myqcloud.com"]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """Return what a server of TLS on 127.0.0.1 needs, and the file by which a client knows it."""
    if OPENSSL is None:
        pytest.skip("makes its certificate with the openssl command")
    folder = tmp_path_factory.mktemp("tls")
    pem, crt = folder / "key.pem", folder / "crt.pem"
    how = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([str(OPENSSL), *how.split(), "-keyout", pem, "-out", crt], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, pem)
    return context, str(crt)


@pytest.mark.parametrize("first", [[HEAD, b"ok" + OK], [CHUNKED + OK]], ids=["plain", "chunked"])
def test_over_tls_what_comes_after_an_answer_ends_the_connection(tls: tuple[ssl.SSLContext, str], first: list[bytes]):
    """The rest of a record lies in OpenSSL, where no look at the socket sees it."""
    context, crt = tls
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in (first, [OK[:-2] + b"me"]):
            connection, _ = listener.accept()
            secure = context.wrap_socket(connection, server_side=True)
            secure.recv(65536)
            for record in answer:
                secure.sendall(record)
                time.sleep(0.05)
            served.append(secure)

    served: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=serve)
    thread.start()
    with contextlib.closing(WarmSession()) as session:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        assert [session.get(url, timeout=(5, 5), verify=crt).content for _ in range(2)] == [b"ok", b"me"]
    thread.join()
    for one in (*served, listener):
        one.close()


def test_over_tls_a_connection_is_kept_and_large_bodies_are_whole(tls: tuple[ssl.SSLContext, str]):
    """A record of TLS holds 16 KB; what comes after the handshake (session tickets) is no answer."""
    context, crt = tls
    listener, body = socket.create_server(("127.0.0.1", 0)), bytes(range(256)) * 2000

    def echo() -> None:
        connection, _ = listener.accept()
        with context.wrap_socket(connection, server_side=True) as secure, secure.makefile("rwb") as stream:
            for _ in range(3):
                while stream.readline().strip():
                    pass
                stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                stream.write(stream.read(len(body)))
                stream.flush()

    thread = threading.Thread(target=echo)
    thread.start()
    with contextlib.closing(WarmSession()) as session:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        answers = [session.put(url, data=body, timeout=(5, 5), verify=crt).content for _ in range(3)]
    thread.join()
    listener.close()
    assert answers == [body] * 3


@pytest.mark.usefixtures("fresh_session")
def test_a_handshake_that_never_ends_proves_that_nothing_was_sent():
    """Over TLS the body comes after the handshake: a repeat is safe."""
    listener = socket.create_server(("127.0.0.1", 0))
    with pytest.raises(UpstreamRefused) as caught:
        transport.post(f"https://127.0.0.1:{listener.getsockname()[1]}/", b"{}", {}, timeout_s=(0.2, 0.2))
    listener.close()
    assert caught.value.rule is NOT_SENT
    assert caught.value.code == "ConnectTimeout"
