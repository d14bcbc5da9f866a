"""Changes to the suppression list: entries merged into those that are there, many at once, by one writer at a time."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

import click

from cli.terminal import note, progress
from shared.trail import suppression_list
from shared.trail.lease import leased
from shared.trail.store import StoreError
from shared.trail.suppression import merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cli.trail import Trail
    from shared.trail.store import Store
    from shared.trail.suppression import Entry

_AT_ONCE = 16
_BATCH = 500
_LEASE_S = 300.0
"""Of a batch, which takes some seconds; what is left of it after a crash is how long the report timer stands aside."""
_PAUSE_S = 1.0


def merge_all(trail: Trail, fresh: Iterable[Entry], *, wait_s: float, dry: bool = False) -> Counter[str]:
    """Merge entries into the list; return how many were ``new``, ``changed``, ``unchanged`` and ``failed``.

    ``wait_s``: how long to wait for somebody else who writes the list. ``dry``: read and count, write nothing.
    Raises ClickException when the list stays taken, and StoreError when that cannot be known.
    """
    counts: Counter[str] = Counter()
    problems: set[str] = set()
    waiting, start = iter(fresh), time.monotonic()
    with progress() as bar, ThreadPoolExecutor(_AT_ONCE) as pool:
        task = bar.add_task("suppression list", total=None)
        while batch := list(islice(waiting, _BATCH)):
            # Batch by batch, so that the report timer gets its turn, and no lease is longer than a crash may cost.
            with contextlib.nullcontext() if dry else _alone(trail, start, wait_s):
                for result, problem in pool.map(lambda one: _merge_one(trail.store, one, dry=dry), batch):
                    counts[result] += 1
                    problems.add(problem)
                    bar.advance(task)
    for problem in sorted(problems - {""}):
        note(f"not written: {problem}")
    return counts


def iter_list(trail: Trail) -> Iterator[Entry]:
    """Yield every entry of the list, with a progress bar; objects that are none are named and passed over."""
    with progress() as bar:
        task = bar.add_task("reading the list", total=None)
        for key, known in suppression_list.iter_entries(trail.store):
            bar.advance(task)
            if known is None:
                note(f"not an entry of the list: {key}")
            else:
                yield known


@contextlib.contextmanager
def _alone(trail: Trail, start: float, wait_s: float) -> Iterator[None]:
    """Be the only one who changes the list; ``start``: the machine's time at the target's ``trail.now``."""
    before = time.monotonic()
    with contextlib.ExitStack() as stack:
        while True:
            waited_s, now = time.monotonic() - before, trail.now + time.monotonic() - start
            if stack.enter_context(leased(trail.store, suppression_list.SCOPE, now=now, ttl_s=_LEASE_S)) is not None:
                break
            if waited_s >= wait_s:
                raise click.ClickException(
                    "the report timer or another command is writing the suppression list; try again, or give --wait"
                )
            if waited_s < _PAUSE_S:
                note(f"somebody else is writing the suppression list; waiting for up to {wait_s:g} s")
            time.sleep(min(_PAUSE_S, wait_s))
        yield


def _merge_one(store: Store, fresh: Entry, *, dry: bool) -> tuple[str, str]:
    try:
        known = suppression_list.read(store, fresh.address)
        merged = fresh if known is None else merge(known, fresh)
        if merged == known:
            return "unchanged", ""
        if not dry:
            suppression_list.write(store, merged)
    except (StoreError, ValueError) as error:
        return "failed", str(error)
    return "new" if known is None else "changed", ""
