"""The HTTP endpoint of ``send``, for the verbs that go through it as any client would."""

from __future__ import annotations

import json
from typing import IO, Any

import click

from localcloud import defaults

URL_OPTION = click.option(
    "--url", default=f"http://127.0.0.1:{defaults.PORT}", show_default=True, envvar="MAILTRAIL_URL"
)
KEY_OPTION = click.option(
    "--key", default=defaults.SEND_KEY, envvar="MAILTRAIL_SEND_KEY", help="Default: localcloud's."
)


def read_body(file: IO[bytes], name: str) -> dict[str, Any]:
    """Return the JSON object of a file; ``name`` is what it is called. Raises ClickException."""
    try:
        body = json.load(file)
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{name} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise click.ClickException(f"{name} is not a JSON object")
    return body


def seconds_of(retry_after: str | None) -> float:
    """Return the seconds of a ``Retry-After``; 0 without one, and for a date, which a proxy may give."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0
