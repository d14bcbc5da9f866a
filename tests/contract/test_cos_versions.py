"""Versioning: versions, delete markers, suspension, listing, and that they survive a death and a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.clock import Clock
from localcloud.cos.service import CosService
from localcloud.defaults import BUCKET
from tests.contract.cos_door import HOST, KEYS, document_of, error_code, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def service(tmp_path: Path) -> Iterator[CosService]:
    """Provide a COS whose bucket keeps versions."""
    cos = CosService(tmp_path, Clock(), keys=KEYS)
    set_versioning(cos, "Enabled")
    yield cos
    cos.close()


def set_versioning(service: CosService, status: str) -> None:
    body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>".encode()
    assert send(service, "PUT", params={"versioning": ""}, body=body).status == 200


def put(service: CosService, body: bytes, key: str = "k") -> str:
    return send(service, "PUT", key, body=body).headers["x-cos-version-id"]


def get(service: CosService, version_id: str = "", key: str = "k") -> bytes | str:
    answer = send(service, "GET", key, params={"versionId": version_id} if version_id else {})
    return answer.body if answer.status == 200 else error_code(answer)


def entries(service: CosService, **params: str) -> list[tuple[str, str, str, bool]]:
    """(tag, key, version id, is latest) of GET ?versions, following its pages."""
    found, markers = [], {}
    while True:
        tree = document_of(send(service, "GET", params={"versions": ""} | params | markers))
        for node in tree:
            if node.tag in ("Version", "DeleteMarker"):
                latest = node.findtext("IsLatest") == "true"
                found.append((node.tag, node.findtext("Key"), node.findtext("VersionId"), latest))
        if tree.findtext("IsTruncated") == "false":
            return found
        markers = {
            "key-marker": tree.findtext("NextKeyMarker"), "version-id-marker": tree.findtext("NextVersionIdMarker"),
        }  # fmt: skip


def test_every_version_can_be_read(service: CosService):
    """A PUT makes a version; a GET answers the newest, or the one that is asked for."""
    first, second = put(service, b"1"), put(service, b"2")
    assert (get(service), get(service, first), get(service, second)) == (b"2", b"1", b"2")
    assert get(service, "nobody") == "NoSuchVersion"
    assert send(service, "HEAD", "k", params={"versionId": first}).headers["x-cos-version-id"] == first


def test_delete_markers(service: CosService):
    """DELETE hides behind a marker; deleting the marker brings the object back; a version can go for good."""
    first, second = put(service, b"1"), put(service, b"2")
    deleted = send(service, "DELETE", "k")
    assert (deleted.status, deleted.headers["x-cos-delete-marker"]) == (204, "true")
    hidden = send(service, "GET", "k")
    assert (hidden.status, error_code(hidden), hidden.headers["x-cos-delete-marker"]) == (404, "NoSuchKey", "true")
    marker = deleted.headers["x-cos-version-id"]
    assert get(service, marker) == "MethodNotAllowed"
    assert b"<Contents>" not in send(service, "GET").body
    assert entries(service) == [
        ("DeleteMarker", "k", marker, True), ("Version", "k", second, False), ("Version", "k", first, False),
    ]  # fmt: skip
    assert send(service, "DELETE", "k", params={"versionId": marker}).headers["x-cos-delete-marker"] == "true"
    assert get(service) == b"2"
    assert "x-cos-delete-marker" not in send(service, "DELETE", "k", params={"versionId": second}).headers
    assert get(service) == b"1"
    assert error_code(send(service, "DELETE")) == "BucketNotEmpty"
    send(service, "DELETE", "k", params={"versionId": first})
    assert entries(service) == []
    assert send(service, "DELETE").status == 204


def test_a_bucket_that_kept_no_versions_before(tmp_path: Path):
    """What was there is the version ``null``; suspended, a PUT writes over null and leaves the others."""
    service = CosService(tmp_path, Clock(), keys=KEYS)
    assert "x-cos-version-id" not in send(service, "PUT", "k", body=b"old").headers
    set_versioning(service, "Enabled")
    kept = put(service, b"new")
    assert (get(service, "null"), get(service, kept)) == (b"old", b"new")
    set_versioning(service, "Suspended")
    assert put(service, b"over") == "null"
    assert (get(service), get(service, "null"), get(service, kept)) == (b"over", b"over", b"new")
    assert put(service, b"again") == "null"
    assert [entry[2] for entry in entries(service)] == ["null", kept]
    assert send(service, "DELETE", "k").headers["x-cos-version-id"] == "null"
    assert [entry[:1] + entry[2:3] for entry in entries(service)] == [("DeleteMarker", "null"), ("Version", kept)]
    service.close()


def test_forbid_overwrite_is_void_once_versioning_was_enabled(service: CosService):
    """Enabled or suspended; a bucket that never had it is not affected."""
    only_new = {"x-cos-forbid-overwrite": "true"}
    for status in ("Enabled", "Suspended"):
        set_versioning(service, status)
        for _ in range(2):
            assert send(service, "PUT", "claim", headers=only_new).status == 200
    send(service, "PUT", bucket="other-1250000000")
    statuses = [send(service, "PUT", "c", headers=only_new, bucket="other-1250000000").status for _ in range(2)]
    assert statuses == [200, 409]


def test_appendable_objects_take_no_part(service: CosService):
    """Append makes and extends the version null; a PUT afterwards keeps it as a version."""
    for position in ("0", "2"):
        at = {"append": "", "position": position}
        assert send(service, "POST", "log", params=at, body=b"ab").status == 200
    newer = put(service, b"put", "log")
    assert (get(service, "null", "log"), get(service, newer, "log")) == (b"abab", b"put")
    at = {"append": "", "position": "3"}
    assert error_code(send(service, "POST", "log", params=at, body=b"x")) == "ObjectNotAppendable"


def test_copy_multipart_and_delete_many_know_versions(service: CosService):
    """A copy's source may be a version; an upload completes to a version; DELETE Multiple names versions."""
    first = put(service, b"1")
    put(service, b"2")
    copied = send(service, "PUT", "copy", headers={"x-cos-copy-source": f"{HOST}/k?versionId={first}"})
    assert copied.headers["x-cos-copy-source-version-id"] == first
    assert get(service, copied.headers["x-cos-version-id"], "copy") == b"1"
    body = f"<Delete><Object><Key>k</Key><VersionId>{first}</VersionId></Object><Object><Key>k</Key></Object></Delete>"
    import base64  # noqa: PLC0415
    import hashlib  # noqa: PLC0415

    digest = base64.b64encode(hashlib.md5(body.encode()).digest()).decode()
    headers = {"content-md5": digest}
    answer = send(service, "POST", params={"delete": ""}, body=body.encode(), headers=headers)
    tree = document_of(answer)
    assert [node.findtext("VersionId") for node in tree] == [first, None]
    assert tree[1].findtext("DeleteMarkerVersionId")
    assert get(service, first) == "NoSuchVersion"


@pytest.mark.parametrize("page", ["1", "2", "3", "1000"])
def test_listing_pages(service: CosService, page: str):
    """Pages of any size give every version once, in order; prefix and delimiter hold."""
    for key in ("a", "b/1", "b/2", "c"):
        for body in (b"1", b"2"):
            put(service, body, key)
    send(service, "DELETE", "b/1")
    whole = entries(service)
    assert [entry[1] for entry in whole] == ["a", "a", "b/1", "b/1", "b/1", "b/2", "b/2", "c", "c"]
    assert [entry[1] for entry in whole if entry[3]] == ["a", "b/1", "b/2", "c"]
    assert entries(service, **{"max-keys": page}) == whole
    assert entries(service, **{"max-keys": page}, prefix="b/") == whole[2:7]
    assert [entry[1] for entry in entries(service, **{"max-keys": page}, delimiter="/")] == ["a", "a", "c", "c"]


def test_versions_survive_a_restart(tmp_path: Path):
    """Versions, markers and the status of versioning are there after a restart; reset forgets them."""
    first = CosService(tmp_path, Clock(), keys=KEYS)
    set_versioning(first, "Enabled")
    old = put(first, b"1")
    put(first, b"2")
    send(first, "DELETE", "k")
    listed = entries(first)
    first.close()
    second = CosService(tmp_path, Clock(), keys=KEYS)
    assert entries(second) == listed
    assert get(second, old) == b"1"
    second.reset()
    assert entries(second) == []
    assert "x-cos-version-id" not in send(second, "PUT", "k").headers
    second.close()


def test_a_failing_rename_leaves_the_old_version(service: CosService, monkeypatch: pytest.MonkeyPatch):
    """If a further version cannot be stored, what was current is current, and no version more is listed."""

    def fail(*_: object) -> None:
        raise OSError("disk full")

    put(service, b"old")
    before = entries(service)
    monkeypatch.setattr(service.store.files, "promote", fail)
    with pytest.raises(OSError, match="disk full"):
        send(service, "PUT", "k", body=b"new")
    assert (get(service), entries(service)) == (b"old", before)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "delete", "purge", "Enabled", "Suspended"]), st.integers(0, 3)), max_size=25
    )
)
def test_any_sequence_is_what_a_list_of_versions_would_hold(tmp_path_factory, steps):
    """Puts, deletes, deletions of versions and changes of status agree with a plain list, newest first."""
    service = CosService(tmp_path_factory.mktemp("cos"), Clock(), keys=KEYS)
    model: list[tuple[str, bytes | None]] = []
    status = ""
    for number, (verb, index) in enumerate(steps):
        body = b"%d" % number
        if verb in ("Enabled", "Suspended"):
            set_versioning(service, verb)
            status = verb
        elif verb == "put" or (verb == "delete" and status):
            content = body if verb == "put" else None
            answer = send(service, verb.upper(), "k", body=body if verb == "put" else b"")
            version_id = answer.headers.get("x-cos-version-id", "null")
            assert (version_id == "null") == (status != "Enabled")
            if version_id == "null":
                model = [entry for entry in model if entry[0] != "null"]
            model.insert(0, (version_id, content))
        elif verb == "delete":
            send(service, "DELETE", "k")
            model = []
        elif model and status:
            version_id, _ = model.pop(index % len(model))
            send(service, "DELETE", "k", params={"versionId": version_id})
        listed = [(tag, version_id) for tag, _, version_id, _ in entries(service)]
        assert listed == [("Version" if held is not None else "DeleteMarker", one) for one, held in model]
        current = model[0][1] if model else None
        assert get(service) == ("NoSuchKey" if current is None else current)
        for version_id, held in model:
            assert get(service, version_id) == ("MethodNotAllowed" if held is None else held)
    assert service.store.index.is_empty(BUCKET) == (not model)
    service.close()
