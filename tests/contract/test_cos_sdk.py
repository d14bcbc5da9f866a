"""The local COS, judged by the unmodified cos-python-sdk-v5."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
from qcloud_cos import CosServiceError

from localcloud.clock import Clock
from localcloud.cos.service import CosService
from localcloud.defaults import APP_ID, BUCKET, REGION
from tests.contract.cos_door import KEYS, open_door, sdk_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qcloud_cos import CosS3Client

MEBIBYTE = 1 << 20


@pytest.fixture
def service(tmp_path: Path) -> Iterator[CosService]:
    """Provide a fresh COS behind the door."""
    cos = CosService(tmp_path, Clock(), keys=KEYS)
    with open_door(cos):
        yield cos
    cos.close()


@pytest.fixture
def client(service: CosService) -> CosS3Client:
    """Provide the SDK's client of it."""
    return sdk_client()


def body_of(answer: dict) -> bytes:
    """Read the body of a get_object."""
    return answer["Body"].get_raw_stream().read()


def refusal(call: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[int, str]:
    """Status and code of the error that a call of the SDK must raise, ids included."""
    with pytest.raises(CosServiceError) as caught:
        call(*args, **kwargs)
    assert caught.value.get_request_id()
    assert caught.value.get_trace_id()
    return caught.value.get_status_code(), caught.value.get_error_code()


def test_put_get_head_delete_round_trip(client: CosS3Client):
    """An object comes back with its bytes, type, metadata and checksums; deleting twice is no error."""
    put = client.put_object(
        BUCKET, b"123456789", "events/dt=2026-11-21/a.jsonl", EnableMD5=True, ContentType="application/jsonl",
        CacheControl="no-store", Metadata={"x-cos-meta-run": "7"},
    )  # fmt: skip
    assert put["ETag"] == '"25f9e794323b453885f5181f1b624d0b"'
    assert put["x-cos-hash-crc64ecma"] == "11051210869376104954"
    head = client.head_object(BUCKET, "events/dt=2026-11-21/a.jsonl")
    assert head["Content-Length"] == "9"
    assert head["x-cos-meta-run"] == "7"
    assert head["Content-Type"] == "application/jsonl"
    assert head["Cache-Control"] == "no-store"
    assert head["x-cos-object-type"] == "normal"
    assert head["ETag"] == put["ETag"]
    got = client.get_object(BUCKET, "events/dt=2026-11-21/a.jsonl")
    assert body_of(got) == b"123456789"
    assert got["x-cos-hash-crc64ecma"] == put["x-cos-hash-crc64ecma"]
    for _ in range(2):
        client.delete_object(BUCKET, "events/dt=2026-11-21/a.jsonl")
    assert not client.object_exists(BUCKET, "events/dt=2026-11-21/a.jsonl")


@pytest.mark.parametrize(
    "key", ["中文/文件 名.txt", "a b+c&d=e?f#g%20h", "~!@$^*()[]{}|;:',<>", "a//b", "dir/", "…/\u00e9"]
)
def test_keys_of_any_characters(client: CosS3Client, key: str):
    """Keys with spaces, reserved and Chinese characters are stored, listed and deleted as they are."""
    client.put_object(BUCKET, key.encode(), key)
    assert body_of(client.get_object(BUCKET, key)) == key.encode()
    assert [row["Key"] for row in client.list_objects(BUCKET)["Contents"]] == [key]
    client.delete_objects(BUCKET, {"Object": [{"Key": key}]})
    assert "Contents" not in client.list_objects(BUCKET)


def test_range_and_response_overrides(client: CosS3Client):
    """Range answers 206 with its bytes; response-* parameters replace headers."""
    client.put_object(BUCKET, b"0123456789", "k")
    part = client.get_object(BUCKET, "k", Range="bytes=2-4", ResponseContentType="text/csv")
    assert body_of(part) == b"234"
    assert part["Content-Range"] == "bytes 2-4/10"
    assert part["Content-Type"] == "text/csv"
    assert refusal(client.get_object, BUCKET, "k", Range="bytes=10-") == (416, "InvalidRange")


def test_forbid_overwrite_creates_once(client: CosS3Client, service: CosService):
    """x-cos-forbid-overwrite makes PUT create-if-absent, unless the bucket ever had versioning."""
    only_new = {"x-cos-forbid-overwrite": "true"}
    client.put_object(BUCKET, b"first", "claim", Metadata=only_new)
    assert refusal(client.put_object, BUCKET, b"second", "claim", Metadata=only_new) == (409, "FileAlreadyExists")
    assert body_of(client.get_object(BUCKET, "claim")) == b"first"
    service.versioned = True
    client.put_object(BUCKET, b"second", "claim", Metadata=only_new)
    assert body_of(client.get_object(BUCKET, "claim")) == b"second"
    assert client.get_bucket_versioning(BUCKET)["Status"] == "Enabled"


def test_append(client: CosS3Client, service: CosService):
    """Append adds at the given position only, to objects born of it, and never in a multi-AZ bucket."""
    first = client.append_object(BUCKET, "log", 0, b"12345")
    assert first["x-cos-next-append-position"] == "5"
    second = client.append_object(BUCKET, "log", 5, b"6789")
    assert second["x-cos-next-append-position"] == "9"
    assert second["x-cos-hash-crc64ecma"] == "11051210869376104954"
    assert body_of(client.get_object(BUCKET, "log")) == b"123456789"
    assert client.head_object(BUCKET, "log")["x-cos-object-type"] == "appendable"
    assert refusal(client.append_object, BUCKET, "log", 5, b"x") == (409, "AppendPositionErr")
    assert refusal(client.append_object, BUCKET, "other", 3, b"x") == (409, "AppendPositionErr")
    client.put_object(BUCKET, b"abc", "log")
    assert client.head_object(BUCKET, "log")["x-cos-object-type"] == "normal"
    assert refusal(client.append_object, BUCKET, "log", 3, b"x") == (409, "ObjectNotAppendable")
    service.multi_az = True
    assert refusal(client.append_object, BUCKET, "new", 0, b"x")[0] == 400
    assert client.head_bucket(BUCKET)["x-cos-bucket-az-type"] == "MAZ"


def test_list_pages_and_common_prefixes(client: CosS3Client):
    """LIST pages through everything in byte order, and rolls up by delimiter."""
    keys = sorted(f"events/dt=2026-11-{day:02}/{i}.jsonl" for day in range(1, 6) for i in range(5))
    for key in keys:
        client.put_object(BUCKET, b"{}", key)
    found, marker = [], ""
    while True:
        page = client.list_objects(BUCKET, Prefix="events/", Marker=marker, MaxKeys=7)
        found += [row["Key"] for row in page["Contents"]]
        if page["IsTruncated"] == "false":
            break
        marker = page["NextMarker"]
    assert found == keys
    assert "NextMarker" not in page
    rolled = client.list_objects(BUCKET, Prefix="events/", Delimiter="/")
    assert [row["Prefix"] for row in rolled["CommonPrefixes"]] == [
        f"events/dt=2026-11-{day:02}/" for day in range(1, 6)
    ]
    assert "Contents" not in rolled
    assert client.list_objects(BUCKET, Prefix=keys[0])["Contents"][0]["Size"] == "2"


def test_list_lag(client: CosS3Client, service: CosService):
    """With list_lag_s, a new key is read at once and listed later; an overwrite does not hide it again."""
    service.list_lag_s = 30
    client.put_object(BUCKET, b"1", "k")
    assert body_of(client.get_object(BUCKET, "k")) == b"1"
    assert "Contents" not in client.list_objects(BUCKET)
    service.clock.advance(31)
    assert client.list_objects(BUCKET)["Contents"][0]["Key"] == "k"
    client.put_object(BUCKET, b"2", "k")
    assert client.list_objects(BUCKET)["Contents"][0]["Key"] == "k"


def test_list_lag_of_deleted_keys(client: CosS3Client, service: CosService):
    """With list_lag_deleted, a deleted key stays listed for the lag, page by page and once; what was never shown is not."""
    for name in "abcde":
        client.put_object(BUCKET, name.encode(), name)
    service.switches.update({"list_lag_s": 30, "list_lag_deleted": True})
    service.clock.advance(31)
    client.put_object(BUCKET, b"new", "aa")
    client.delete_objects(BUCKET, {"Object": [{"Key": "b"}, {"Key": "aa"}]})
    client.delete_object(BUCKET, "e")
    assert refusal(client.get_object, BUCKET, "b") == (404, "NoSuchKey")
    pages = [
        [row["Key"] for row in client.list_objects(BUCKET, Marker=at, MaxKeys=2)["Contents"]] for at in ("", "b", "d")
    ]
    assert pages == [["a", "b"], ["c", "d"], ["e"]]
    assert [row["Key"] for row in client.list_objects(BUCKET)["Contents"]] == list("abcde")
    client.put_object(BUCKET, b"again", "b")
    assert [row["Key"] for row in client.list_objects(BUCKET)["Contents"]] == list("abcde")
    service.clock.advance(31)
    assert [row["Key"] for row in client.list_objects(BUCKET)["Contents"]] == list("abcd")
    client.delete_object(BUCKET, "a")
    service.switches.reset()
    assert [row["Key"] for row in client.list_objects(BUCKET)["Contents"]] == list("bcd")


def test_delete_many(client: CosS3Client):
    """DELETE Multiple deletes what is there, names what it was asked, and says nothing when quiet."""
    for name in "abc":
        client.put_object(BUCKET, b"", name)
    answer = client.delete_objects(BUCKET, {"Object": [{"Key": "a"}, {"Key": "zz"}]})
    assert [row["Key"] for row in answer["Deleted"]] == ["a", "zz"]
    quiet = client.delete_objects(BUCKET, {"Quiet": "true", "Object": [{"Key": "b"}]})
    assert "Deleted" not in quiet
    assert [row["Key"] for row in client.list_objects(BUCKET)["Contents"]] == ["c"]


def test_copy(client: CosS3Client):
    """A copy keeps or replaces metadata, reports like COS, and honours forbid-overwrite and conditions."""
    client.put_object(BUCKET, b"data", "src", Metadata={"x-cos-meta-a": "1"}, ContentType="text/x")
    source = {"Bucket": BUCKET, "Key": "src", "Region": REGION}
    copied = client.copy_object(BUCKET, "dst", source)
    assert copied["ETag"] == '"8d777f385d3dfec8815d20f7496026dc"'
    assert client.head_object(BUCKET, "dst")["x-cos-meta-a"] == "1"
    client.copy_object(BUCKET, "dst", source, CopyStatus="Replaced", Metadata={"x-cos-meta-b": "2"})
    head = client.head_object(BUCKET, "dst")
    assert head["x-cos-meta-b"] == "2"
    assert "x-cos-meta-a" not in head
    only_new = {"x-cos-forbid-overwrite": "true"}
    assert refusal(client.copy_object, BUCKET, "dst", source, Metadata=only_new) == (409, "FileAlreadyExists")
    assert refusal(client.copy_object, BUCKET, "x", source | {"Key": "none"}) == (404, "NoSuchKey")
    assert refusal(client.copy_object, BUCKET, "x", source, CopySourceIfMatch="no") == (412, "PreconditionFailed")
    assert refusal(client.copy_object, BUCKET, "src", source) == (400, "InvalidRequest")
    client.append_object(BUCKET, "log", 0, b"x")
    assert refusal(client.copy_object, BUCKET, "x", source | {"Key": "log"})[0] == 400


def test_upload_file_in_parts(client: CosS3Client, tmp_path: Path):
    """The SDK's own multipart upload and ranged download give the same bytes; the ETag ends in -N."""
    data = bytes(range(256)) * 4096 * 21  # the SDK goes multipart from 20 MB on
    source = tmp_path / "source.bin"
    source.write_bytes(data + b"tail")
    done = client.upload_file(BUCKET, "big", str(source), PartSize=1, MAXThread=2)
    assert done["ETag"].endswith('-22"')
    client.download_file(BUCKET, "big", str(tmp_path / "copy.bin"), PartSize=1, MAXThread=2, EnableCRC=True)
    assert (tmp_path / "copy.bin").read_bytes() == data + b"tail"


def test_multipart_by_hand(client: CosS3Client):
    """Initiate, upload, list, complete: the object is the named parts in order."""
    upload_id = client.create_multipart_upload(BUCKET, "big", ContentType="text/y")["UploadId"]
    parts = []
    for number, data in ((1, b"a" * MEBIBYTE), (2, b"b" * MEBIBYTE), (3, b"c")):
        etag = client.upload_part(BUCKET, "big", data, number, upload_id, EnableMD5=True)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    client.put_object(BUCKET, b"0123456789", "src")
    source = {"Bucket": BUCKET, "Key": "src", "Region": REGION}
    copied = client.upload_part_copy(BUCKET, "big", 4, upload_id, source, CopySourceRange="bytes=0-4")
    assert copied["ETag"] == '"4100c4d44da9177247e44a5fc1546778"'
    listed = client.list_parts(BUCKET, "big", upload_id, MaxParts=2)
    assert [row["PartNumber"] for row in listed["Part"]] == ["1", "2"]
    assert listed["NextPartNumberMarker"] == "2"
    rest = client.list_parts(BUCKET, "big", upload_id, PartNumberMarker=2, EncodingType="url")
    assert [row["PartNumber"] for row in rest["Part"]] == ["3", "4"]
    assert refusal(client.list_parts, BUCKET, "big", upload_id, PartNumberMarker="x") == (400, "InvalidArgument")
    client.upload_part(BUCKET, "big", b"replaced", 3, upload_id)
    assert client.upload_part(BUCKET, "big", b"c", 3, upload_id)["ETag"] == parts[2]["ETag"]
    assert [row["Key"] for row in client.list_multipart_uploads(BUCKET)["Upload"]] == ["big"]
    done = client.complete_multipart_upload(BUCKET, "big", upload_id, {"Part": parts})
    assert re.fullmatch(r'"[0-9a-f]{32}-3"', done["ETag"])
    got = client.get_object(BUCKET, "big")
    assert body_of(got) == b"a" * MEBIBYTE + b"b" * MEBIBYTE + b"c"
    assert got["Content-Type"] == "text/y"
    assert "Upload" not in client.list_multipart_uploads(BUCKET)
    assert refusal(client.list_parts, BUCKET, "big", upload_id) == (404, "NoSuchUpload")


def test_multipart_refusals(client: CosS3Client):
    """Complete checks parts, order, sizes and forbid-overwrite; abort forgets the upload."""
    only_new = {"x-cos-forbid-overwrite": "true"}
    upload_id = client.create_multipart_upload(BUCKET, "k", Metadata=only_new)["UploadId"]
    one = {"PartNumber": 1, "ETag": client.upload_part(BUCKET, "k", b"x", 1, upload_id)["ETag"]}
    two = {"PartNumber": 2, "ETag": client.upload_part(BUCKET, "k", b"y", 2, upload_id)["ETag"]}

    def complete(*parts: dict, **kwargs: Any):
        return client.complete_multipart_upload(BUCKET, "k", upload_id, {"Part": list(parts)}, **kwargs)

    assert refusal(complete, one, two) == (400, "EntityTooSmall")
    assert refusal(complete, two, one) == (400, "InvalidPartOrder")
    assert refusal(complete, one | {"ETag": '"00"'}) == (400, "InvalidPart")
    assert refusal(complete) == (400, "MalformedXML")
    assert refusal(client.upload_part, BUCKET, "k", b"", 10001, upload_id) == (400, "InvalidArgument")
    client.put_object(BUCKET, b"rival", "k")
    assert refusal(client.create_multipart_upload, BUCKET, "k", Metadata=only_new) == (409, "FileAlreadyExists")
    assert refusal(complete, one, Metadata=only_new) == (409, "FileAlreadyExists")
    assert body_of(client.get_object(BUCKET, "k")) == b"rival"
    client.abort_multipart_upload(BUCKET, "k", upload_id)
    assert refusal(complete, one) == (404, "NoSuchUpload")


def test_presigned_urls(client: CosS3Client, service: CosService):
    """A pre-signed URL reads and writes without credentials until it expires."""
    put_url = client.get_presigned_url(BUCKET, "signed/文.txt", "PUT", Expired=60)
    assert requests.put(put_url, data=b"by url").status_code == 200
    url = client.get_presigned_download_url(
        BUCKET, "signed/文.txt", Expired=60, Params={"response-content-disposition": "attachment; filename=a b"}
    )
    got = requests.get(url)
    assert got.content == b"by url"
    assert got.headers["Content-Disposition"] == "attachment; filename=a b"
    refused = requests.get(url.replace("signed/", "other/"))
    assert refused.status_code == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in refused.text
    assert "<FormatString>get\n/other/文.txt\n" in refused.content.decode()


def test_credentials(client: CosS3Client):
    """Wrong key, unknown id and no signature are told apart; a security token is accepted."""
    assert refusal(sdk_client(SecretKey="wrong").put_object, BUCKET, b"", "k") == (403, "SignatureDoesNotMatch")
    assert refusal(sdk_client(SecretId="AKIDNOBODY").get_object, BUCKET, "k") == (403, "InvalidAccessKeyId")
    assert refusal(sdk_client(Anonymous=True).get_object, BUCKET, "k") == (403, "AccessDenied")
    sdk_client(Token="session").put_object(BUCKET, b"", "k")
    assert client.head_object(BUCKET, "k")["Content-Length"] == "0"


def test_absent_things(client: CosS3Client):
    """A missing key, object and bucket each have their own code; HEAD has none but still its ids."""
    assert refusal(client.get_object, BUCKET, "none") == (404, "NoSuchKey")
    assert refusal(client.head_object, BUCKET, "none") == (404, "NoSuchResource")
    assert refusal(client.list_objects, f"nobody-{APP_ID}") == (404, "NoSuchBucket")
    assert refusal(client.put_object, f"nobody-{APP_ID}", b"", "k") == (404, "NoSuchBucket")


def test_buckets(client: CosS3Client):
    """Buckets are created, found, listed, described and deleted when empty."""
    other = f"other-{APP_ID}"
    assert not client.bucket_exists(other)
    client.create_bucket(other)
    assert client.bucket_exists(other)
    assert refusal(client.create_bucket, other) == (409, "BucketAlreadyOwnedByYou")
    assert refusal(client.create_bucket, "bad-999") == (400, "InvalidBucketName")
    listed = client.list_buckets()["Buckets"]["Bucket"]
    assert [(row["Name"], row["Location"]) for row in listed] == [(BUCKET, REGION), (other, REGION)]
    assert client.list_buckets(MaxKeys=1)["IsTruncated"] == "true"
    assert client.get_bucket_location(BUCKET)["LocationConstraint"] == REGION
    assert client.get_bucket_acl(BUCKET)["CannedACL"] == "private"
    assert "Status" not in (client.get_bucket_versioning(BUCKET) or {})
    client.put_object(other, b"", "k")
    assert client.get_object_acl(other, "k")["CannedACL"] == "default"
    assert refusal(client.delete_bucket, other) == (409, "BucketNotEmpty")
    client.delete_object(other, "k")
    client.delete_bucket(other)
    assert not client.bucket_exists(other)
    assert refusal(client.get_bucket_lifecycle, BUCKET) == (404, "NoSuchLifecycleConfiguration")


@pytest.mark.parametrize(
    "options",
    [
        {"IP": "127.0.0.1", "Port": 9002},
        {"EnableOldDomain": False},
        {"EnableOldDomain": False, "EnableInternalDomain": False},
        {"Domain": f"127.0.0.1:9002/{BUCKET}"},
        {"Endpoint": "cos.accelerate.myqcloud.com"},
    ],
    ids=["ip and port", "internal domain", "tencentcos.cn", "path style", "endpoint"],
)
def test_every_way_to_address(service: CosService, options: dict):
    """By IP with the usual Host, by any suffix, and in path style, writing and reading."""
    client = sdk_client(**options)
    client.put_object(BUCKET, b"x", "a/b c")
    assert body_of(client.get_object(BUCKET, "a/b c")) == b"x"
    assert body_of(sdk_client().get_object(BUCKET, "a/b c")) == b"x"


def test_16_sdk_clients_one_winner(service: CosService):
    """Of sixteen SDK clients creating one key at once, exactly one succeeds."""

    def claim(number: int) -> str:
        try:
            sdk_client().put_object(BUCKET, str(number).encode(), "claim", Metadata={"x-cos-forbid-overwrite": "true"})
        except CosServiceError as error:
            return str(error.get_error_code())
        return "won"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(claim, range(16)))
    assert sorted(outcomes) == ["FileAlreadyExists"] * 15 + ["won"]
    assert body_of(sdk_client().get_object(BUCKET, "claim")) == str(outcomes.index("won")).encode()


def test_streams_and_chunked_uploads(client: CosS3Client):
    """File-like bodies arrive whole."""
    client.put_object(BUCKET, io.BytesIO(b"stream"), "s")
    assert body_of(client.get_object(BUCKET, "s")) == b"stream"
