"""The operator's command line: `shikong --help`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import typer

from shikong.cli import data, history, jobs, layers, quarantine, service

app = typer.Typer(
    name="shikong", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="时空 Shikong: the spatio-temporal data service of a city.",
)  # fmt: skip
app.add_typer(layers.app, name="layers")
app.add_typer(jobs.app, name="jobs")
app.add_typer(quarantine.app, name="quarantine")
for command in (
    data.ingest,
    data.sample,
    data.migrate,
    history.releases,
    history.rollback,
    history.diff,
    history.report,
):
    app.command()(command)
for command in (service.up, service.down, service.serve, service.status, jobs.worker):
    app.command()(command)

if __name__ == "__main__":
    app()
