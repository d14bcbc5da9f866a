"""The bucket: put, get, iterate, create_if_absent. Knows nothing about e-mail.

cos-python-sdk-v5 does the talking, with its traps set on purpose:

* its own retries are off (``retry=0``): they repeat appends and put-if-absent blindly, with sleeps of 1+2+3 s and 30 s
  time-outs each. Ours stay within the time that the function has left;
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
import itertools
import logging
import random
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from qcloud_cos import CosClientError, CosConfig, CosS3Client, CosServiceError

from shared.session import PATIENCE_S, WarmSession

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future

T = TypeVar("T")


class _LeftOverError(Exception):
    """Some of many keys were not deleted; the argument is the code of the first."""


FORBID_OVERWRITE = "forbid-overwrite"
APPEND = "append"

_TIMEOUT_S = (2.0, 10.0)
_LEAST_PATIENCE_S = 0.2
_SHARE_S = 1.0
"""Seconds that an attempt may take, when there are as many; COS writes a small object in tens of milliseconds."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 3.0
_EXISTS = frozenset({"FileAlreadyExists", "AppendPositionErr", "ObjectNotAppendable"})
_PASSING = frozenset({"PathConflict", "RequestTimeout"})  # 4xx that pass: concurrent writes of one key, a slow wire
_MOST_DELETED = 1000
_READ_AHEAD_BYTES = 16 * 1024 * 1024
# A body that breaks off is told by urllib3 itself: the SDK hands its raw stream out.
_FAILURES = (
    CosServiceError, CosClientError, requests.RequestException, urllib3.exceptions.HTTPError, OSError, _LeftOverError,
)  # fmt: skip
_NO_OVERWRITE = {"x-cos-forbid-overwrite": "true"}

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


class Entry(NamedTuple):
    """One object in a listing. ``modified_at`` is ISO 8601 as COS gives it."""

    key: str
    size_bytes: int
    etag: str
    modified_at: str


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


class Store:
    """One bucket for one invocation.

    ``time_left_s`` tells how long retries may go on; without it three attempts are made.
    """

    def __init__(self, place: Place, time_left_s: Callable[[], float] | None = None) -> None:
        self._place = place
        self._client = _client(place)
        self._bucket = place.bucket
        self._claim = place.claim
        self._time_left_s = time_left_s
        self._retries = True

    def once(self) -> Store:
        """Return the same bucket without retries: for what a late repeat would do to somebody else's object."""
        store = Store(self._place, self._time_left_s)
        store._retries = False
        return store

    def within(self, seconds: float) -> Store:
        """Return the same bucket with retries for ``seconds`` from now at most, and never beyond the time left."""
        end, left_s = time.monotonic() + seconds, self._time_left_s
        return Store(self._place, lambda: min(end - time.monotonic(), left_s() if left_s else seconds))

    def put(self, key: str, body: bytes, *, content_type: str = "application/x-ndjson") -> None:
        """Write an object whole; the same key is overwritten. Raises StoreError."""
        self._retried("put", lambda: self._put(key, body, content_type, {}))

    def put_once(self, key: str, body: bytes, *, content_type: str = "application/x-ndjson") -> bool:
        """Write an object whose key names its content; False when it is there already. Raises StoreError.

        Where the bucket ignores the header (it once had versioning), the object is overwritten by its equal.
        """
        return self._unless_exists("put", lambda: self._put(key, body, content_type, _NO_OVERWRITE))

    def create_if_absent(self, key: str, body: bytes) -> bool:
        """Create ``key``, or learn that somebody else has: True for exactly one of all who try. Raises StoreError.

        ``body`` must be unlike any other claimant's. A claim that was written but acknowledged late (the answer was
        lost and the repeat met our own object) is recognised by its content.
        """
        return self.offer(key, body) or self.get(key) == body

    def offer(self, key: str, body: bytes) -> bool:
        """Create ``key`` unless it is there, in one request: False may also be our own, acknowledged late.

        For what is no claim. Raises StoreError.
        """
        if self._claim == APPEND:
            return self._unless_exists("create", lambda: self._append_first(key, body))
        return self.put_once(key, body, content_type="application/json")

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None when there is none. Raises StoreError."""
        try:
            return self._retried("get", lambda: self._get(key))
        except StoreError as error:
            if error.code == "NoSuchKey":  # not any 404: a missing bucket must not look like an unused key
                return None
            raise

    def iterate(self, prefix: str, *, after: str = "") -> Iterator[Entry]:
        """Yield the objects under ``prefix`` in byte order, a page of 1000 at a time. Raises StoreError.

        COS lists with a delay that it does not bound: what was just written may be missing.
        """
        marker = after
        while True:
            before = marker
            page = self._retried("list", functools.partial(self._list, prefix, marker))
            for item in page.get("Contents", ()):
                yield Entry(item["Key"], int(item["Size"]), item["ETag"].strip('"'), item["LastModified"])
                marker = item["Key"]
            if page.get("IsTruncated") != "true":
                return
            marker = page.get("NextMarker") or marker
            if marker == before:
                raise StoreError("list", "a truncated page that leads nowhere", retry_safe=True)

    def delete(self, key: str) -> None:
        """Delete an object; deleting none is no error. Raises StoreError."""
        self._retried("delete", lambda: self._client.delete_object(Bucket=self._bucket, Key=key))

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete objects, 1000 a request; deleting none is no error. Raises StoreError when one is left."""
        remaining = iter(keys)
        while some := list(itertools.islice(remaining, _MOST_DELETED)):
            self._retried("delete", functools.partial(self._delete_many, some))

    def read_many(
        self, entries: Iterable[Entry], *, at_once: int = 16
    ) -> Generator[tuple[Entry, bytes | None], None, None]:
        """Yield listed objects with their bytes, in their order, read ``at_once`` in parallel; None: it is gone.

        Never more than _READ_AHEAD_BYTES lie ready, or one object when it is larger. Raises StoreError.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - timers read so, HTTP functions never

        ahead: deque[tuple[Entry, Future[bytes | None]]] = deque()
        ahead_bytes = 0
        pool = ThreadPoolExecutor(at_once)
        try:
            for entry in entries:
                while ahead and (ahead_bytes + entry.size_bytes > _READ_AHEAD_BYTES or len(ahead) >= 2 * at_once):
                    first, future = ahead.popleft()
                    ahead_bytes -= first.size_bytes
                    yield first, future.result()
                ahead.append((entry, pool.submit(self.get, entry.key)))
                ahead_bytes += entry.size_bytes
            while ahead:
                first, future = ahead.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _delete_many(self, keys: list[str]) -> None:
        wanted = {"Quiet": "true", "Object": [{"Key": key} for key in keys]}
        answer = self._client.delete_objects(Bucket=self._bucket, Delete=wanted)
        if left := answer.get("Error"):  # 200 all the same: each key has its own fate
            raise _LeftOverError(left[0].get("Code", "Unknown"))

    def _put(self, key: str, body: bytes, content_type: str, headers: dict[str, str]) -> None:
        # The SDK copies `Metadata` as headers, verbatim and signed; it has no parameter for this one.
        self._client.put_object(
            Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, Metadata=dict(headers)
        )

    def _append_first(self, key: str, body: bytes) -> None:
        self._client.append_object(Bucket=self._bucket, Key=key, Position=0, Data=body)

    def _get(self, key: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].get_raw_stream().read()
        return body

    def _list(self, prefix: str, marker: str) -> dict[str, Any]:
        # Without an EncodingType the SDK asks for url encoding itself, and decodes; with one it leaves that to us.
        page: dict[str, Any] = self._client.list_objects(
            Bucket=self._bucket, Prefix=prefix, Marker=marker, MaxKeys=1000
        )
        return page

    def _unless_exists(self, operation: str, call: Callable[[], None]) -> bool:
        try:
            self._retried(operation, call)
        except StoreError as error:
            if error.code in _EXISTS:
                return False
            raise
        return True

    def _retried(self, operation: str, call: Callable[[], T]) -> T:
        """Call until it succeeds, fails for good, or the time is up. Full jitter between attempts."""
        if self._time_left_s is not None and self._time_left_s() <= 0:
            raise StoreError(operation, "OutOfTime", retry_safe=True)
        attempt, unanswered = 0, False
        while True:
            patience = PATIENCE_S.set(self._patience_s())
            try:
                return call()
            except _FAILURES as error:
                failure = _failure(operation, error)
                failure.unanswered = unanswered = unanswered or failure.unanswered
                pause_s = random.uniform(0, min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(attempt, 9)))  # noqa: S311
                attempt += 1
                if not failure.retry_safe or not self._may_go_on(attempt, pause_s):
                    raise failure from error
            finally:
                PATIENCE_S.reset(patience)
            time.sleep(pause_s)

    def _patience_s(self) -> float | None:
        """Seconds for one attempt. A call that outlives the invocation is answered by nobody."""
        if self._time_left_s is None:
            return None
        left_s = self._time_left_s()
        # A connection that died unnoticed never answers: half the time is kept for another, when that is worth it.
        share_s = max(_SHARE_S, left_s / 2) if self._retries else left_s
        return max(_LEAST_PATIENCE_S, min(left_s, share_s))

    def _may_go_on(self, attempt: int, pause_s: float) -> bool:
        if not self._retries:
            return False
        if self._time_left_s is None:
            return attempt < 3
        return self._time_left_s() > pause_s + _FIRST_PAUSE_S


def _failure(operation: str, error: Exception) -> StoreError:
    """Translate the SDK's exceptions; what is no answer of COS (network, broken stream) may be tried again."""
    if isinstance(error, CosServiceError):
        told = error.get_digest_msg()  # text, or any JSON, when COS did not answer itself: the SDK's own getter trips
        status, code = int(error.get_status_code()), str((isinstance(told, dict) and told.get("code")) or "Unknown")
        return StoreError(operation, code, status=status, retry_safe=status >= 500 or code in _PASSING)
    if isinstance(error, _LeftOverError):
        return StoreError(operation, str(error), status=200, retry_safe=str(error) != "AccessDenied")
    return StoreError(operation, type(error).__name__, retry_safe=True)


@functools.lru_cache(maxsize=4)
def _client(place: Place) -> CosS3Client:
    """Return the SDK's client for one set of credentials; a role's key changes within hours, so few are alive."""
    config = CosConfig(
        Region=place.region,
        SecretId=place.secret_id,
        SecretKey=place.secret_key,
        Token=place.token or None,
        Timeout=_TIMEOUT_S,
        AutoSwitchDomainOnRetry=False,
        **_address(place.endpoint),
    )
    return CosS3Client(config, retry=0, session=_warm_session())


def _address(endpoint: str) -> dict[str, Any]:
    """Return the SDK's words for an endpoint: by IP and port with the usual Host, or a host name."""
    if not endpoint:
        return {"Scheme": "https"}
    parts = urlsplit(endpoint if "//" in endpoint else f"https://{endpoint}")
    host = parts.hostname or ""
    if host == "localhost" or host.replace(".", "").isdigit():
        return {"Scheme": parts.scheme, "IP": "127.0.0.1" if host == "localhost" else host, "Port": parts.port}
    return {"Scheme": parts.scheme, "Endpoint": parts.netloc}


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
def _warm_session() -> WarmSession:
    """Return the session whose connections outlive an invocation."""
    return _CosSession()
