"""`shikong releases`, `rollback`, `diff`, `report`: what was published, and the ways back and across.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from psycopg import sql
from rich.table import Table

from shikong.cli.console import clear_errors, out
from shikong.layers import catalog
from shikong.store import as_of, database, observations, places
from shikong.store.errors import StoreError

Layer = Annotated[str, typer.Argument(help="a layer: `shikong layers list`")]


def releases(layer: Annotated[str | None, typer.Argument(help="only this layer")] = None) -> None:
    """List what has been published, newest first."""
    with clear_errors():
        query = sql.SQL(
            "SELECT id, layer, published_at::timestamp(0), kind || coalesce(' to ' || restores, ''), origin, source,"
            " rows_stored, rows_quarantined, added, changed, ended, unchanged FROM shikong.release"
            " WHERE %(layer)s::text IS NULL OR layer = %(layer)s ORDER BY id DESC LIMIT 100"
        )
        table = Table(
            "id", "layer", "published", "kind", "origin", "source", "stored", "quarantined", "added", "changed",
            "ended", "unchanged",
        )  # fmt: skip
        for row in database.default().thread_fetch(query, {"layer": layer}):
            table.add_row(*(str(value) for value in row))
        out.print(table)


def rollback(layer: Layer, release: Annotated[int, typer.Argument(help="the release whose state comes back")]) -> None:
    """Make what was known at a release the layer's state again. It is a new release; nothing is forgotten."""
    with clear_errors():
        declared = catalog.default().layer(layer)
        if declared.workflow is not None:
            raise StoreError(f"{layer} has a workflow: what has been done stays; take another step instead")
        store = database.default()
        with store.thread_session() as conn:
            if declared.kind in ("features", "observations"):
                back = as_of.rollback if declared.kind == "features" else observations.rollback
                fresh, counts = back(conn, declared, release)
                out.print(
                    f"release {fresh}: {layer} is as it was at release {release}; {counts.added:,} came back,"
                    f" {counts.changed:,} changed back, {counts.ended:,} ended, {counts.unchanged:,} had not changed"
                )
            elif declared.kind in ("coverage", "cube"):
                fresh = places.rollback(conn, store.settings.data, declared, release)
                out.print(f"release {fresh}: {layer} is as it was at release {release}")
            else:
                raise StoreError(f"{layer} is of kind {declared.kind}; it has no releases of its own")


def diff(
    layer: Layer,
    before: Annotated[int, typer.Argument(help="a release")],
    after: Annotated[int, typer.Argument(help="another release")],
    to: Annotated[Path | None, typer.Option(help="write the differing features: .geojson or .gpkg")] = None,
) -> None:
    """Say what differs between what was known at two releases of a layer."""
    with clear_errors():
        declared = catalog.default().layer(layer)
        if declared.kind not in ("features", "observations"):
            raise StoreError(f"{layer} is of kind {declared.kind}; features and observations can be compared")
        if to is not None and declared.kind != "features":
            raise StoreError(f"{layer} is of kind {declared.kind}: only differing features are written; leave --to out")
        with database.default().thread_session() as conn, conn.transaction():
            conn.execute("SET LOCAL statement_timeout = 0")
            compare = as_of.difference if declared.kind == "features" else observations.difference
            found = compare(conn, declared, before, after)
            table = Table("change", declared.kind, title=f"{layer}: release {before} → {after}", title_justify="left")
            for name, number in vars(found).items():
                table.add_row(name, f"{number:,}")
            out.print(table)
            if to is not None:
                from shikong.ingest import export

                written = export.changes(declared, as_of.changes(conn, declared, before, after), to)
                out.print(f"{written:,} features → {to}")


def report(
    release: Annotated[int, typer.Argument(help="number of a release")],
    to: Annotated[Path | None, typer.Option(help="write it: .json, .html or .gpkg (the offending shapes)")] = None,
) -> None:
    """Tell what the checks of a load found."""
    from shikong.ingest.quality import report as quality_report

    with clear_errors(), database.default().thread_session() as conn, conn.transaction():
        found = quality_report.load(conn, release)
        if to is None:
            quality_report.show(found, out)
        else:
            quality_report.write(conn, found, to)
            out.print(f"report of release {release} → {to}")
