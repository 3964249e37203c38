"""Areas for low zooms: a coverage stays one, nothing is invented, and too small things go into their neighbours.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Voronoi

from shikong.tiles import generalise
from shikong.tiles.generalise import CELLS, LEAST_CELLS, NOTHING, UNITS

SIDE = CELLS * UNITS


def _mosaic(seed: int, number: int) -> tuple[list[shapely.Polygon], list[int]]:
    """Areas side by side that cover a tile of 4096 units, and a code for each."""
    random = np.random.default_rng(seed)
    points = random.uniform(-SIDE, 2 * SIDE, (number, 2))
    found = Voronoi(points)
    cells = [
        shapely.Polygon(found.vertices[region])
        for region in found.regions
        if region
        and -1 not in region
        and shapely.Polygon(found.vertices[region]).intersects(shapely.box(0, 0, SIDE, SIDE))
    ]
    return cells, [int(code) for code in random.integers(1, 7, len(cells))]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_covers_a_tile_still_covers_it_without_gaps_or_overlaps(seed: int) -> None:
    shapes, codes = _mosaic(seed, 900)
    cells = generalise.burn(shapes, codes, 0, SIDE, SIDE)
    for least in LEAST_CELLS:
        areas, drawn = generalise.areas(cells, least)
        assert shapely.is_valid(areas).all()
        assert shapely.coverage_is_valid(areas), "neighbours share their edges"
        assert set(drawn) <= set(codes)
        tile = shapely.box(0, 0, SIDE, SIDE)
        assert shapely.area(areas).sum() == pytest.approx(shapely.union_all(areas).area, rel=1e-9)
        assert shapely.union_all(areas).buffer(1e-6).covers(tile)


def test_each_code_has_about_the_area_that_it_had() -> None:
    shapes, codes = _mosaic(4, 400)
    areas, drawn = generalise.areas(generalise.burn(shapes, codes, 0, SIDE, SIDE), LEAST_CELLS[0])
    tile = shapely.box(0, 0, SIDE, SIDE)
    was, now = Counter[int](), Counter[int]()
    for shape, code in zip(shapes, codes, strict=True):
        was[code] += shape.intersection(tile).area
    for shape, code in zip(areas, drawn, strict=True):
        now[code] += shape.intersection(tile).area
    for code, area in was.items():
        assert now[code] == pytest.approx(area, rel=0.02)


def test_small_things_go_into_what_is_around_them_and_large_ones_stay() -> None:
    ground, speck, house = (
        shapely.box(0, 0, SIDE, SIDE),
        shapely.box(800, 800, 808, 804),
        shapely.box(2000, 2000, 2080, 2080),
    )
    cells = generalise.burn([ground, speck, house], [1, 2, 3], 0, SIDE, SIDE)
    assert set(np.unique(cells)) == {1, 2, 3}
    areas, codes = generalise.areas(cells, LEAST_CELLS[0])
    assert sorted(codes) == [1, 3]
    assert areas[codes.index(3)].symmetric_difference(house).area < 0.1 * house.area


def test_rows_lie_as_they_do_in_the_world() -> None:
    cells = generalise.burn([shapely.box(100, 900, 101, 1000)], [5], 100, 1000, 100)
    assert (cells[:, :10] == 5).all()
    assert (cells[:, 11:] == NOTHING).all()
    [area], [code] = generalise.areas(generalise.burn([shapely.box(0, 3000, 400, SIDE)], [2], 0, SIDE, SIDE), 8)
    assert code == 2
    assert (
        area.intersection(shapely.box(0, 0, SIDE, SIDE)).symmetric_difference(shapely.box(0, 3000, 400, SIDE)).area
        < 4000
    )


@given(st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_a_coarser_cell_has_a_code_that_no_other_beats_among_its_four(seed: int) -> None:
    random = np.random.default_rng(seed)
    four = [random.integers(0, 4, (CELLS, CELLS)).astype(np.uint8) for _ in range(4)]
    joined = generalise.coarser(*four)
    whole = np.block([[four[0], four[1]], [four[2], four[3]]])
    for row, column in random.integers(0, CELLS, (200, 2)):
        counts = Counter(whole[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].ravel().tolist())
        assert counts[int(joined[row, column])] == max(counts.values())


def test_an_empty_tile_has_no_areas() -> None:
    areas, codes = generalise.areas(generalise.burn([], [], 0, SIDE, SIDE), 8)
    assert len(areas) == 0
    assert codes == []
