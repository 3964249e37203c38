"""`shikong tiles`: tiles made beforehand, and archives of them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from shikong.cli.console import clear_errors, out, progress_bar
from shikong.layers import catalog
from shikong.layers.errors import UnknownLayer
from shikong.layers.model import Layer
from shikong.store import database
from shikong.store.database import Database
from shikong.store.errors import StoreError
from shikong.tiles import archive, matrix
from shikong.tiles.archive import About
from shikong.tiles.matrix import TileAddress

if TYPE_CHECKING:
    from shikong.server.inside import Got

app = typer.Typer(no_args_is_help=True, help="Make tiles beforehand, and archives of them.")

Box = tuple[float, float, float, float]

#: The registered sets; those of 天地图 have the same tiles.
_SETS = [served.id for served in matrix.SERVED.values() if served.id == served.base]

_Zooms = Annotated[str, typer.Option("--zoom", help="zooms of WebMercatorQuad, as 6-14; other sets at the same scales")]
_Area = Annotated[str | None, typer.Option("--bbox", help="west,south,east,north in degrees (default: the city)")]


@app.command()
def seed(
    layers: Annotated[list[str] | None, typer.Argument(help="layers (default: all that have vector tiles)")] = None,
    zoom: _Zooms = "0-14",
    bbox: _Area = None,
    sets: Annotated[list[str] | None, typer.Option("--set", help=f"of {', '.join(_SETS)} (default: all)")] = None,
    datetime: Annotated[str | None, typer.Option(help="as of a time, as in the API")] = None,
    processes: Annotated[int | None, typer.Option(help="processes at work (default: one a core)")] = None,
) -> None:
    """Make the tiles of an area that are not kept yet or not right any more. Stopped, it goes on when run again."""
    from shikong.server.inside import inside

    with clear_errors():
        chosen = [_layer(name) for name in layers] if layers else _tiled()
        area, zooms = _area(bbox), _zooms(zoom)
        when = f"&datetime={quote(datetime)}" if datetime else ""
        work = [
            _Part(layer, name, limit)
            for layer in chosen
            for name in _chosen_sets(sets)
            for limit in _limits(layer, name, zooms, area)
        ]
        if not datetime:
            for layer in chosen:
                merge(database.default(), layer)
        counts = {200: 0, 204: 0}
        with progress_bar("tiles", sum(map(len, work))) as (bar, task), inside(processes or os.cpu_count() or 1) as ask:
            for got in ask(path + when for part in work for path in part.paths()):
                _require(got)
                counts[got.status] += 1
                bar.advance(task)
        out.print(f"{counts[200]:,} tiles are kept, {counts[204]:,} places are empty")


@app.command()
def export(
    layers: Annotated[list[str], typer.Argument(help="layers, all in one archive")],
    to: Annotated[
        Path | None, typer.Option(help="file ending in .pmtiles or .mbtiles (default: served at /archives)")
    ] = None,
    zoom: _Zooms = "6-14",
    bbox: _Area = None,
    processes: Annotated[int | None, typer.Option(help="processes at work (default: one a core)")] = None,
) -> None:
    """Write an archive of vector tiles (WebMercatorQuad) as they are now."""
    from shikong.server import archives
    from shikong.server.inside import inside

    with clear_errors():
        chosen = [_layer(name) for name in layers]
        served = archives.folder(database.default().settings.data)
        target = to or served / f"{'-'.join(layers)}.pmtiles"
        if target.suffix not in archive.FORMATS:
            raise StoreError(f"{target.name} must end in one of {', '.join(archive.FORMATS)}")
        closed = [layer.id for layer in chosen if not layer.access.public]
        if closed and target.resolve().parent == served.resolve():
            raise StoreError(f"{', '.join(closed)} may not be read by everyone; write the archive elsewhere with --to")
        area, zooms = _area(bbox), _zooms(zoom)
        tiles = sorted(
            (archive.number(tile.zoom, tile.column, tile.row), tile)
            for tile in {tile for layer in chosen for tile in _addresses(layer, zooms, area)}
        )
        paths = (
            f"/tiles/WebMercatorQuad/{tile.zoom}/{tile.row}/{tile.column}?f=mvt&collections={','.join(layers)}"
            for _, tile in tiles
        )
        kept = 0
        with (
            archive.written(target, _about(chosen, area, zooms)) as sink,
            progress_bar(target.name, len(tiles)) as (bar, task),
            inside(processes or os.cpu_count() or 1) as ask,
        ):
            for (_, tile), got in zip(tiles, ask(paths), strict=True):
                _require(got)
                if got.body:
                    sink.add(tile.zoom, tile.column, tile.row, got.body)
                    kept += 1
                bar.advance(task)
        out.print(f"{target}: {kept:,} tiles, {target.stat().st_size:,} bytes")


def merge(store: Database, layer: Layer) -> None:
    """Make a layer's tiles with merged areas that are not right any more, under a progress bar."""
    if layer.tiles is not None and layer.tiles.merged_below is not None:
        from shikong.tiles import overview_work

        with progress_bar(f"{layer.id}: merged areas") as (bar, task):
            step: Callable[[int, int], None] = lambda done, total: bar.update(task, completed=done, total=total)  # noqa: E731
            overview_work.build(store, layer, step)


@dataclass(frozen=True)
class _Part:
    """Tiles of one layer at one level: a rectangle of rows and columns."""

    layer: Layer
    matrix_set: str
    limit: dict[str, int]

    def __len__(self) -> int:
        return len(self._range("Row")) * len(self._range("Col"))

    def _range(self, what: str) -> range:
        return range(self.limit[f"minTile{what}"], self.limit[f"maxTile{what}"] + 1)

    def addresses(self) -> Iterator[TileAddress]:
        """The tiles."""
        for row in self._range("Row"):
            for column in self._range("Col"):
                yield TileAddress(self.matrix_set, int(self.limit["tileMatrix"]), row, column)

    def paths(self) -> Iterator[str]:
        """Where the service has them."""
        base = f"/collections/{self.layer.id}/tiles/{self.matrix_set}"
        for tile in self.addresses():
            yield f"{base}/{tile.zoom}/{tile.row}/{tile.column}?f=mvt"


def _limits(layer: Layer, name: str, zooms: range, area: Box) -> list[dict[str, int]]:
    assert layer.tiles is not None
    low, high = max(zooms[0], layer.tiles.min_zoom), min(zooms[-1], layer.tiles.max_zoom)
    return matrix.limits(name, matrix.levels(name, low, high), area)


def _addresses(layer: Layer, zooms: range, area: Box) -> Iterator[TileAddress]:
    for limit in _limits(layer, "WebMercatorQuad", zooms, area):
        yield from _Part(layer, "WebMercatorQuad", limit).addresses()


def _about(layers: Sequence[Layer], area: Box, zooms: range) -> About:
    told = [
        {
            "id": layer.id, "description": layer.title.zh, "minzoom": layer.tiles.min_zoom,
            "maxzoom": layer.tiles.max_zoom, "fields": {name: field.title.zh for name, field in layer.fields.items()},
        }
        for layer in layers
        if layer.tiles
    ]  # fmt: skip
    stewards = ", ".join(dict.fromkeys(layer.steward for layer in layers))
    return About("、".join(layer.title.zh for layer in layers), stewards, area, zooms[0], zooms[-1], told)


def _require(got: Got) -> None:
    """Raise StoreError for an answer that is no tile."""
    if got.status not in (200, 204):
        reason = got.body.decode(errors="replace")[:300]
        raise StoreError(f"{got.path} was not answered ({got.status}): {reason}; run this again to go on")


def _tiled() -> list[Layer]:
    return [layer for layer in catalog.default() if layer.kind == "features" and layer.tiles]


def _layer(name: str) -> Layer:
    tiled = {layer.id: layer for layer in _tiled()}
    if name not in tiled:
        raise UnknownLayer(name, sorted(tiled))
    return tiled[name]


def _chosen_sets(names: list[str] | None) -> list[str]:
    for name in names or ():
        if name not in _SETS:
            raise StoreError(f"--set {name}: tiles are made in {', '.join(_SETS)}; those of 天地图 are the same ones")
    return names or _SETS


def _zooms(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError:
        found = range(0)
    if not found or found[0] < 0 or found[-1] > matrix.MAX_ZOOM:
        raise StoreError(f"--zoom {text}: write a zoom or two, as 0-14, within 0-{matrix.MAX_ZOOM}")
    return found


def _area(text: str | None) -> Box:
    if text is None:
        return catalog.default().city.bbox
    try:
        west, south, east, north = map(float, text.split(","))
    except ValueError:
        raise StoreError(f"--bbox {text}: write west,south,east,north in degrees") from None
    if not (-180 <= west < east <= 180 and -85 <= south < north <= 85):
        raise StoreError(f"--bbox {text}: west must be less than east and south less than north, in degrees")
    return west, south, east, north
