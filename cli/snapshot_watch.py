"""A progress bar over a run of the snapshot function, which tells nothing before its end: the bucket is looked at."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from functions.snapshot.checkpoint import read_checkpoint
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.progress import Progress
    from typing_extensions import Self

    from shared.trail.store import Store

EVERY_S = 2.0


class Watch:
    """Days done, and the pages of the day in hand, for as long as the block lasts. A context manager.

    ``is_over``: source, day -> whether nothing more is to be done about it; it may raise StoreError.
    """

    def __init__(
        self, bar: Progress, store: Store, sources: Sequence[str], days: Sequence[str],
        is_over: Callable[[str, str], bool],
    ) -> None:  # fmt: skip
        self._bar = bar
        self._task = bar.add_task("snapshot", total=len(days))
        self._store = store
        self._left = {source: [*days] for source in sources}
        self._days = days
        self._is_over = is_over
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def look(self) -> None:
        """Bring the bar up to date. What COS does not tell now, it will tell at the next look."""
        in_hand = ""
        try:
            for source, days in self._left.items():
                # The days are taken in order, so only the first that is left may have become whole.
                while days and self._is_over(source, days[0]):
                    del days[0]
                in_hand = in_hand or (self._in_hand(source, days[0]) if days else "")
        except StoreError:
            return
        left = {day for days in self._left.values() for day in days}
        self._bar.update(self._task, completed=len(self._days) - len(left), description=self._told(in_hand, len(left)))

    def _in_hand(self, source: str, day: str) -> str:
        checkpoint = read_checkpoint(self._store, source, day)
        if checkpoint is None:
            return f"{source} {day}"
        return f"{source} {day}: {'merging ' if checkpoint['ended'] else ''}{checkpoint['pages']} pages"

    def _told(self, in_hand: str, left: int) -> str:
        return f"{in_hand}, {len(self._days) - left} of {len(self._days)} days"

    def _look_on(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.look()

    def __enter__(self) -> Self:
        if not self._bar.disable:
            self.look()
            self._thread.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._bar.remove_task(self._task)
