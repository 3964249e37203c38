"""Vector tiles over HTTP: what is in them, where it lies, and which tiles there are.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import mapbox_vector_tile
import morecantile
import pytest
import shapely

SETS = {"WebMercatorQuad": 3857, "WorldCRS84Quad": 4490}


def _tile(client: Any, layer: str, matrix_set: str, tile: morecantile.Tile) -> Any:
    return client.get(f"/collections/{layer}/tiles/{matrix_set}/{tile.z}/{tile.y}/{tile.x}", f="mvt")


@pytest.mark.parametrize("matrix_set", SETS)
@pytest.mark.parametrize("zoom", [13, 15])
def test_a_tile_holds_what_its_area_holds(client: Any, sample_city: Any, matrix_set: str, zoom: int) -> None:
    parcels = gpd.read_file(sample_city.files / "parcels.fgb")
    parcels = parcels[parcels["valid_to"].isna()].to_crs(SETS[matrix_set])
    middle = shapely.box(*parcels.to_crs(4490).total_bounds).centroid
    grid = morecantile.tms.get(matrix_set)
    tile = grid.tile(middle.x, middle.y, zoom)
    answer = _tile(client, "parcels", matrix_set, tile)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    layer = mapbox_vector_tile.decode(answer.content, default_options={"y_coord_down": False})["parcels"]
    bounds = grid.xy_bounds(tile)
    area = shapely.box(bounds.left, bounds.bottom, bounds.right, bounds.top)
    expected = set(parcels[parcels.intersects(area)]["bsm"])
    found = {feature["properties"]["bsm"] for feature in layer["features"]}
    assert expected
    inside = set(parcels[parcels.within(area)]["bsm"])
    assert inside <= found
    margin = area.buffer((bounds.right - bounds.left) * 64 / 4096 * 1.5)
    assert found <= set(parcels[parcels.intersects(margin)]["bsm"])
    shapes = {row.bsm: row.geometry for row in parcels.itertuples()}
    scale = (bounds.right - bounds.left) / layer["extent"]
    for feature in layer["features"][:20]:
        drawn = shapely.transform(
            shapely.geometry.shape(feature["geometry"]),
            lambda xy: xy * [scale, (bounds.top - bounds.bottom) / layer["extent"]] + [bounds.left, bounds.bottom],
        )
        assert shapes[feature["properties"]["bsm"]].buffer(scale * 2).covers(drawn)


@pytest.mark.parametrize("matrix_set", SETS)
def test_a_filter_leaves_out_of_a_tile_what_it_leaves_out_of_items(client: Any, matrix_set: str) -> None:
    document = client.get("/collections/parcels/items", f="json", limit=10000).json
    parcels = gpd.GeoDataFrame.from_features(document["features"])
    middle = shapely.box(*parcels.total_bounds).centroid
    tile = morecantile.tms.get(matrix_set).tile(middle.x, middle.y, 13)
    path = f"/collections/parcels/tiles/{matrix_set}/{tile.z}/{tile.y}/{tile.x}"
    size = float(parcels.tbmj.median())

    def drawn(**params: str) -> set[str]:
        layer = mapbox_vector_tile.decode(client.get(path, **params).content)["parcels"]
        return {feature["properties"]["bsm"] for feature in layer["features"]}

    large = set(parcels[parcels.tbmj > size].bsm)
    assert drawn() & large == drawn(filter=f"tbmj > {size!r}") < drawn()
    assert client.get(path, filter="tbmj < 0").status == 204
    assert client.get(path, filter="nosuch < 0").status == 400


def test_no_tile_outside_the_grid_or_the_declared_zooms(client: Any) -> None:
    for path in ("WebMercatorQuad/12/99999/0", "WebMercatorQuad/3/0/0", "WebMercatorQuad/25/0/0", "Nothing/12/0/0"):
        answer = client.get(f"/collections/parcels/tiles/{path}")
        assert answer.status == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/collections/parcels/tiles/WebMercatorQuad/x/0/0").status == 400
    assert client.get("/collections/elevation/tiles/WebMercatorQuad/12/0/0").status == 404


def test_an_empty_tile_is_no_content(client: Any) -> None:
    answer = client.get("/collections/parcels/tiles/WebMercatorQuad/12/0/0")
    assert answer.status == 204
    assert answer.content == b""


def test_tilesets_and_matrix_sets_are_described(client: Any) -> None:
    tilesets = client.get("/collections/parcels/tiles", f="json").json["tilesets"]
    assert {item["tileMatrixSetURI"].rsplit("/", 1)[1] for item in tilesets} == set(SETS)
    metadata = client.get("/collections/parcels/tiles/WebMercatorQuad/metadata", f="tilejson").json
    assert metadata["tilejson"] == "3.0.0"
    assert metadata["vector_layers"][0]["id"] == "parcels"
    assert client.get("/collections/parcels/tiles/WebMercatorQuad", f="json").json["layers"][0]["id"] == "parcels"
    for name in SETS:
        definition = client.get(f"/TileMatrixSets/{name}", f="json").json
        known = morecantile.tms.get(name)
        for matrix in definition["tileMatrices"][:19]:
            assert float(matrix["scaleDenominator"]) == pytest.approx(
                known.matrix(int(matrix["id"])).scaleDenominator, rel=1e-6
            )
