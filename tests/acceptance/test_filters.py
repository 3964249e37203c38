"""CQL2 filters over HTTP: with the other parameters, in other CRS, page by page, and what the API tells of them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import jsonschema
import orjson
import pytest
import shapely
from pyproj import Transformer

from shikong.layers import catalog

ITEMS = "/collections/{}/items"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/{}"
CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf/{}"


@pytest.fixture(scope="module")
def parcels(client: Any) -> gpd.GeoDataFrame:
    """All parcels that hold now, as the server gives them without a filter."""
    document = client.get(ITEMS.format("parcels"), f="json", limit=10000).json
    return gpd.GeoDataFrame.from_features(document["features"])


def _ids(client: Any, layer: str = "parcels", **params: Any) -> list[str]:
    answer = client.get(ITEMS.format(layer), f="json", limit=params.pop("limit", 10000), skipGeometry="true", **params)
    assert answer.status == 200, answer.text
    return [feature["id"] for feature in answer.json["features"]]


def test_a_filter_selects_what_pandas_selects(client: Any, parcels: gpd.GeoDataFrame) -> None:
    code = parcels.dlbm.mode()[0]
    size = float(parcels.tbmj.median())
    expected = set(parcels[(parcels.dlbm == code) & (parcels.tbmj > size)].bsm)
    assert 0 < len(expected) < len(parcels)
    text = f"dlbm = '{code}' AND tbmj > {size!r}"
    tree = {"op": "and", "args": [
        {"op": "=", "args": [{"property": "dlbm"}, code]}, {"op": ">", "args": [{"property": "tbmj"}, size]},
    ]}  # fmt: skip
    assert set(_ids(client, filter=text)) == expected
    assert set(_ids(client, filter=text, filter_lang="cql2-text")) == expected
    assert set(_ids(client, filter=orjson.dumps(tree).decode(), filter_lang="cql2-json")) == expected
    assert set(_ids(client, filter=f"tbmj > {size!r}", dlbm=code)) == expected


@pytest.mark.parametrize("function", ["s_intersects", "s_within", "s_disjoint"])
@pytest.mark.parametrize("crs", [None, 4326, 4490, 3857, 4548, 4527])
def test_a_place_in_any_crs_selects_what_shapely_selects(
    client: Any, parcels: gpd.GeoDataFrame, function: str, crs: int | None
) -> None:
    west, south, east, north = parcels.total_bounds
    place = shapely.Polygon(
        [
            (west, south),
            (west + (east - west) * 0.6, south),
            (west + (east - west) * 0.3, south + (north - south) * 0.7),
        ]
    )
    related = {
        "s_intersects": parcels.intersects(place), "s_within": parcels.within(place),
        "s_disjoint": parcels.disjoint(place),
    }[function]  # fmt: skip
    expected = set(parcels[related].bsm)
    assert 0 < len(expected) < len(parcels)
    params = {}
    if crs is not None:
        # In the axis order of the authority, as requests have it.
        convert = Transformer.from_crs("OGC:CRS84", crs).transform
        place = shapely.transform(place, convert, interleaved=False)
        params = {"filter_crs": EPSG.format(crs)}
    found = set(_ids(client, filter=f"{function}(geometry, {place.wkt})", **params))
    assert len(found ^ expected) <= len(expected) * 0.01  # straight sides are others in metres
    if crs in (None, 4326, 4490):
        assert found == expected


def test_a_box_in_a_filter_selects_what_bbox_selects(client: Any, parcels: gpd.GeoDataFrame) -> None:
    west, south, east, north = parcels.total_bounds
    box = (west, south, (west + east) / 2, (south + north) / 2)
    expected = _ids(client, bbox=",".join(map(str, box)))
    assert 0 < len(expected) < len(parcels)
    assert _ids(client, filter=f"S_INTERSECTS(geometry, BBOX({','.join(map(str, box))}))") == expected
    swapped = ",".join(map(str, (box[1], box[0], box[3], box[2])))
    assert _ids(client, filter=f"S_INTERSECTS(geometry, BBOX({swapped}))", filter_crs=EPSG.format(4490)) == expected


@pytest.mark.parametrize("sortby", [None, "-tbmj,dlbm"])
@pytest.mark.parametrize("bbox", [False, True])
def test_pages_of_a_filter_give_every_feature_once_in_order(
    client: Any, parcels: gpd.GeoDataFrame, sortby: str | None, bbox: bool
) -> None:
    params: dict[str, Any] = {"filter": f"tbmj < {float(parcels.tbmj.median())!r}"}
    params |= {"sortby": sortby} if sortby else {}
    params |= {"bbox": ",".join(map(str, parcels.total_bounds))} if bbox else {}
    whole = _ids(client, **params)
    answer = client.get(ITEMS.format("parcels"), f="json", limit=17, skipGeometry="true", **params)
    found: list[str] = []
    while True:
        found += [feature["id"] for feature in answer.json["features"]]
        following = [link["href"] for link in answer.json["links"] if link["rel"] == "next"]
        if not following:
            break
        answer = client.link(following[0])
    assert found == whole
    assert len(set(found)) == len(found) == (parcels.tbmj < parcels.tbmj.median()).sum()


def test_a_filter_is_asked_of_the_past_too(client: Any) -> None:
    then = client.get(ITEMS.format("parcels"), f="json", limit=10000, datetime="2020-06-30").json["features"]
    code = then[0]["properties"]["dlbm"]
    expected = [feature["id"] for feature in then if feature["properties"]["dlbm"] == code]
    assert 0 < len(expected) < len(then)
    text = f"dlbm = '{code}'"
    assert _ids(client, datetime="2020-06-30", filter=text) == expected
    assert _ids(client, asOf="2199-01-01", filter=text) == _ids(client, asOf="2199-01-01", dlbm=code) != []
    assert _ids(client, asOf="2000-01-01", filter=text) == []
    held = _ids(client, filter="T_INTERSECTS(INTERVAL(valid_from, valid_to), DATE('2020-06-30'))")
    assert len(held) > 0
    assert set(held) <= set(_ids(client))


def test_days_are_days_of_the_city(client: Any) -> None:
    events = client.get(ITEMS.format("culture_events"), f="json", limit=10000).json["features"]
    day = sorted(event["properties"]["starts"] for event in events)[len(events) // 2][:10]
    zoned = gpd.pd.to_datetime([event["properties"]["starts"] for event in events], utc=True).tz_convert(
        "Asia/Shanghai"
    )
    for operator, matches in {
        "=": zoned.strftime("%Y-%m-%d") == day, "<": zoned.strftime("%Y-%m-%d") < day,
        ">=": zoned.strftime("%Y-%m-%d") >= day, "<>": zoned.strftime("%Y-%m-%d") != day,
    }.items():  # fmt: skip
        expected = {event["id"] for event, match in zip(events, matches, strict=True) if match}
        assert expected, operator
        assert set(_ids(client, "culture_events", filter=f"starts {operator} DATE('{day}')")) == expected
        assert set(_ids(client, "culture_events", filter=f"starts {operator} '{day}'")) == expected


def test_number_matched_is_not_that_of_the_whole_layer(client: Any) -> None:
    document = client.get(ITEMS.format("parcels"), f="json", limit=1, filter="tbmj > 0").json
    assert document["numberReturned"] == 1
    assert "numberMatched" not in document
    assert client.get(ITEMS.format("parcels"), f="json", filter="tbmj < 0").json["numberMatched"] == 0


@pytest.mark.parametrize(
    "layer", [layer.id for layer in catalog.default() if layer.kind == "features" and layer.access.public]
)
def test_every_queryable_can_be_used_and_nothing_else(client: Any, layer: str) -> None:
    answer = client.get(f"/collections/{layer}/queryables", f="json")
    assert answer.headers["content-type"] == "application/schema+json"
    schema = answer.json
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"{client.url}/collections/{layer}/queryables"
    assert schema["additionalProperties"] is False
    for name, field in schema["properties"].items():
        assert field["title"]
        assert field["x-title-en"]
        assert ("type" in field) != (name == "geometry")
        assert client.get(ITEMS.format(layer), f="json", limit=1, filter=f'"{name}" IS NOT NULL').status == 200, name
    given = client.get(ITEMS.format(layer), f="json", limit=1).json["features"][0]["properties"]
    assert set(schema["properties"]) == {"geometry", *given}
    for name, value in given.items():
        if "oneOf" in schema["properties"][name] and value is not None:
            jsonschema.validate(value, schema["properties"][name])
    refused = client.get(ITEMS.format(layer), f="json", filter='"_row" > 1')
    assert refused.status == 400
    assert set(refused.json["allowed"]) == set(schema["properties"])


def test_the_api_tells_of_filters(client: Any) -> None:
    classes = client.get("/conformance", f="json").json["conformsTo"]
    for name in ("cql2-text", "basic-cql2", "basic-spatial-functions", "basic-spatial-operators",
                 "advanced-comparison-operators", "case-insensitive-comparison"):  # fmt: skip
        assert CQL2.format(name) in classes
    functions = client.get("/functions").json["functions"]
    assert {function["name"] for function in functions} >= {"area", "buffer", "lower"}
    for function in functions:
        assert all(set(arg["type"]) <= {"string", "number", "geometry"} for arg in function["args"])
        assert set(function["returns"]) <= {"string", "number", "integer", "geometry"}
    document = client.get("/openapi", f="json").json
    paths, names = document["paths"], document["components"]["parameters"]
    told = paths["/collections/{collectionId}/items"]["get"]["parameters"]
    assert {"$ref": "#/components/parameters/filter-lang"} in told
    assert names["filter-lang"]["schema"] == {
        "type": "string", "enum": ["cql2-text", "cql2-json", "cql-text"], "default": "cql2-text",
    }  # fmt: skip
    assert EPSG.format(4548) in names["filter-crs"]["schema"]["enum"]
    assert "/functions" in paths
    collection = client.get("/collections/parcels", f="json").json
    assert "http://www.opengis.net/def/rel/ogc/1.0/queryables" in {link["rel"] for link in collection["links"]}
    assert "地类编码" in client.get("/collections/parcels/queryables", f="html").text


def test_functions_give_what_pyproj_gives(client: Any, parcels: gpd.GeoDataFrame) -> None:
    sizes = gpd.GeoSeries(parcels.geometry, crs=4490).to_crs(6933).area  # an equal-area projection
    size = float(sizes.median())
    found = set(_ids(client, filter=f"area(geometry) > {size!r}"))
    clear = abs(sizes - size) > size * 0.01
    assert found & set(parcels[clear].bsm) == set(parcels[clear & (sizes > size)].bsm)
    centre = parcels.geometry.iloc[0].representative_point()
    metres = Transformer.from_crs(4490, 4548, always_xy=True)
    around = gpd.GeoSeries(parcels.geometry, crs=4490).to_crs(4548).distance(
        shapely.Point(metres.transform(centre.x, centre.y))
    )  # fmt: skip
    near = set(_ids(client, filter=f"S_INTERSECTS(geometry, buffer({centre.wkt}, 500))"))
    assert set(parcels[around < 480].bsm) <= near <= set(parcels[around < 510].bsm)
