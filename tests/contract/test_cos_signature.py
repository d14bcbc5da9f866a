"""COS signatures: every stage against the vendor's worked examples, verification against the vendor's signer."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qcloud_cos.cos_auth import CosS3Auth

from localcloud.clock import Clock
from localcloud.cos import auth
from localcloud.cos.address import resolve
from localcloud.cos.errors import CosError
from localcloud.cos.service import CosService
from localcloud.exchange import Request
from tests.contract.cos_door import HOST, KEYS, error_code, request_of, sdk_client

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "cos").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    """Read a vector."""
    return json.loads(path.read_text(encoding="utf-8"))


def request_from(vector: dict[str, Any]) -> Request:
    """Build the request of a vector, with its published Authorization."""
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    headers["authorization"] = vector["expected"]["authorization"]
    return Request(
        vector["method"], vector["host"], quote(vector["path"]), vector["query"], headers, vector["body"].encode()
    )


def test_there_are_vectors():
    """Both worked examples of the vendor's page are on disk."""
    assert [path.stem for path in VECTORS] == ["a-put-object", "b-get-object"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_every_stage_of_the_worked_examples(path: Path):
    """SignKey, HttpString, its SHA-1, StringToSign and Signature are the published ones."""
    vector = load(path)
    expected = vector["expected"]
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    params = dict(parse_qsl(vector["query"]))
    key = auth.sign_key(vector["secret_key"], vector["key_time"])
    http = auth.http_string(
        vector["method"],
        vector["path"].encode(),
        [(name, auth.url_encode(params[name])) for name in reversed(vector["param_list"])],
        [(name, auth.url_encode(headers[name])) for name in reversed(vector["header_list"])],
    )
    to_sign = auth.string_to_sign(vector["key_time"], http)
    assert key == expected["sign_key"]
    assert http.decode() == expected["http_string"]
    assert hashlib.sha1(http).hexdigest() == expected["http_string_sha1"]
    assert to_sign == expected["string_to_sign"]
    assert auth.signature(key, to_sign) == expected["signature"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_worked_examples_pass_in_their_time(path: Path, tmp_path: Path):
    """The published requests are let in when the clock stands in 2019, and have expired today."""
    vector = load(path)
    clock = Clock()
    keys = {vector["secret_id"]: vector["secret_key"]}
    service = CosService(tmp_path, clock, keys=keys, buckets=(vector["host"].partition(".")[0],))
    assert error_code(service.dispatch(request_from(vector))) == "AccessDenied"
    clock.move_to(int(vector["key_time"].partition(";")[0]) + 60)
    answer = service.dispatch(request_from(vector))
    assert answer.status == 200 or error_code(answer) == "NoSuchKey"
    tampered = replace(request_from(vector), path="/another")
    assert error_code(service.dispatch(tampered)) == "SignatureDoesNotMatch"
    service.close()


NAMES = st.text("abcdefghijklmnopqrstuvwxyz-_.*'!ABC", min_size=1, max_size=12).filter(
    lambda name: not name.startswith("q-")  # the signature's own
)
TEXTS = st.text(st.characters(min_codepoint=0x20, exclude_categories=("Cs",)), max_size=20)
HEADER_TEXTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)
OBJECT_KEYS = st.text(st.characters(min_codepoint=0x20, exclude_categories=("Cs",)), min_size=1, max_size=30).map(
    lambda text: text.lstrip("/") or "k"
)


def lowered(values: dict[str, str]) -> dict[str, str]:
    """Lower the names: case does not tell two of them apart in a signature."""
    return {name.lower(): value for name, value in values.items()}


@settings(max_examples=200, deadline=None)
@given(
    key=OBJECT_KEYS,
    params=st.dictionaries(NAMES, TEXTS, max_size=4).map(lowered),
    headers=st.dictionaries(NAMES.map(lambda name: f"x-cos-meta-{name}"), HEADER_TEXTS, max_size=4).map(lowered),
    method=st.sampled_from(["GET", "PUT", "HEAD", "POST", "DELETE"]),
    in_query=st.booleans(),
    port=st.sampled_from(["", ":9002"]),
)
def test_whatever_the_sdk_signs_is_verified(key, params, headers, method, in_query, port):
    """Any key, parameters and headers that the SDK signs pass, in header or query form, and nothing else does."""
    client = sdk_client()
    signed = client.get_auth(
        Method=method, Bucket=HOST.partition(".")[0], Key=key, Headers={**headers, "Host": HOST}, Params=params
    )
    fields = dict(part.split("=", 1) for part in signed.split("&"))
    query = urlencode(params | fields) if in_query else urlencode(params)
    sent = headers if in_query else {**headers, "authorization": signed}
    request = Request(method, HOST + port, "/" + quote(key, safe="/-_.~"), query, {**sent, "host": HOST + port})
    auth.verify(resolve(request), KEYS, Clock())
    for tampered in (
        replace(request, path=request.path + "x"),
        replace(request, method="PATCH"),
        replace(request, host="x" + request.host),
        *(replace(request, headers={**request.headers, name: "other"}) for name in headers if headers[name] != "other"),
        *(replace(request, headers={k: v for k, v in request.headers.items() if k != name}) for name in headers),
    ):
        with pytest.raises(CosError, match="SignatureDoesNotMatch"):
            auth.verify(resolve(tampered), KEYS, Clock())


def test_the_prepared_request_of_the_sdk(tmp_path: Path):
    """The signer as the SDK calls it, on a prepared request with a token, bytes headers and a body."""
    import requests  # noqa: PLC0415 - only here

    client = sdk_client()
    prepared = requests.Request(
        "PUT", f"http://{HOST}/k", data=b"body", params={"a b": "c+d"},
        headers={"x-cos-security-token": b"t", "Content-Type": b"text/plain"},
        auth=CosS3Auth(client.get_conf(), "k", params={"a b": "c+d"}),
    ).prepare()  # fmt: skip
    auth.verify(resolve(request_of(prepared)), KEYS, Clock())


def signed_request(key_time: str, *, secret_id: str = next(iter(KEYS)), sign_time: str = "") -> Request:
    """Sign GET /k for windows of our choosing, with the chain the vectors prove."""
    sign_time = sign_time or key_time
    http = auth.http_string("GET", b"/k", [], [("host", HOST)])
    signature = auth.signature(auth.sign_key(KEYS.get(secret_id, ""), key_time), auth.string_to_sign(sign_time, http))
    header = (
        f"q-sign-algorithm=sha1&q-ak={secret_id}&q-sign-time={sign_time}&q-key-time={key_time}"
        f"&q-header-list=host&q-url-param-list=&q-signature={signature}"
    )
    return Request("GET", HOST, "/k", "", {"authorization": header})


def refusal(request: Request, clock: Clock) -> tuple[str, str]:
    """Code and message of the error that verification must raise."""
    with pytest.raises(CosError) as caught:
        auth.verify(resolve(request), KEYS, clock)
    return caught.value.code, caught.value.message


def window(start_s: float, end_s: float) -> str:
    """``start;end``, relative to the machine's time."""
    return f"{int(time.time() + start_s)};{int(time.time() + end_s)}"


def test_windows():
    """A window that is over has expired; one far ahead is skewed; one beginning a little ahead is let in."""
    clock = Clock()
    auth.verify(resolve(signed_request(window(-60, 600))), KEYS, clock)
    auth.verify(resolve(signed_request(window(600, 1200))), KEYS, clock)
    assert refusal(signed_request(window(-600, -60)), clock) == ("AccessDenied", "Request has expired")
    assert refusal(signed_request(window(1000, 2000)), clock)[0] == "RequestTimeTooSkewed"
    assert refusal(signed_request("soon;later"), clock)[0] == "AccessDenied"


def test_windows_of_key_and_signature_are_both_checked():
    """A wide q-key-time does not lengthen a q-sign-time that is over, nor the other way round."""
    clock = Clock()
    wide, over = window(-9000, 9000), window(-600, -60)
    auth.verify(resolve(signed_request(wide, sign_time=window(-60, 60))), KEYS, clock)
    assert refusal(signed_request(wide, sign_time=over), clock)[1] == "Request has expired"
    assert refusal(signed_request(over, sign_time=wide), clock)[1] == "Request has expired"


def test_real_and_simulated_time_are_both_right():
    """With the clock moved a day, requests of either time pass; those of neither do not."""
    clock = Clock(offset_s=86400)
    auth.verify(resolve(signed_request(window(-60, 60))), KEYS, clock)
    auth.verify(resolve(signed_request(window(86340, 86460))), KEYS, clock)
    assert refusal(signed_request(window(40000, 40060)), clock)[1] == "Request has expired"


def test_malformed_and_foreign_authorizations():
    """No field is optional; an unknown id, another algorithm and the S3 schemes have answers of their own."""
    clock = Clock()
    good = signed_request(window(-60, 60))
    header = good.headers["authorization"]
    for name in (
        "q-sign-algorithm",
        "q-ak",
        "q-sign-time",
        "q-key-time",
        "q-header-list",
        "q-url-param-list",
        "q-signature",
    ):
        without = "&".join(part for part in header.split("&") if not part.startswith(f"{name}="))
        assert refusal(replace(good, headers={"authorization": without}), clock)[0] == "AccessDenied"
    assert refusal(signed_request(window(-60, 60), secret_id="AKIDNOBODY"), clock)[0] == "InvalidAccessKeyId"
    sha256 = replace(good, headers={"authorization": header.replace("sha1", "sha256", 1)})
    assert refusal(sha256, clock)[0] == "AccessDenied"
    assert (
        refusal(replace(good, headers={"authorization": "AWS4-HMAC-SHA256 Credential=x"}), clock)[0] == "NotImplemented"
    )
    assert refusal(replace(good, headers={}), clock) == ("AccessDenied", "Access Denied.")


def test_header_text_is_latin1_or_else_utf8():
    """Doors hand header bytes over as ISO-8859-1; text beyond it can only have been UTF-8."""
    now = window(-60, 60)
    for value, wire in (("\u00e9".encode().decode("latin-1"), "\u00e9".encode()), ("\u4e2d", "\u4e2d".encode())):
        http = auth.http_string("GET", b"/k", [], [("x-cos-meta-a", auth.url_encode(wire))])
        signature = auth.signature(auth.sign_key(next(iter(KEYS.values())), now), auth.string_to_sign(now, http))
        header = (
            f"q-sign-algorithm=sha1&q-ak={next(iter(KEYS))}&q-sign-time={now}&q-key-time={now}"
            f"&q-header-list=x-cos-meta-a&q-url-param-list=&q-signature={signature}"
        )
        request = Request("GET", HOST, "/k", "", {"authorization": header, "x-cos-meta-a": value})
        auth.verify(resolve(request), KEYS, Clock())
