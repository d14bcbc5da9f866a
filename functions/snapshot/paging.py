"""Pages of a list that tells no total, in their order; as many asked for ahead as it takes to use the permitted rate.

One page after the other is ``1 / latency`` pages a second: with answers after 100 ms that is 10, whatever is permitted.
"""

from __future__ import annotations

import math
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from functions.snapshot.pace import Pace

Rows = list[dict[str, Any]]
_MOST_AT_ONCE = 8
_PAGES_FOR_ONE_AHEAD = 12
"""What was asked for behind the last page is for nothing: of a short list, nothing is asked for ahead."""
_SMOOTHING = 0.2


class Pages:
    """The pages from ``offset`` on, until the first that is not full. ``fetch``: offset -> rows, at a turn of ``pace``.

    A context manager: its threads end with it.
    """

    def __init__(self, fetch: Callable[[int], Rows], pace: Pace, *, offset: int, page_rows: int) -> None:
        self._fetch = fetch
        self._pace = pace
        self._next_offset = offset
        self._page_rows = page_rows
        self._pages = 0
        self._latency_s = 0.0
        self._ahead: deque[Future[Rows]] = deque()
        self._pool: ThreadPoolExecutor | None = None

    def __iter__(self) -> Iterator[Rows]:
        """Yield pages. Raises what ``Pace.call`` raises; whoever goes on later begins with that page."""
        while True:
            rows = self._next_page()
            self._pages += 1
            yield rows
            if len(rows) < self._page_rows:
                return

    def _next_page(self) -> Rows:
        at_once = self._at_once()
        if at_once > 1 or self._ahead:
            self._pool = self._pool or ThreadPoolExecutor(_MOST_AT_ONCE)
            while len(self._ahead) < at_once:
                self._ahead.append(self._pool.submit(self._ask, self._next_offset))
                self._next_offset += self._page_rows
            return self._ahead.popleft().result()
        self._next_offset += self._page_rows
        return self._ask(self._next_offset - self._page_rows)

    def _at_once(self) -> int:
        wanted = math.ceil(self._latency_s * self._pace.rate_per_s * 1.25)
        return max(1, min(_MOST_AT_ONCE, wanted, 1 + self._pages // _PAGES_FOR_ONE_AHEAD))

    def _ask(self, offset: int) -> Rows:
        return self._pace.call(lambda: self._timed(offset))

    def _timed(self, offset: int) -> Rows:
        begun = time.monotonic()
        rows = self._fetch(offset)
        self._latency_s += _SMOOTHING * (time.monotonic() - begun - self._latency_s)
        return rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
