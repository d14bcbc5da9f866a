"""Answers are read as http.client reads them, however they come in pieces; what is not plain is left to it."""

from __future__ import annotations

import http.client
import io
import itertools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.answer import Deadline, PlainAnswer, read_plain, receive_head

NEVER = Deadline(None, None, None)
PLAIN = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a"\r\nX-Cos-Request-Id: \xe9\r\n\r\nhello'


class Pieces:
    """A socket that gives what it was made of, piece by piece, and then its end."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = [piece for piece in pieces if piece]

    def settimeout(self, _: float | None) -> None:
        """Wait for nothing."""

    def recv(self, size: int) -> bytes:
        """Give the next piece, or of it as much as is wanted."""
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def recv_into(self, buffer: Any) -> int:
        """Give the next piece into a buffer."""
        piece = self.recv(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def makefile(self, _: str) -> io.BytesIO:
        """Give all there is, as http.client wants it."""
        return io.BytesIO(b"".join(self.pieces))


def read(raw: bytes, cuts: list[int], method: str = "GET") -> tuple[PlainAnswer | None, int]:
    """Read an answer that comes in pieces cut at ``cuts``; return it, and how many bytes were taken off the socket."""
    places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    pieces = Pieces([raw[a:b] for a, b in itertools.pairwise(places)])
    sock: Any = pieces
    answer = read_plain(method, receive_head(sock, NEVER), sock, NEVER)
    return answer, len(raw) - sum(map(len, pieces.pieces))


def read_by_http_client(raw: bytes, method: str) -> tuple[int, str, dict[str, str], bytes]:
    """Read it as the standard library does."""
    answer = http.client.HTTPResponse(Pieces([raw]), method=method)  # type: ignore[arg-type]
    answer.begin()
    headers = {name.lower(): value.strip(" \t") for name, value in answer.headers.items()}
    return answer.status, answer.reason, headers, answer.read()


@given(st.lists(st.integers(0, len(PLAIN)), max_size=8))
def test_a_plain_answer_is_the_same_in_whatever_pieces_it_comes(cuts: list[int]):
    """TCP knows no messages."""
    answer, _ = read(PLAIN, cuts)
    assert answer is not None
    assert (answer.status, answer.reason, answer.body, answer.is_last) == (200, "OK", b"hello", False)
    assert answer.headers == {"content-length": "5", "etag": '"a"', "x-cos-request-id": "\xe9"}


_LINES = st.sampled_from(
    [b"Content-Length: 5", b"Content-Length: 0", b"content-length:5", b"Content-Length: +5", b"Content-Length: 5, 5",
     b"Content-Length: -1", b"Content-Length:  5 ", b"Content-Length: \xb2", b"Transfer-Encoding: chunked",
     b"Connection: close", b"Connection: keep-alive", b'ETag: "a"', b"X-Empty:", b" folded", b"\tfolded", b"no colon",
     b"Set-Cookie: a", b"Content-Encoding: identity", b"X-Spaced : 1", b": nameless", b"X-Bare: a\nX-Hidden: b",
     b"X-Bare: a\rb", b"Etag: b"]
)  # fmt: skip
_STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified",
     b"HTTP/1.1 404 Not Found", b"HTTP/1.1 503 \xe9", b"HTTP/1.1 200OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 103 Early Hints",
     b"HTTP/1.1 100 Continue", b"HTTP/1.0 200 OK", b"HTTP/2 200", b"HTTP/1.1  200 OK", b"ICY 200 OK"]
)  # fmt: skip


@given(
    status=_STATUS,
    lines=st.lists(_LINES, max_size=4),
    end=st.sampled_from([b"\r\n", b"\n"]),
    body=st.sampled_from([b"", b"hell", b"hello", b"hello!", b"5\r\nhello\r\n0\r\n\r\n"]),
    method=st.sampled_from(["GET", "HEAD", "PUT"]),
    cuts=st.lists(st.integers(0, 200), max_size=4),
)
@example(b"HTTP/1.1 200 OK", [b"Content-Length: 5", b"Content-Length: 6"], b"\r\n", b"hello", "GET", [])
def test_what_is_read_at_once_is_what_http_client_reads(
    status: bytes, lines: list[bytes], end: bytes, body: bytes, method: str, cuts: list[int]
):
    """Whatever the head holds: the same answer, the same failure, or none of ours."""
    raw = end.join([status, *lines, b"", b""]) + body
    try:
        answer, taken = read(raw, cuts, method)
    except http.client.IncompleteRead:
        with pytest.raises(http.client.IncompleteRead):
            read_by_http_client(raw, method)
        return
    if answer is None:
        return
    assert (answer.status, answer.reason.strip(), answer.headers, answer.body) == read_by_http_client(raw, method)
    end = raw.index(b"\r\n\r\n") + 4 + len(answer.body)
    assert answer.is_last or taken == end, "what was taken and is not of this answer would be the next one's"


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=3))
@example(b"HTTP/", [])
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999999\r\n\r\n", [])
def test_what_is_no_http_is_no_plain_answer(raw: bytes, cuts: list[int]):
    """It ends, and claims nothing."""
    assert read(raw, cuts)[0] is None


def test_a_head_without_end_is_given_up():
    """After 64 KB it is http.client's, which refuses it."""
    endless: Any = Pieces([b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000_000])
    assert len(receive_head(endless, NEVER)) <= 2 * 65536


def test_an_answer_of_many_megabytes_is_whole():
    """A report's object: the body comes in pieces of its own size."""
    body = bytes(range(256)) * 40_000
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    answer, _ = read(raw, list(range(1, len(raw), 70_001)))
    assert answer is not None
    assert answer.body == body
