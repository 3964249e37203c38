"""Merged tiles: what is kept is what would be made anew, today and in the past, whatever is loaded, edited or rolled back.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import mapbox_vector_tile
import morecantile
import numpy as np
import pytest
import shapely

from shikong.layers import catalog
from shikong.store import as_of
from shikong.store.database import Database
from shikong.store.moments import NOW, Moment, Period
from shikong.tiles import overview, overview_work
from shikong.tiles.cache import TileFiles
from shikong.tiles.matrix import TileAddress
from shikong.tiles.overview import Overviews, Question
from support.editing import DAY
from support.loads import load

LAYER = catalog.default().layer("parcels")
CODES = ["0101", "0201", "0301", "0702", "1101"]
WEST, SOUTH, STEP, SIDE = 115.80, 36.40, 0.004, 25


def _source(path: Path, seed: int) -> Path:
    """A sheet of 625 parcels side by side, each in one of five land classes."""
    random = np.random.default_rng(seed)
    cells = [(column, row) for row in range(SIDE) for column in range(SIDE)]
    shapes = [
        shapely.box(WEST + c * STEP, SOUTH + r * STEP, WEST + (c + 1) * STEP, SOUTH + (r + 1) * STEP) for c, r in cells
    ]
    frame = {
        "bsm": [f"P{c}-{r}" for c, r in cells], "dlbm": random.choice(CODES, len(cells)), "xzqdm": ["371502"] * len(cells),
    }  # fmt: skip
    gpd.GeoDataFrame(frame, geometry=shapes, crs=4490).to_file(path)
    return path


@pytest.fixture
def store(empty_store: Database, tmp_path: Path) -> Database:
    """The sheet as it was at the end of 2024, and otherwise half a year later."""
    load(empty_store, _source(tmp_path / "one.gpkg", 1), "parcels", valid_from=DAY)
    load(empty_store, _source(tmp_path / "two.gpkg", 2), "parcels", valid_from=DAY + timedelta(days=180))
    return empty_store


def _overviews(store: Database, folder: Path) -> Overviews:
    return Overviews(store, catalog.default(), TileFiles(folder, 100))


def _addresses() -> list[TileAddress]:
    found = []
    for name, less in (("WebMercatorQuad", 0), ("WorldCRS84Quad", 1)):
        for zoom in (6, 9, 10, 11):
            for tile in morecantile.tms.get(name).tiles(WEST, SOUTH, WEST + 0.1, SOUTH + 0.1, [zoom - less]):
                found.append(TileAddress(name, tile.z, tile.y, tile.x))
    return found


def _all(overviews: Overviews, moment: Moment = NOW) -> dict[TileAddress, Any]:
    found = {}
    for address in _addresses():
        tile = overviews.tile(Question("parcels", moment), address)
        found[address] = mapbox_vector_tile.decode(tile) if tile else None
    return found


def _anew(store: Database, folder: Path, moment: Moment = NOW) -> dict[TileAddress, Any]:
    """The same without anything that was kept."""
    with store.thread_session() as conn:
        conn.execute("TRUNCATE shikong.overview")
    return _all(_overviews(store, folder), moment)


def _at(when: datetime) -> Moment:
    return Moment(Period(when, when))


def test_what_is_kept_is_what_would_be_made_anew(store: Database, tmp_path: Path) -> None:
    overviews = _overviews(store, tmp_path / "kept")
    past, present = _at(DAY + timedelta(days=10)), NOW
    seen = []
    for step in range(4):
        if step == 1:
            load(
                store,
                _one(tmp_path / "edit.gpkg", "P3-3", "1101"),
                "parcels",
                mode="update",
                valid_from=datetime.now(UTC),
            )
        if step == 2:
            with store.thread_session() as conn:
                as_of.rollback(conn, LAYER, 1)
        if step == 3:
            load(store, _source(tmp_path / "three.gpkg", 3), "parcels", valid_from=datetime.now(UTC))
        for moment in (present, past):
            kept = _all(overviews, moment)
            assert kept == _all(overviews, moment)
            assert kept == _anew(store, tmp_path / f"anew{step}{moment.word}", moment), step
            seen.append(kept)
    assert all(seen[step] != seen[step + 2] for step in (0, 2, 4)), "each step changed what shows today"
    assert seen[0] != seen[1], "the past is another"


def _one(path: Path, key: str, code: str) -> Path:
    column, row = map(int, key[1:].split("-"))
    shape = shapely.box(WEST + column * STEP, SOUTH + row * STEP, WEST + (column + 1) * STEP, SOUTH + (row + 1) * STEP)
    gpd.GeoDataFrame({"bsm": [key], "dlbm": [code]}, geometry=[shape], crs=4490).to_file(path)
    return path


@pytest.mark.parametrize(("name", "zoom"), [("WebMercatorQuad", 11), ("WorldCRS84Quad", 10)])
def test_a_merged_tile_shows_the_codes_where_they_are(store: Database, tmp_path: Path, name: str, zoom: int) -> None:
    """Each land class has the area, and the place, that the parcels of that class have."""
    rows = store.thread_fetch(
        b"SELECT dlbm, st_asbinary(st_union(geom)) FROM data.parcels WHERE valid_to IS NULL GROUP BY dlbm"
    )
    truth = {code: shapely.from_wkb(shape) for code, shape in rows}
    tile = morecantile.tms.get(name).tile(WEST + 0.05, SOUTH + 0.05, zoom)
    bounds = morecantile.tms.get(name).bounds(tile)
    content = _overviews(store, tmp_path).tile(Question("parcels"), TileAddress(name, zoom, tile.y, tile.x))
    layer = mapbox_vector_tile.decode(content, default_options={"y_coord_down": False})["parcels"]
    box = shapely.box(*bounds)
    scale = (bounds.right - bounds.left) / 4096, (bounds.top - bounds.bottom) / 4096
    drawn: dict[str, list[Any]] = {}
    for feature in layer["features"]:
        assert set(feature["properties"]) == {"dlbm"}
        shape = shapely.transform(
            shapely.geometry.shape(feature["geometry"]), lambda xy: xy * scale + [bounds.left, bounds.bottom]
        )
        drawn.setdefault(feature["properties"]["dlbm"], []).append(shape.buffer(0).intersection(box))
    assert set(drawn) == set(truth)
    for code, shapes in drawn.items():
        was, shows = truth[code].intersection(box), shapely.union_all(shapes)
        assert shows.symmetric_difference(was).area < 0.05 * was.area, code


def test_a_condition_leaves_out_what_it_leaves_out(store: Database, tmp_path: Path) -> None:
    tile = morecantile.tms.get("WebMercatorQuad").tile(WEST + 0.05, SOUTH + 0.05, 11)
    address = TileAddress("WebMercatorQuad", 11, tile.y, tile.x)
    overviews = _overviews(store, tmp_path)
    chosen = Question("parcels", condition="s.dlbm = %(wanted)s", values=(("wanted", "0301"),))
    decoded = mapbox_vector_tile.decode(overviews.tile(chosen, address))["parcels"]["features"]
    assert {feature["properties"]["dlbm"] for feature in decoded} == {"0301"}
    assert store.thread_fetch(b"SELECT count(*) FROM shikong.overview") == [(0,)], "what a filter selects is not kept"


def test_all_are_made_when_a_load_has_ended_and_only_what_changed_after_that(store: Database, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    total = overview_work.build(store, LAYER, lambda done, total: told.append((done, total)))
    assert told == [(number, total) for number in range(1, total + 1)]
    before = dict(
        store.thread_fetch(b"SELECT (srid, zoom, tile_row, tile_column)::text, xmin::text FROM shikong.overview")
    )
    assert {zoom for (zoom,) in store.thread_fetch(b"SELECT zoom FROM shikong.overview WHERE srid = 3857")} == set(
        range(5, 12)
    )
    load(
        store,
        _one(tmp_path / "edit.gpkg", "P1-1", "1101"),
        "parcels",
        mode="update",
        valid_from=datetime.now(UTC),
    )
    overview_work.build(store, LAYER, lambda done, total: None)
    after = dict(
        store.thread_fetch(b"SELECT (srid, zoom, tile_row, tile_column)::text, xmin::text FROM shikong.overview")
    )
    changed = {key for key in after if after[key] != before.get(key)}
    point = WEST + 1.5 * STEP, SOUTH + 1.5 * STEP
    expected = set()
    for name, less, srid in (("WebMercatorQuad", 0, 3857), ("WorldCRS84Quad", 1, 4490)):
        for zoom in range(5, 12):
            tile = morecantile.tms.get(name).tile(*point, zoom - less)
            expected.add(f"({srid},{tile.z},{tile.y},{tile.x})")
    assert changed == expected


def test_a_tile_is_bounded_however_much_lies_in_it(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tile = morecantile.tms.get("WebMercatorQuad").tile(WEST + 0.05, SOUTH + 0.05, 8)
    asked = Question("parcels", _at(datetime.now(UTC))), TileAddress("WebMercatorQuad", 8, tile.y, tile.x)
    free = _overviews(store, tmp_path).tile(*asked)
    most = len(free) // 2
    monkeypatch.setattr(overview, "MOST_BYTES", most)
    bounded = _overviews(store, tmp_path).tile(*asked)
    assert 0 < len(bounded) <= most
    assert mapbox_vector_tile.decode(bounded)["parcels"]["features"]
