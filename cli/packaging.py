"""``mailtrail package``: the zips that SCF runs."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from cli.package import NO_BYTECODE, build_packages
from cli.requirements import PackageError
from cli.terminal import console


@click.command("package")
@click.option("--out", default="dist", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--root", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The checkout."
)
@click.option("--python", default=None, help="A CPython 3.10 to compile with; one is looked for otherwise.")
def package_command(out: Path, root: Path, python: str | None) -> None:
    """Build one zip a function: its code, shared/, its dependencies for SCF, and bytecode."""
    try:
        built = build_packages(out, root, python)
    except PackageError as error:
        raise click.ClickException(str(error)) from error
    table = Table("Function", "Zip", "Files", "MB zipped", "MB unzipped", "SHA-256")
    for one in built:
        sizes = (f"{size / 1e6:.2f}" for size in (one.zipped_bytes, one.unzipped_bytes))
        table.add_row(one.function, str(one.path), str(one.files), *sizes, one.sha256[:16])
    console().print(table)
    if any(one.python is None for one in built):
        click.echo(NO_BYTECODE, err=True)
