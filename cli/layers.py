"""`shikong layers`: the declarations.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from shikong.cli.console import clear_errors, out
from shikong.layers import catalog, json_schema

app = typer.Typer(no_args_is_help=True, help="Look at the layer declarations and write what is derived from them.")


@app.command("list")
def list_layers() -> None:
    """List the layers."""
    with clear_errors():
        table = Table("id", "标题", "title", "theme", "kind", "geometry")
        for layer in catalog.load():
            table.add_row(layer.id, layer.title.zh, layer.title.en, layer.theme, layer.kind, layer.geometry or "")
        out.print(table)


@app.command()
def check() -> None:
    """Check every declaration; errors name file, line and field."""
    with clear_errors():
        found = catalog.load()
        out.print(f"{len(found.layers)} layers and {len(found.codes)} code lists are well declared")


@app.command()
def config(
    path: Annotated[Path, typer.Argument(help="where to write it")] = Path("pygeoapi-config.yml"),
) -> None:
    """Write pygeoapi-config.yml and the JSON Schemas from the declarations."""
    from shikong.server import pygeoapi_config

    with clear_errors():
        path.write_text(pygeoapi_config.render(catalog.load()), encoding="utf-8")
        json_schema.write(catalog.HOME / "schema")
        out.print(f"wrote {path}")
