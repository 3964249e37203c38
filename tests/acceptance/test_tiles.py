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
    for path in ("WebMercatorQuad/12/99999/0", "WebMercatorQuad/4/0/0", "WebMercatorQuad/25/0/0", "Nothing/12/0/0"):
        answer = client.get(f"/collections/parcels/tiles/{path}")
        assert answer.status == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/collections/parcels/tiles/WebMercatorQuad/x/0/0").status == 400
    assert client.get("/collections/elevation/tiles/WebMercatorQuad/12/0/0").status == 404


def test_an_empty_tile_is_no_content(client: Any) -> None:
    answer = client.get("/collections/parcels/tiles/WebMercatorQuad/12/0/0")
    assert answer.status == 204
    assert answer.content == b""


@pytest.mark.parametrize("path", ["/collections/parcels/tiles", "/tiles"])
def test_tilesets_are_described(client: Any, path: str) -> None:
    tilesets = client.get(path, f="json").json["tilesets"]
    sets = client.get("/tileMatrixSets", f="json").json["tileMatrixSets"]
    assert [item["tileMatrixSetURI"] for item in tilesets] == [item["uri"] for item in sets]
    for item in tilesets:
        metadata = client.link(item["links"][0]["href"]).json
        assert metadata["dataType"] == "vector"
        assert metadata["crs"] == item["crs"]
        assert "parcels" in [layer["id"] for layer in metadata["layers"]]
        tilejson = client.link(item["links"][1]["href"])
        assert tilejson.headers["content-type"] == "application/vnd.mapbox.tilejson+json"
        assert tilejson.json["tilejson"] == "3.0.0"
        assert {layer["id"] for layer in tilejson.json["vector_layers"]} == {
            layer["id"] for layer in metadata["layers"]
        }
        assert tilejson.json["tiles"] == [
            metadata["links"][-1]["href"].replace("{tileMatrix}/{tileRow}/{tileCol}", "{z}/{y}/{x}")
        ]


def test_all_that_a_layer_has_lies_within_the_limits_that_are_told(client: Any, sample_city: Any) -> None:
    """A row or column less than the limits is empty where it is beyond what the city has."""
    districts = gpd.read_file(sample_city.files / "districts.gpkg").to_crs(4490).total_bounds
    for name, base, less in (("WebMercatorQuad", "WebMercatorQuad", 0), ("c", "WorldCRS84Quad", 1)):
        told = client.get(f"/collections/districts/tiles/{name}", f="json").json["tileMatrixSetLimits"]
        for limit in told:
            grid, zoom = morecantile.tms.get(base), int(limit["tileMatrix"]) - less
            first, last = grid.tile(districts[0], districts[3], zoom), grid.tile(districts[2], districts[1], zoom)
            assert limit["minTileRow"] <= first.y <= last.y <= limit["maxTileRow"]
            assert limit["minTileCol"] <= first.x <= last.x <= limit["maxTileCol"]


def test_the_sets_of_the_registry_are_those_that_ogc_publishes(client: Any) -> None:
    for name in SETS:
        definition = client.get(f"/tileMatrixSets/{name}", f="json").json
        known = morecantile.tms.get(name)
        for matrix in definition["tileMatrices"]:
            same = known.matrix(int(matrix["id"]))
            assert matrix["scaleDenominator"] == pytest.approx(same.scaleDenominator, rel=1e-9)
            assert matrix["pointOfOrigin"] == pytest.approx(same.pointOfOrigin, rel=1e-9)
            assert (matrix["matrixWidth"], matrix["matrixHeight"]) == (same.matrixWidth, same.matrixHeight)


def test_the_sets_of_tianditu_have_the_same_tiles_at_their_own_numbers(client: Any, sample_city: Any) -> None:
    x, y = gpd.read_file(sample_city.files / "parcels.fgb").to_crs(4490).union_all().representative_point().coords[0]
    for name, other, zoom, less in (("w", "WebMercatorQuad", 14, 0), ("c", "WorldCRS84Quad", 14, 1)):
        tile = morecantile.tms.get(other).tile(x, y, zoom - less)
        theirs = client.get(f"/collections/parcels/tiles/{name}/{zoom}/{tile.y}/{tile.x}")
        assert theirs.status == 200
        assert theirs.content == _tile(client, "parcels", other, tile).content


def test_a_tile_of_several_layers_has_what_the_tiles_of_each_have(client: Any, sample_city: Any) -> None:
    x, y = gpd.read_file(sample_city.files / "parcels.fgb").to_crs(4490).union_all().representative_point().coords[0]
    tile = morecantile.tms.get("WebMercatorQuad").tile(x, y, 13)
    names = ["parcels", "roads", "districts"]
    each = {name: _tile(client, name, "WebMercatorQuad", tile).content for name in names}
    place = f"/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}"
    together = client.get(place, collections=",".join(names)).content
    decoded = mapbox_vector_tile.decode(together)
    assert list(decoded) == [name for name in names if each[name]]
    for name, content in each.items():
        assert decoded.get(name, {}) == mapbox_vector_tile.decode(content).get(name, {})
    everything = mapbox_vector_tile.decode(client.get(place).content)
    assert set(decoded) < set(everything)
