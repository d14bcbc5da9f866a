"""Connections are kept exactly as long as it is certain whose the next answer will be; over real sockets."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
import requests

from shared.session import PATIENCE_S, WarmSession
from shared.upstream import transport
from shared.upstream.errors import NOT_SENT, UpstreamRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@pytest.mark.skipif(OPENSSL is None, reason="makes its certificate with the openssl command")
def test_over_tls_a_connection_is_kept_and_large_bodies_are_whole(tmp_path: Path):
    """A record of TLS holds 16 KB; what comes after the handshake (session tickets) is no answer."""
    pem, crt = tmp_path / "key.pem", tmp_path / "crt.pem"
    how = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([str(OPENSSL), *how.split(), "-keyout", pem, "-out", crt], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, pem)
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
        answers = [session.put(url, data=body, timeout=(5, 5), verify=str(crt)).content for _ in range(3)]
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
