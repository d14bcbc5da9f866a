"""LIST against a model that is nothing but a dictionary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.clock import Clock
from localcloud.cos.listing import MAX_KEYS, Page, Selection, list_page
from localcloud.cos.service import CosService
from localcloud.cos.store import Content
from localcloud.defaults import BUCKET
from tests.contract.cos_door import KEYS, document_of, error_code, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.exchange import Response

ALPHABET = "ab/é\u00ff中"
KEY_SETS = st.sets(st.text(ALPHABET, min_size=1, max_size=6), max_size=40)


def entry_of(key: bytes, prefix: bytes, delimiter: bytes) -> bytes:
    """Tell what a key shows up as: itself, or its common prefix."""
    if delimiter and delimiter in key[len(prefix) :]:
        return key[: key.index(delimiter, len(prefix)) + len(delimiter)]
    return key


def model_page(
    keys: set[str], *, prefix: str, delimiter: str, marker: str, max_keys: int
) -> tuple[list[bytes], list[bytes], bytes]:
    """Keys, common prefixes and next marker, by the words of the documentation."""
    entries: dict[bytes, bool] = {}
    for key in sorted(key.encode() for key in keys):
        if key > marker.encode() and key.startswith(prefix.encode()):
            entry = entry_of(key, prefix.encode(), delimiter.encode())
            if entry != marker.encode():  # a common prefix given as marker has been listed, with all below it
                entries[entry] = entry == key and (
                    not delimiter or delimiter.encode() not in key[len(prefix.encode()) :]
                )
    chosen = list(entries)[:max_keys]
    next_marker = chosen[-1] if chosen and len(entries) > len(chosen) else b""
    return [e for e in chosen if entries[e]], [e for e in chosen if not entries[e]], next_marker


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CosService]:
    """Provide one COS; every test empties it."""
    cos = CosService(tmp_path_factory.mktemp("cos"), Clock(), keys=KEYS)
    yield cos
    cos.close()


def fill(service: CosService, keys: set[str]) -> None:
    """Let the bucket hold exactly ``keys``."""
    service.reset()
    for key in keys:
        with service.store.files.stage([b""]) as staged:
            service.store.put(BUCKET, key.encode(), Content(staged, staged.md5.hex(), {}), now=1.0)


def page_of(answer: Response) -> tuple[list[bytes], list[bytes], bytes]:
    """Keys, common prefixes and next marker of an answer under encoding-type=url."""
    tree = document_of(answer)
    keys = [unquote_to_bytes(node.text or "") for node in tree.iterfind("Contents/Key")]
    prefixes = [unquote_to_bytes(node.text or "") for node in tree.iterfind("CommonPrefixes/Prefix")]
    next_marker = unquote_to_bytes(tree.findtext("NextMarker", ""))
    assert tree.findtext("IsTruncated") == ("true" if next_marker else "false")
    return keys, prefixes, next_marker


@settings(max_examples=150, deadline=None)
@given(
    keys=KEY_SETS,
    prefix=st.text(ALPHABET, max_size=3),
    delimiter=st.sampled_from(["", "/", "b", "中"]),
    marker=st.text(ALPHABET, max_size=4),
    max_keys=st.integers(0, 12),
)
def test_a_page_is_what_the_model_says(service, keys, prefix, delimiter, marker, max_keys):
    """Contents, common prefixes, truncation and next marker are the model's for any parameters."""
    fill(service, keys)
    params = {"prefix": prefix, "delimiter": delimiter, "marker": marker, "max-keys": str(max_keys)}
    answer = send(service, "GET", params=params | {"encoding-type": "url"})
    assert page_of(answer) == model_page(keys, prefix=prefix, delimiter=delimiter, marker=marker, max_keys=max_keys)


@settings(max_examples=80, deadline=None)
@given(
    keys=KEY_SETS, prefix=st.text(ALPHABET, max_size=2), delimiter=st.sampled_from(["", "/"]), step=st.integers(1, 7)
)
def test_following_next_marker_reaches_everything_once(service, keys, prefix, delimiter, step):
    """Walking the pages yields each entry of one big page exactly once, in order."""
    fill(service, keys)
    whole = model_page(keys, prefix=prefix, delimiter=delimiter, marker="", max_keys=MAX_KEYS)
    found_keys: list[bytes] = []
    found_prefixes: list[bytes] = []
    marker = b""
    while True:
        params = {"prefix": prefix, "delimiter": delimiter, "marker": marker.decode(), "max-keys": str(step)}
        more_keys, more_prefixes, marker = page_of(send(service, "GET", params=params | {"encoding-type": "url"}))
        found_keys += more_keys
        found_prefixes += more_prefixes
        if not marker:
            break
    assert (found_keys, found_prefixes) == whole[:2]


class Row:
    """Enough of an index row for the pager."""

    def __init__(self, key: bytes) -> None:
        self.key = key


def test_a_page_reads_little_more_than_a_page():
    """However many objects lie below a common prefix, the pager jumps over them."""
    keys = [f"p{prefix:03}/{i:05}".encode() for prefix in range(100) for i in range(1000)]
    read = 0

    def fetch(start: bytes, end: bytes, limit: int) -> list[Row]:
        nonlocal read
        rows = [Row(key) for key in keys if start <= key < end][:limit]
        read += len(rows)
        return rows

    page = list_page(fetch, Selection(b"", b"/", b""), MAX_KEYS)
    assert isinstance(page, Page)
    assert len(page.common_prefixes) == 100
    assert read <= 100 * 16
    read = 0
    assert len(list_page(fetch, Selection(b"", b"", b"p050/"), 10).contents) == 10
    assert read == 11


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"max-keys": "-1"}, "InvalidArgument"),
        ({"max-keys": "many"}, "InvalidArgument"),
        ({"encoding-type": "base64"}, "InvalidArgument"),
        ({"delimiter": "//"}, "InvalidDelimiter"),
    ],
)
def test_parameters_that_are_refused(service, params, code):
    """A page size that is no number, another encoding and a long delimiter are refused."""
    answer = send(service, "GET", params=params)
    assert (answer.status, error_code(answer)) == (400, code)


def test_max_keys_zero_and_beyond_a_thousand(service):
    """Zero lists nothing and is not truncated; more than a thousand means a thousand."""
    fill(service, {f"{i:04}" for i in range(1001)})
    assert page_of(send(service, "GET", params={"max-keys": "0"})) == ([], [], b"")
    answer = send(service, "GET", params={"max-keys": "5000"})
    assert b"<MaxKeys>1000</MaxKeys>" in answer.body
    assert page_of(answer)[2] == b"0999"


def test_keys_that_xml_cannot_carry(service):
    """Control characters come back under encoding-type=url and break no document without it."""
    fill(service, {"a\x01b", "c&<d>\r"})
    assert page_of(send(service, "GET", params={"encoding-type": "url"}))[0] == [b"a\x01b", b"c&<d>\r"]
    texts = [node.text for node in document_of(send(service, "GET")).iterfind("Contents/Key")]
    assert texts == ["a\ufffdb", "c&<d>\r"]


def test_entries_carry_what_clients_read(service, tmp_path: Path):
    """An entry has its ETag in quotes, size, time, owner and storage class."""
    service.reset()
    send(service, "PUT", "k", body=b"123", headers={"x-cos-storage-class": "STANDARD_IA"})
    entry = document_of(send(service, "GET")).find("Contents")
    assert entry.findtext("ETag") == '"202cb962ac59075b964b07152d234b70"'
    assert entry.findtext("Size") == "3"
    assert entry.findtext("StorageClass") == "STANDARD_IA"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", entry.findtext("LastModified"))
