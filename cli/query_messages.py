"""The view ``messages``: the fold of shared/trail/fold.py over the lines that were copied. One fold, in one language.

DuckDB sorts the lines by message, on disk when there are many; one message is held at a time. Many lines are shared
out among processes, by message.
"""

from __future__ import annotations

import json
import os
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from shared.trail.fold import ENGAGEMENTS, Delivery, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import duckdb

_COMMON = ("type", "class", "reason", "fault")
_EVENT = (*_COMMON, "occurred_at", "event_id", "source", "machine", "link")
_STATUS = ("delivered_at", "requested_at", *ENGAGEMENTS)
NAMES = ("told_by", "message_id", "recipient", *_EVENT, *_STATUS)
"""What the fold reads of a record, and whose it is."""
_EVENT_AT, _STATUS_AT = slice(3, 3 + len(_EVENT)), slice(3 + len(_EVENT), len(NAMES))
_COMMON_AT = slice(3, 3 + len(_COMMON))
_SOURCE_AT = NAMES.index("source")
_AT_ONCE = 10_000
FEW_LINES = 100_000
"""Up to so many are folded here: another process takes half a second to start."""
_MOST_SHARES = 8

_SAID = f"""
SELECT {", ".join(NAMES)} FROM (
    SELECT 'event' AS told_by, coalesce(type, 'unknown') AS type, coalesce(occurred_at, '') AS occurred_at,
        * EXCLUDE (type, occurred_at)
    FROM lines.events WHERE event_id IS NOT NULL
    UNION ALL BY NAME SELECT 'status' AS told_by, * FROM lines.status WHERE type IS NOT NULL
    UNION ALL BY NAME SELECT 'status' AS told_by, * FROM lines.sendcloud WHERE type IS NOT NULL
    UNION ALL BY NAME
    SELECT 'send' AS told_by, message_id, unnest(TRY_CAST(recipients AS VARCHAR[])) AS recipient, 'accepted' AS type,
        accepted_at AS occurred_at
    FROM lines.sends WHERE message_id IS NOT NULL
)
WHERE hash(coalesce(message_id, '')) % $shares = $share
ORDER BY message_id
"""  # noqa: S608 - names of ours

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def columns() -> dict[str, str]:
    """Return the columns of ``messages`` with DuckDB's types: whose state it is, and what it says of itself."""
    told = {name: _type_of(name, value) for name, value in State().as_dict().items()}
    return {"message_id": "VARCHAR", "recipient": "VARCHAR", "domain": "VARCHAR", **told, "told_by": "VARCHAR"}


def _type_of(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "BIGINT"
    return "TIMESTAMP" if name == "at" or name.endswith("_at") else "VARCHAR"


def fold_all(packs: Mapping[str, list[str]], lines: int, folder: Path, advance: Callable[[int], None]) -> list[Path]:
    """Write a line for each (message, recipient) into files of ``folder``, and return them.

    ``packs``: the files of each kind of lines; ``lines``: about how many they have; ``advance`` hears of the records
    that are folded.
    """
    shares = 1 if lines <= FEW_LINES else min(_MOST_SHARES, os.cpu_count() or 1)
    paths = [folder / f"messages-{share}.jsonl" for share in range(shares)]
    if shares == 1:
        advance(fold_share(packs, 0, 1, paths[0]))
        return paths
    # Not forked: DuckDB has threads.
    import multiprocessing  # noqa: PLC0415 - where there is much to do
    from concurrent.futures import ProcessPoolExecutor, as_completed  # noqa: PLC0415 - where there is much to do

    with ProcessPoolExecutor(shares, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(fold_share, packs, share, shares, path) for share, path in enumerate(paths)]
        for future in as_completed(futures):
            advance(future.result())
    return paths


def fold_share(packs: Mapping[str, list[str]], share: int, shares: int, path: Path) -> int:
    """Write the messages of one of so many shares into ``path``; return the number of records that were folded."""
    from cli.query_views import connect  # noqa: PLC0415 - that module knows this one

    with connect(packs, path.parent, share=1 / shares) as connection, path.open("w", encoding="utf-8") as out:
        cursor = connection.execute(_SAID, {"share": share, "shares": shares})
        count = 0
        rows = _rows(cursor)
        for message_id, group in groupby(rows, key=itemgetter(1)):
            said = list(group)
            count += len(said)
            out.writelines(_fold_message(message_id, said))
    return count


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while some := cursor.fetchmany(_AT_ONCE):
        yield from some


def _fold_message(message_id: str | None, said: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    states: dict[str, State] = {}
    sources: dict[str, set[str]] = {}
    for row in said:
        recipient = (row[2] or "").lower()
        state = states.get(recipient)
        if state is None:
            state = states[recipient] = State()
            sources[recipient] = set()
        # An event that was filled in from a status row was told by the row: nobody called back.
        sources[recipient].add("status" if row[_SOURCE_AT] == "status" else row[0])
        _add(state, row)
    for recipient, state in states.items():
        whose = {
            "message_id": message_id or None,
            "recipient": recipient or None,
            "domain": recipient.rpartition("@")[2] or None,
            "told_by": " ".join(sorted(sources[recipient])),
        }
        yield f"{_encode(whose)[:-1]},{_state_text(state)}\n"


def _add(state: State, row: tuple[Any, ...]) -> None:
    if row[0] != "status":
        names = _EVENT if row[0] == "event" else _EVENT[:5]
        state.add(dict(zip(names, row[_EVENT_AT], strict=False)))
        return
    record = dict(zip(_COMMON, row[_COMMON_AT], strict=True)) | dict(zip(_STATUS, row[_STATUS_AT], strict=True))
    state.add(record)
    state.add_flags({kind: record[kind] == "true" for kind in ENGAGEMENTS})


_templates: dict[Delivery, tuple[str, str]] = {}
"""What the text of a state without engagements is before and after its time: there are few, of half of all states."""


def _state_text(state: State) -> str:
    """Return the members of a state as JSON, with the closing brace."""
    said = state.delivery
    if not said.at or any(map(state.has, ENGAGEMENTS)):
        return _encode(state.as_dict())[1:]
    timeless = said._replace(at="")
    if timeless not in _templates:
        plain = State()
        plain.delivery = timeless
        before, _, after = _encode(plain.as_dict())[1:].partition('"at":null')
        _templates[timeless] = before, after
    before, after = _templates[timeless]
    return f'{before}"at":{_encode(said.at + "Z")}{after}'
