"""Tags, ACLs, default encryption, customer keys, bucket documents, and the switches."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from localcloud.clock import Clock
from localcloud.cos.service import CosService
from localcloud.defaults import BUCKET
from localcloud.exchange import Request
from tests.contract.cos_door import HOST, KEYS, document_of, error_code, open_door, sdk_client, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.exchange import Response


@pytest.fixture
def service(tmp_path: Path) -> Iterator[CosService]:
    """Provide a fresh COS."""
    cos = CosService(tmp_path, Clock(), keys=KEYS)
    yield cos
    cos.close()


def tagging(**tags: str) -> bytes:
    listed = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags.items())
    return f"<Tagging><TagSet>{listed}</TagSet></Tagging>".encode()


def tags_of(answer: Response) -> dict[str, str]:
    nodes = document_of(answer).iterfind("TagSet/Tag")
    return {node.findtext("Key"): node.findtext("Value") for node in nodes}


def test_object_tags(service: CosService):
    """By header and by document; counted on HEAD; copied or replaced as the directive says; deleted."""
    send(service, "PUT", "k", headers={"x-cos-tagging": "a=1&b=%20x"})
    assert tags_of(send(service, "GET", "k", params={"tagging": ""})) == {"a": "1", "b": " x"}
    assert send(service, "HEAD", "k").headers["x-cos-tagging-count"] == "2"
    assert "x-cos-tagging" not in send(service, "HEAD", "k").headers
    source = {"x-cos-copy-source": f"{HOST}/k"}
    send(service, "PUT", "same", headers=source)
    other = {"x-cos-tagging-directive": "Replaced", "x-cos-tagging": "c=3"}
    send(service, "PUT", "other", headers=source | other)
    assert tags_of(send(service, "GET", "same", params={"tagging": ""})) == {"a": "1", "b": " x"}
    assert tags_of(send(service, "GET", "other", params={"tagging": ""})) == {"c": "3"}
    assert send(service, "PUT", "k", params={"tagging": ""}, body=tagging(z="")).status == 200
    assert tags_of(send(service, "GET", "k", params={"tagging": ""})) == {"z": ""}
    assert send(service, "DELETE", "k", params={"tagging": ""}).status == 204
    assert tags_of(send(service, "GET", "k", params={"tagging": ""})) == {}
    assert error_code(send(service, "GET", "none", params={"tagging": ""})) == "NoSuchKey"


@pytest.mark.parametrize(
    "header", ["a=1&a=2", "=1", "k=" + "v" * 256, "k" * 128 + "=1", "a=%00", "&".join(f"k{n}=1" for n in range(11))]
)
def test_tags_that_are_not_allowed(service: CosService, header: str):
    """Ten tags, 127 and 255 bytes, no key twice, no other characters: in headers and documents alike."""
    assert error_code(send(service, "PUT", "k", headers={"x-cos-tagging": header})) == "InvalidTag"
    assert send(service, "HEAD", "k").status == 404


def test_bucket_tags_and_get_service(service: CosService):
    """Tags of a bucket, and the list of buckets by them; without a TagSet the answer is 404."""
    assert error_code(send(service, "GET", params={"tagging": ""})) == "NoSuchTagSet"
    assert send(service, "PUT", params={"tagging": ""}, body=tagging(team="mail")).status == 204
    assert tags_of(send(service, "GET", params={"tagging": ""})) == {"team": "mail"}
    send(service, "PUT", bucket="other-1250000000", headers={"x-cos-tagging": "team=web"})
    for team, name in (("mail", BUCKET), ("web", "other-1250000000")):
        with open_door(service):
            listed = sdk_client().list_buckets(TagKey="team", TagValue=team)
        assert [one["Name"] for one in listed["Buckets"]["Bucket"]] == [name]
    send(service, "DELETE", params={"tagging": ""})
    assert error_code(send(service, "GET", params={"tagging": ""})) == "NoSuchTagSet"


def anonymous(service: CosService, method: str, key: str = "k") -> int:
    return service.dispatch(Request(method, HOST, f"/{key}", "", {"host": HOST}, b"x")).status


def test_canned_acls_open_what_they_say(service: CosService):
    """Private by default; public-read of the bucket or the object lets anybody read, public-read-write write."""
    send(service, "PUT", "k", body=b"x")
    send(service, "PUT", "own", headers={"x-cos-acl": "private"})
    assert (anonymous(service, "GET"), anonymous(service, "PUT")) == (403, 403)
    send(service, "PUT", "k", params={"acl": ""}, headers={"x-cos-acl": "public-read"})
    assert (anonymous(service, "GET"), anonymous(service, "PUT"), anonymous(service, "GET", "own")) == (200, 403, 403)
    send(service, "PUT", "k", params={"acl": ""}, headers={"x-cos-acl": "default"})
    assert anonymous(service, "GET") == 403
    send(service, "PUT", params={"acl": ""}, headers={"x-cos-acl": "public-read-write"})
    assert (anonymous(service, "GET"), anonymous(service, "PUT"), anonymous(service, "DELETE")) == (200, 200, 403)
    assert anonymous(service, "GET", "own") == 403


def test_acl_refusals_and_grants(service: CosService):
    """An unknown canned ACL is refused, so are two ways at once; grants are shown as they were given."""
    for headers, body in (
        ({"x-cos-acl": "public-read-writ"}, b""),
        ({"x-cos-acl": "private"}, b"<AccessControlPolicy/>"),
    ):
        assert send(service, "PUT", params={"acl": ""}, headers=headers, body=body).status == 400
    send(service, "PUT", params={"acl": ""}, headers={"x-cos-grant-read": 'id="100000000011"'})
    shown = document_of(send(service, "GET", params={"acl": ""}))
    assert [node.text for node in shown.iter("Permission")] == ["READ"]
    assert shown.find("AccessControlList/Grant/Grantee/ID").text == "qcs::cam::uin/100000000011:uin/100000000011"


def test_default_encryption(service: CosService):
    """The bucket's algorithm is that of every write that names none, and is echoed."""
    document = b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
    assert error_code(send(service, "GET", params={"encryption": ""})) == "NoSuchEncryptionConfiguration"
    send(service, "PUT", params={"encryption": ""}, body=document)
    assert b"<SSEAlgorithm>AES256</SSEAlgorithm>" in send(service, "GET", params={"encryption": ""}).body
    assert send(service, "PUT", "k").headers["x-cos-server-side-encryption"] == "AES256"
    appended = send(service, "POST", "log", params={"append": "", "position": "0"}, body=b"x")
    assert appended.headers["x-cos-server-side-encryption"] == "AES256"


def customer_key(letter: bytes, prefix: str = "x-cos-server-side-encryption-customer-") -> dict[str, str]:
    key = letter * 32
    return {
        f"{prefix}algorithm": "AES256", f"{prefix}key": base64.b64encode(key).decode(),
        f"{prefix}key-md5": base64.b64encode(hashlib.md5(key).digest()).decode(),
    }  # fmt: skip


def test_customer_keys(service: CosService):
    """SSE-C: only who sends the key reads, copies or adds parts; the key itself is never answered."""
    written = send(service, "PUT", "k", body=b"secret", headers=customer_key(b"a"))
    assert written.headers["x-cos-server-side-encryption-customer-algorithm"] == "AES256"
    assert not any(name.rpartition("encryption-")[2].lower() == "customer-key" for name in written.headers)
    assert error_code(send(service, "GET", "k")) == "InvalidRequest"
    assert error_code(send(service, "GET", "k", headers=customer_key(b"b"))) == "AccessDenied"
    assert send(service, "GET", "k", headers=customer_key(b"a")).body == b"secret"
    source = {"x-cos-copy-source": f"{HOST}/k"}
    assert error_code(send(service, "PUT", "copy", headers=source)) == "InvalidRequest"
    of_source = customer_key(b"a", "x-cos-copy-source-server-side-encryption-customer-")
    assert send(service, "PUT", "copy", headers=source | of_source | customer_key(b"b")).status == 200
    assert send(service, "GET", "copy", headers=customer_key(b"b")).body == b"secret"
    wrong = customer_key(b"a") | {"x-cos-server-side-encryption-customer-key-md5": "AAAA"}
    assert error_code(send(service, "PUT", "k", headers=wrong)) == "InvalidArgument"


def test_documents_that_are_kept(service: CosService):
    """CORS and policy: put, get as they were, delete; nonsense is refused."""
    rule = b"<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>"
    cors = b"<CORSConfiguration>" + rule + b"</CORSConfiguration>"
    policy = b'{"Statement": [{"Effect": "allow"}], "Version": "2.0"}'
    for name, good, bad, absent in (
        ("cors", cors, b"<CORSConfiguration/>", "NoSuchCORSConfiguration"),
        ("policy", policy, b"{}", "NoSuchBucketPolicy"),
    ):
        assert error_code(send(service, "GET", params={name: ""})) == absent
        assert send(service, "PUT", params={name: ""}, body=bad).status == 400
        assert send(service, "PUT", params={name: ""}, body=good).status in (200, 204)
        assert send(service, "GET", params={name: ""}).body == good
        assert send(service, "DELETE", params={name: ""}).status == 204
        assert error_code(send(service, "GET", params={name: ""})) == absent


def test_a_bucket_of_its_own_kind(service: CosService):
    """PUT Bucket may ask for multi-AZ and OFS, and the Host names the region; append is refused there alone."""
    body = b"<CreateBucketConfiguration><BucketAZConfig>MAZ</BucketAZConfig><BucketArchConfig>OFS</BucketArchConfig></CreateBucketConfiguration>"
    send(service, "PUT", bucket="maz-1250000000", body=body)
    head = send(service, "HEAD", bucket="maz-1250000000").headers
    assert (head["x-cos-bucket-az-type"], head["x-cos-bucket-arch"]) == ("MAZ", "OFS")
    at = {"append": "", "position": "0"}
    assert send(service, "POST", "k", params=at, bucket="maz-1250000000").status == 400
    assert send(service, "POST", "k", params=at).status == 200


def test_switches_name_everything_wrong_and_then_change_nothing(service: CosService):
    """describe() tells name, value, default, kind and text; update() sets all or none."""
    described = {one["name"]: one for one in service.switches.describe()}
    assert described["key_qps"]["kind"] == "integer"
    assert all(one["value"] == one["default"] and one["text"] for one in described.values())
    with pytest.raises(ValueError, match=r"list_lag_s.*versioned.*nonsense") as refused:
        service.switches.update({"list_lag_s": -1, "versioned": 1, "nonsense": 2, "key_qps": 50})
    assert "key_qps:" not in str(refused.value)
    assert service.switches.key_qps == 0
    service.switches.update({"list_lag_s": 2, "key_qps": 50, "versioned": True})
    assert (service.list_lag_s, service.switches.key_qps, service.versioned) == (2.0, 50, True)
    service.reset()
    assert (service.list_lag_s, service.switches.key_qps, service.versioned) == (0.0, 0, False)


def test_one_key_has_its_rate(service: CosService, monkeypatch: pytest.MonkeyPatch):
    """With key_qps, uploads above it are SlowDown for that key only; deletions count apart; a second later all is well."""
    now = [100.0]
    monkeypatch.setattr("localcloud.cos.pressure.time.monotonic", lambda: now[0])
    service.switches.update({"key_qps": 3})
    assert [send(service, "PUT", "hot").status for _ in range(5)] == [200, 200, 200, 503, 503]
    assert error_code(send(service, "PUT", "hot")) == "SlowDown"
    assert [send(service, "PUT", "cold").status, send(service, "DELETE", "hot").status] == [200, 204]
    assert send(service, "GET", "cold").status == 200
    now[0] += 1
    assert send(service, "PUT", "hot").status == 200


def test_writes_that_meet_conflict(service: CosService, monkeypatch: pytest.MonkeyPatch):
    """With path_conflict_ms, the second of two writes of one name within it is PathConflict; later ones are not."""
    now = [100.0]
    monkeypatch.setattr("localcloud.cos.pressure.time.monotonic", lambda: now[0])
    service.switches.update({"path_conflict_ms": 5})
    assert send(service, "PUT", "k", body=b"1").status == 200
    conflict = send(service, "PUT", "k", body=b"2")
    assert (conflict.status, error_code(conflict)) == (409, "PathConflict")
    assert send(service, "PUT", "other").status == 200
    now[0] += 0.006
    assert send(service, "PUT", "k", body=b"3").status == 200


def test_path_style_can_be_forbidden(service: CosService):
    """As for buckets created after 2024-01-01."""
    service.switches.update({"forbid_path_style": True})
    answer = service.dispatch(Request("GET", "127.0.0.1:9002", f"/{BUCKET}/k"))
    assert (answer.status, error_code(answer)) == (403, "PathStyleDomainForbidden")
    assert send(service, "GET").status == 200


def test_connection_close_is_echoed(service: CosService):
    """Who asks for a closed connection is told that it closes."""
    answer = service.dispatch(Request("GET", HOST, "/k", "", {"connection": "close"}))
    assert answer.headers["Connection"] == "close"
