"""`shikong forecast`: floods that are forecast at the declared stations.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Annotated

import typer

from shikong.cli import schema
from shikong.cli.console import clear_errors, out
from shikong.layers import catalog
from shikong.store import database

app = typer.Typer(no_args_is_help=True, help="Forecasts at the stations of layers/forecasts.yml.")


@app.callback()
def forecast() -> None:
    """Only `run` so far; with this it stays a command of its own."""


@app.command()
def run(
    horizon: Annotated[int | None, typer.Option(min=1, max=240, help="hours ahead (default: as declared)")] = None,
) -> None:
    """Forecast all declared stations and publish that as a run. Workers do so as readings come."""
    from shikong.processes.forecasts import runs  # heavy, and of no use to other commands

    with clear_errors():
        store = database.default()
        schema.bring_forward(store.settings)
        out.print(runs.update(store, catalog.default(), horizon).told)
