"""What a verb writes: results to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")

UNCUT = 1_000_000
"""Columns of an output that nobody looks at through a window: nothing is wrapped or cut there."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to ``until_nobody_reads``: rich would exit with status 1."""
        raise BrokenPipeError


def console(out: IO[str] | None = None) -> Console:
    """Return the console of stdout: colours and the window's width on a terminal, neither in a pipe nor in ``out``."""
    to_people = out is None and sys.stdout.isatty()
    return _Console(file=out, highlight=False, width=None if to_people else UNCUT)


def progress() -> Progress:
    """Return a progress bar on stderr that leaves nothing behind; it is not shown where stderr is no terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    errors = Console(stderr=True)
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


def note(text: str) -> None:
    """Say something on stderr."""
    click.echo(text, err=True)


def printable(text: str) -> str:
    """Return ``text`` as a terminal may have it: what came from outside must not move the cursor or set a title."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@contextlib.contextmanager
def until_nobody_reads() -> Iterator[None]:
    """End quietly when the reader of stdout goes away (``| head``)."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, which would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
