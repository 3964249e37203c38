"""`shikong quarantine`: rows that loads refused, to be looked at, mended and taken in.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from shikong.cli.console import clear_errors, out
from shikong.ingest.errors import IngestError
from shikong.layers import catalog
from shikong.store import database
from shikong.store import quarantine as store
from shikong.store.errors import NotInQuarantine

app = typer.Typer(no_args_is_help=True, help="Look at the rows that loads refused, mend them and take them in.")

Release = Annotated[int, typer.Argument(help="number of a release: `shikong releases`")]
Row = Annotated[int, typer.Argument(help="number of a row: `shikong quarantine list`")]

_SHOWN = 1000


@app.command("list")
def list_rows(
    release: Annotated[int | None, typer.Argument(help="only what this release refused")] = None,
    layer: Annotated[str | None, typer.Option(help="only rows of this layer")] = None,
    every: Annotated[bool, typer.Option("--all", help="also rows that are resubmitted or dismissed")] = False,
) -> None:
    """List refused rows and why."""
    with clear_errors(), database.default().thread_session() as conn, conn.transaction():
        table = Table("id", "release", "layer", "row", "state", "reasons")
        number = 0
        for number, row in enumerate(
            store.rows(conn, release=release, layer=layer, state=None if every else "open"), 1
        ):
            if number <= _SHOWN:
                table.add_row(
                    str(row.id), str(row.release), row.layer, str(row.source_row), row.state, "; ".join(row.reasons)
                )
        out.print(table)
        if number > _SHOWN:
            out.print(f"{number - _SHOWN:,} more; `shikong quarantine export` writes all of them")


@app.command()
def show(row: Row) -> None:
    """Show one refused row whole."""
    with clear_errors(), database.default().thread_session() as conn, conn.transaction():
        found = next(store.rows(conn, identifier=row), None)
        if found is None:
            raise NotInQuarantine
        out.print(f"[bold]{found.layer}[/], row {found.source_row} of release {found.release}: {found.state}")
        for reason in found.reasons:
            out.print(f"  [red]✗[/] {reason}")
        out.print_json(json.dumps(found.record, ensure_ascii=False))


@app.command("export")
def export_rows(
    release: Release, file: Annotated[Path, typer.Argument(help="where to: .gpkg, .geojson or .csv")]
) -> None:
    """Write a release's open rows into a file, to be mended in QGIS or a spreadsheet and resubmitted with --file."""
    from shikong.ingest import export

    with clear_errors(), database.default().thread_session() as conn, conn.transaction():
        number = export.quarantined(store.rows(conn, release=release, state="open"), file)
        out.print(f"{number:,} rows → {file}")


@app.command()
def fix(row: Row, values: Annotated[list[str], typer.Argument(help="field=value; an empty value is none")]) -> None:
    """Change values of a refused row; `resubmit` then tries it again."""
    with clear_errors(), database.default().thread_session() as conn:
        pairs = dict(text.split("=", 1) for text in values if "=" in text)
        if len(pairs) != len(values):
            raise IngestError("write field=value")
        store.fix(conn, row, {name: value or None for name, value in pairs.items()})
        out.print(f"row {row} changed; `shikong quarantine resubmit` takes it in")


@app.command()
def resubmit(
    release: Release,
    row: Annotated[int | None, typer.Option(help="only this row")] = None,
    file: Annotated[Path | None, typer.Option(help="the exported file, mended")] = None,
) -> None:
    """Load a release's refused rows again, through the same checks, beside what is there."""
    from shikong.ingest.job import open_features
    from shikong.ingest.resubmit import resubmit as run_resubmit

    with clear_errors(), database.default().thread_session() as conn:
        mended = None if file is None else open_features(file, None)
        crs = "EPSG:4490" if file is not None and file.suffix.lower() == ".csv" else None  # as `export` wrote it
        report = run_resubmit(
            conn, catalog.default(), release, lambda done, total: None, mended=mended, only=row, crs=crs
        )
        report.print(out)


@app.command()
def dismiss(row: Row, because: Annotated[str, typer.Option(help="why the row will not be taken in")]) -> None:
    """Close a refused row for good; it stays listed with --all."""
    with clear_errors(), database.default().thread_session() as conn:
        if not store.resolve(conn, [row], "dismissed", note=because):
            raise NotInQuarantine
        out.print(f"row {row} dismissed")
