"""Who unsubscribed by a link: the webhook's notes merged into the list, told to SES if so configured, then deleted.

In this order, so a run that broke off is repeated by the next, and repeating changes nothing. A note whose address SES
did not take stays until it does; what SES says of it is in the log.
"""

from __future__ import annotations

import functools
import os
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.report.suppression import merge_one
from shared.edge.log import log
from shared.edge.settings import report_settings
from shared.trail import suppression_list
from shared.trail.layout import UNSUBSCRIBED_PREFIX
from shared.trail.lease import LONGEST_S, leased
from shared.trail.suppression import Entry, parse, standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.report.maintenance import Work
    from shared.trail.store import Store
    from shared.upstream.ses import SesClient

AT_ONCE = 500
"""Notes that are merged, told and deleted together."""
TOLD_AT_ONCE = 100
"""Addresses in one CreateCustomBlacklist; how many it takes is not documented."""
TIME_FOR_A_BATCH_S = 10.0
_READERS = 16


class _Note(NamedTuple):
    """One note: its key, and the entry of one cause that it holds."""

    key: str
    entry: Entry


def apply_unsubscribes(work: Work) -> dict[str, Any]:
    """Merge every note into the list within the time left. Raises StoreError: what was done until then stays done.

    ``waiting``: notes that are left for the next run, because somebody else holds the list, COS or SES failed, or the
    time was up (then only those that were looked at are counted).
    """
    listed = work.store.read_many(work.store.iterate(UNSUBSCRIBED_PREFIX))
    notes = (note for one, body in listed if body is not None and (note := _note(one.key, body)))
    if not (batch := list(islice(notes, AT_ONCE))):
        return {"applied": 0, "waiting": 0}
    ttl_s = min(LONGEST_S, max(1.0, work.time_left_s()) + 60)
    counts: Counter[str] = Counter(applied=0, waiting=0)
    with leased(work.store, suppression_list.SCOPE, now=work.clock(), ttl_s=ttl_s) as lease:
        ses = _ses(work) if lease is not None else None
        while batch:
            can = lease is not None and work.time_left_s() > TIME_FOR_A_BATCH_S
            done = _apply(work.store, ses, batch) if can else []
            work.store.delete_many(note.key for note in done)
            counts.update(applied=len(done), waiting=len(batch) - len(done))
            batch = list(islice(notes, AT_ONCE)) if can else []
    return dict(counts)


def _note(key: str, body: bytes) -> _Note | None:
    try:
        return _Note(key, parse(body))
    except ValueError:  # somebody's own file: it is theirs
        log("WARNING", "unsubscribe note left alone", key=key)
        return None


def _apply(store: Store, ses: SesClient | None, notes: Sequence[_Note]) -> list[_Note]:
    """Merge notes into the list and tell SES; return those that are done."""
    by_address: defaultdict[str, list[Entry]] = defaultdict(list)
    for note in notes:
        by_address[note.entry.address].append(note.entry)
    with ThreadPoolExecutor(_READERS) as pool:
        failures = dict(
            zip(by_address, pool.map(functools.partial(merge_one, store), by_address.values()), strict=True)
        )
        for failure, count in Counter(failures.values()).items():
            if failure:
                log("WARNING", "suppression entries not written", code=failure, entries=count)
        merged = [note for note in notes if not failures[note.entry.address]]
        if ses is None:
            return merged
        stands = list(pool.map(functools.partial(_stands, store), merged))
    told = _tell(ses, {note.entry.address for note, stand in zip(merged, stands, strict=True) if stand})
    return [note for note, stand in zip(merged, stands, strict=True) if not stand or note.entry.address in told]


def _stands(store: Store, note: _Note) -> bool:
    """Whether nobody has taken the unsubscribe back meanwhile."""
    known = suppression_list.read(store, note.entry.address)
    return known is not None and note.entry.causes[0] in standing(known)


def _ses(work: Work) -> SesClient | None:
    settings = report_settings(os.environ)
    if settings.blacklist is None:
        return None
    from shared.upstream.ses import SesClient  # noqa: PLC0415 - few are configured so
    from shared.upstream.signing import Credential  # noqa: PLC0415 - as above

    site, region, endpoint, _ = settings.blacklist
    credential = Credential(*settings.credential)
    return SesClient(
        credential, site=site, clock=work.clock, region=region, endpoint=endpoint, time_left_s=work.time_left_s
    )


def _tell(ses: SesClient, addresses: Iterable[str]) -> set[str]:
    """Put addresses on SES's own blacklist; return those that are there now. The first refusal ends it."""
    from shared.upstream.errors import UpstreamError  # noqa: PLC0415 - as above

    told: set[str] = set()
    waiting = iter(sorted(addresses))
    while some := list(islice(waiting, TOLD_AT_ONCE)):
        try:
            ses.create_custom_blacklist(some)
        except UpstreamError as error:
            log("WARNING", "blacklist not updated", code=error.code, request_id=error.request_id, addresses=len(some))
            break
        told.update(some)
    return told
