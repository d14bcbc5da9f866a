"""DuckDB over the copied lines: the schema ``lines`` as they lie, the views of views.sql, and the lock on the rest."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from cli import query_messages
from shared.trail.records import Event, Send, Status, Task, TaskChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LINES: dict[str, tuple[str, ...]] = {
    "events": tuple(Event.__annotations__),
    "status": tuple(Status.__annotations__),
    "sendcloud": tuple(Status.__annotations__),
    "tasks": tuple(Task.__annotations__),
    "task_changes": tuple(TaskChange.__annotations__),
    "sends": tuple(Send.__annotations__),
    "suppression": tuple(
        "v address reason since until source event_id message_id detail machine note causes removals".split()
    ),
    "quarantine": ("v", "why", "received_at", "provider", "headers", "body", "body_base64"),
}
"""Kind of lines -> the members that are read of each."""
VIEWS: dict[str, tuple[str, ...]] = {
    "events": ("events",),
    "messages": ("events", "status", "sendcloud", "sends"),
    "status": ("status", "sendcloud"),
    "tasks": ("tasks",),
    "task_changes": ("task_changes",),
    "sends": ("sends",),
    "suppression": ("suppression",),
    "quarantine": ("quarantine",),
}
"""View -> the kinds of lines that it is made of."""
_IDENTITY = {
    "events": "event_id", "status": "type", "sendcloud": "type", "tasks": "task_id", "task_changes": "task_id",
    "sends": "message_id", "suppression": "address", "quarantine": "why",
}  # fmt: skip
"""What no line of ours is without."""
_STRUCTURED = frozenset({"raw", "metadata", "recipients", "causes", "removals", "headers", "before", "after"})
_PARTITION = {"events": {"dt": "DATE", "hour": "INTEGER"}, "suppression": {}}
_MEMORY_BYTES = 1_000_000_000
_REPEATS_AT_ONCE = 200_000
_SQL = Path(__file__).with_name("views.sql")


def views_in(sql: str) -> list[str]:
    """Return the views that a query may be about: those whose names are words of it."""
    words = {word.lower() for word in re.findall(r"[A-Za-z_]+", sql)}
    return [name for name in VIEWS if name in words]


def connect(packs: Mapping[str, list[str]], folder: Path, *, share: float = 1.0) -> duckdb.DuckDBPyConnection:
    """Open a database in memory whose schema ``lines`` reads ``packs`` (kind -> files); it spills into ``folder``.

    It neither loads nor downloads extensions. ``share``: what part of the memory this one of several may have.
    """
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "preserve_insertion_order": False,
            "memory_limit": f"{int(_MEMORY_BYTES * share)}B",
            "temp_directory": str(folder / f"spill-{secrets.token_hex(4)}"),  # DuckDB removes it: one each
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("CREATE SCHEMA lines")
    for kind, files in packs.items():
        types = {name: "JSON" if name in _STRUCTURED else "VARCHAR" for name in LINES[kind]}
        partition = _PARTITION.get(kind, {"dt": "DATE"})
        connection.execute(f"CREATE VIEW lines.{kind} AS {_source(files, types, partition)}")
    return connection


def _source(files: Sequence[str], types: Mapping[str, str], partition: Mapping[str, str]) -> str:
    """Return the relation of these files, or an empty one of the same columns."""
    if not files:
        return (
            "SELECT "
            + ", ".join(f"NULL::{kind} AS {name}" for name, kind in {**types, **partition}.items())
            + " WHERE false"
        )
    options = "format = 'newline_delimited', ignore_errors = true"
    if partition:
        options += f", hive_partitioning = true, hive_types = {_struct(partition, as_text=False)}"
    return f"FROM read_json([{', '.join(map(quoted, files))}], columns = {_struct(types)}, {options})"


def _struct(types: Mapping[str, str], *, as_text: bool = True) -> str:
    return "{" + ", ".join(f"{quoted(name)}: {quoted(kind) if as_text else kind}" for name, kind in types.items()) + "}"


def quoted(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def count_lines(connection: duckdb.DuckDBPyConnection, kind: str) -> tuple[int, int]:
    """Return how many lines of a kind there are, and how many of them could not be read."""
    row = connection.execute(f"FROM lines.{kind} SELECT count(*), count(*) - count({_IDENTITY[kind]})").fetchone()
    return (row[0], row[1]) if row else (0, 0)


def settle_repeats(connection: duckdb.DuckDBPyConnection) -> None:
    """Choose which copy of an event stands, where there are several: see views.sql."""
    connection.execute(
        "CREATE TABLE lines.repeated AS FROM lines.events SELECT event_id WHERE event_id IS NOT NULL"
        " GROUP BY event_id HAVING count(*) > 1"
    )
    connection.execute("CREATE TABLE lines.kept AS FROM lines.events WHERE false")
    row = connection.execute("FROM lines.repeated SELECT count(*)").fetchone()
    # A sort of whole records is not spilled, so many are sorted a part at a time.
    turns = -(-row[0] // _REPEATS_AT_ONCE) if row else 0
    for turn in range(turns):
        connection.execute(
            "INSERT INTO lines.kept FROM lines.events"
            f" SEMI JOIN (FROM lines.repeated WHERE hash(event_id) % {turns} = {turn}) USING (event_id)"
            " QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY coalesce(verified = 'true', false) DESC,"
            " rtrim(received_at, 'Z'), raw::VARCHAR, metadata::VARCHAR, machine, reason) = 1"
        )


def use_messages(connection: duckdb.DuckDBPyConnection, paths: Iterable[Path]) -> None:
    """Make ``lines.messages`` of what the fold wrote."""
    source = _source([str(path) for path in paths], query_messages.columns(), {})
    connection.execute(f"CREATE VIEW lines.messages AS {source}")


def define(connection: duckdb.DuckDBPyConnection, views: Iterable[str]) -> None:
    """Create views of views.sql; the lines that they are made of are there."""
    statements = _SQL.read_text(encoding="utf-8").replace("{messages}", ", ".join(query_messages.columns()))
    for statement in statements.split(";\n"):
        if (named := re.search(r"CREATE VIEW (\w+)", statement)) and named[1] in views:
            connection.execute(statement)


def lock(connection: duckdb.DuckDBPyConnection, paths: Iterable[Path | str]) -> None:
    """Let what runs from now on read nothing but ``paths``, and change no setting."""
    connection.execute(f"SET allowed_paths = [{', '.join(quoted(str(path)) for path in paths)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
