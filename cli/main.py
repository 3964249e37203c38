"""The operator's command line: `shikong --help`.

What takes long to load is imported by the command that works with it, so that no other has to wait for it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import typer

from shikong.cli import (
    accounts,
    conflicts,
    data,
    forecast,
    history,
    jobs,
    layers,
    quarantine,
    receive,
    service,
    terrain,
    tiles,
)
from shikong.store.principal import acting_as, user_of_process

app = typer.Typer(
    name="shikong", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="时空 Shikong: the spatio-temporal data service of a city.",
)  # fmt: skip


@app.callback()
def act(context: typer.Context) -> None:
    """Run each command in the name of the operating system's user; the server takes its requests' own."""
    command = context.invoked_subcommand
    if command != "serve":
        role = "worker" if command in ("worker", "receive") else "operator"
        context.with_resource(acting_as(user_of_process(role)))


app.add_typer(layers.app, name="layers")
app.add_typer(jobs.app, name="jobs")
app.add_typer(conflicts.app, name="conflicts")
app.add_typer(forecast.app, name="forecast")
app.add_typer(accounts.app, name="accounts")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(tiles.app, name="tiles")
for command in (
    data.ingest,
    data.sample,
    data.migrate,
    history.releases,
    history.rollback,
    history.diff,
    history.report,
    terrain.terrain,
):
    app.command()(command)
for command in (
    service.up,
    service.down,
    service.serve,
    service.status,
    jobs.worker,
    receive.receive,
    receive.telegrams,
):
    app.command()(command)

if __name__ == "__main__":
    app()
