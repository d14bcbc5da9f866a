"""``mailtrail tasks``: a bulk task through the HTTP endpoint, asked for until it is made, and what became of it."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import requests

from cli.endpoint import KEY_OPTION, URL_OPTION, read_body, seconds_of
from cli.send_csv_rows import BadRow, Row, read_rows
from cli.terminal import note, printable

sleep = time.sleep
_PAUSE_S = 5.0
"""Between two requests, where nobody says."""
_NO_ANSWER = (requests.ConnectionError, requests.Timeout)


@click.group("tasks")
def tasks_command() -> None:
    """Mail a list by one batch task."""


@tasks_command.command("make")
@click.argument("body_file", type=click.File("rb"), metavar="BODY.json")
@click.option("--csv", "csv_file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Recipients: a column `to` (or `email`), and one for each variable of theirs.")  # fmt: skip
@click.option("--idempotency-key", required=True, help="The same for every repeat of this very task, and for no other.")
@click.option("--wait", "wait_s", type=click.FloatRange(0), default=600.0, show_default=True,
              help="Seconds for which the request is repeated while its list is prepared.")  # fmt: skip
@URL_OPTION
@KEY_OPTION
def make_command(
    body_file: Any, csv_file: Path | None, idempotency_key: str, wait_s: float, url: str, key: str
) -> None:
    """Make a task and print the answer as JSON; the body is that of POST /tasks (README, "Bulk tasks").

    The request is repeated as the answers say, and when none comes: with its key that is safe. Exit status 1 when the
    task was not made; then the same command goes on.
    """
    raw = json.dumps(_body(body_file, csv_file)).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": idempotency_key}
    end = time.monotonic() + wait_s
    while True:
        answer = _post(f"{url.rstrip('/')}/tasks", raw, headers)
        after_s = _comes_again_s(answer)
        if after_s is None or time.monotonic() + after_s > end:
            break
        sleep(after_s)
    if answer is None:
        raise click.ClickException(f"nothing answers at {url}; the same command goes on where this one stopped")
    click.echo(answer.text, err=not answer.ok)
    if not answer.ok:
        raise SystemExit(1)


@tasks_command.command("show")
@click.argument("idempotency_key")
@URL_OPTION
@KEY_OPTION
def show_command(idempotency_key: str, url: str, key: str) -> None:
    """Print what became of a task. Exit status 1 when the key was never used for one."""
    where = f"{url.rstrip('/')}/tasks/{quote(idempotency_key, safe='')}"
    try:
        answer = requests.get(where, headers={"Authorization": f"Bearer {key}"}, timeout=30)
    except _NO_ANSWER as error:
        raise click.ClickException(f"nothing answers at {url}") from error
    click.echo(answer.text, err=not answer.ok)
    if not answer.ok:
        raise SystemExit(1)


def _post(url: str, raw: bytes, headers: dict[str, str]) -> requests.Response | None:
    try:
        return requests.post(url, data=raw, headers=headers, timeout=60)
    except _NO_ANSWER:
        return None


def _comes_again_s(answer: requests.Response | None) -> float | None:
    """Return the seconds after which the request is to be repeated, None when it is not."""
    if answer is None:
        return _PAUSE_S
    try:
        is_safe = not answer.ok and answer.json()["retry_safe"] is True
    except (ValueError, LookupError, TypeError):  # a proxy's own page
        is_safe = answer.status_code in (502, 503, 504)
    return (seconds_of(answer.headers.get("Retry-After")) or _PAUSE_S) if is_safe else None


def _body(body_file: Any, csv_file: Path | None) -> dict[str, Any]:
    body = read_body(body_file, "the body")
    return body if csv_file is None else body | {"recipients": _read_recipients(csv_file)}


def _read_recipients(path: Path) -> list[Any]:
    """Return everybody in a file. Raises ClickException after naming every line that is wrong."""
    people: list[dict[str, Any]] = []
    bad = 0
    with path.open("rb") as file:
        for row in read_rows(file, hashlib.sha256(), ()):
            if isinstance(row, Row) and "metadata" not in row.person:
                people.append(row.person)
                continue
            bad += 1
            problem = row.problem if isinstance(row, BadRow) else "a task has no metadata"
            note(f"line {row.line}: {printable(problem)}")
    if bad:
        raise click.ClickException(f"{bad} problems with {path}; nothing was sent")
    return people if any("data" in person for person in people) else [person["to"] for person in people]
