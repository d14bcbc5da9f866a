"""A bucket in memory, for inputs by the million: what the webhook asks of shared.trail.store.Store, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class MemoryStore:
    """One bucket; create-if-absent tells the truth. ``writes`` counts what was asked to be written."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes = 0

    def within(self, seconds: float) -> MemoryStore:
        return self

    def put(self, key: str, body: bytes, *, content_type: str = "") -> None:
        self.writes += 1
        self.objects[key] = body

    def put_once(self, key: str, body: bytes, *, content_type: str = "") -> bool:
        self.writes += 1
        is_new = key not in self.objects
        self.objects.setdefault(key, body)
        return is_new

    def offer(self, key: str, body: bytes) -> bool:
        return self.put_once(key, body)

    def create_if_absent(self, key: str, body: bytes) -> bool:
        return self.offer(key, body) or self.objects[key] == body

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def under(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        return ((key, body) for key, body in self.objects.items() if key.startswith(prefix))
