"""Streams, traces, floods and figures of basins, held against descents cell by cell, against pyproj, and against rules by hand.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import shapely

from shikong.hydrology.terrain import basins, characteristics, hand, streams, trace
from shikong.hydrology.terrain.flow import River
from shikong.hydrology.terrain.grid import NODATA, Window
from support.ground import GEOD, STEP, derived, descent, descents, middle, reader, rough


def test_streams_have_strahlers_orders_and_lead_into_each_other() -> None:
    grid, found = derived(rough(200))
    chosen = found.areas >= 2e5
    whole = streams.network(grid, found.directions, found.areas, chosen)
    told = streams.streams(whole)
    assert len(told) > 20
    cells = {(int(row), int(column)) for row, column in zip(*np.nonzero(chosen), strict=True)}
    feeding: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for cell in cells:
        path = descent(found.directions, *cell)
        if len(path) > 1:
            feeding.setdefault(path[1], []).append(cell)

    def order(cell: tuple[int, int]) -> int:
        above = sorted((order(each) for each in feeding.get(cell, [])), reverse=True)
        return 1 if not above else above[0] + (len(above) > 1 and above[0] == above[1])

    for number, cell in enumerate(np.stack(np.divmod(whole.cells, grid.width), axis=1).tolist()):
        assert whole.orders[number] == order(tuple(cell))
    starts = {each.number: each for each in told}
    for each in told:
        assert each.length == pytest.approx(GEOD.geometry_length(each.line))
        cells_of = [grid.cell(*xy) for xy in each.line.coords]
        lowest = cells_of[-2] if len(feeding.get(cells_of[-1], [])) > 1 else cells_of[-1]
        assert each.area == found.areas[lowest]
        below = starts.get(each.into)
        if below is not None:
            assert below.order >= each.order
            assert below.area > each.area
    lengths = sum(each.length for each in told)
    rows, columns = np.nonzero(chosen)
    assert lengths == pytest.approx(grid.steps(rows, found.directions[rows, columns]).sum(), rel=1e-4)


def test_a_trace_down_is_the_descent_and_a_trace_up_holds_what_comes_down() -> None:
    grid, found = derived(rough(200))
    read = reader(found.directions)
    expected = descent(found.directions, 20, 100)
    path = trace.downstream(read, grid, 20, 100)
    assert list(zip(path.rows.tolist(), path.columns.tolist(), strict=True)) == expected
    assert path.leaves
    assert path.length == pytest.approx(GEOD.geometry_length(path.line(grid)))
    half = trace.downstream(read, grid, 20, 100, path.length / 2)
    assert not half.leaves
    assert path.length / 2 - 1.5 * 111_000 * STEP <= half.length <= path.length / 2

    whole = streams.network(grid, found.directions, found.areas, found.areas >= 2e5)
    position = int(np.argmax(np.where(whole.to_end > 2000, whole.areas, 0)))
    above = trace.upstream(whole, position)
    assert above.to_head
    row, column = divmod(int(whole.cells[position]), grid.width)
    basin = basins.watershed(read, grid, row, column)
    placed = np.zeros(grid.shape, dtype=bool)
    placed[basin.window.slices] = basin.inside
    inside = whole.cells[np.flatnonzero(whole.upstream(position))]
    assert sorted(inside.tolist()) == sorted(np.flatnonzero(placed & (found.areas >= 2e5)).tolist())
    assert (np.diff(whole.to_end[above.stem]) > 0).all()
    assert {each.number for each in above.stretches} <= set(inside.tolist())
    steps = grid.steps(inside // grid.width, found.directions.ravel()[inside])[inside != whole.cells[position]]
    assert sum(each.length for each in above.stretches) == pytest.approx(steps.sum(), rel=1e-4)
    near = trace.upstream(whole, position, 700)
    assert not near.to_head
    assert 0 < near.length <= 700
    assert sum(each.length for each in near.stretches) < sum(each.length for each in above.stretches)


def test_windows_of_a_trace_meet_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    grid, found = derived(rough(200))
    whole = trace.downstream(reader(found.directions), grid, 20, 100)
    monkeypatch.setattr(trace, "_REACH", 5)
    pieces = trace.downstream(reader(found.directions), grid, 20, 100)
    assert (pieces.rows == whole.rows).all()
    assert (pieces.columns == whole.columns).all()


def valley() -> Any:
    """A valley along a drain in its middle: 1 m up for each cell away from it, and down 0.1 m a cell to the south."""
    rows, columns = np.indices((61, 41))
    return (100 + np.abs(columns - 20) - 0.1 * rows).astype("float32")


def test_a_flood_is_as_wide_and_deep_as_the_valley_lets_it() -> None:
    river = River(shapely.LineString([middle(0, 20), middle(60, 20)]))
    grid, found = derived(valley(), river, drain=1e12)
    assert found.hand[30, 14] == pytest.approx(6.6, abs=0.01), "six cells aslant: 6 m up the side, 0.6 m along"
    reach = (np.arange(20, 41) * grid.width + 20).astype("int64")
    surface = (valley()[20:41, 20] + 2.5).astype("float32")

    def read(window: Window) -> Any:
        return found.directions[window.slices], valley()[window.slices]

    wet = hand.along(read, grid, reach, surface, Window(28, 19, 33, 22))
    placed = np.full(grid.shape, np.nan, dtype="float32")
    placed[wet.window.slices] = wet.depths
    for (row, column), path in descents(found.directions).items():
        first = next((cell for cell in path if cell[1] == 20 and 20 <= cell[0] <= 40), None)
        level = -np.inf if first is None else surface[first[0] - 20]
        if level >= valley()[row, column]:
            assert placed[row, column] == pytest.approx(level - valley()[row, column], abs=1e-4)
        else:
            assert np.isnan(placed[row, column])
    assert placed[30, 20] == pytest.approx(2.5, abs=1e-4)
    kinds = hand.classes(wet, grid)
    assert [low for low, _, _ in kinds] == [0.0, 0.5, 1.0, 2.0]
    total = sum(abs(GEOD.geometry_area_perimeter(shape)[0]) for _, _, shape in kinds)
    assert total == pytest.approx(hand.area(wet, grid), rel=1e-6)
    pieces = hand.blocks(wet, grid, 8)
    assert sum(abs(GEOD.geometry_area_perimeter(shape)[0]) for shape in pieces) == pytest.approx(total, rel=1e-6)
    assert sum(hand.area(wet.between(low, high), grid) for low, high, _ in kinds) == pytest.approx(total, rel=1e-6)


def test_a_level_above_all_drains_floods_what_is_lower() -> None:
    _, found = derived(valley(), River(shapely.LineString([middle(0, 20), middle(60, 20)])), drain=1e12)
    window = Window(5, 3, 50, 38)
    wet = hand.by_height(window, found.hand[window.slices], 1.5)
    inside = found.hand[window.slices]
    assert (wet.wet == ((inside != NODATA) & (inside <= 1.5))).all()
    assert wet.depths[wet.wet] == pytest.approx(1.5 - inside[wet.wet])


def test_a_dyke_keeps_what_is_behind_it_dry() -> None:
    heights = valley()
    heights[:, 30:] = 90  # low ground behind a crest
    grid, found = derived(heights, River(shapely.LineString([middle(0, 20), middle(60, 20)])))
    reach = (np.arange(0, 61) * grid.width + 20).astype("int64")
    surface = (heights[:, 20] + 3).astype("float32")
    wet = hand.along(
        lambda window: (found.directions[window.slices], heights[window.slices]), grid, reach, surface, grid.whole
    )
    assert wet.wet[30, 18]
    assert not wet.wet[:, 31:].any()


def test_characteristics_of_a_plane_are_known() -> None:
    size = 50
    heights = np.tile(np.arange(size, 0, -1)[:, None] * 2.0, (1, size)).astype("float32")
    heights += np.abs(np.arange(size) - 25) * 0.5
    grid, found = derived(heights, drain=1e9)
    basin = basins.watershed(reader(found.directions), grid, 48, 25)
    part = heights[basin.window.slices]
    shape = basins.outline(basin.inside, grid.part(basin.window))
    path = characteristics.longest_path(basin, grid, part)
    row, column = divmod(int(path.positions[0]), basin.window.shape[1])
    expected = descent(found.directions, row + basin.window.top, column + basin.window.left)
    until = expected[: expected.index((48, 25)) + 1]
    assert len(path.positions) == len(until)
    line = shapely.LineString([middle(*cell) for cell in until])
    assert path.length == pytest.approx(GEOD.geometry_length(line), rel=1e-5)
    every = [
        descent(found.directions, int(r) + basin.window.top, int(c) + basin.window.left)
        for r, c in zip(*np.nonzero(basin.inside), strict=True)
    ]
    steps = [GEOD.geometry_length(shapely.LineString([middle(*cell) for cell in each[: each.index((48, 25)) + 1]]))
             for each in every if each[0] != (48, 25)]  # fmt: skip
    assert path.length == pytest.approx(max(steps), rel=1e-5)
    told = {each.name: each for each in characteristics.measure(basin, grid, part, shape, path, 5_000)}
    inside = part[basin.inside]
    area = abs(GEOD.geometry_area_perimeter(shapely.segmentize(shape, STEP))[0])
    perimeter = GEOD.geometry_area_perimeter(shape)[1]
    assert told["area_km2"].value == pytest.approx(area / 1e6, rel=1e-6)
    assert told["relief_m"].value == pytest.approx(float(inside.max() - inside.min()))
    assert told["drainage_density"].value == pytest.approx(5 / (area / 1e6), rel=1e-6)
    assert told["form_factor"].value == pytest.approx(area / path.length**2, rel=1e-6)
    assert told["circularity"].value == pytest.approx(4 * math.pi * area / perimeter**2, rel=1e-6)
    assert told["elevation_p50_m"].value == pytest.approx(float(np.median(inside)), abs=0.5)
    slope = (part.ravel()[path.positions[0]] - part.ravel()[path.positions[-1]]) / path.length
    assert told["concentration_time_h"].value == pytest.approx(0.0195 * path.length**0.77 * slope**-0.385 / 60)
    south = GEOD.inv(115.5, 36.475, 115.5, 36.475 + STEP)[2]
    east = GEOD.inv(115.5, 36.475, 115.5 + STEP, 36.475)[2]
    assert told["mean_slope_deg"].value == pytest.approx(
        math.degrees(math.atan(math.hypot(2 / south, 0.5 / east))), rel=0.03
    )
    assert {each.name for each in told.values() if not each.zh or not each.en or not each.unit} == set()


def test_a_basin_of_one_cell_has_figures_where_they_have_a_meaning() -> None:
    heights = rough(30)
    grid, found = derived(heights)
    row, column = map(int, np.argwhere(found.areas[1:-1, 1:-1] <= grid.cell_areas().max())[0] + 1)
    basin = basins.watershed(reader(found.directions), grid, row, column)
    assert basin.inside.sum() == 1
    part = heights[basin.window.slices]
    path = characteristics.longest_path(basin, grid, part)
    shape = basins.outline(basin.inside, grid.part(basin.window))
    told = {each.name: each.value for each in characteristics.measure(basin, grid, part, shape, path, 0)}
    assert (told["longest_path_km"], told["form_factor"], told["concentration_time_h"]) == (0, None, None)
    assert told["relief_m"] == 0


@pytest.mark.parametrize(("length", "slope", "minutes"), [(1000, 0.01, 23.5), (5000, 0.002, 150.9)])
def test_kirpichs_time_is_that_of_the_tables(length: float, slope: float, minutes: float) -> None:
    """Worked by hand: 0.0195 · L^0.77 · S^-0.385."""
    found = characteristics.kirpich(length, slope)
    assert found is not None
    assert found * 60 == pytest.approx(minutes, rel=0.01)
    assert characteristics.kirpich(length, 0) is None
