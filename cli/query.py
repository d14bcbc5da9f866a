"""``mailtrail query``: SQL over the bucket's lines, by DuckDB on this machine."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import click

from cli import target
from cli.moments import Window, days_between, parse_day
from cli.query_sync import copy_kind
from cli.terminal import note, progress, until_nobody_reads
from cli.trail import open_trail
from shared.trail.records import day_of
from shared.trail.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    from rich.progress import Progress

    from cli.trail import Trail

FORMATS = ("table", "csv", "json", "jsonl", "parquet")
PARQUET = "result.parquet"
READING = frozenset({"SELECT", "EXPLAIN", "CREATE"})
"""Kinds of statements that run: what reads, and what makes a macro, a view or a table of one's own on the way."""


class Asked(NamedTuple):
    """One query: its statements, and the views that it may be about."""

    sql: str
    views: list[str]


@click.command("query")
@click.argument("sql", required=False)
@click.option("--file", "sql_file", type=click.File("r", encoding="utf-8"), help="Read the SQL from a file.")
@click.option("--from", "first", metavar="DAY", help="First day: YYYY-MM-DD, today, yesterday or 7d (ago).")
@click.option("--to", "last", metavar="DAY", help="Last day. Default: today, and what is dated later.")
@click.option("--days", default=31, show_default=True, type=click.IntRange(1, 36600), help="How many, without --from.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write into a file. Parquet needs one.")
@click.option(
    "--cache", type=click.Path(file_okay=False, path_type=Path), help="Keep the copies here: the next query reads news."
)
@target.LOCAL_OPTION
def query_command(
    sql: str | None,
    sql_file: IO[str] | None,
    form: str,
    out: Path | None,
    cache: Path | None,
    port: int | None,
    *,
    as_json: bool,
    **window: Any,
) -> None:
    """Run SQL ("-": from stdin) over what lies in the bucket.

    The views are events, messages, status, tasks, task_changes, sends, suppression and quarantine; without SQL, their
    columns are listed.

    The objects of the days asked for are copied to this machine, into a folder that is removed, or into --cache, which
    then holds addresses and keeps what it has until the bucket has it no more. The SQL can read nothing else: no other
    file, no network, no extension, and it cannot write.

    Days are of the account's zone (MAILTRAIL_UTC_OFFSET); times in the views are in UTC. In CSV an apostrophe leads
    what a spreadsheet would take for a formula; the other formats have every text as it is.
    """
    form = "json" if as_json else form
    if form == "parquet" and not out:
        raise click.UsageError("--format parquet needs --out FILE")
    text = _sql(sql, sql_file)
    with until_nobody_reads(), tempfile.TemporaryDirectory(prefix="mailtrail-query-") as scratch:
        duckdb_error = _duckdb_error()
        from cli import query_views  # noqa: PLC0415 - it imports DuckDB, an extra of its own

        try:
            if text is None:
                _list_views(Path(scratch), form, out)
                return
            asked = _check(text)
            trail = open_trail(port)
            days = _window(trail, **window)
            root = (cache or Path(scratch)) / trail.bucket
            with progress() as bar:
                packs = _copy(trail, asked, days, root, bar)
            # Closed before the folder that it spills into is removed.
            with query_views.connect(packs, Path(scratch)) as connection, _interruptible(connection):
                with progress() as bar:
                    _prepare(connection, asked, packs, Path(scratch), bar)
                _answer(connection, asked, form, out, Path(scratch))
        except duckdb_error as error:
            raise click.ClickException(str(error)) from error
        except StoreError as error:
            raise click.ClickException(f"COS: {error}") from error


@contextlib.contextmanager
def _interruptible(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let Ctrl-C end what DuckDB is at: closing would wait for it."""
    try:
        yield
    except BaseException as error:
        connection.interrupt()
        if str(error) == "Query interrupted":  # DuckDB's word for Ctrl-C, a plain RuntimeError
            raise KeyboardInterrupt from error
        raise


def _duckdb_error() -> type[Exception]:
    try:
        import duckdb  # noqa: PLC0415 - an extra of its own
    except ImportError as error:
        raise click.ClickException("mailtrail query needs DuckDB: pip install 'mailtrail[query]'") from error
    found: type[Exception] = duckdb.Error
    return found


def _sql(sql: str | None, sql_file: IO[str] | None) -> str | None:
    if sql is not None and sql_file is not None:
        raise click.UsageError("SQL or --file, not both")
    if sql_file is not None:
        return str(sql_file.read())
    text = sys.stdin.read() if sql == "-" else sql
    if text is not None:
        text.encode()  # DuckDB takes UTF-8 alone. Raises UnicodeEncodeError
    return text


def _check(sql: str) -> Asked:
    """Return what is asked. Raises ClickException for SQL that is none, or that would do more than read."""
    import duckdb  # noqa: PLC0415 - an extra of its own

    from cli.query_views import views_in  # noqa: PLC0415 - it imports DuckDB

    with duckdb.connect() as parser:
        kinds = [statement.type.name for statement in parser.extract_statements(sql)]
    if "EXPLAIN" in kinds and re.search(r"\bcopy\b", sql, re.IGNORECASE):  # EXPLAIN ANALYZE writes the file
        kinds.append("COPY")
    if not kinds:
        raise click.ClickException("there is no statement in it")
    if others := sorted(set(kinds) - READING):
        raise click.ClickException(f"{', '.join(others)} is not for here: mailtrail query reads (--out writes a file)")
    return Asked(sql, views_in(sql))


def _window(trail: Trail, first: str | None, last: str | None, days: int) -> Window:
    """Return the days that are meant. Clocks differ, so an event may be dated later than today: only --to ends them."""
    today = day_of(trail.now, trail.utc_offset_s)
    end = parse_day(last or "today", today=today)
    start = parse_day(first, today=today) if first else parse_day(f"{days - 1}d", today=end)
    found = days_between(start, end if last else max(start, end))
    if not found:
        raise click.BadParameter("--to is before --from")
    return Window(found, and_later=last is None)


def _copy(trail: Trail, asked: Asked, window: Window, root: Path, bar: Progress) -> dict[str, list[str]]:
    """Copy what the query is about and say on stderr what that was."""
    from cli.query_views import VIEWS  # noqa: PLC0415 - it imports DuckDB

    kinds = list(dict.fromkeys(kind for view in asked.views for kind in VIEWS[view]))
    packs: dict[str, list[str]] = {}
    objects = fetched = 0
    for kind in kinds:
        task = bar.add_task(kind, total=None)
        packs[kind] = []
        for copy in copy_kind(trail.store, kind, window, root):
            packs[kind] += [str(path.resolve()) for path in copy.packs]
            objects, fetched = objects + copy.objects, fetched + copy.fetched
            bar.update(task, description=f"{kind}: {objects} objects")
        bar.remove_task(task)
    if kinds:
        days = f"{window.days[0]} to {window.days[-1]}{' and later' if window.and_later else ''}"
        note(f"read {', '.join(kinds)} of {days}: {objects} objects, {fetched} of them fetched")
    return packs


def _prepare(
    connection: duckdb.DuckDBPyConnection, asked: Asked, packs: Mapping[str, list[str]], scratch: Path, bar: Progress
) -> None:
    """Make the views of the query, and shut DuckDB off from everything else."""
    from cli import query_messages, query_views  # noqa: PLC0415 - they import DuckDB

    counts = {kind: query_views.count_lines(connection, kind) for kind in packs}
    for kind, (_, odd) in counts.items():
        if odd:
            note(f"{odd} lines of {kind} are not what mailtrail writes and were passed over")
    if "events" in asked.views:
        query_views.settle_repeats(connection)
    paths: Sequence[Path] = ()
    if "messages" in asked.views:
        lines = sum(counts[kind][0] for kind in query_views.VIEWS["messages"])
        task = bar.add_task("messages", total=lines)
        paths = query_messages.fold_all(packs, lines, scratch, lambda count: bar.advance(task, count))
        query_views.use_messages(connection, paths)
    query_views.define(connection, asked.views)
    query_views.lock(connection, [*(pack for files in packs.values() for pack in files), *paths, scratch / PARQUET])


def _answer(connection: duckdb.DuckDBPyConnection, asked: Asked, form: str, out: Path | None, scratch: Path) -> None:
    """Run the statements and write the rows of the last one."""
    from cli.query_output import write_result  # noqa: PLC0415 - an answer is the end of it

    *before, last = connection.extract_statements(asked.sql)
    for statement in before:
        connection.execute(statement)
    if out and form == "parquet":
        draft = scratch / PARQUET
        relation = connection.query(last)  # type: ignore[arg-type]  # it takes statements as well: a PIVOT has no text
        if relation is None:
            raise click.ClickException("the last statement has no rows to write")
        relation.write_parquet(str(draft))
        shutil.move(draft, out)
        return
    result = connection.execute(last)
    with out.open("w", encoding="utf-8", newline="") if out else contextlib.nullcontext() as file:
        write_result(result, form, file)


def _list_views(scratch: Path, form: str, out: Path | None) -> None:
    """Tell the columns of every view; nothing is read for that."""
    from cli import query_views  # noqa: PLC0415 - it imports DuckDB

    with query_views.connect({kind: [] for kind in query_views.LINES}, scratch) as connection:
        query_views.settle_repeats(connection)
        query_views.use_messages(connection, [])
        query_views.define(connection, query_views.VIEWS)
        order = ", ".join(f"'{name}'" for name in query_views.VIEWS)
        listing = (
            "FROM information_schema.columns SELECT table_name AS view, column_name AS column, data_type AS type"
            f" WHERE table_schema = 'main' ORDER BY list_position([{order}], table_name), ordinal_position"
        )
        query_views.lock(connection, [scratch / PARQUET])
        _answer(connection, Asked(listing, []), form, out, scratch)
