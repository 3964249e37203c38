"""`shikong ingest`, `sample`, `migrate`: the data.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from shikong.cli import conflicts, schema, tiles
from shikong.cli.console import clear_errors, err, out, progress_bar
from shikong.ingest import valid_time
from shikong.ingest.errors import IngestError
from shikong.layers import catalog
from shikong.store import database, locks
from shikong.store.database import Database

if TYPE_CHECKING:
    from shikong.ingest.features import Options
    from shikong.ingest.report import Report


def ingest(  # noqa: PLR0913, PLR0917  (the options of a command)
    source: Annotated[str, typer.Argument(help="file, folder, or address of a service, table or SL 323 database")],
    layer: Annotated[str, typer.Option(help="the layer that it goes into: `shikong layers list`")],
    crs: Annotated[str | None, typer.Option(help="the source's CRS when it does not say it: EPSG:4527")] = None,
    datum: Annotated[str | None, typer.Option(help="gcj02: coordinates carry the shift of Chinese web maps")] = None,
    source_layer: Annotated[str | None, typer.Option(help="the layer inside the source, when it has several")] = None,
    map: Annotated[list[str] | None, typer.Option(help="field=COLUMN, when names differ")] = None,
    valid_from: Annotated[
        str | None,
        typer.Option(help="since when the rows hold: 2024-12-31, or `file-name` or `file-date` for the file's date"),
    ] = None,
    swap_axes: Annotated[bool, typer.Option("--swap-axes", help="the source has y (latitude) before x")] = False,
    update: Annotated[bool, typer.Option("--update", help="add and change only; end nothing")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="leave it to a worker and print the job's number")] = False,
) -> None:
    """Load a source into a layer: read, check, publish at once, and report every row."""
    from shikong.ingest.features import Options
    from shikong.ingest.jobs import loads

    with clear_errors():
        zone = ZoneInfo(catalog.default().city.timezone)
        options = Options(
            crs=crs, datum=datum, source_layer=source_layer, fields=_pairs(map or []),
            valid_from=valid_time.parse(valid_from, Path(source), zone) if valid_from else None,
            mode="update" if update else "replace",
            swap_axes=swap_axes,
        )  # fmt: skip
        store = database.default()
        schema.bring_forward(store.settings)
        if queue:
            job = loads.defer(store, source, catalog.default().layer(layer).id, options)
            out.print(f"job {job}: see `shikong jobs`")
            return
        if locks.is_loading(store, layer):
            err.print(f"[dim]  another load of {layer} is under way; this one waits for it[/]")
        report = _with_progress(store, source, layer, options)
        report.print(out)


def sample(
    size: Annotated[str, typer.Option(help="one of tiny, small, town, city")] = "small",
    seed: Annotated[int, typer.Option(help="another seed, another city")] = 371500,
    folder: Annotated[Path | None, typer.Option(help="where the files go (default: the data folder)")] = None,
    only_generate: Annotated[bool, typer.Option("--only-generate", help="write the files and load nothing")] = False,
) -> None:
    """Generate the sample city and load it. Every record of it is labelled as generated."""
    from shikong.samples import city

    with clear_errors():
        if size not in city.SIZES:
            raise IngestError(f"no sample city of size {size!r}; there are: {', '.join(city.SIZES)}")
        target = folder or database.default().settings.data / "samples" / f"{size}-{seed}"
        city.generate(size, target, seed=seed, progress=lambda text: err.print(f"[dim]  {text}[/]"))
        if not only_generate:
            load_sample(target, database.default())


def load_sample(folder: Path, store: Database) -> None:
    """Load a generated city's files in the order of its manifest."""
    from shikong.ingest.features import Options
    from shikong.processes.forecasts import runs

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for step in manifest["steps"]:
        report = _with_progress(store, folder / step["file"], step["layer"], Options(origin="generated"))
        counts = report.counts
        out.print(f"  {report.layer:<24}{counts.stored:>12,} stored {counts.quarantined:>6,} quarantined")
    outcome = conflicts.find(store)
    out.print(f"  {'plan_conflicts':<24}{outcome.found:>12,} found")
    forecasts = runs.update(store, catalog.default())
    out.print(f"  {'hydro_forecasts':<24}{forecasts.stations:>12,} stations forecast")


def migrate() -> None:
    """Bring the database to the shape that this version needs."""
    with clear_errors():
        done = schema.bring_forward(database.default().settings)
        out.print(f"applied: {', '.join(done)}" if done else "the database is up to date")


def _with_progress(store: Database, source: Path | str, layer: str, options: Options) -> Report:
    """Run an ingest under a progress bar."""
    from shikong.ingest.job import ingest as run_ingest

    with progress_bar(layer) as (progress, task):
        step: Callable[[int, int | None], None] = lambda done, total: progress.update(task, completed=done, total=total)  # noqa: E731
        report = run_ingest(store, catalog.default(), source, layer, options, step)
    tiles.merge(store, catalog.default().layer(layer))
    return report


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, sign, column = text.partition("=")
        if not (name and sign and column):
            raise IngestError(f"--map {text}: write field=COLUMN")
        pairs[name.strip()] = column.strip()
    return pairs
