"""The vendor's COS SDK: set up, its words for what we ask of a bucket, and what its failures mean.

cos-python-sdk-v5 does the talking (of PUT and HEAD the address and the signature), with its traps set on purpose:

* its own retries are off (``retry=0``): they repeat appends and put-if-absent blindly, with sleeps of 1+2+3 s and 30 s
  time-outs each. Ours (store) stay within the time that the function has left;
* its change of host is off, twice: it belongs to its retries, which then go to another domain (myqcloud.com to
  tencentcos.cn) that a network may not let through, and ``AutoSwitchDomainOnRetry`` is off by itself;
* it takes every answer below 400 for success, also a redirect that nobody follows, or a proxy's page: ours
  raises then;
* the token is given to the configuration: ``CredentialInstance.token`` is never sent;
* a session of ours: the built-in pool is shared by a whole class, and asks the environment for proxies at each request;
* its log is silenced: it prints URLs, and signature keys at debug level.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3
from qcloud_cos import CosClientError, CosConfig, CosS3Auth, CosS3Client, CosServiceError

from shared.session import WarmSession, host_of

_TIMEOUT_S = (2.0, 10.0)
_PASSING = frozenset({"PathConflict", "RequestTimeout"})  # 4xx that pass: concurrent writes of one key, a slow wire

logging.getLogger("qcloud_cos").setLevel(logging.CRITICAL + 1)


class Place(NamedTuple):
    """Which bucket, as whom, and how claims are made there.

    ``endpoint``: empty for the region's own; ``http://127.0.0.1:9002`` for localcloud; or a host such as
    ``cos-internal.ap-guangzhou.tencentcos.cn``. ``claim``: ``forbid-overwrite`` or ``append``.
    """

    secret_id: str
    secret_key: str
    token: str
    bucket: str
    region: str
    endpoint: str
    claim: str

    def __repr__(self) -> str:
        """Name the bucket, never show a key."""
        return f"Place({self.bucket} in {self.region})"


class StoreError(Exception):
    """COS did not do it. ``retry_safe``: every operation here may be repeated; this says whether it can help."""

    def __init__(self, operation: str, code: str, *, status: int = 0, retry_safe: bool) -> None:
        super().__init__(f"{operation}: {code}")
        self.operation = operation
        self.code = code
        self.status = status
        self.retry_safe = retry_safe
        self.unanswered = status == 0
        """Whether COS may have done it all the same: some attempt got no answer."""


class _LeftOverError(Exception):
    """Some of many keys were not deleted; the argument is the code of the first."""


# A body that breaks off is told by urllib3 itself: the SDK hands its raw stream out.
FAILURES = (
    CosServiceError, CosClientError, requests.RequestException, urllib3.exceptions.HTTPError, OSError, _LeftOverError,
)  # fmt: skip


def failure_of(operation: str, error: Exception) -> StoreError:
    """Translate the SDK's exceptions; what is no answer of COS (network, broken stream) may be tried again."""
    if isinstance(error, CosServiceError):
        told = error.get_digest_msg()  # text, or any JSON, when COS did not answer itself: the SDK's own getter trips
        status, code = int(error.get_status_code()), str((isinstance(told, dict) and told.get("code")) or "Unknown")
        return StoreError(operation, code, status=status, retry_safe=status >= 500 or code in _PASSING)
    if isinstance(error, _LeftOverError):
        return StoreError(operation, str(error), status=200, retry_safe=str(error) != "AccessDenied")
    return StoreError(operation, type(error).__name__, retry_safe=True)


class Bucket:
    """One request to one bucket, once: every method raises one of FAILURES."""

    def __init__(self, config: CosConfig, session: WarmSession, name: str) -> None:
        self._config = config
        self._session = session
        self._client = CosS3Client(config, retry=0, session=session)
        self._name = name
        self._headers = {"Host": config.get_host(Bucket=name)}  # by IP and port the address does not tell
        if config._token:  # noqa: SLF001 - it has no getter
            self._headers["x-cos-security-token"] = config._token  # noqa: SLF001

    def put(self, key: str, body: bytes, content_type: str, headers: dict[str, str]) -> None:
        """Write an object; ``headers`` are sent beside the usual ones."""
        answer = self._send("PUT", key, {"Content-Type": content_type, **headers}, body)
        if answer.status_code >= 400:
            raise _refusal("PUT", answer)

    def _send(self, method: str, key: str, headers: dict[str, str], body: bytes = b"") -> requests.Response:
        """Send what the HTTP functions wait for, addressed and signed by the SDK.

        Its verbs would write each request and each answer out for a log that is off, and make an exception of a HEAD's
        404, which together take as long as all the rest.
        """
        url, auth = self._config.uri(bucket=self._name, path=key), CosS3Auth(self._config, key)
        headers = {**self._headers, **headers}
        return self._session.request(method, url, headers=headers, data=body, auth=auth, timeout=_TIMEOUT_S)

    def append_first(self, key: str, body: bytes) -> None:
        """Append to an object that has no byte yet."""
        self._client.append_object(Bucket=self._name, Key=key, Position=0, Data=body)

    def get(self, key: str) -> bytes:
        """Read an object whole."""
        return _bytes_of(self._client.get_object(Bucket=self._name, Key=key))

    def has(self, key: str) -> bool:
        """Whether there is such an object, without its bytes."""
        answer = self._send("HEAD", key, {})
        if answer.status_code >= 400 and answer.status_code != 404:
            raise _refusal("HEAD", answer)
        return answer.status_code != 404

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Read a part of an object; COS answers InvalidRange when no byte of it exists."""
        wanted = f"bytes={start}-{start + length - 1}"
        answer = self._client.get_object(Bucket=self._name, Key=key, Range=wanted)
        body = _bytes_of(answer)
        # Whoever answers 200 has not looked at the range (RFC 9110 §14.2), and the SDK does not tell it from 206.
        is_part = any(name.lower() == "content-range" for name in answer)
        return body if is_part else body[start : start + length]

    def list_page(self, prefix: str, marker: str) -> dict[str, Any]:
        """List at most 1000 objects after ``marker``."""
        # Without an EncodingType the SDK asks for url encoding itself, and decodes; with one it leaves that to us.
        page: dict[str, Any] = self._client.list_objects(Bucket=self._name, Prefix=prefix, Marker=marker, MaxKeys=1000)
        return page

    def delete(self, key: str) -> None:
        """Delete an object; none is no error."""
        self._client.delete_object(Bucket=self._name, Key=key)

    def delete_many(self, keys: list[str]) -> None:
        """Delete at most 1000 objects; none is no error."""
        wanted = {"Quiet": "true", "Object": [{"Key": key} for key in keys]}
        answer = self._client.delete_objects(Bucket=self._name, Delete=wanted)
        if left := answer.get("Error"):  # 200 all the same: each key has its own fate
            raise _LeftOverError(left[0].get("Code", "Unknown"))


def _refusal(method: str, answer: requests.Response) -> CosServiceError:
    """Return what the SDK makes of an answer: its code stands in the body, or in a header where there is none."""
    code = answer.headers.get("x-cos-error-code")
    return CosServiceError(method, {"code": code} if code else answer.text, answer.status_code)


def _bytes_of(answer: dict[str, Any]) -> bytes:
    body: bytes = answer["Body"].get_raw_stream().read()
    return body


@functools.lru_cache(maxsize=4)
def bucket_of(place: Place) -> Bucket:
    """Return a bucket as one set of credentials reaches it; a role's key changes within hours, so few are alive."""
    config = CosConfig(
        Region=place.region,
        SecretId=place.secret_id,
        SecretKey=place.secret_key,
        Token=place.token or None,
        Timeout=_TIMEOUT_S,
        AutoSwitchDomainOnRetry=False,
        **_address(place.endpoint),
    )
    return Bucket(config, warm_session(), place.bucket)


def _address(endpoint: str) -> dict[str, Any]:
    """Return the SDK's words for an endpoint: by IP and port with the usual Host, or a host name."""
    if not endpoint:
        return {"Scheme": "https"}
    parts = urlsplit(endpoint if "//" in endpoint else f"https://{endpoint}")
    host = parts.hostname or ""
    if host == "localhost" or host.replace(".", "").isdigit():
        return {"Scheme": parts.scheme, "IP": "127.0.0.1" if host == "localhost" else host, "Port": parts.port}
    return {"Scheme": parts.scheme, "Endpoint": host_of(f"{parts.scheme}://{parts.netloc}")}


class _CosSession(WarmSession):
    """To the SDK every answer below 400 is success: also a redirect that nobody follows, a 103, a page of some proxy.

    COS answers a PUT with an ETag and no body (https://cloud.tencent.com/document/product/436/7749).
    """

    def request(self, method: Any, url: Any, **given: Any) -> requests.Response:  # type: ignore[override]
        response = super().request(method, url, **given)
        status = response.status_code
        is_page = method == "PUT" and status < 300 and "ETag" not in response.headers and bool(response.content)
        if status < 200 or 300 <= status < 400 or is_page:
            raise requests.RequestException(f"HTTP {status} is no acknowledgement")
        return response


@functools.lru_cache(maxsize=1)
def warm_session() -> WarmSession:
    """Return the session whose connections outlive an invocation."""
    return _CosSession()
