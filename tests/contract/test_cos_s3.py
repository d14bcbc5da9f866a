"""The S3-compatible dialect: AWS's published signatures, botocore as signer, aws-chunked bodies, digests, XML."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from localcloud.clock import Clock
from localcloud.cos import s3_payload, s3_signature
from localcloud.cos.address import resolve
from localcloud.cos.errors import CosError
from localcloud.cos.service import CosService
from localcloud.defaults import BUCKET, REGION, SECRET_ID, SECRET_KEY
from localcloud.exchange import Request, Response
from tests.contract.cos_door import HOST, KEYS, document_of, error_code, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

auth = pytest.importorskip("botocore.auth", reason="boto3 is not installed")
from botocore.awsrequest import AWSRequest  # noqa: E402 - after the skip
from botocore.credentials import Credentials  # noqa: E402

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and its neighbours
AWS_ID, AWS_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AWS_TIME = 1369353600.0
AWS_EMPTY = hashlib.sha256(b"").hexdigest()
AWS_HOST = "examplebucket.s3.amazonaws.com"
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def aws_header(names: str, signature: str) -> str:
    scope = "20130524/us-east-1/s3/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={AWS_ID}/{scope},SignedHeaders={names},Signature={signature}"


def aws_clock() -> Clock:
    clock = Clock()
    clock.move_to(AWS_TIME)
    return clock


@pytest.fixture
def service(tmp_path: Path) -> Iterator[CosService]:
    """Provide a fresh COS."""
    cos = CosService(tmp_path, Clock(), keys=KEYS)
    yield cos
    cos.close()


def call(
    service: CosService, method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes = b"",
    presigned: bool = False, secret: str = SECRET_KEY, token: str | None = None,
) -> Response:  # fmt: skip
    """One request, signed by botocore, straight into ``dispatch``."""
    request = signed(method, url, headers=headers or {}, body=body, presigned=presigned, secret=secret, token=token)
    return service.dispatch(request)


def signed(
    method: str, url: str, *, headers: dict[str, str], body: bytes, presigned: bool = False,
    secret: str = SECRET_KEY, token: str | None = None,
) -> Request:  # fmt: skip
    made = AWSRequest(method, url, headers=headers, data=b"" if presigned else body)
    kind = auth.S3SigV4QueryAuth if presigned else auth.S3SigV4Auth
    kind(Credentials(SECRET_ID, secret, token), "s3", REGION).add_auth(made)
    prepared = made.prepare()
    parts = urlsplit(prepared.url)
    sent = {
        name.lower(): value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()
    }
    return Request(method, parts.netloc, parts.path or "/", parts.query, {**sent, "host": parts.netloc}, body)


PATH = f"http://127.0.0.1:9002/{BUCKET}"


def test_aws_own_get_example():
    """The worked example of a GET with a range, in a header."""
    names = "host;range;x-amz-content-sha256;x-amz-date"
    headers = {
        "range": "bytes=0-9", "x-amz-content-sha256": AWS_EMPTY, "x-amz-date": "20130524T000000Z",
        "authorization": aws_header(names, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    }  # fmt: skip
    request = Request("GET", AWS_HOST, "/test.txt", "", headers)
    s3_signature.verify(resolve(request), {AWS_ID: AWS_KEY}, aws_clock())
    with pytest.raises(CosError, match="SignatureDoesNotMatch"):
        s3_signature.verify(resolve(replace(request, path="/other")), {AWS_ID: AWS_KEY}, aws_clock())


def test_aws_own_presigned_example():
    """The worked example of a pre-signed URL; a day later it has expired."""
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
        "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    request = resolve(Request("GET", AWS_HOST, "/test.txt", query))
    clock = aws_clock()
    s3_signature.verify(request, {AWS_ID: AWS_KEY}, clock)
    clock.advance(86_401)
    with pytest.raises(CosError, match="Request has expired"):
        s3_signature.verify(request, {AWS_ID: AWS_KEY}, clock)


def aws_chunked_put(body: bytes) -> Request:
    """Build the worked example of a chunked upload: 65 KB of "a" in chunks of 64 KB."""
    names = "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class"
    headers = {
        "content-encoding": "aws-chunked", "content-length": "66824", "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x-amz-decoded-content-length": "66560",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "authorization": aws_header(names, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"),
    }  # fmt: skip
    return Request("PUT", "s3.amazonaws.com", "/examplebucket/chunkObject.txt", "", headers, body)


def chunked(*chunks: tuple[bytes, str]) -> bytes:
    return b"".join(b"%x;chunk-signature=%s\r\n%s\r\n" % (len(data), sig.encode(), data) for data, sig in chunks)


AWS_CHUNKS = (
    (b"a" * 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (b"a" * 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
)


def test_aws_own_chunked_upload(tmp_path: Path):
    """The framing goes, the object stays; a chunk that was changed or left out is refused."""
    service = CosService(tmp_path, aws_clock(), keys={AWS_ID: AWS_KEY}, buckets=("examplebucket",))
    assert service.dispatch(aws_chunked_put(chunked(*AWS_CHUNKS))).status == 200
    row, stream = service.store.open("examplebucket", b"chunkObject.txt")
    with stream:
        assert stream.read() == b"a" * 66560
    assert "aws-chunked" not in row.headers
    changed = (AWS_CHUNKS[0], (b"b" * 1024, AWS_CHUNKS[1][1]), AWS_CHUNKS[2])
    for body, code in (
        (chunked(*changed), "SignatureDoesNotMatch"),
        (chunked(AWS_CHUNKS[0], AWS_CHUNKS[2]), "SignatureDoesNotMatch"),
        (chunked(*AWS_CHUNKS)[:-200], "IncompleteBody"),
        (b"no framing", "IncompleteBody"),
        (b"zz\r\n", "InvalidRequest"),
    ):
        assert error_code(service.dispatch(aws_chunked_put(body))) == code
    service.close()


CHECKS = {
    "crc32": "y/Q5Jg==",
    "crc32c": "4waSgw==",
    "sha1": "98O8HYCOBHMq32eZZczDTKeuNEE=",
    "crc64nvme": "rosUhgp5mIg=",
}


@pytest.mark.parametrize("name", CHECKS)
def test_trailing_checksums(service: CosService, name: str):
    """check("123456789") of every algorithm, behind an unsigned aws-chunked body; another digest is BadDigest."""
    assert base64.b64encode(s3_payload.CHECKSUMS[name](b"123456789")).decode() == CHECKS[name]
    for digest, status in ((CHECKS[name], 200), ("AAAAAA==", 400)):
        body = b"5\r\n12345\r\n4\r\n6789\r\n0\r\nx-amz-checksum-%s:%s\r\n\r\n" % (name.encode(), digest.encode())
        headers = {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-trailer": f"x-amz-checksum-{name}",
            "content-encoding": "aws-chunked", "x-amz-decoded-content-length": "9",
        }  # fmt: skip
        answer = dispatch_streamed(service, headers, body)
        assert answer.status == status, answer.body
    assert call(service, "GET", f"{PATH}/k").body == b"123456789"


def dispatch_streamed(service: CosService, headers: dict[str, str], body: bytes) -> Response:
    """Sign with a content hash of our choosing, which botocore's own signer would replace."""

    class Signer(auth.S3SigV4Auth):
        def payload(self, request: Any) -> str:
            return headers["x-amz-content-sha256"]

        def _modify_request_before_signing(self, request: Any) -> None:
            super()._modify_request_before_signing(request)
            request.headers.replace_header("X-Amz-Content-SHA256", headers["x-amz-content-sha256"])

    made = AWSRequest("PUT", f"{PATH}/k", headers=headers, data=body)
    Signer(Credentials(SECRET_ID, SECRET_KEY), "s3", REGION).add_auth(made)
    sent = {name.lower(): value for name, value in made.headers.items()}
    return service.dispatch(
        Request("PUT", "127.0.0.1:9002", f"/{BUCKET}/k", "", {**sent, "host": "127.0.0.1:9002"}, body)
    )


def test_a_body_is_compared_with_its_hash(service: CosService):
    """A signed SHA-256 of another body is refused; UNSIGNED-PAYLOAD is not compared."""
    request = signed("PUT", f"{PATH}/k", headers={}, body=b"one")
    if request.headers["x-amz-content-sha256"] == s3_signature.UNSIGNED:
        request = signed("PUT", f"{PATH}/k".replace("http:", "https:"), headers={}, body=b"one")
    hashed = request.headers["x-amz-content-sha256"] != s3_signature.UNSIGNED
    answer = service.dispatch(replace(request, body=b"two"))
    assert (answer.status == 200) != hashed
    if hashed:
        assert error_code(answer) == "XAmzContentSHA256Mismatch"


@pytest.mark.parametrize("presigned", [False, True])
@pytest.mark.parametrize("base", [PATH, f"http://{HOST}"])
@pytest.mark.parametrize("key", ["k", "a%20b/%E4%B8%AD%2B%26", "~x.-_"])
def test_whatever_botocore_signs_is_verified(service: CosService, base: str, key: str, presigned: bool):  # noqa: FBT001
    """Header and query, path style and virtual host, any region and token; a wrong secret is refused."""
    url = f"{base}/{key}"
    assert call(service, "PUT", url, body=b"x", presigned=presigned, token="any").status == 200
    assert call(service, "GET", url, presigned=presigned).body == b"x"
    refused = call(service, "GET", url, presigned=presigned, secret="wrong")
    assert (refused.status, error_code(refused)) == (403, "SignatureDoesNotMatch")


def test_the_dialects_are_two_ways_to_the_same_objects(service: CosService):
    """Written by one, read by the other: metadata under each one's prefix, S3's namespace for S3 alone."""
    headers = {"x-amz-meta-order": "42", "x-amz-tagging": "a=1", "x-amz-storage-class": "STANDARD_IA"}
    call(service, "PUT", f"{PATH}/k", headers=headers, body=b"x")
    by_cos = send(service, "HEAD", "k").headers
    assert (by_cos["x-cos-meta-order"], by_cos["x-cos-tagging-count"]) == ("42", "1")
    by_s3 = call(service, "HEAD", f"{PATH}/k").headers
    assert (by_s3["x-amz-meta-order"], by_s3["x-amz-storage-class"]) == ("42", "STANDARD_IA")
    assert "x-cos-meta-order" not in by_s3
    assert by_s3["x-amz-request-id"] == by_s3["x-cos-request-id"]
    assert document_of(call(service, "GET", f"{PATH}/?list-type=2")).findtext(f"{NAMESPACE}KeyCount") == "1"
    assert document_of(send(service, "GET")).tag == "ListBucketResult"
    source = {"x-amz-copy-source": f"{BUCKET}/k", "x-amz-metadata-directive": "REPLACE", "x-amz-meta-order": "43"}
    assert call(service, "PUT", f"{PATH}/copy", headers=source).status == 200
    assert send(service, "HEAD", "copy").headers["x-cos-meta-order"] == "43"


def test_list_v2_pages(service: CosService):
    """Continuation tokens lead through everything; start-after is exclusive; a token that is none is refused."""
    keys = [f"a/{number}" for number in range(5)] + ["b"]
    for key in keys:
        send(service, "PUT", key)
    found, token = [], ""
    while True:
        more = f"&continuation-token={token}" if token else ""
        tree = document_of(call(service, "GET", f"{PATH}/?list-type=2&max-keys=2{more}"))
        found += [node.text for node in tree.iter(f"{NAMESPACE}Key")]
        token = (tree.findtext(f"{NAMESPACE}NextContinuationToken") or "").replace("=", "%3D")
        if not token:
            break
    assert found == keys
    after = document_of(call(service, "GET", f"{PATH}/?list-type=2&start-after=a%2F3"))
    assert [node.text for node in after.iter(f"{NAMESPACE}Key")] == ["a/4", "b"]
    rolled = document_of(call(service, "GET", f"{PATH}/?list-type=2&delimiter=%2F"))
    assert [node.text for node in rolled.iterfind(f"{NAMESPACE}CommonPrefixes/{NAMESPACE}Prefix")] == ["a/"]
    for query in ("list-type=2&continuation-token=%21", "list-type=3"):
        assert error_code(call(service, "GET", f"{PATH}/?{query}")) == "InvalidArgument"


def test_delete_many_needs_some_digest(service: CosService):
    """Content-MD5 or a checksum of any kind; with a wrong one nothing is deleted."""
    send(service, "PUT", "k")
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    digest = base64.b64encode(s3_payload.CHECKSUMS["crc32"](body)).decode()
    wrong = call(service, "POST", f"{PATH}/?delete", headers={"x-amz-checksum-crc32": "AAAAAA=="}, body=body)
    assert error_code(wrong) == "BadDigest"
    assert send(service, "HEAD", "k").status == 200
    right = call(service, "POST", f"{PATH}/?delete", headers={"x-amz-checksum-crc32": digest}, body=body)
    assert right.status == 200
    assert send(service, "HEAD", "k").status == 404


def test_conditions_on_writes(service: CosService):
    """Refused, because nothing is documented; with the switch If-None-Match: * creates once. If-Match stays refused."""
    once = {"if-none-match": "*"}
    assert error_code(call(service, "PUT", f"{PATH}/k", headers=once)) == "NotImplemented"
    service.switches.update({"s3_if_none_match": True})
    assert [call(service, "PUT", f"{PATH}/k", headers=once).status for _ in range(2)] == [200, 412]
    assert error_code(call(service, "PUT", f"{PATH}/k", headers={"if-match": '"x"'})) == "NotImplemented"
    assert call(service, "GET", f"{PATH}/k", headers={"if-match": '"x"'}).status == 412


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("AWS4-HMAC-SHA256 nothing", "AccessDenied"),
        (aws_header("host", "0").replace("/s3/", "/ses/"), "AccessDenied"),
        (aws_header("host", "0"), "InvalidAccessKeyId"),
        (aws_header("host", "0").replace(AWS_ID, SECRET_ID), "RequestTimeTooSkewed"),
        ("AWS AKID:signature", "NotImplemented"),
    ],
)
def test_authorizations_that_are_refused(service: CosService, header: str, code: str):
    """Incomplete, for another service, of nobody, of another time, of version 2."""
    headers = {"authorization": header, "x-amz-date": "20130524T000000Z"}
    answer = service.dispatch(Request("GET", "127.0.0.1", f"/{BUCKET}/k", "", headers))
    assert error_code(answer) == code
