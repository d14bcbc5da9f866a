"""Which cloud a verb talks to: the one that the environment names, or localcloud on this machine."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from typing import TYPE_CHECKING, Any

import click
import requests

from localcloud import defaults
from localcloud.gateway.environment import Ports, account_environment, endpoint_environment
from shared.trail.records import epoch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCAL_OPTION = click.option(
    "--local",
    "port",
    type=int,
    default=None,
    metavar="PORT",
    help="localcloud's port; the default where MAILTRAIL_BUCKET is not set is 9000.",
)


def environment(port: int | None) -> dict[str, str]:
    """Return the environment a function is to run in.

    Without ``port``, and with MAILTRAIL_BUCKET set, that is this process's own. Raises ClickException when localcloud
    was meant and does not answer.
    """
    if port is None and os.environ.get("MAILTRAIL_BUCKET"):
        return dict(os.environ)
    return {**os.environ, **local_environment(port or defaults.PORT)}


def local_environment(port: int) -> dict[str, str]:
    """Return the settings that make a function use the localcloud on ``port``, in its simulated time."""
    try:
        health = requests.get(f"http://127.0.0.1:{port}/_local/health", timeout=5).json()
        offset_s = epoch(health["now"]) - time.time()
        settings = {**account_environment(), **endpoint_environment(Ports(**health["ports"]))}
    except (requests.RequestException, ValueError, LookupError, TypeError) as error:  # or it is another's port
        raise click.ClickException(f"localcloud does not answer on port {port}; start it: mailtrail up") from error
    # Health tells whole seconds; below one second the clocks agree.
    return {**settings, "MAILTRAIL_CLOCK_OFFSET_S": str(offset_s if abs(offset_s) > 2 else 0)}


@contextlib.contextmanager
def running_as(settings: Mapping[str, str]) -> Iterator[None]:
    """Put ``settings`` into the environment for the length of an invocation, as SCF does."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def context(function: str, *, time_limit_s: float = 900) -> dict[str, Any]:
    """Return the second argument of a handler (https://cloud.tencent.com/document/product/583/9210)."""
    return {
        "request_id": str(uuid.uuid4()),
        "function_name": function,
        "function_version": "$LATEST",
        "namespace": "default",
        "memory_limit_in_mb": 256,
        "time_limit_in_ms": round(time_limit_s * 1000),
    }
