"""Tells open pages what has changed (Server-Sent Events, https://html.spec.whatwg.org/multipage/server-sent-events.html).

A page that comes back after a pause is told everything anew, so nothing it missed matters.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING, Any

from starlette.responses import StreamingResponse

from localcloud.console.archive import ReadOnly
from localcloud.when import iso_utc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from concurrent.futures import Executor

    from starlette.requests import Request

    from localcloud.console.archive import Archive
    from localcloud.world import LocalCloud

INTERVAL_S = 0.2
"""Real seconds between two looks at what has changed; only while a page is open."""
HEARTBEAT_S = 15
RETRY_MS = 1000
"""How long a page waits before it connects again."""


class Stream:
    """``GET /_local/stream``: events ``mails``, ``callbacks``, ``bucket``, ``clock``, ``faults``, each with JSON."""

    def __init__(self, cloud: LocalCloud, archive: Archive, pool: Executor) -> None:
        self._cloud = cloud
        self._archive = archive
        self._pool = pool
        self._callbacks = ReadOnly(cloud.data / "callbacks.sqlite3")
        self._objects = ReadOnly(cloud.data / "cos" / "index.sqlite3")
        self._ended = threading.Event()

    async def endpoint(self, _request: Request) -> StreamingResponse:
        """Starlette endpoint."""
        return StreamingResponse(self._events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    def end(self) -> None:
        """End every stream, so that a server that stops need not wait for the pages that are open."""
        self._ended.set()

    def close(self) -> None:
        """Close the files."""
        self._callbacks.close()
        self._objects.close()

    async def _events(self) -> AsyncIterator[str]:
        loop, told, spoken_at = asyncio.get_running_loop(), dict[str, Any](), time.monotonic()
        yield f"retry: {RETRY_MS}\n\n"
        while not self._ended.is_set():
            seen = await loop.run_in_executor(self._pool, self._look)
            changed = [topic for topic, key in seen.items() if told.get(topic) != key]
            told = seen
            if changed:
                facts = await loop.run_in_executor(self._pool, self._facts, changed)
                yield "".join(f"event: {topic}\ndata: {json.dumps(fact)}\n\n" for topic, fact in facts.items())
                spoken_at = time.monotonic()
            elif time.monotonic() - spoken_at > HEARTBEAT_S:
                yield ": still here\n\n"
                spoken_at = time.monotonic()
            await asyncio.sleep(INTERVAL_S)

    def _look(self) -> dict[str, Any]:
        # Cheap numbers; what they stand for is read only once they differ.
        return {
            "mails": self._archive.version(),
            "callbacks": self._callbacks.version(),
            "bucket": self._objects.version(),
            "clock": round(self._cloud.clock.offset_s, 1),
            "faults": json.dumps(self._cloud.faults.rules),
        }

    def _facts(self, topics: list[str]) -> dict[str, Any]:
        reading: dict[str, Callable[[], Any]] = {
            "mails": lambda: {"total": self._archive.count()},
            "callbacks": lambda: {"pending": self._cloud.callbacks.pending()},
            "bucket": dict,
            "clock": lambda: {"now": iso_utc(self._cloud.clock.now()), "offset_s": self._cloud.clock.offset_s},
            "faults": lambda: {"rules": self._cloud.faults.rules},
        }
        return {topic: reading[topic]() for topic in topics}
