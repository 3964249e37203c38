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
from lxml import etree
from pyproj import CRS, Transformer

from shikong.tiles import matrix
from shikong.tiles.matrix import SERVED, TileAddress

#: 0.28 mm, the pixel by which OGC defines scale denominators, and metres to a degree on WGS 84.
PIXEL = 0.00028
METRES_PER_UNIT = {3857: 1.0, 4490: 111_319.49079327358}

REGISTERED = [served.id for served in SERVED.values() if served.uri]


@cache
def _published(path: Path) -> dict[int, dict[str, Any]]:
    matrices = json.loads(path.read_text(encoding="utf-8"))["tileMatrices"]
    return {int(entry["id"]): entry for entry in matrices}


@pytest.mark.parametrize("name", REGISTERED)
def test_every_zoom_has_the_published_size_origin_and_scale(shared_data: Path, name: str) -> None:
    published = _published(shared_data / "tms" / f"{name}.json")
    levels = range(SERVED[name].first, SERVED[name].last + 1)
    assert set(levels) <= set(published)
    for zoom in levels:
        entry = published[zoom]
        assert matrix.matrix_size(name, zoom) == (entry["matrixWidth"], entry["matrixHeight"])
        first = matrix.box(TileAddress(name, zoom, 0, 0))
        assert (first.west, first.north) == pytest.approx(entry["pointOfOrigin"], rel=1e-9)
        side = entry["cellSize"] * entry["tileWidth"]
        assert (first.east - first.west, first.north - first.south) == pytest.approx((side, side), rel=1e-8)
        scale = side / entry["tileWidth"] * METRES_PER_UNIT[first.srid] / PIXEL
        assert scale == pytest.approx(entry["scaleDenominator"], rel=1e-8)


@pytest.mark.parametrize(("name", "zoom", "size"), [
    ("WebMercatorQuad", 0, (1, 1)), ("WebMercatorQuad", 10, (1024, 1024)), ("WorldCRS84Quad", 0, (2, 1)),
    ("WorldCRS84Quad", 9, (1024, 512)), ("c", 1, (2, 1)), ("c", 10, (1024, 512)), ("w", 1, (2, 2)),
    ("w", 18, (262144, 262144)),
])  # fmt: skip
def test_known_sizes(name: str, zoom: int, size: tuple[int, int]) -> None:
    assert matrix.matrix_size(name, zoom) == size


@given(st.floats(-179.99, 179.99), st.floats(-85, 85), st.integers(1, 18), st.sampled_from(sorted(SERVED)))
def test_the_tile_that_holds_a_place_has_it_in_its_box(lon: float, lat: float, zoom: int, name: str) -> None:
    tile = morecantile.tms.get(SERVED[name].base).tile(lon, lat, zoom - (name == "c"))
    box = matrix.box(TileAddress(name, zoom, tile.y, tile.x))
    assert box.srid == SERVED[name].srid
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
    half = 20037508.342789244 if first.srid == 3857 else 180
    assert (last.east, last.south) == pytest.approx((half, -half if half > 180 else -90))


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize(("row", "column"), [(-1, 0), (0, -1), (8, 0), (0, 16)])
def test_a_tile_outside_the_matrix_is_refused_with_its_bounds(name: str, row: int, column: int) -> None:
    zoom = 3
    with pytest.raises(IndexError, match=f"zoom {zoom} of {name} has rows 0-"):
        matrix.box(TileAddress(name, zoom, row, column))


@pytest.mark.parametrize("name", ["WGS1984Quad", "webmercatorquad", "", "../etc"])
def test_a_matrix_set_that_is_not_served_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        matrix.matrix_set(name)


@pytest.mark.parametrize(("name", "zoom"), [("c", 0), ("c", 19), ("w", 0), ("w", 19), ("WebMercatorQuad", 23),
                                            ("WorldCRS84Quad", 22), ("WorldCRS84Quad", -1)])  # fmt: skip
def test_a_level_that_a_set_does_not_have_is_refused_with_those_it_has(name: str, zoom: int) -> None:
    with pytest.raises(IndexError, match=f"{name} has levels {SERVED[name].first} to {SERVED[name].last}"):
        matrix.box(TileAddress(name, zoom, 0, 0))


@pytest.mark.parametrize(("name", "set_name"), [("c", "vec_c"), ("w", "vec_w")])
def test_the_sets_of_tianditu_are_its_own_with_what_its_capabilities_get_wrong_put_right(
    shared_data: Path, name: str, set_name: str
) -> None:
    """Identifiers and matrix sizes as 天地图 tells them; scales by the pixel of 0.28 mm, where it takes one of 96 dpi."""
    told = etree.parse(shared_data / "tianditu" / f"{set_name}_wmts_capabilities.xml")
    names = {"w": "http://www.opengis.net/wmts/1.0", "o": "http://www.opengis.net/ows/1.1"}
    definition = matrix.definition(name)["tileMatrices"]
    theirs = told.findall(".//w:TileMatrixSet/w:TileMatrix", names)[:18]
    assert [each.findtext("o:Identifier", namespaces=names) for each in theirs] == [each["id"] for each in definition]
    for ours, other in zip(definition, theirs, strict=True):
        size = (
            int(other.findtext("w:MatrixWidth", namespaces=names)),
            int(other.findtext("w:MatrixHeight", namespaces=names)),
        )
        assert (ours["matrixWidth"], ours["matrixHeight"]) == size
        wrong = float(other.findtext("w:ScaleDenominator", namespaces=names))
        assert wrong / ours["scaleDenominator"] == pytest.approx((0.0254 / 96) ** -1 * 0.00028, rel=1e-3)


@pytest.mark.parametrize("name", SERVED)
def test_a_definition_says_what_the_tiles_are(name: str) -> None:
    """Origins in the axis order of the CRS, as pyproj knows it, and cell sizes that give the tiles' own bounds."""
    told = matrix.definition(name)
    axes = [axis.direction for axis in CRS.from_user_input(told["crs"]).axis_info]
    for level in told["tileMatrices"]:
        first = matrix.box(TileAddress(name, int(level["id"]), 0, 0))
        corner = (first.north, first.west) if axes[0] == "north" else (first.west, first.north)
        assert level["pointOfOrigin"] == pytest.approx(corner)
        assert level["cellSize"] * 256 == pytest.approx(first.east - first.west)
        assert level["scaleDenominator"] == pytest.approx(
            level["cellSize"] * METRES_PER_UNIT[first.srid] / PIXEL, rel=1e-8
        )
