"""The signer against the official SDK's own, on requests that the SDK builds."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common import abstract_client  # type: ignore[import-untyped]
from tencentcloud.common.credential import Credential as SdkCredential  # type: ignore[import-untyped]
from tencentcloud.common.http.request import RequestInternal  # type: ignore[import-untyped]
from tencentcloud.common.profile.client_profile import ClientProfile  # type: ignore[import-untyped]

from shared.upstream import signing

# The SDK asks for the date with a call that Python 3.12 deprecates; that is not ours to fail on.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp:DeprecationWarning")

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/,="), min_size=1, max_size=40)
LABELS = st.from_regex(r"[a-z][a-z0-9]{1,11}", fullmatch=True)
TIMES = st.integers(min_value=0, max_value=4_102_444_799)
"""Seconds from 1970 to the end of 2099."""
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(st.text(), JSON_VALUES, max_size=5)


def sdk_request(
    credential: signing.Credential, service: str, timestamp: int, params: dict[str, Any], **how: Any
) -> RequestInternal:
    """Build and sign a request with the official SDK, as its clients do before they send it.

    ``how``: ``method`` (default POST), ``unsigned_payload``, ``options`` (the SDK's own).
    """
    profile = ClientProfile()
    profile.unsignedPayload = how.get("unsigned_payload", False)
    sdk_credential = SdkCredential(credential.secret_id, credential.secret_key, credential.token or None)
    client = abstract_client.AbstractClient(sdk_credential, "ap-guangzhou", profile)
    client._service, client._apiVersion = service, "2020-10-02"
    host = f"{service}.tencentcloudapi.com"
    client._endpoint = host
    request = RequestInternal(host, how.get("method", "POST"), "/")
    with mock.patch.object(abstract_client.time, "time", return_value=float(timestamp)):
        client._build_req_inter("SendEmail", params, request, how.get("options"))
    return request


def ours(credential: signing.Credential, request: RequestInternal, service: str, timestamp: int, **how: Any) -> str:
    """Sign what the SDK is about to send, with our signer."""
    body = request.data if isinstance(request.data, bytes) else request.data.encode()
    if how.get("query"):
        body = b""
    return signing.sign_tc3(credential, dict(request.header), body, service=service, timestamp=timestamp, **how)


@given(KEYS, KEYS, LABELS, TIMES, BODIES)
def test_equals_the_sdk_on_any_json_request(
    secret_id: str, secret_key: str, service: str, timestamp: int, params: dict[str, Any]
) -> None:
    """Whatever the key, the second and the body: our header is the SDK's, byte for byte."""
    credential = signing.Credential(secret_id, secret_key)
    request = sdk_request(credential, service, timestamp, params)
    assert json.loads(request.data) == params
    assert ours(credential, request, service, timestamp) == request.header["Authorization"]
    assert request.header["X-TC-Timestamp"] == str(timestamp)


@given(KEYS, TIMES, BODIES)
def test_a_session_token_is_sent_but_not_signed(token: str, timestamp: int, params: dict[str, Any]) -> None:
    """X-TC-Token travels beside the signature; the signature is that of the key pair alone."""
    temporary = signing.Credential("AKIDEXAMPLE", "SECRETEXAMPLE", token)
    request = sdk_request(temporary, "ses", timestamp, params)
    assert request.header["X-TC-Token"] == token
    assert ours(temporary._replace(token=""), request, "ses", timestamp) == request.header["Authorization"]


@given(TIMES, BODIES, BODIES)
def test_equals_the_sdk_on_an_unsigned_payload(timestamp: int, params: dict[str, Any], other: dict[str, Any]) -> None:
    """With X-TC-Content-SHA256: UNSIGNED-PAYLOAD that literal is hashed, whatever the body is."""
    credential = signing.Credential("AKIDEXAMPLE", "SECRETEXAMPLE")
    request = sdk_request(credential, "ses", timestamp, params, unsigned_payload=True)
    assert ours(credential, request, "ses", timestamp) == request.header["Authorization"]
    request.data = json.dumps(other)
    assert ours(credential, request, "ses", timestamp) == request.header["Authorization"]


@given(TIMES, st.binary(max_size=200))
def test_equals_the_sdk_on_a_multipart_body_of_any_bytes(timestamp: int, content: bytes) -> None:
    """The body is hashed as bytes, not as text."""
    credential = signing.Credential("AKIDEXAMPLE", "SECRETEXAMPLE")
    options = {"IsMultipart": True, "BinaryParams": ["File"]}
    request = sdk_request(credential, "ses", timestamp, {"File": content}, options=options)
    assert content in request.data
    assert ours(credential, request, "ses", timestamp) == request.header["Authorization"]


PLAIN = st.text(st.characters(min_codepoint=48, max_codepoint=122, categories=["L", "N"]), min_size=1, max_size=8)


@given(TIMES, st.dictionaries(PLAIN, st.text(st.characters(codec="utf-8", exclude_characters=" ")), max_size=5))
def test_equals_the_sdk_on_a_get_request(timestamp: int, params: dict[str, str]) -> None:
    """Our query is the SDK's when that is sorted and holds no blank (the SDK writes a blank as ``+``)."""
    credential = signing.Credential("AKIDEXAMPLE", "SECRETEXAMPLE")
    ordered = dict(sorted(params.items()))
    request = sdk_request(credential, "ses", timestamp, ordered, method="GET")
    query = signing.canonical_query(params.items())
    assert query == request.data
    signed = ours(credential, request, "ses", timestamp, method="GET", query=query)
    if query:
        assert signed == request.header["Authorization"]
