"""cos-python-sdk-v5 over HTTP; its API in breadth is tests/contract/test_cos_sdk.py."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
import qcloud_cos
from qcloud_cos import CosConfig, CosS3Client, CosServiceError

from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from tests.clients.programs import fetch
from tests.clients.recording import recorded


def operation(name: str):
    return recorded("cos-python-sdk-v5", name, version=version("cos-python-sdk-v5"))


@pytest.fixture(params=["ip", "proxy"])
def sdk(request, server, proxy):
    """Both ways to point the SDK at a local server: IP and Port, or the proxy of the environment."""
    at = {"IP": "127.0.0.1", "Port": server.ports.cos} if request.param == "ip" else {}
    config = CosConfig(Region=REGION, SecretId=SECRET_ID, SecretKey=SECRET_KEY, Scheme="http", **at)
    return qcloud_cos.CosS3Client(config, retry=0)


def code_of(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(CosServiceError) as refused:
        call(*arguments, **options)
    return refused.value.get_error_code()


def test_what_the_trail_needs(sdk: CosS3Client, proxy):
    """Upload, download, list, append, forbid-overwrite, presign, delete."""
    with operation("put_object, get_object"):
        sdk.put_object(BUCKET, b"data", "中 k")
        assert sdk.get_object(BUCKET, "中 k")["Body"].get_raw_stream().read() == b"data"
    with operation("list_objects"):
        assert [one["Key"] for one in sdk.list_objects(BUCKET)["Contents"]] == ["中 k"]
    with operation("append_object"):
        assert sdk.append_object(BUCKET, "log", 0, b"ab")["x-cos-next-append-position"] == "2"
        assert code_of(sdk.append_object, BUCKET, "log", 0, b"ab") == "AppendPositionErr"
    with operation("x-cos-forbid-overwrite"):
        once = {"x-cos-forbid-overwrite": "true"}
        assert code_of(sdk.put_object, BUCKET, b"2", "中 k", Metadata=once) == "FileAlreadyExists"
    with operation("get_presigned_download_url"):
        url = sdk.get_presigned_download_url(BUCKET, "中 k")
        if "127.0.0.1" not in url:  # with IP the URL has no bucket in it: nobody could use it, on the cloud neither
            assert fetch(url, proxy) == b"data"
    with operation("delete_objects"):
        sdk.delete_objects(BUCKET, {"Object": [{"Key": "中 k"}, {"Key": "log"}]})
        assert "Contents" not in sdk.list_objects(BUCKET)


def test_bucket_configurations(sdk: CosS3Client):
    """Lifecycle, tagging, versioning and encryption: put, get, delete."""
    bucket = "configured-1250000000"
    with operation("create_bucket, delete_bucket"):
        sdk.create_bucket(bucket, ACL="public-read")
        assert sdk.get_bucket_acl(bucket)["CannedACL"] == "public-read"
    with operation("bucket lifecycle"):
        rule = {"ID": "old", "Filter": {"Prefix": "a/"}, "Status": "Enabled", "Expiration": {"Days": "7"}}
        sdk.put_bucket_lifecycle(bucket, {"Rule": [rule]})
        assert sdk.get_bucket_lifecycle(bucket)["Rule"] == [rule]
        sdk.delete_bucket_lifecycle(bucket)
        assert code_of(sdk.get_bucket_lifecycle, bucket) == "NoSuchLifecycleConfiguration"
    with operation("bucket tagging"):
        tags = {"TagSet": {"Tag": [{"Key": "team", "Value": "mail"}]}}
        sdk.put_bucket_tagging(bucket, tags)
        assert sdk.get_bucket_tagging(bucket) == tags
    with operation("bucket encryption"):
        by_default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        sdk.put_bucket_encryption(bucket, {"Rule": [by_default]})
        assert sdk.put_object(bucket, b"1", "k")["x-cos-server-side-encryption"] == "AES256"
        sdk.delete_object(bucket, "k")
    with operation("bucket versioning"):
        sdk.put_bucket_versioning(bucket, Status="Enabled")
        first = sdk.put_object(bucket, b"1", "k")["x-cos-version-id"]
        sdk.put_object(bucket, b"2", "k")
        assert sdk.get_object(bucket, "k", VersionId=first)["Body"].get_raw_stream().read() == b"1"
        for one in sdk.list_objects_versions(bucket)["Version"]:
            sdk.delete_object(bucket, "k", VersionId=one["VersionId"])
    with operation("create_bucket, delete_bucket"):
        sdk.delete_bucket(bucket)
        assert not sdk.bucket_exists(bucket)
