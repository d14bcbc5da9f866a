"""boto3 against the S3-compatible API: path style by address, virtual hosts by the cloud's own names."""

from __future__ import annotations

import io
import urllib.request
from typing import Any

import pytest

from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from tests.clients.recording import recorded

boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
from botocore.config import Config  # noqa: E402 - after the skip
from botocore.exceptions import ClientError  # noqa: E402

NAME = "boto3 (S3 API)"
ODD_KEY = "a/中 +&b.txt"


def operation(name: str):
    return recorded(NAME, name, version=boto3.__version__)


def client(endpoint: str, *, style: str = "path", secret: str = SECRET_KEY, **config: Any) -> Any:
    """Make a client; its checksums are its own defaults unless ``config`` says otherwise."""
    return boto3.session.Session().client(
        "s3", endpoint_url=endpoint, aws_access_key_id=SECRET_ID, aws_secret_access_key=secret,
        aws_session_token="any token", region_name=REGION,
        config=Config(s3={"addressing_style": style}, retries={"total_max_attempts": 1}, **config),
    )  # fmt: skip


@pytest.fixture(params=["when_supported", "when_required"])
def s3(request, server):
    """Both manners of checksums: CRC trailers in aws-chunked bodies, and none."""
    when = request.param
    made = client(server.cos_url, request_checksum_calculation=when, response_checksum_validation=when)
    yield made
    made.close()


def refusal(call, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_objects(s3):
    """Put, get, head, range, copy, delete; metadata under x-amz-meta-."""
    with operation("put_object, head_object"):
        s3.put_object(Bucket=BUCKET, Key=ODD_KEY, Body=b"hello", Metadata={"order": "42"}, ContentType="text/x")
        head = s3.head_object(Bucket=BUCKET, Key=ODD_KEY)
        assert (head["Metadata"], head["ContentType"], head["ContentLength"]) == ({"order": "42"}, "text/x", 5)
        assert "aws-chunked" not in head.get("ContentEncoding", "")
    with operation("get_object, ranges"):
        assert s3.get_object(Bucket=BUCKET, Key=ODD_KEY)["Body"].read() == b"hello"
        assert s3.get_object(Bucket=BUCKET, Key=ODD_KEY, Range="bytes=1-2")["Body"].read() == b"el"
    with operation("copy_object"):
        s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": ODD_KEY})
        replaced = {"MetadataDirective": "REPLACE", "Metadata": {"order": "43"}}
        s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "copy"}, **replaced)
        assert s3.head_object(Bucket=BUCKET, Key="copy")["Metadata"] == {"order": "43"}
    with operation("delete_object, delete_objects"):
        s3.delete_object(Bucket=BUCKET, Key="copy")
        deleted = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": ODD_KEY}, {"Key": "copy"}]})
        assert [one["Key"] for one in deleted["Deleted"]] == [ODD_KEY, "copy"]
        assert refusal(s3.get_object, Bucket=BUCKET, Key=ODD_KEY) == (404, "NoSuchKey")


def test_large_files(s3):
    """upload_fileobj in parts from several threads, download_fileobj in ranges."""
    data = bytes(range(256)) * 80_000
    with operation("upload_fileobj (multipart)"):
        s3.upload_fileobj(io.BytesIO(data), BUCKET, "big")
        assert s3.head_object(Bucket=BUCKET, Key="big")["ETag"].endswith('-3"')
    with operation("download_fileobj"):
        received = io.BytesIO()
        s3.download_fileobj(BUCKET, "big", received)
        assert received.getvalue() == data
    s3.delete_object(Bucket=BUCKET, Key="big")


def test_listing_and_buckets(s3):
    """Both listings with pages and common prefixes; what a bucket says of itself."""
    keys = [f"list/{day}/{number}" for day in "ab" for number in range(3)]
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"1")
    for name in ("list_objects", "list_objects_v2"):
        with operation(name):
            pages = s3.get_paginator(name).paginate(Bucket=BUCKET, Prefix="list/", PaginationConfig={"PageSize": 2})
            assert [one["Key"] for page in pages for one in page["Contents"]] == keys
            rolled = getattr(s3, name)(Bucket=BUCKET, Prefix="list/", Delimiter="/")
            assert [one["Prefix"] for one in rolled["CommonPrefixes"]] == ["list/a/", "list/b/"]
    with operation("head_bucket, get_bucket_location, list_buckets"):
        assert s3.head_bucket(Bucket=BUCKET)["BucketRegion"] == REGION
        assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == REGION
        assert BUCKET in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    with operation("object tagging"):
        s3.put_object_tagging(Bucket=BUCKET, Key=keys[0], Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
        assert s3.get_object_tagging(Bucket=BUCKET, Key=keys[0])["TagSet"] == [{"Key": "k", "Value": "v"}]


def test_presigned_urls(server):
    """generate_presigned_url for GET and PUT, with a session token in the query."""
    s3 = client(server.cos_url, signature_version="s3v4")
    with operation("generate_presigned_url"):
        put = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": ODD_KEY})
        urllib.request.urlopen(urllib.request.Request(put, data=b"body", method="PUT")).close()
        get = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": ODD_KEY})
        with urllib.request.urlopen(get) as answer:
            assert answer.read() == b"body"
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            urllib.request.urlopen(get.replace("X-Amz-Expires=3600", "X-Amz-Expires=3601"))
        refused.value.close()
    s3.close()


def test_versions(server):
    """put_bucket_versioning, list_object_versions, a delete marker and its removal."""
    s3 = client(server.cos_url)
    bucket = "versions-1250000000"
    with operation("versioning"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
        s3.put_object(Bucket=bucket, Key="k", Body=b"2")
        marker = s3.delete_object(Bucket=bucket, Key="k")
        assert marker["DeleteMarker"]
        assert refusal(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
        assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"1"
        listed = s3.list_object_versions(Bucket=bucket)
        assert (len(listed["Versions"]), listed["DeleteMarkers"][0]["IsLatest"]) == (2, True)
        s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    s3.close()


def test_if_none_match_is_refused_until_the_switch_allows_it(server):
    """What COS does with it is not documented: 501; with the switch, create-if-absent as on S3."""
    s3 = client(server.cos_url)
    with operation("put_object IfNoneMatch (refused, or by switch)"):
        assert refusal(s3.put_object, Bucket=BUCKET, Key="once", IfNoneMatch="*") == (501, "NotImplemented")
        server.cloud.cos.switches.update({"s3_if_none_match": True})
        s3.put_object(Bucket=BUCKET, Key="once", Body=b"1", IfNoneMatch="*")
        answer = refusal(s3.put_object, Bucket=BUCKET, Key="once", Body=b"2", IfNoneMatch="*")
        assert answer == (412, "PreconditionFailed")
        assert s3.get_object(Bucket=BUCKET, Key="once")["Body"].read() == b"1"
    s3.close()


def test_virtual_hosts_and_a_wrong_key(server, proxy):
    """The cloud's own endpoint, the bucket in the host name; a wrong secret has the S3 answer."""
    s3 = client(f"http://cos.{REGION}.myqcloud.com", style="virtual")
    with operation("virtual-hosted style"):
        s3.put_object(Bucket=BUCKET, Key=ODD_KEY, Body=b"v")
        assert s3.get_object(Bucket=BUCKET, Key=ODD_KEY)["Body"].read() == b"v"
    other = client(server.cos_url, secret="wrong")
    with operation("wrong key refused"):
        assert refusal(other.get_object, Bucket=BUCKET, Key=ODD_KEY) == (403, "SignatureDoesNotMatch")
    s3.close()
    other.close()
