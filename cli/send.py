"""``mailtrail send``: one mail through the HTTP endpoint, as any client would, or one to each row of a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import requests

from cli.endpoint import KEY_OPTION, URL_OPTION, read_body
from cli.moments import check_duration
from cli.terminal import JSON_OPTION


def _pairs(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    for pair in value:
        if "=" not in pair:
            raise click.BadParameter(f"{pair} is not NAME=VALUE")
    return dict(pair.split("=", 1) for pair in value)


@click.command("send")
@click.option(
    "--file", "body_file", type=click.File("rb"), help="The request body as JSON; the options below add to it."
)
@click.option("--from", "sender", help="Sender, such as 'Acme <noreply@mail.example.com>'.")
@click.option("--to", multiple=True, help="Recipient; may be repeated.")
@click.option("--subject")
@click.option("--template", type=int, help="Id of an approved template.")
@click.option("--data", multiple=True, callback=_pairs, metavar="NAME=VALUE", help="A variable of the template.")
@click.option("--metadata", multiple=True, callback=_pairs, metavar="NAME=VALUE", help="Comes back in every event.")
@click.option("--attach", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--idempotency-key", default="", help="Makes repeats of this very command safe.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="People: a column to (or email), metadata.NAME, and a column for each variable of the template.",
)
@click.option(
    "--data-columns", default="", metavar="A,B", help="With --csv: the variables; default: all other columns."
)
@click.option("--run", default="", help="With --csv: the run's name, to go on with it after the file has changed.")
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --csv: where results go; default: FILE.results.csv.",
)
@click.option(
    "--give-up-after",
    default="1h",
    show_default=True,
    callback=check_duration,
    help="With --csv: how long to go on while nothing is accepted, such as 30m.",
)
@click.option("--dry-run", "dry", is_flag=True, help="With --csv: check every row and send nothing.")
@JSON_OPTION
@URL_OPTION
@KEY_OPTION
def send_command(idempotency_key: str, url: str, key: str, **given: Any) -> None:
    """Send one mail and print the answer as JSON, or one to each row of --csv. Exit status 1 when one is not accepted.

    With --csv every bad row is named first, and nothing is sent then. The same command again goes on where it ended:
    the results file says who has the mail, and if that is lost, the endpoint knows it for three days.
    """
    if given["csv_file"]:
        _send_csv(given, idempotency_key, url, key)
        return
    if only := [name for name in ("data_columns", "run", "results", "dry", "as_json") if given[name]]:
        names = {"dry": "dry-run", "as_json": "json"}
        raise click.UsageError(f"--{names.get(only[0], only[0]).replace('_', '-')} goes with --csv")
    headers = {"Authorization": f"Bearer {key}"}
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    try:
        answer = requests.post(f"{url.rstrip('/')}/send", json=_body(given), headers=headers, timeout=30)
    except requests.ConnectionError as error:
        raise click.ClickException(f"nothing answers at {url}; was the mail sent? {type(error).__name__}") from error
    except requests.Timeout as error:
        raise click.ClickException("no answer in 30 s: the mail may have been sent") from error
    click.echo(answer.text, err=not answer.ok)
    if not answer.ok:
        raise SystemExit(1)


def _send_csv(given: dict[str, Any], idempotency_key: str, url: str, key: str) -> None:
    from cli.send_csv import Wanted, send_csv  # noqa: PLC0415 - a single mail needs none of it

    if idempotency_key or given["to"]:
        raise click.UsageError("--csv has recipients of its own, and --run instead of --idempotency-key")
    columns = [name.strip() for name in given["data_columns"].split(",") if name.strip()]
    wanted = Wanted(
        given["csv_file"],
        _body(given),
        columns,
        given["run"],
        given["results"],
        given["give_up_after"],
        dry=given["dry"],
        as_json=given["as_json"],
    )
    send_csv(wanted, url=url, key=key)


def _body(given: dict[str, Any]) -> dict[str, Any]:
    import base64  # noqa: PLC0415 - only attachments want it

    body = read_body(given["body_file"], "--file") if given["body_file"] else {}
    body |= {name: given[member] for name, member in (("from", "sender"), ("subject", "subject")) if given[member]}
    body |= {"to": list(given["to"])} if given["to"] else {}
    body |= {"metadata": given["metadata"]} if given["metadata"] else {}
    if given["template"]:
        body["template"] = {"id": given["template"], "data": given["data"]}
    if given["attach"]:
        body["attachments"] = [
            {"filename": path.name, "content": base64.b64encode(path.read_bytes()).decode()} for path in given["attach"]
        ]
    return body
