"""The bucket: put, get, iterate, create_if_absent. Knows nothing about e-mail, nor of the SDK's ways (cos_client).

Every verb is retried within the time that the function has left.
"""

from __future__ import annotations

import functools
import itertools
import random
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from shared.session import PATIENCE_S
from shared.trail.cos_client import FAILURES, Place, StoreError, bucket_of, failure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future

__all__ = ["APPEND", "FORBID_OVERWRITE", "Entry", "Place", "Store", "StoreError"]

T = TypeVar("T")

FORBID_OVERWRITE = "forbid-overwrite"
APPEND = "append"

_LEAST_PATIENCE_S = 0.2
_SHARE_S = 1.0
"""Seconds that an attempt may take, when there are as many; COS writes a small object in tens of milliseconds."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 3.0
_EXISTS = frozenset({"FileAlreadyExists", "AppendPositionErr", "ObjectNotAppendable"})
_MOST_DELETED = 1000
_READ_AHEAD_BYTES = 16 * 1024 * 1024
_NO_OVERWRITE = {"x-cos-forbid-overwrite": "true"}


class Entry(NamedTuple):
    """One object in a listing. ``modified_at`` is ISO 8601 as COS gives it."""

    key: str
    size_bytes: int
    etag: str
    modified_at: str


class Store:
    """One bucket for one invocation.

    ``time_left_s`` tells how long retries may go on; without it three attempts are made.
    """

    def __init__(self, place: Place, time_left_s: Callable[[], float] | None = None) -> None:
        self._place = place
        self._bucket = bucket_of(place)
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
        self._retried("put", lambda: self._bucket.put(key, body, content_type, {}))

    def put_once(self, key: str, body: bytes, *, content_type: str = "application/x-ndjson") -> bool:
        """Write an object whose key names its content; False when it is there already. Raises StoreError.

        Where the bucket ignores the header (it once had versioning), the object is overwritten by its equal.
        """
        return self._unless_exists("put", lambda: self._bucket.put(key, body, content_type, _NO_OVERWRITE))

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
            return self._unless_exists("create", lambda: self._bucket.append_first(key, body))
        return self.put_once(key, body, content_type="application/json")

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None when there is none. Raises StoreError."""
        return self._if_exists(lambda: self._bucket.get(key))

    def has(self, key: str) -> bool:
        """Whether there is such an object; where there is none, by two thirds of what ``get`` takes. Raises StoreError.

        A HEAD has no body, so a missing bucket looks like a missing object: not for what must be right.
        """
        return self._retried("head", lambda: self._bucket.has(key))

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """Return ``length`` bytes from ``start`` (from 0), fewer where the object ends, or None when there is none.

        b"" when ``start`` is at the end or beyond. Raises StoreError, and ValueError for no range at all: COS would
        not look at it and send the whole object.
        """
        if start < 0 or length < 1:
            raise ValueError(f"no range: {length} bytes from {start}")
        try:
            return self._if_exists(lambda: self._bucket.get_range(key, start, length))
        except StoreError as error:
            if error.code == "InvalidRange":
                return b""
            raise

    def iterate(self, prefix: str, *, after: str = "") -> Iterator[Entry]:
        """Yield the objects under ``prefix`` in byte order, a page of 1000 at a time. Raises StoreError.

        COS lists with a delay that it does not bound: what was just written may be missing.
        """
        marker = after
        while True:
            before = marker
            page = self._retried("list", functools.partial(self._bucket.list_page, prefix, marker))
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
        self._retried("delete", lambda: self._bucket.delete(key))

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete objects, 1000 a request; deleting none is no error. Raises StoreError when one is left."""
        remaining = iter(keys)
        while some := list(itertools.islice(remaining, _MOST_DELETED)):
            self._retried("delete", functools.partial(self._bucket.delete_many, some))

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

    def _unless_exists(self, operation: str, call: Callable[[], None]) -> bool:
        try:
            self._retried(operation, call)
        except StoreError as error:
            if error.code in _EXISTS:
                return False
            raise
        return True

    def _if_exists(self, call: Callable[[], bytes]) -> bytes | None:
        try:
            return self._retried("get", call)
        except StoreError as error:
            if error.code == "NoSuchKey":  # not any 404: a missing bucket must not look like an unused key
                return None
            raise

    def _retried(self, operation: str, call: Callable[[], T]) -> T:
        """Call until it succeeds, fails for good, or the time is up. Full jitter between attempts."""
        if self._time_left_s is not None and self._time_left_s() <= 0:
            raise StoreError(operation, "OutOfTime", retry_safe=True)
        attempt, unanswered = 0, False
        while True:
            patience = PATIENCE_S.set(self._patience_s())
            try:
                return call()
            except FAILURES as error:
                failure = failure_of(operation, error)
                failure.unanswered = unanswered = unanswered or failure.unanswered
                pause_s = random.uniform(0, min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(attempt, 9)))  # noqa: S311
                attempt += 1
                if not failure.retry_safe or not self._may_go_on(attempt, pause_s):
                    try:
                        raise failure from error
                    finally:
                        # This frame is in the failure's own traceback: a circle, which would keep the body that was
                        # to be written until the collector of garbage comes by.
                        del failure
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
