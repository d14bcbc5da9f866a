"""``mailtrail invoke``: one event file into one function, as the platform would."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from cli import target

FUNCTIONS = ("send", "webhook", "snapshot", "report")


@click.command("invoke")
@click.argument("function", type=click.Choice(FUNCTIONS))
@click.argument("event", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@target.LOCAL_OPTION
@click.option("--time-limit", default=900.0, show_default=True, help="Seconds that the function is told it has.")
def invoke_command(function: str, event: Path, port: int | None, time_limit: float) -> None:
    """Run FUNCTION on the EVENT file and print what it returned. Its log lines go to stderr.

    Exit status 1 when the function raised or answered 500 or above.
    """
    try:
        payload = json.loads(event.read_bytes())
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{event} is not JSON: {error}") from error
    with target.running_as(target.environment(port)):
        answer = call(function, payload, time_limit_s=time_limit)
    click.echo(json.dumps(answer, indent=1, ensure_ascii=False))
    if isinstance(answer, dict) and answer.get("statusCode", 200) >= 500:
        raise SystemExit(1)


def call(function: str, event: dict[str, Any], *, time_limit_s: float = 900) -> Any:
    """Call a function's ``main_handler``; what it prints goes to stderr. Raises ClickException when it raises."""
    handler = importlib.import_module(f"functions.{function}.handler").main_handler
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        return json.loads(json.dumps(handler(event, target.context(function, time_limit_s=time_limit_s))))
    except Exception as error:
        raise click.ClickException(f"{function} raised {type(error).__name__}: {error}") from error
    finally:
        sys.stdout = out
