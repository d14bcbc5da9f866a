"""``mailtrail send --csv``: the same mail to everybody in a file, each with their own data, resumed by repeating it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import requests

from cli.send_csv_post import Endpoint
from cli.send_csv_queue import ACCEPTED, Counts, Queue
from cli.send_csv_results import Results
from cli.send_csv_rows import BadRow, Row, bad_rows, problems_of_common, read_rows
from cli.send_csv_run import Course, send_all
from cli.terminal import note, printable, progress
from functions.send.ledger import KEY, KEY_RULE
from shared.trail.records import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.progress import Progress


class Wanted(NamedTuple):
    """What the command was asked for. ``run``: its name, empty for one made of the file and the mail."""

    file: Path
    common: dict[str, Any]
    data_columns: list[str]
    run: str
    results: Path | None
    give_up_after_s: float
    dry: bool
    as_json: bool


def send_csv(wanted: Wanted, *, url: str, key: str) -> None:
    """Check every row, then send to all; exit status 1 when one was not accepted. Raises ClickException."""
    if wanted.run and not KEY.fullmatch(wanted.run):
        raise click.BadParameter(f"--run: {KEY_RULE}")
    if "recipients" in wanted.common or (problems := problems_of_common(wanted.common)):
        told = ["recipients: come from the CSV file"] if "recipients" in wanted.common else problems
        raise click.ClickException("the mail cannot be sent:\n" + "\n".join(f"  {one}" for one in told))
    results = wanted.results or wanted.file.with_suffix(".results.csv")
    if results.resolve() == wanted.file.resolve():
        raise click.BadParameter("--results: is the file of --csv")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mailtrail-send-"))
        queue = stack.enter_context(Queue(Path(folder)))
        bar = stack.enter_context(progress())
        run = _read(wanted, queue, bar)
        if wanted.dry:
            _tell(wanted, run, queue.counts(), "nothing was sent: --dry-run", None)
            return
        session = stack.enter_context(requests.Session())
        endpoint = Endpoint(session, url, key, run)
        why = _send(wanted, queue, stack.enter_context(Results(results, run)), endpoint, bar)
        counts = queue.counts()
    _tell(wanted, run, counts, why, results)
    if counts.accepted < counts.rows:
        raise SystemExit(1)


def _read(wanted: Wanted, queue: Queue, bar: Progress) -> str:
    """Fill the queue, and return the name of the run. Raises ClickException after naming every bad row."""
    digest = hashlib.sha256()
    task = bar.add_task("checking", total=None)
    bad = 0

    def good(file: Any) -> Iterator[Row]:
        nonlocal bad
        for row in read_rows(file, digest, wanted.data_columns):
            first = queue.add(row) if isinstance(row, Row) else None
            problem = row.problem if isinstance(row, BadRow) else f"repeats the address of line {first}"
            if isinstance(row, BadRow) or first is not None:
                bad += 1
                note(f"line {row.line}: {printable(problem)}")
            else:
                bar.advance(task)
                yield row

    with wanted.file.open("rb") as file:
        for row in bad_rows(wanted.common, good(file)):
            bad += 1
            note(f"line {row.line}: {printable(row.problem)}")
    bar.remove_task(task)
    if bad:
        raise click.ClickException(f"{bad} problems with {wanted.file}; nothing was sent")
    name = hashlib.sha256(digest.digest() + canonical_json(wanted.common) + canonical_json(wanted.data_columns))
    run = wanted.run or f"csv-{name.hexdigest()[:32]}"
    queue.begin(run)
    return run


def _send(wanted: Wanted, queue: Queue, results: Results, endpoint: Endpoint, bar: Progress) -> str:
    """Send, and return why that ended before its end, or ""."""
    results.open(lambda key: queue.end(key, ACCEPTED))
    counts = queue.counts()
    task = bar.add_task("sending", total=counts.rows, completed=counts.accepted)
    ended = [counts.accepted]

    def more(number: int) -> None:
        ended[0] += number
        bar.update(task, completed=ended[0], description=f"{ended[0]} of {counts.rows}")

    more(0)
    try:
        why = send_all(Course(endpoint, wanted.common, queue, results, wanted.give_up_after_s, more))
    except KeyboardInterrupt:
        why = "interrupted"
    finally:
        # Whatever ended it: what is not done with has a line as well, for who looks.
        for row, key, told in queue.put_off_rows():
            results.write(row, key, told)
        results.flush()
    return why


def _tell(wanted: Wanted, run: str, counts: Counts, why: str, results: Path | None) -> None:
    if wanted.as_json:
        told: Mapping[str, Any] = {"run": run, **counts._asdict(), "ended": why, "results": str(results or "")}
        click.echo(json.dumps(told))
        return
    click.echo(f"{counts.rows} rows: {counts.accepted} accepted, {counts.refused} refused, {counts.waiting} waiting")
    click.echo(f"run {run}" + (f"; results in {results}" if results else ""))
    if why:
        note(why)
    if counts.unknown:
        note(
            f"of {counts.unknown} nobody knows yet whether they were sent; they are not sent again before that is known"
        )
    if counts.waiting and results:
        note("the same command goes on where this one ended; who has the mail gets no second one")
