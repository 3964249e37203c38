"""Flow on the ground, held against models that do the same cell by cell, against pyproj, and against the rules themselves.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyflwdir
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from shikong.hydrology.terrain import basins, flow, streams
from shikong.hydrology.terrain.errors import NoHeights, NoStream
from shikong.hydrology.terrain.flow import River
from shikong.hydrology.terrain.grid import NODATA, UNKNOWN, Window, rim
from support.ground import GEOD, MOVES, STEP, derived, descent, descents, grid_of, middle, plain, reader, rough

ground = arrays(
    np.float32, st.tuples(st.integers(2, 9), st.integers(2, 9)),
    elements=st.one_of(st.integers(0, 30).map(float), st.just(NODATA)),
).filter(lambda heights: bool((heights != NODATA).any()))  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(ground)
def test_all_water_runs_off_the_ground_and_never_up_hill(heights: Any) -> None:
    _, found = derived(heights)
    filled = pyflwdir.dem.fill_depressions(heights, nodata=NODATA)[0]
    assert ((found.directions == UNKNOWN) == (heights == NODATA)).all()
    known = np.pad(heights != NODATA, 1)
    for (row, column), path in descents(found.directions).items():
        assert [filled[cell] for cell in path] == sorted((filled[cell] for cell in path), reverse=True)
        last_row, last_column = path[-1]
        assert not known[last_row : last_row + 3, last_column : last_column + 3].all(), "it ends at the edge"
        assert filled[row, column] >= heights[row, column]


@settings(deadline=None, max_examples=60)
@given(ground, st.data())
def test_basins_and_areas_are_those_of_every_cells_own_descent(heights: Any, data: Any) -> None:
    grid, found = derived(heights)
    paths = descents(found.directions)
    outlet = data.draw(st.sampled_from(sorted(paths)))
    expected = {cell for cell, path in paths.items() if outlet in path}
    basin = basins.watershed(reader(found.directions), grid, *outlet)
    rows, columns = np.nonzero(basin.inside)
    assert set(zip(rows + basin.window.top, columns + basin.window.left, strict=True)) == expected
    cells = grid.cell_areas()
    assert found.areas[outlet] == pytest.approx(sum(cells[row] for row, _ in expected), rel=1e-6)
    assert basins.ground(basin, grid) == pytest.approx(float(found.areas[outlet]), rel=1e-6)
    known = np.pad(heights != NODATA, 1)
    at_edge = any(not known[row : row + 3, column : column + 3].all() for row, column in expected - {outlet})
    assert basin.cut == at_edge
    flat = pyflwdir.from_array(found.directions, ftype="d8", check_ftype=False)
    assert flat.upstream_area(unit="cell")[outlet] == len(expected)


@settings(deadline=None, max_examples=40)
@given(ground, st.floats(1e4, 6e4))
def test_heights_above_drains_are_above_the_first_drain_of_the_descent(heights: Any, drain: float) -> None:
    _, found = derived(heights, drain=drain)
    for cell, path in descents(found.directions).items():
        first = next((each for each in path if found.drains[each] != flow.NO_DRAIN), None)
        expected = NODATA if first is None else heights[cell] - heights[first]
        assert found.hand[cell] == expected
    assert (found.hand[heights == NODATA] == NODATA).all()
    assert (found.drains[heights == NODATA] == flow.NO_DRAIN).all()


@settings(deadline=None, max_examples=60)
@given(arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_the_rim_is_what_the_library_calls_the_edge(known: Any) -> None:
    assert (rim(known) == pyflwdir.gis_utils.get_edge(known)).all()


@pytest.mark.parametrize("square", [7, 64, 512])
def test_a_basin_is_the_same_in_squares_of_any_size(square: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basins, "_SQUARE", square)
    grid, found = derived(rough(240))
    inner = np.where((np.indices(found.areas.shape) % 239 == 0).any(axis=0), 0, found.areas)
    for outlet in np.argsort(inner, axis=None)[[-1, -40, -400, -4000]].tolist():
        row, column = divmod(outlet, grid.width)
        asked: list[Window] = []

        def read(window: Window, asked: list[Window] = asked) -> Any:
            asked.append(window)
            return np.ascontiguousarray(found.directions[window.slices])

        basin = basins.watershed(read, grid, row, column)
        flat = pyflwdir.from_array(found.directions, ftype="d8", check_ftype=False)
        placed = np.zeros(grid.shape, dtype=bool)
        placed[basin.window.slices] = basin.inside
        assert (placed == (flat.basins(idxs=np.array([outlet])) > 0)).all()
        assert (basin.directions == found.directions[basin.window.slices]).all()
        assert max(each.shape[0] for each in asked[:-1]) <= square + 2
        rows, columns = np.nonzero(placed)
        assert basin.window == Window(max(0, rows.min() - 1), max(0, columns.min() - 1),
                                      min(240, rows.max() + 2), min(240, columns.max() + 2))  # fmt: skip


def test_areas_of_cells_and_outlines_are_those_of_pyproj() -> None:
    heights = rough(80)
    grid, found = derived(heights)
    for row, area in enumerate(grid.cell_areas()):
        corner = grid.north - row * STEP
        box = shapely.segmentize(shapely.box(115.5, corner - STEP, 115.5 + STEP, corner), STEP / 8)
        assert area == pytest.approx(abs(GEOD.geometry_area_perimeter(box)[0]), rel=1e-7)
    outlet = np.unravel_index(int(np.argmax(found.areas)), found.areas.shape)
    basin = basins.watershed(reader(found.directions), grid, int(outlet[0]), int(outlet[1]))
    shape = basins.outline(basin.inside, grid.part(basin.window))
    assert shape.is_valid
    assert len(shape.geoms) == label(basin.inside)[1]
    assert abs(GEOD.geometry_area_perimeter(shapely.segmentize(shape, STEP))[0]) == pytest.approx(
        basins.ground(basin, grid), rel=1e-6
    )
    rows, columns = np.nonzero(basin.inside)
    middles = shapely.points(*grid.part(basin.window).middle(rows, columns))
    assert shapely.contains(shape, middles).all()


def test_steps_are_the_geodesics_between_middles() -> None:
    grid = grid_of(np.zeros((50, 50)))
    for direction, (down, right) in MOVES.items():
        for row in (3, 40):
            start, end = grid.middle(row, 10), grid.middle(row + down, 10 + right)
            expected = GEOD.inv(*map(float, start), *map(float, end))[2]
            found = grid.steps(np.array([row]), np.array([direction], dtype="uint8"))
            assert found[0] == pytest.approx(expected, rel=2e-5)
    assert grid.steps(np.array([1, 1]), np.array([0, UNKNOWN], dtype="uint8")).tolist() == [0, 0]


def test_water_follows_known_rivers_through_dykes_and_up_the_plain() -> None:
    east = River(shapely.LineString([middle(20, 2), middle(20, 57)]), 2)
    west = River(shapely.LineString([middle(40, 57), middle(40, 2)]))
    grid, found = derived(plain(), east, west)
    assert [cell[1] for cell in descent(found.directions, 20, 2)][:56] == list(range(2, 58))
    assert descent(found.directions, 40, 50)[-1] == (40, 2), "against the fall of the plain, as it is drawn"
    assert found.directions[20, 57] == found.directions[40, 2] == 0
    assert (found.drains[20, 2:58] == flow.RIVER).all()
    crest = 30  # the river's bed goes under the dyke: its cells are as high above it as the dyke is
    assert found.hand[20, crest] == pytest.approx(plain()[20, crest] - plain()[20, crest - 1])
    assert found.hand[20, 2:crest] == pytest.approx(0)
    assert basins.watershed(reader(found.directions), grid, 20, 57).inside.sum() > 400


def test_a_river_flows_into_one_of_a_higher_rank_that_it_crosses() -> None:
    large = River(shapely.LineString([middle(30, 2), middle(30, 57)]), 3)
    canal = River(shapely.LineString([middle(50, 15), middle(10, 15)]), 1)
    joining = River(shapely.LineString([middle(45, 45), middle(30, 45)]), 2, leaves=False)
    _, found = derived(plain(), canal, large, joining)
    for start in ((50, 15), (45, 45), (30, 2)):
        assert descent(found.directions, *start)[-1] == (30, 57)
    assert descent(found.directions, 20, 15)[-1] == (10, 15)


def test_known_rivers_outside_and_without_heights_change_nothing() -> None:
    heights = plain()
    heights[:, 40:] = NODATA
    beyond = River(shapely.LineString([(100, 30), (101, 31)]))
    unknown = River(shapely.MultiLineString([[middle(5, 45), middle(9, 55)], [middle(9, 56), middle(20, 58)]]))
    _, without = derived(heights)
    _, found = derived(heights, beyond, unknown)
    assert (found.directions == without.directions).all()
    assert (found.drains == without.drains).all()
    with pytest.raises(NoHeights):
        derived(np.full((5, 5), NODATA))
    with pytest.raises(NoStream):
        streams.network(grid_of(heights), found.directions, found.areas, found.areas > 1e12)


def test_a_click_goes_to_the_stream_that_it_means() -> None:
    grid, found = derived(rough(120))
    chosen = found.areas >= 3e5
    lon, lat = middle(60.3, 60.2)
    near = basins.window_around(grid, 60, 60, 1500)
    part, areas = grid.part(near), found.areas[near.slices]
    rows, columns = np.nonzero(chosen)
    east, north = grid.middle(rows, columns)
    away = GEOD.inv(np.full(len(rows), lon), np.full(len(rows), lat), east, north)[2]
    assert 150 < away.min() < 1500
    snapped = basins.snap(areas, chosen[near.slices], part, lon, lat, 1500)
    assert snapped is not None
    diagonal = GEOD.inv(lon, lat, lon + STEP, lat - STEP)[2]
    candidates = away <= away.min() + diagonal
    best = int(np.argmax(np.where(candidates, found.areas[rows, columns], 0)))
    assert (snapped[0] + near.top, snapped[1] + near.left) == (rows[best], columns[best])
    assert snapped[2] == pytest.approx(away[best])
    closest = basins.snap(areas, chosen[near.slices], part, lon, lat, away.min())
    assert closest is not None
    assert closest[2] == pytest.approx(away.min())
    assert basins.snap(areas, chosen[near.slices], part, lon, lat, away.min() - 1) is None
    on = grid.middle(int(rows[0]), int(columns[0]))
    alone = np.zeros_like(chosen)
    alone[rows[0], columns[0]] = True
    assert basins.snap(found.areas, alone, grid, float(on[0]), float(on[1]), 10) == (rows[0], columns[0], 0.0)
    assert basins.snap(found.areas, np.zeros_like(chosen), grid, lon, lat, 1e6) is None


def test_a_course_has_no_corner_that_water_would_cut_off() -> None:
    grid = grid_of(plain())
    line = shapely.LineString([middle(5, 5), middle(20.4, 33.3), middle(40.2, 20), (115.5, 36.2)])
    cells = np.stack(np.divmod(flow.course(grid, line), grid.width), axis=1)
    assert (np.abs(np.diff(cells, axis=0)).max(axis=1) == 1).all()
    apart = np.abs(cells[2:] - cells[:-2]).max(axis=1)
    assert (apart > 1).all()
    on = shapely.distance(shapely.points(*grid.middle(cells[:, 0], cells[:, 1])), line)
    assert on.max() < STEP
