"""One POST, once: and an honest account of what the wire proves, over real sockets."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3

from shared.upstream import transport
from shared.upstream.errors import NO_ANSWER, NOT_SENT, UpstreamRefused, UpstreamUncertain
from tests.unit.wire import GARBAGE, HALF, Wire, answer, refused_port, serving

if TYPE_CHECKING:
    import socket
    from pathlib import Path

OPENSSL = shutil.which("openssl")
BODY = b'{"Subject": "caf\xc3\xa9"}'
QUICK_S = (1.0, 0.2)


pytestmark = pytest.mark.usefixtures("fresh_session")


def test_the_bytes_given_are_the_bytes_sent():
    """What was signed is what goes out: body and headers unchanged, one request, the answer with its status."""
    with serving(answer(b"{}", status=418)) as wire:
        got = transport.post(wire.url, BODY, {"Content-Type": "application/json", "X-Own": "1"}, timeout_s=QUICK_S)
    assert got == transport.Answer(418, b"{}")
    (request,) = wire.received
    assert request.line == "POST / HTTP/1.1"
    assert request.body == BODY
    assert (request.headers["content-type"], request.headers["x-own"]) == ("application/json", "1")


def test_a_refused_connection_proves_that_nothing_was_sent():
    """Nobody listens: refused, safe to repeat."""
    with pytest.raises(UpstreamRefused) as caught:
        transport.post(f"http://127.0.0.1:{refused_port()}", BODY, {}, timeout_s=QUICK_S)
    assert caught.value.rule is NOT_SENT
    assert isinstance(caught.value.__cause__, requests.ConnectionError)


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ((b"",), "ConnectionError"),
        ((None,), "ReadTimeout"),
        ((HALF,), "ConnectionError"),
        ((GARBAGE,), "ConnectionError"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",), "InvalidHeader"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n",), "ChunkedEncodingError"),
        ((b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",), "ContentDecodingError"),
    ],
    ids=[
        "reads and closes",
        "never answers",
        "half an answer",
        "garbage",
        "two lengths",
        "bad chunks",
        "a lie about gzip",
    ],
)
def test_once_the_body_was_written_nobody_knows(replies: tuple[bytes | None, ...], code: str):
    """The mail may have gone out: uncertain, never repeated, exactly one request reached the server."""
    with serving(*replies) as wire:
        with pytest.raises(UpstreamUncertain) as caught:
            transport.post(wire.url, BODY, {}, timeout_s=QUICK_S)
        assert caught.value.rule is NO_ANSWER
        assert caught.value.code == code
        assert [request.body for request in wire.received] == [BODY]


def test_a_connection_that_went_stale_is_not_tried_again_blindly():
    """A kept connection that dies on the second request: that one is uncertain, and was sent once."""
    kept = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"  # promises to stay open, then closes
    with serving(kept, b"") as wire:
        assert transport.post(wire.url, BODY, {}, timeout_s=QUICK_S).body == b"{}"
        with pytest.raises(UpstreamUncertain):
            transport.post(wire.url, BODY, {}, timeout_s=QUICK_S)
        assert len(wire.received) in (1, 2)  # whether the second met the closing or a new connection; never a third


def test_a_redirect_is_not_followed():
    """A signed request is not for another host; the answer is handed on as it is."""
    redirect = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with serving(redirect) as wire:
        assert transport.post(wire.url, BODY, {}, timeout_s=QUICK_S) == transport.Answer(302, b"")
        assert len(wire.received) == 1


def test_the_session_is_warm_and_asks_the_environment_nothing(monkeypatch: pytest.MonkeyPatch):
    """One session for all; a proxy in the environment is not asked for."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{refused_port()}")
    assert transport.warm_session() is transport.warm_session()
    with serving(answer(b"{}")) as wire:
        assert transport.post(wire.url, BODY, {}, timeout_s=QUICK_S).status == 200


@pytest.mark.parametrize("url", ["ses.tencentcloudapi.com/", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999/"])
def test_an_address_that_is_none_proves_that_nothing_was_sent(url: str):
    """A wrong endpoint in the settings must not leave a key uncertain for ever."""
    with pytest.raises(UpstreamRefused) as caught:
        transport.post(url, BODY, {}, timeout_s=QUICK_S)
    assert caught.value.rule is NOT_SENT


@pytest.mark.parametrize("value", ["a\r\nX-Forged: b", "a\nb", "中"])
def test_a_header_that_cannot_be_written_proves_that_nothing_was_sent(value: str):
    """A line break in a token would be a header of somebody's making."""
    with serving(answer(b"{}")) as wire:
        with pytest.raises(UpstreamRefused, match="InvalidHeader"):
            transport.post(wire.url, BODY, {"X-TC-Token": value}, timeout_s=QUICK_S)
        assert wire.received == []


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        (urllib3.exceptions.ConnectTimeoutError("slow"), UpstreamRefused),
        (urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed")), UpstreamRefused),
        (urllib3.exceptions.SSLError(ssl.SSLError("bad record mac")), UpstreamUncertain),
        (urllib3.exceptions.ProtocolError("broken", ConnectionResetError(104, "reset")), UpstreamUncertain),
    ],
)
def test_what_lies_below_an_error_decides(monkeypatch: pytest.MonkeyPatch, below: Exception, expected: type):
    """A slow connect and a bad certificate come before the body; a broken TLS record or a reset may come after."""
    reason = urllib3.exceptions.MaxRetryError(None, "/", below)  # type: ignore[arg-type]

    def fail(*_: object, **__: object) -> None:
        raise requests.exceptions.ConnectionError(reason)

    monkeypatch.setattr(transport.warm_session(), "post", fail)
    with pytest.raises(expected):
        transport.post("http://127.0.0.1:1", BODY, {})


def test_a_certificate_that_is_refused_after_the_body_proves_nothing(monkeypatch: pytest.MonkeyPatch):
    """TLS 1.2 may shake hands anew, with another certificate, when the mail is out."""
    refused = ssl.SSLCertVerificationError(1, "self-signed certificate")
    cause = urllib3.exceptions.ProtocolError("Connection aborted.", refused)

    def fail(*_: object, **__: object) -> None:
        raise requests.exceptions.ConnectionError(cause)

    monkeypatch.setattr(transport.warm_session(), "post", fail)
    with pytest.raises(UpstreamUncertain):
        transport.post("http://127.0.0.1:1", BODY, {})


@pytest.mark.skipif(OPENSSL is None, reason="makes its certificate with the openssl command")
def test_a_certificate_that_nobody_signed_proves_that_nothing_was_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """TLS for real: the other end never sees the body."""
    pem = tmp_path / "self-signed.pem"
    how = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([str(OPENSSL), *how.split(), "-keyout", pem, "-out", f"{pem}.crt"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pem}.crt", pem)
    seen: list[bytes] = []

    def shake_hands(_: Wire, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            seen.append(secure.recv(4096))

    monkeypatch.setattr(Wire, "_handle", shake_hands)
    with serving(b"") as wire, pytest.raises(UpstreamRefused) as caught:
        transport.post(f"https://127.0.0.1:{wire.port}", BODY, {}, timeout_s=(1.0, 1.0))
    assert caught.value.rule is NOT_SENT
    assert b"".join(seen) == b""
