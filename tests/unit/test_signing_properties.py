"""Properties of the signer's single stages, of parse_authorization and of the constant-time comparisons."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.upstream import signing
from tests.event_files import VECTORS

if TYPE_CHECKING:
    from pathlib import Path

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/,="), min_size=1, max_size=40)
LABELS = st.from_regex(r"[a-z][a-z0-9]{1,11}", fullmatch=True)
TIMES = st.integers(min_value=0, max_value=4_102_444_799)
"""Seconds from 1970 to the end of 2099."""
SENDCLOUD = sorted((VECTORS / "sendcloud").glob("*.json"))


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=6))
def test_canonical_query_is_rfc_3986_and_loses_nothing(params: list[tuple[str, str]]) -> None:
    """Blank as %20, hex in capitals, sorted, and every parameter comes back."""
    query = signing.canonical_query(params)
    assert " " not in query
    assert "+" not in query
    assert sorted(parse_qsl(query, keep_blank_values=True)) == sorted(params)
    assert all(part == part.upper() for part in _escapes(query))
    pairs = [pair.split("=") for pair in query.split("&")] if query else []
    assert [(unquote(name), unquote(value)) for name, value in pairs] == sorted(params)


def _escapes(query: str) -> list[str]:
    return [query[i : i + 3] for i, char in enumerate(query) if char == "%"]


@given(st.integers(min_value=10**11 + 1, max_value=10**14))
def test_a_timestamp_in_milliseconds_is_refused(timestamp_ms: int) -> None:
    """SendCloud's unit in a Tencent signature would be a date in the far future."""
    with pytest.raises(ValueError, match="seconds"):
        signing.credential_scope(timestamp_ms, "ses")


def test_the_date_is_that_of_utc_between_midnight_and_eight_in_beijing() -> None:
    """2026-11-21 00:30 in Beijing is still the 20th in UTC; a local date fails from 00:00 to 08:00."""
    assert signing.credential_scope(1795192200, "ses") == "2026-11-20/ses/tc3_request"


def test_a_header_that_is_to_be_signed_must_be_there() -> None:
    """Signing an absent header is a mistake of the caller, not an empty value."""
    with pytest.raises(KeyError):
        signing.canonical_headers({"Host": "ses.tencentcloudapi.com"}, ["content-type", "host"])


@given(
    st.sampled_from(["Content-Type", "content-type", "CONTENT-TYPE", " Content-Type "]),
    st.sampled_from(["", " ", "\t"]),
)
def test_header_names_and_values_are_trimmed_and_lower_cased(name: str, blank: str) -> None:
    """However a caller writes a header, the canonical form is one."""
    headers = {name: f"{blank}Application/JSON{blank}", "hOsT": "SES.tencentcloudapi.com"}
    expected = "content-type:application/json\nhost:ses.tencentcloudapi.com\n"
    assert signing.canonical_headers(headers, ["content-type", "host"]) == expected


@given(KEYS, LABELS, TIMES, st.lists(LABELS, min_size=1, max_size=5, unique=True))
def test_parse_authorization_gives_back_what_was_signed(
    secret_id: str, service: str, timestamp: int, names: list[str]
) -> None:
    """sign_tc3 and parse_authorization are each other's inverse."""
    headers = dict.fromkeys(names, "x")
    header = signing.sign_tc3(
        signing.Credential(secret_id, "SECRETEXAMPLE"),
        headers,
        b"{}",
        service=service,
        timestamp=timestamp,
        signed_headers=names,
    )
    parsed = signing.parse_authorization(f"  {header} ")
    scope = signing.credential_scope(timestamp, service)
    assert (parsed.secret_id, f"{parsed.date}/{parsed.service}/tc3_request") == (secret_id, scope)
    assert parsed.signed_headers == tuple(sorted(names))
    assert header.endswith(parsed.signature)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer local-send-key",
        "TC3-HMAC-SHA256",
        "TC3-HMAC-SHA256 Credential=AKID/2026-11-20/ses/tc3_request",
        "TC3-HMAC-SHA256 Credential=AKID/2026-11-20/ses/tc3_request, SignedHeaders=host",
        "TC3-HMAC-SHA256 Credential=AKID/2026-11-20/ses/tc3_request, Signature=00",
        "TC3-HMAC-SHA256 Credential=AKID/2026-11-20/ses/tc3_request, SignedHeaders=, Signature=00",
        "TC3-HMAC-SHA256 Credential=AKID/2026-11-20/tc3_request, SignedHeaders=host, Signature=00",
        "TC3-HMAC-SHA256 Credential=AKID/2026-11-20/ses/aws4_request, SignedHeaders=host, Signature=00",
        "TC3-HMAC-SHA1 Credential=AKID/2026-11-20/ses/tc3_request, SignedHeaders=host, Signature=00",
    ],
)
def test_what_is_not_a_tc3_header_is_refused(header: str) -> None:
    """The cloud answers AuthFailure.InvalidAuthorization; the parser raises."""
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        signing.parse_authorization(header)


def test_a_credential_does_not_show_its_secrets() -> None:
    """A credential in a log line or a traceback names its key and no more."""
    shown = repr(signing.Credential("AKIDLOCALCLOUD", "localcloud-secret-key", "a-session-token"))
    assert "localcloud-secret-key" not in shown
    assert "a-session-token" not in shown


@pytest.mark.parametrize("path", SENDCLOUD, ids=lambda path: path.stem)
def test_sendcloud_signature(path: Path) -> None:
    """The vector, under any of two live keys and in capitals too."""
    vector = json.loads(path.read_text(encoding="utf-8"))
    signature = vector["expected"]["signature"]
    arguments = vector["timestamp"], vector["token"]
    assert signing.sendcloud_signature(vector["app_key"], *arguments) == signature
    assert signing.verify_sendcloud(["another-live-key", vector["app_key"]], *arguments, signature)
    assert signing.verify_sendcloud([vector["app_key"], "another-live-key"], *arguments, signature.upper())


@given(KEYS, KEYS, st.integers(min_value=0).map(str), st.text(min_size=1), st.data())
def test_sendcloud_refuses_another_key_time_or_token(
    key: str, other: str, timestamp: str, token: str, data: st.DataObject
) -> None:
    """A signature holds for one key, one time and one token."""
    signature = signing.sendcloud_signature(key, timestamp, token)
    assert signing.verify_sendcloud([key], timestamp, token, signature)
    assert not signing.verify_sendcloud([], timestamp, token, signature)
    assert signing.verify_sendcloud([other], timestamp, token, signature) is (key == other)
    assert not signing.verify_sendcloud([key], timestamp + "0", token, signature)
    position = data.draw(st.integers(min_value=0, max_value=len(signature) - 1))
    tampered = signature[:position] + ("0" if signature[position] != "0" else "1") + signature[position + 1 :]
    assert not signing.verify_sendcloud([key], timestamp, token, tampered)


def test_sendcloud_is_an_hmac_and_not_the_hash_that_the_vendor_text_suggests() -> None:
    """The page says "SHA256", its code says HMAC; receivers have implemented the former."""
    plain = hashlib.sha256(b"APPKEYEXAMPLE1426390015358token").hexdigest()
    assert not signing.verify_sendcloud(["APPKEYEXAMPLE"], "1426390015358", "token", plain)


@given(st.lists(KEYS, max_size=4), KEYS)
def test_equals_any_accepts_each_live_secret_and_no_other(secrets: list[str], given_secret: str) -> None:
    """Rotation keeps two or more secrets live; all of them count, in any place."""
    assert signing.equals_any(secrets, given_secret) is (given_secret in secrets)
    assert all(signing.equals_any(secrets, secret) for secret in secrets)
