"""What is derived of an elevation model: once, for exactly the release and the rivers that are asked about.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin
from typer.testing import CliRunner

from shikong.cli import main
from shikong.hydrology.terrain import flow
from shikong.hydrology.terrain.errors import NoHeights, NotDerived, TooLarge
from shikong.hydrology.terrain.grid import NODATA, UNKNOWN
from shikong.layers import catalog
from shikong.processes.base import BadInput
from shikong.processes.hydrology import deriving, model
from shikong.processes.hydrology.watershed import Watershed
from shikong.store import places
from shikong.store.database import Database
from shikong.store.errors import NotKept, NotPublished
from shikong.store.moments import NOW, Moment
from support.loads import load

CITY = catalog.default()
ELEVATION = CITY.layer("elevation")
WEST, NORTH, STEP, ROWS, COLUMNS = 115.9, 36.6, 0.001, 60, 80


def slope(down: int, right: int) -> Any:
    """Ground that falls to one side, with a little roughness."""
    rows, columns = np.indices((ROWS, COLUMNS))
    return (100 - down * rows - right * columns + (rows * 7 + columns * 3) % 5 * 0.1).astype("float32")


def heights_file(path: Path, values: Any, dtype: str = "float32") -> Path:
    with rasterio.open(path, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1, dtype=dtype,
                       crs="EPSG:4490", nodata=NODATA, transform=from_origin(WEST, NORTH, STEP, STEP)) as file:  # fmt: skip
        file.write(values.astype(dtype), 1)
    return path


def rivers_file(path: Path, *lines: Any, kinds: tuple[str, ...] = ()) -> Path:
    codes = [f"R{number}" for number in range(len(lines))]
    gpd.GeoDataFrame(
        {"river_id": codes, "name": codes, "class": kinds or ["canal"] * len(lines), "flows_to": [None] * len(lines)},
        geometry=list(lines), crs=4490,
    ).to_file(path)  # fmt: skip
    return path


def folders(store: Database) -> list[Path]:
    return sorted(places.folder(store.settings.data, ELEVATION).glob("*.terrain"))


def directions(store: Database, moment: Moment = NOW) -> Any:
    with store.thread_session() as conn, model.opened(conn, CITY, moment, store.settings.data) as opened:
        return opened.directions(opened.grid.whole)


def test_a_new_release_is_never_answered_with_what_was_derived_of_the_old(
    empty_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotPublished):
        directions(empty_store)
    load(empty_store, heights_file(tmp_path / "south.tif", slope(2, 0)), "elevation")
    first = directions(empty_store)
    between = datetime.now(UTC)
    assert (first == flow.derive(model.Grid(WEST, NORTH, STEP, STEP, ROWS, COLUMNS), slope(2, 0)).directions).all()
    made = folders(empty_store)
    assert len(made) == 1
    derive = flow.derive
    monkeypatch.setattr(flow, "derive", lambda *_: pytest.fail("it is there already"))
    assert (directions(empty_store) == first).all()
    monkeypatch.setattr(flow, "derive", derive)

    load(empty_store, heights_file(tmp_path / "east.tif", slope(0, 2)), "elevation")
    second = directions(empty_store)
    assert (second == flow.derive(model.Grid(WEST, NORTH, STEP, STEP, ROWS, COLUMNS), slope(0, 2)).directions).all()
    assert (first != second).mean() > 0.5
    assert (directions(empty_store, Moment(known_at=between)) == first).all()
    with empty_store.thread_session() as conn:
        places.rollback(conn, empty_store.settings.data, ELEVATION, 1)
    assert (directions(empty_store) == first).all()
    assert len(folders(empty_store)) == 2


def test_other_rivers_are_another_derivation(empty_store: Database, tmp_path: Path) -> None:
    load(empty_store, heights_file(tmp_path / "d.tif", slope(2, 0)), "elevation")
    without = directions(empty_store)
    across = shapely.LineString([(WEST + 0.002, NORTH - 0.03), (WEST + 0.077, NORTH - 0.03)])
    load(empty_store, rivers_file(tmp_path / "r.gpkg", across), "rivers")
    burnt = directions(empty_store)
    assert (burnt[29, 5:70] == 1).all() or (burnt[30, 5:70] == 1).all()
    assert (without != burnt).any()
    back = shapely.LineString(across.coords[::-1])
    load(empty_store, rivers_file(tmp_path / "b.gpkg", back), "rivers")
    turned = directions(empty_store)
    assert (turned[29, 5:70] == 16).all() or (turned[30, 5:70] == 16).all()
    load(empty_store, rivers_file(tmp_path / "c.gpkg", back, kinds=("main",)), "rivers")
    directions(empty_store)
    assert len(folders(empty_store)) == 4


def test_what_nobody_can_ask_for_any_more_is_thrown_away(
    empty_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "_KEPT", 2)
    place = places.folder(empty_store.settings.data, ELEVATION)
    load(empty_store, heights_file(tmp_path / "a.tif", slope(2, 0)), "elevation")
    directions(empty_store)
    known = datetime.now(UTC)
    half = place / ".dead.part"
    half.mkdir()
    gone = places.current(empty_store.settings.data, ELEVATION)
    load(empty_store, heights_file(tmp_path / "b.tif", slope(0, 2)), "elevation")
    gone.unlink()
    directions(empty_store)
    assert [each.name.partition(".")[0] for each in folders(empty_store)] == [
        places.current(empty_store.settings.data, ELEVATION).stem
    ]
    assert not half.exists()
    with pytest.raises(NotKept):
        directions(empty_store, Moment(known_at=known))
    times = []
    for number in range(2):
        load(empty_store, heights_file(tmp_path / f"{number}.tif", slope(1, number)), "elevation")
        directions(empty_store)
        times.append(datetime.now(UTC))
    first, second = (each.name for each in sorted(folders(empty_store), key=lambda each: each.stat().st_mtime_ns))
    time.sleep(0.02)
    directions(empty_store, Moment(known_at=times[0]))
    load(empty_store, heights_file(tmp_path / "last.tif", slope(1, 5)), "elevation")
    directions(empty_store)
    kept = {each.name for each in folders(empty_store)}
    assert first in kept, "asked for last"
    assert second not in kept
    assert len(kept) == 2


def test_many_who_ask_at_once_have_it_made_once(
    empty_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(empty_store, heights_file(tmp_path / "d.tif", slope(1, 1)), "elevation")
    times: list[float] = []
    derive = flow.derive

    def slowly(*given: Any) -> Any:
        times.append(time.monotonic())
        time.sleep(0.3)
        return derive(*given)

    monkeypatch.setattr(flow, "derive", slowly)
    stores = [Database(empty_store.settings) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(directions, stores))
    assert len(times) == 1
    assert all((each == found[0]).all() for each in found)
    for store in stores:
        store.close_threads()


def test_a_failed_derivation_leaves_nothing_and_holds_nobody(
    empty_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(empty_store, heights_file(tmp_path / "d.tif", slope(1, 1)), "elevation")
    write = deriving.write

    def dies(folder: Path, *given: Any) -> None:
        write(folder.with_name(".half.part"), *given)
        raise OSError("the disk is full")

    monkeypatch.setattr(deriving, "write", dies)
    with pytest.raises(OSError, match="disk"):
        directions(empty_store)
    assert folders(empty_store) == []
    monkeypatch.setattr(deriving, "write", write)
    assert (directions(empty_store) != UNKNOWN).all()
    assert not list(places.folder(empty_store.settings.data, ELEVATION).glob("*.part"))
    monkeypatch.setattr(model, "MOST", 100)
    assert (directions(empty_store) != UNKNOWN).all()
    load(empty_store, heights_file(tmp_path / "e.tif", slope(2, 1)), "elevation")
    with pytest.raises(TooLarge):
        directions(empty_store)


def test_a_large_model_is_derived_by_a_process_of_its_own(
    empty_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(empty_store, heights_file(tmp_path / "d.tif", slope(1, 1)), "elevation")
    across = shapely.LineString([(WEST + 0.002, NORTH - 0.03), (WEST + 0.077, NORTH - 0.03)])
    load(empty_store, rivers_file(tmp_path / "r.gpkg", across), "rivers")
    monkeypatch.setattr(deriving, "FEW", 10)
    monkeypatch.setattr(flow, "derive", lambda *_: pytest.fail("not here"))
    found = directions(empty_store)
    monkeypatch.undo()
    grid = model.Grid(WEST, NORTH, STEP, STEP, ROWS, COLUMNS)
    assert (found == flow.derive(grid, slope(1, 1), [flow.River(across)]).directions).all()
    with pytest.raises(NotDerived, match="want of memory"):
        deriving.beside(os._exit, 1)
    empty = heights_file(tmp_path / "empty.tif", np.full((5, 5), NODATA))
    with pytest.raises(NoHeights, match="no cell with a height"):
        deriving.beside(deriving.work, empty, tmp_path / "empty.terrain", [])


def test_a_model_of_whole_metres_and_holes_is_read_as_it_is(empty_store: Database, tmp_path: Path) -> None:
    values = np.round(slope(1, 1))
    values[:, 50:] = NODATA
    values[10:14, 10:14] = NODATA
    load(empty_store, heights_file(tmp_path / "d.tif", values, "int16"), "elevation")
    with empty_store.thread_session() as conn, model.opened(conn, CITY, NOW, empty_store.settings.data) as opened:
        assert (opened.heights(opened.grid.whole) == values).all()
        assert ((opened.directions(opened.grid.whole) == UNKNOWN) == (values == NODATA)).all()
        assert opened.burnt == 0


def test_a_click_without_height_beside_the_model_or_without_a_model_is_refused(
    default_store: Database, tmp_path: Path
) -> None:
    process = Watershed({"name": "watershed"})

    def ask(**inputs: Any) -> Any:
        return process.answer(process.checked(inputs))

    with pytest.raises(NotPublished):
        ask(lon=115.93, lat=36.57)
    values = slope(1, 1)
    values[:, 60:] = NODATA
    load(default_store, heights_file(tmp_path / "d.tif", values), "elevation")
    with pytest.raises(BadInput, match="outside of the elevation model") as outside:
        ask(lon=116.5, lat=36.57)
    assert "115.9000" in outside.value.allowed[0]
    with pytest.raises(BadInput, match="no height") as unknown:
        ask(lon=115.975, lat=36.57, snap_m=0)
    assert unknown.value.parameter == "lon"
    with pytest.raises(BadInput, match="no stream with 500 km") as none:
        ask(lon=115.93, lat=36.57, min_upstream_km2=500)
    assert none.value.parameter == "snap_m"
    found = ask(lon=115.93, lat=36.57, snap_m=0)
    assert found["model"]["rivers_burnt"] == 0
    assert "burnt" not in found["model"]["note"]["en"]
    assert found["outlet"]["snapped"] == pytest.approx([115.9305, 36.5695], abs=1e-3)


def test_the_command_derives_beforehand_and_says_what_is_missing(
    default_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = CliRunner().invoke(main.app, ["terrain"])
    assert missing.exit_code == 1
    assert isinstance(missing.exception, SystemExit)
    load(default_store, heights_file(tmp_path / "d.tif", slope(1, 1)), "elevation")
    told = CliRunner().invoke(main.app, ["terrain"])
    assert told.exit_code == 0, told.exception
    assert len(folders(default_store)) == 1
    monkeypatch.setattr(flow, "derive", lambda *_: pytest.fail("it is there already"))
    assert CliRunner().invoke(main.app, ["terrain"]).exit_code == 0


def test_a_model_without_any_height_says_so() -> None:
    with pytest.raises(NoHeights, match="no cell with a height"):
        flow.derive(model.Grid(WEST, NORTH, STEP, STEP, 4, 4), np.full((4, 4), NODATA, dtype="float32"))
