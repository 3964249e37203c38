"""The served tile matrix sets against the definitions that OGC publishes.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import morecantile
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from shikong.tiles import matrix
from shikong.tiles.matrix import MAX_ZOOM, SERVED, TileAddress

#: 0.28 mm, the pixel by which OGC defines scale denominators, and metres to a degree on WGS 84.
PIXEL = 0.00028
METRES_PER_UNIT = {"WebMercatorQuad": 1.0, "WorldCRS84Quad": 111_319.49079327358}


@cache
def _published(path: Path) -> dict[int, dict[str, Any]]:
    matrices = json.loads(path.read_text(encoding="utf-8"))["tileMatrices"]
    return {int(entry["id"]): entry for entry in matrices}


@pytest.mark.parametrize("name", SERVED)
def test_every_zoom_has_the_published_size_origin_and_scale(shared_data: Path, name: str) -> None:
    published = _published(shared_data / "tms" / f"{name}.json")
    assert set(range(MAX_ZOOM + 1)) <= set(published)
    for zoom in range(MAX_ZOOM + 1):
        entry = published[zoom]
        assert matrix.matrix_size(name, zoom) == (entry["matrixWidth"], entry["matrixHeight"])
        first = matrix.box(TileAddress(name, zoom, 0, 0))
        assert (first.west, first.north) == pytest.approx(entry["pointOfOrigin"], rel=1e-9)
        side = entry["cellSize"] * entry["tileWidth"]
        assert (first.east - first.west, first.north - first.south) == pytest.approx((side, side), rel=1e-8)
        scale = side / entry["tileWidth"] * METRES_PER_UNIT[name] / PIXEL
        assert scale == pytest.approx(entry["scaleDenominator"], rel=1e-8)


@pytest.mark.parametrize(("name", "zoom", "size"), [
    ("WebMercatorQuad", 0, (1, 1)), ("WebMercatorQuad", 10, (1024, 1024)), ("WorldCRS84Quad", 0, (2, 1)),
    ("WorldCRS84Quad", 9, (1024, 512)),
])  # fmt: skip
def test_known_sizes(name: str, zoom: int, size: tuple[int, int]) -> None:
    assert matrix.matrix_size(name, zoom) == size


@given(st.floats(-179.99, 179.99), st.floats(-85, 85), st.integers(0, MAX_ZOOM), st.sampled_from(sorted(SERVED)))
def test_the_tile_that_holds_a_place_has_it_in_its_box(lon: float, lat: float, zoom: int, name: str) -> None:
    tile = morecantile.tms.get(name).tile(lon, lat, zoom)
    box = matrix.box(TileAddress(name, zoom, tile.y, tile.x))
    assert box.srid == SERVED[name]
    x, y = Transformer.from_crs(4326, 3857, always_xy=True).transform(lon, lat) if box.srid == 3857 else (lon, lat)
    slack = (box.east - box.west) * 1e-6
    assert box.west - slack <= x <= box.east + slack
    assert box.south - slack <= y <= box.north + slack


@pytest.mark.parametrize("name", SERVED)
def test_neighbours_share_an_edge_and_the_last_tile_ends_the_world(name: str) -> None:
    width, height = matrix.matrix_size(name, 3)
    first, right, below = (matrix.box(TileAddress(name, 3, row, column)) for row, column in ((1, 1), (1, 2), (2, 1)))
    assert right.west == pytest.approx(first.east)
    assert below.north == pytest.approx(first.south), "rows count from the top"
    last = matrix.box(TileAddress(name, 3, height - 1, width - 1))
    half = 20037508.342789244 if name == "WebMercatorQuad" else 180
    assert (last.east, last.south) == pytest.approx((half, -half if half > 180 else -90))


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize(("row", "column"), [(-1, 0), (0, -1), (4, 0), (0, 8)])
def test_a_tile_outside_the_matrix_is_refused_with_its_bounds(name: str, row: int, column: int) -> None:
    zoom = 2 if row == 4 and name == "WebMercatorQuad" else 3 if name == "WebMercatorQuad" else 2
    with pytest.raises(IndexError, match=f"zoom {zoom} of {name} has rows 0-"):
        matrix.box(TileAddress(name, zoom, row, column))


@pytest.mark.parametrize("name", ["WGS1984Quad", "webmercatorquad", "", "../etc"])
def test_a_matrix_set_that_is_not_served_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        matrix.matrix_set(name)
