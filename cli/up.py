"""``mailtrail up``: localcloud until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from localcloud import defaults

if TYPE_CHECKING:
    from localcloud.server import LocalServer


@click.command("up")
@click.option(
    "--port", default=defaults.PORT, show_default=True, help="First of four ports: gateway, SES, COS, SendCloud."
)
@click.option("--data", default="./.mailtrail", show_default=True, help="Folder that keeps the state.")
@click.option("--code", default=".", show_default=True, help="Checkout with serverless.yml and the functions.")
@click.option(
    "--shape",
    type=click.Choice(["apigw", "function-url", "clb"]),
    default="apigw",
    show_default=True,
    help="Trigger whose events the functions get.",
)
@click.option("--ses-callback", metavar="URL", help="Your own receiver of SES events, instead of the webhook function.")
@click.option("--sendcloud-callback", metavar="URL", help="The same for SendCloud's.")
@click.option("--timers/--no-timers", default=True, show_default=True, help="Fire the timers of serverless.yml.")
def up_command(port: int, data: str, code: str, shape: str, *, timers: bool, **receivers: str | None) -> None:
    """Run a small Tencent Cloud on this machine, with the four functions in it."""
    from localcloud.server import serve  # noqa: PLC0415 - the server is this verb's alone

    urls = {name.removesuffix("_callback"): url for name, url in receivers.items() if url}
    root = Path(code) if Path(code, "serverless.yml").is_file() else None
    if root is None:
        click.echo(f"no serverless.yml in {code}: the services run, without the functions", err=True)
    try:
        serve(port, Path(data), root, shape=shape, timers=timers, callback_urls=urls, on_ready=_tell)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _tell(server: LocalServer) -> None:
    click.echo(f"localcloud is up on {server.url} (Ctrl-C stops it)")
    click.echo(f"  SES {server.ses_url}   COS {server.cos_url}   SendCloud {server.sendcloud_url}/apiv2")
    click.echo(f"  curl {server.url}/send -H 'Authorization: Bearer {defaults.SEND_KEY}' -d @mail.json")
