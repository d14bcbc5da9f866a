"""The signer, judged stage by stage by the vendor's published values and by the vendor's own SDK."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from shared.upstream import signing
from tests.event_files import VECTORS

if TYPE_CHECKING:
    from pathlib import Path

TC3 = sorted((VECTORS / "tc3").glob("*.json"))
SENDCLOUD = sorted((VECTORS / "sendcloud").glob("*.json"))
PUBLISHED_STAGES = {
    "body_sha256", "canonical_request", "canonical_request_sha256", "credential_scope", "string_to_sign",
    "k_date", "k_service", "k_signing", "signature", "authorization",
}  # fmt: skip

# The SDK asks for the date with a call that Python 3.12 deprecates; that is not ours to fail on.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp:DeprecationWarning")


@dataclass(frozen=True)
class Vector:
    """One file of ``tests/vectors/tc3``."""

    given: dict[str, Any]
    expected: dict[str, str]

    @property
    def body(self) -> bytes:
        """The bytes that are signed."""
        return str(self.given["body"]).encode()

    @property
    def names(self) -> list[str]:
        """Names of the signed headers."""
        return list(self.given["signed_headers"])

    @property
    def canonical_request(self) -> str:
        """Stage 1 as our signer builds it."""
        return signing.canonical_request(self.given["method"], self.given["headers"], self.names, self.body)

    @property
    def scope(self) -> str:
        """The credential scope as our signer builds it."""
        return signing.credential_scope(self.given["timestamp"], self.given["service"])

    @property
    def to_sign(self) -> str:
        """Stage 2 as our signer builds it."""
        return signing.string_to_sign(self.given["timestamp"], self.scope, self.canonical_request)


def load_vector(path: Path) -> Vector:
    """Read one vector file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Vector(content, content["expected"])


def vectors_with(stage: str) -> pytest.MarkDecorator:
    """Parametrize over the vectors that state a value for ``stage``."""
    chosen = [(path.stem, vector) for path in TC3 if stage in (vector := load_vector(path)).expected]
    assert chosen, f"no vector states {stage}"
    return pytest.mark.parametrize("vector", [v for _, v in chosen], ids=[name for name, _ in chosen])


def test_every_vector_says_where_it_comes_from_and_names_only_stages_that_are_checked() -> None:
    """A vector without an origin is no evidence, and an expected value that no test reads proves nothing."""
    assert len(TC3) == 6
    for path in (*TC3, *SENDCLOUD):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["origin"], path
        assert content["date"], path
        assert set(content["expected"]) <= PUBLISHED_STAGES, path


@vectors_with("body_sha256")
def test_payload_hash(vector: Vector) -> None:
    """HashedRequestPayload is the lower-case hex SHA-256 of the very bytes of the body."""
    assert signing.sha256_hex(vector.body) == vector.expected["body_sha256"]


@vectors_with("canonical_request")
def test_canonical_request(vector: Vector) -> None:
    """Stage 1: the canonical request, character for character."""
    assert vector.canonical_request == vector.expected["canonical_request"]


@vectors_with("canonical_request_sha256")
def test_canonical_request_hash(vector: Vector) -> None:
    """Stage 1, hashed: what the string to sign carries."""
    assert signing.sha256_hex(vector.canonical_request.encode()) == vector.expected["canonical_request_sha256"]


@vectors_with("credential_scope")
def test_credential_scope(vector: Vector) -> None:
    """Date/service/tc3_request, the date in UTC."""
    assert vector.scope == vector.expected["credential_scope"]


@vectors_with("string_to_sign")
def test_string_to_sign(vector: Vector) -> None:
    """Stage 2: algorithm, timestamp, scope, hashed canonical request."""
    assert vector.to_sign == vector.expected["string_to_sign"]


@vectors_with("k_signing")
def test_derived_keys(vector: Vector) -> None:
    """Stage 3: kDate, kService and kSigning, each as published."""
    date = vector.scope[:10]
    k_date = signing.hmac_sha256(f"TC3{vector.given['secret_key']}".encode(), date)
    k_service = signing.hmac_sha256(k_date, vector.given["service"])
    assert k_date.hex() == vector.expected["k_date"]
    assert k_service.hex() == vector.expected["k_service"]
    k_signing = signing.signing_key(vector.given["secret_key"], date, vector.given["service"])
    assert k_signing.hex() == vector.expected["k_signing"]


@vectors_with("k_signing")
def test_signature_from_the_published_key_and_string(vector: Vector) -> None:
    """The last stage alone, fed with published values only."""
    key = bytes.fromhex(vector.expected["k_signing"])
    assert signing.signature(key, vector.expected["string_to_sign"]) == vector.expected["signature"]


@vectors_with("signature")
def test_signature(vector: Vector) -> None:
    """Stage 4: the signature, from the secret key."""
    key = signing.signing_key(vector.given["secret_key"], vector.scope[:10], vector.given["service"])
    assert signing.signature(key, vector.to_sign) == vector.expected["signature"]


@vectors_with("authorization")
def test_authorization_header(vector: Vector) -> None:
    """The whole chain; the order in which a caller names the headers does not matter."""
    credential = signing.Credential(vector.given["secret_id"], vector.given["secret_key"])
    for names in (vector.names, vector.names[::-1], [name.title() for name in vector.names]):
        header = signing.sign_tc3(
            credential,
            vector.given["headers"],
            vector.body,
            service=vector.given["service"],
            timestamp=vector.given["timestamp"],
            signed_headers=names,
        )
        assert header == vector.expected["authorization"]


@vectors_with("authorization")
def test_parse_authorization_reads_every_vector(vector: Vector) -> None:
    """The parser takes apart what the vendor itself prints."""
    parsed = signing.parse_authorization(vector.expected["authorization"])
    assert parsed.secret_id == vector.given["secret_id"]
    assert f"{parsed.date}/{parsed.service}/tc3_request" == vector.expected["credential_scope"]
    assert list(parsed.signed_headers) == vector.names
    assert parsed.signature == vector.expected["signature"]
