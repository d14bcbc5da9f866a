"""The HTTP of COS: headers of every answer, conditions, ranges, digests, refusals."""

from __future__ import annotations

import base64
import hashlib
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from localcloud.clock import Clock
from localcloud.cos import append
from localcloud.cos.errors import ERRORS
from localcloud.cos.integrity import crc64
from localcloud.cos.routes import ROUTES
from localcloud.cos.service import CosService
from localcloud.defaults import BUCKET
from localcloud.exchange import Request
from tests.contract.cos_door import HOST, KEYS, document_of, error_code, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

WRITTEN_AT = 1_700_000_000.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[CosService]:
    """Provide a fresh COS."""
    cos = CosService(tmp_path, Clock(), keys=KEYS)
    yield cos
    cos.close()


def md5(body: bytes) -> str:
    """Content-MD5 of a body."""
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def test_every_answer_names_itself(service: CosService):
    """Success and refusal alike carry ids, the clock's date and the server; ids differ from request to request."""
    service.clock.move_to(WRITTEN_AT)
    answers = [send(service, "PUT", "k"), send(service, "GET", "none"), send(service, "HEAD", "none")]
    answers += [service.dispatch(Request("GET", HOST, "/k")), send(service, "DELETE", "k")]
    for answer in answers:
        assert answer.headers["Server"] == "tencent-cos"
        assert answer.headers["Date"].startswith("Tue, 14 Nov 2023 22:13:")
        assert answer.headers["x-cos-trace-id"]
    assert len({answer.headers["x-cos-request-id"] for answer in answers}) == len(answers)


def test_an_error_document_is_complete(service: CosService):
    """Code, Message, Resource, RequestId and TraceId are there, and the ids are those of the headers."""
    answer = send(service, "GET", "文 none")
    tree = document_of(answer)
    assert tree.findtext("Code") == "NoSuchKey"
    assert tree.findtext("Message")
    assert tree.findtext("Resource") == f"{HOST}/%E6%96%87%20none"
    assert tree.findtext("RequestId") == answer.headers["x-cos-request-id"]
    assert tree.findtext("TraceId") == answer.headers["x-cos-trace-id"]
    assert answer.headers["Content-Type"] == "application/xml"
    assert answer.headers["Content-Length"] == str(len(answer.body))


def test_an_error_answer_to_head_has_no_body(service: CosService):
    """HEAD says only status and ids."""
    answer = send(service, "HEAD", "none")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (404, b"", "0")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-match": '"{etag}"'}, 200),
        ({"if-match": "{etag}"}, 200),
        ({"if-match": '"x", "{etag}"'}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": '"x"'}, 412),
        ({"if-none-match": '"{etag}"'}, 304),
        ({"if-none-match": '"x"'}, 200),
        ({"if-modified-since": formatdate(WRITTEN_AT, usegmt=True)}, 304),
        ({"if-modified-since": formatdate(WRITTEN_AT - 1, usegmt=True)}, 200),
        ({"if-unmodified-since": formatdate(WRITTEN_AT, usegmt=True)}, 200),
        ({"if-unmodified-since": formatdate(WRITTEN_AT - 1, usegmt=True)}, 412),
        ({"if-modified-since": "no date"}, 200),
        ({"if-none-match": '"x"', "if-modified-since": formatdate(WRITTEN_AT, usegmt=True)}, 200),
        ({"if-match": '"{etag}"', "if-unmodified-since": formatdate(0, usegmt=True)}, 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions(service: CosService, method: str, headers: dict[str, str], status: int):
    """The conditions of RFC 9110 hold for GET and HEAD, ETags before dates."""
    service.clock.move_to(WRITTEN_AT + 0.5)
    etag = send(service, "PUT", "k", body=b"1").headers["ETag"].strip('"')
    answer = send(service, method, "k", headers={name: value.format(etag=etag) for name, value in headers.items()})
    assert answer.status == status
    if status == 304:
        assert answer.body == b""
        assert answer.headers["ETag"] == f'"{etag}"'


@pytest.mark.parametrize(
    ("value", "status", "body"),
    [
        ("bytes=0-0", 206, b"0"),
        ("bytes=3-", 206, b"3456789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=-300", 206, b"0123456789"),
        ("bytes=5-500", 206, b"56789"),
        ("bytes=5-4", 200, b"0123456789"),
        ("bytes=1-2,4-5", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
        ("bytes=-", 200, b"0123456789"),
        ("bytes=10-", 416, None),
        ("bytes=-0", 416, None),
    ],
)
def test_ranges(service: CosService, value: str, status: int, body: bytes | None):
    """One range of bytes is honoured; what is no such range is ignored; one beyond the end is refused."""
    send(service, "PUT", "k", body=b"0123456789")
    answer = send(service, "GET", "k", headers={"range": value})
    assert answer.status == status
    if body is None:
        assert error_code(answer) == "InvalidRange"
        assert answer.headers["Content-Range"] == "bytes */10"
    else:
        assert answer.body == body


def test_digests(service: CosService):
    """Content-MD5 is compared; a malformed one is told apart from another body's. A torn body is refused."""
    assert send(service, "PUT", "k", body=b"x", headers={"content-md5": md5(b"x")}).status == 200
    for given, code in ((md5(b"y"), "BadDigest"), ("short", "InvalidDigest"), ("eA==", "InvalidDigest")):
        for method, params in (("PUT", {}), ("POST", {"append": "", "position": "0"})):
            answer = send(service, method, "new", params=params, body=b"x", headers={"content-md5": given})
            assert (answer.status, error_code(answer)) == (400, code)
    torn = send(service, "PUT", "new", body=b"12345", headers={"content-length": "9"})
    assert error_code(torn) == "IncompleteBody"
    assert send(service, "HEAD", "new").status == 404


def test_crc64_goes_on_from_what_came_before():
    """CRC-64/XZ of a whole is that of its pieces, one after another."""
    assert crc64(b"123456789") == 11051210869376104954
    assert crc64(b"6789", crc64(b"12345")) == 11051210869376104954


def delete_body(*keys: str) -> bytes:
    """Body of a DELETE Multiple."""
    return b"<Delete>" + b"".join(f"<Object><Key>{key}</Key></Object>".encode() for key in keys) + b"</Delete>"


@pytest.mark.parametrize(
    ("body", "digest", "code"),
    [
        (delete_body("a"), "", "InvalidRequest"),
        (b"", "md5", "MissingRequestBodyError"),
        (b"<Delete>", "md5", "MalformedXML"),
        (b"<Other/>", "md5", "MalformedXML"),
        (delete_body(), "md5", "MalformedXML"),
        (delete_body(""), "md5", "MalformedXML"),
        (delete_body(*map(str, range(1001))), "md5", "MalformedXML"),
        (b'<!DOCTYPE d [<!ENTITY e "x">]>' + delete_body("&e;"), "md5", "MalformedXML"),
    ],
)
def test_delete_many_refusals(service: CosService, body: bytes, digest: str, code: str):
    """DELETE Multiple wants Content-MD5, well-formed XML without a DTD, and 1 to 1000 keys."""
    headers = {"content-md5": md5(body)} if digest else {}
    answer = send(service, "POST", params={"delete": ""}, body=body, headers=headers)
    assert (answer.status, error_code(answer)) == (400, code)


def test_delete_many_takes_a_thousand(service: CosService):
    """A thousand keys at once, in the namespace the SDKs of other languages write."""
    body = delete_body(*map(str, range(1000))).replace(b"<Delete>", b'<Delete xmlns="http://www.qcloud.com/x">')
    answer = send(service, "POST", params={"delete": ""}, body=body, headers={"content-md5": md5(body)})
    assert answer.body.count(b"<Deleted>") == 1000


@pytest.mark.parametrize(
    ("method", "key", "params", "status"),
    [
        ("GET", "", {"website": ""}, 501),
        ("PUT", "", {"object-lock": ""}, 501),
        ("GET", "", {"inventory": ""}, 501),
        ("PUT", "", {"replication": ""}, 501),
        ("GET", "", {"somethingNew": ""}, 501),
        ("PUT", "k", {"retention": ""}, 501),
        ("POST", "k", {"select": ""}, 501),
        ("POST", "", {}, 501),
        ("OPTIONS", "k", {}, 405),
        ("PATCH", "k", {}, 405),
        ("PATCH", "k", {"acl": ""}, 405),
    ],
)
def test_what_is_not_built_says_so(service: CosService, method: str, key: str, params: dict, status: int):
    """Sub-resources that are not built answer 501 NotImplemented, methods nobody has 405, all in XML."""
    answer = send(service, method, key, params=params)
    assert answer.status == status
    assert error_code(answer) == ("NotImplemented" if status == 501 else "MethodNotAllowed")


def test_unknown_parameters_with_a_value_do_not_matter(service: CosService):
    """A cache buster is no sub-resource."""
    send(service, "PUT", "k", body=b"x")
    assert send(service, "GET", "k", params={"t": "123"}).body == b"x"


def test_metadata_limits_and_storage(service: CosService):
    """Custom metadata has its limits; STANDARD is not echoed, other classes and encryption are."""
    for headers in ({"x-cos-meta-a": "v" * 2049}, {f"x-cos-meta-{n}": "v" * 1500 for n in range(3)}):
        assert error_code(send(service, "PUT", "k", headers=headers)) == "InvalidArgument"
    headers = {"x-cos-storage-class": "STANDARD", "x-cos-server-side-encryption": "AES256", "expires": "soon"}
    assert send(service, "PUT", "k", headers=headers).headers["x-cos-server-side-encryption"] == "AES256"
    head = send(service, "HEAD", "k").headers
    assert head["x-cos-server-side-encryption"] == "AES256"
    assert head["Expires"] == "soon"
    assert head["Content-Type"] == "application/octet-stream"
    assert "x-cos-storage-class" not in head


def test_overrides_stay_headers(service: CosService):
    """response-* values become header text that any door can write, and cannot break out of their line."""
    send(service, "PUT", "k")
    answer = send(service, "GET", "k", params={"response-content-disposition": "文"})
    assert answer.headers["Content-Disposition"].encode("latin-1").decode() == "文"
    answer = send(service, "GET", "k", params={"response-content-type": "a\r\nb: c"})
    assert error_code(answer) == "InvalidArgument"


def test_append_limits(service: CosService, monkeypatch: pytest.MonkeyPatch):
    """Position must be a number, and the whole at most 5 GB."""
    for params in ({"append": ""}, {"append": "", "position": "-1"}, {"append": "", "position": "x"}):
        assert error_code(send(service, "POST", "k", params=params, body=b"x")) == "InvalidArgument"
    monkeypatch.setattr(append, "APPENDABLE_LIMIT_BYTES", 3)
    assert send(service, "POST", "k", params={"append": "", "position": "0"}, body=b"123").status == 200
    assert error_code(send(service, "POST", "k", params={"append": "", "position": "3"}, body=b"4")) == "EntityTooLarge"


def test_copy_sources(service: CosService):
    """A source is a host and a key, or a path as S3 clients give it; nothing else."""
    send(service, "PUT", "a b", body=b"x")

    def copy(source: str, **headers: str):
        return send(service, "PUT", "dst", headers={"x-cos-copy-source": source, **headers})

    assert copy(f"{HOST}/a%20b").status == 200
    assert copy(f"http://{HOST}/a%20b").status == 200
    assert copy(f"/{BUCKET}/a%20b").status == 200
    assert error_code(copy(HOST)) == "InvalidCopySource"
    assert copy(f"{BUCKET}/a%20b").status == 200
    assert error_code(copy(f"{HOST}/a%20b?versionId=1")) == "NoSuchVersion"
    assert error_code(copy("nobody-1.cos.x/k")) == "NoSuchBucket"
    assert error_code(copy(f"{HOST}/a%20b", **{"x-cos-metadata-directive": "Other"})) == "InvalidArgument"
    assert error_code(copy(f"{HOST}/a%20b", **{"x-cos-copy-source-if-none-match": "*"})) == "PreconditionFailed"


def test_unfinished_uploads_page_by_page(service: CosService):
    """List Multipart Uploads pages by key and id, rolls up by delimiter, and counts against bucket deletion."""
    for key in ("a", "a", "b/1", "b/2", "c"):
        send(service, "POST", key, params={"uploads": ""})

    def page(**params: str) -> Element:
        answer = send(service, "GET", params={"uploads": ""} | {k.replace("_", "-"): v for k, v in params.items()})
        return document_of(answer)

    seen, key_marker, id_marker = [], "", ""
    while True:
        tree = page(max_uploads="2", key_marker=key_marker, upload_id_marker=id_marker)
        seen += [node.text for node in tree.iterfind("Upload/Key")]
        if tree.findtext("IsTruncated") == "false":
            break
        key_marker, id_marker = tree.findtext("NextKeyMarker"), tree.findtext("NextUploadIdMarker")
    assert seen == ["a", "a", "b/1", "b/2", "c"]
    assert [node.text for node in page(key_marker="a").iterfind("Upload/Key")] == ["b/1", "b/2", "c"]
    rolled = page(delimiter="/")
    assert [node.text for node in rolled.iterfind("CommonPrefixes/Prefix")] == ["b/"]
    assert [node.text for node in rolled.iterfind("Upload/Key")] == ["a", "a", "c"]
    first = page(delimiter="/", prefix="b", max_uploads="1")
    assert first.findtext("IsTruncated") == "false"
    assert error_code(send(service, "DELETE")) == "BucketNotEmpty"
    send(service, "PUT", bucket="other-1250000000")
    assert send(service, "DELETE", bucket="other-1250000000").status == 204


def test_actions_are_named_as_in_policies(service: CosService):
    """Fault rules and logs find the action without a signature."""

    def action(method: str, path: str, query: str = "", host: str = HOST, **headers: str) -> str:
        return service.action_of(Request(method, host, path, query, headers))

    assert action("PUT", "/k") == "PutObject"
    assert action("PUT", "/k", **{"x-cos-copy-source": "b-1.cos.x/k"}) == "PutObjectCopy"
    assert action("PUT", "/k", "partNumber=1&uploadId=u") == "UploadPart"
    assert action("POST", "/k", "append&position=0") == "AppendObject"
    assert action("GET", "/", "prefix=&delimiter=") == "GetBucket"
    assert action("GET", "/", host="service.cos.myqcloud.com") == "GetService"
    assert action("GET", f"/{BUCKET}/k", host="127.0.0.1:9002") == "GetObject"
    assert action("PUT", f"/{BUCKET}", host="127.0.0.1:9002") == "PutBucket"
    assert action("GET", "/", "website") == "Unknown"
    assert len({route.action for route in ROUTES.values()}) == len(ROUTES)


@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("InternalError", 500), ("MadeUp", 418)])
def test_faults_come_in_the_shape_of_the_service(service: CosService, code: str, status: int):
    """error_response gives any code and status as COS would, and no body to HEAD."""
    answer = service.error_response(Request("PUT", HOST, "/k"), code, status)
    assert (answer.status, error_code(answer)) == (status, code)
    assert service.error_response(Request("HEAD", HOST, "/k"), code, status).body == b""


def test_every_raised_code_is_in_the_table():
    """The table's statuses are HTTP errors and every message says something."""
    assert all(400 <= status <= 503 and message for status, message in ERRORS.values())


def test_reset_gives_the_start_back(service: CosService):
    """Reset empties everything and keeps the default bucket."""
    send(service, "PUT", "k")
    send(service, "POST", "big", params={"uploads": ""})
    send(service, "PUT", bucket="other-1250000000")
    service.reset()
    assert send(service, "GET").body.count(b"<Contents>") == 0
    assert b"<Upload>" not in send(service, "GET", params={"uploads": ""}).body
    assert send(service, "HEAD", bucket="other-1250000000").status == 404
