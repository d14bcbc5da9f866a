"""``mailtrail``: the command. Each verb is a module; what a verb needs is imported when it runs.

Exit status: 0 done, 1 it did not work, 2 wrong usage. Errors go to stderr.
"""

from __future__ import annotations

import errno
import importlib
from typing import Any

import click

VERBS = {
    "up": "cli.up",
    "demo": "cli.demo",
    "send": "cli.send",
    "tasks": "cli.tasks",
    "invoke": "cli.invoke",
    "snapshot": "cli.snapshot",
    "report": "cli.timers",
    "events": "cli.events",
    "query": "cli.query",
    "replay": "cli.replay",
    "suppression": "cli.suppression",
    "package": "cli.packaging",
}


class Verbs(click.Group):
    """A group that imports a verb's module when the verb is used: ``mailtrail up`` must not pay for the others."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Name the verbs in the order of VERBS."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Return a verb's command, or None."""
        if name not in VERBS:
            return None
        command: click.Command = getattr(importlib.import_module(VERBS[name]), f"{name}_command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; what the machine has against it (a full disk, no such folder, an odd encoding) is a message."""
        try:
            return super().invoke(ctx)
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) == errno.EPIPE:  # click ends quietly then
                raise
            raise click.ClickException(str(error)) from error


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Send mail through Tencent SES and keep a trail of every message."""


if __name__ == "__main__":
    main()
