"""A lone event that suppresses its recipient does so at once, beside its own write.

Only a help: it creates what is absent, once, and whatever comes of it the event is stored. The report timer applies
every event to the list, so what fails here or meets an entry is made good there.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from shared.edge.log import log
from shared.trail.layout import suppression_key
from shared.trail.store import StoreError
from shared.trail.suppression import encode
from shared.trail.suppression_rules import entry_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.trail.store import Store
    from shared.trail.suppression import Entry

PATIENCE_S = 1.0
"""How long the answer to a callback may wait for this: SendCloud's senders wait for 3 s in all."""


@contextlib.contextmanager
def suppressing_beside(store: Store, record: Mapping[str, Any]) -> Iterator[None]:
    """Create the entry of the recipient of ``record``, if it makes one, while the block runs. Raises nothing."""
    fresh = entry_of(record)
    if fresh is None:
        yield
        return
    thread = threading.Thread(target=_create, args=(store.within(PATIENCE_S), suppression_key(fresh.address), fresh))
    thread.start()
    try:
        yield
    finally:
        thread.join()  # SCF freezes an instance that has answered


def _create(store: Store, key: str, fresh: Entry) -> None:
    try:
        store.offer(key, encode(fresh))
    except StoreError as error:
        log("WARNING", "suppression left to the report", operation=error.operation, code=error.code)
