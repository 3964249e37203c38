"""Every conformance class that is claimed is kept: a request proves it. A class without a proof fails.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from math import asinh, pi, radians, tan
from typing import Any

import mapbox_vector_tile
import numpy as np
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from PIL import Image

from shikong.server import conformance

OGC = "http://www.opengis.net/spec"
ITEMS = "/collections/parcels/items"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/{}"

Probe = Callable[[Any], bool]

#: Classes that QGIS looks for before it lets the server filter.
QGIS = {
    f"{OGC}/ogcapi-features-3/1.0/conf/{name}" for name in ("filter", "features-filter")
} | {
    f"{OGC}/cql2/1.0/conf/{name}"
    for name in ("cql2-text", "basic-cql2", "basic-spatial-functions", "basic-spatial-operators",
                 "advanced-comparison-operators", "case-insensitive-comparison")
}  # fmt: skip


def _selects(some: str, none: str, path: str = ITEMS, **more: str) -> Probe:
    """A filter that selects features, and one that selects none: a class that is not kept refuses both."""

    def probe(client: Any) -> bool:
        found, not_found = (client.get(path, f="json", limit=1, filter=text, **more) for text in (some, none))
        return (
            (found.status, not_found.status) == (200, 200) and found.json["features"] and not not_found.json["features"]
        )

    return probe


def _json(path: str, *members: str, **params: Any) -> Probe:
    """A document of JSON with these members."""

    def probe(client: Any) -> bool:
        answer = client.get(path, f="json", **params)
        return answer.status == 200 and "json" in answer.headers["content-type"] and set(members) <= set(answer.json)

    return probe


def _pages(*paths: str) -> Probe:
    return lambda client: all(client.get(path, f="html").text.startswith("<!doctype html>") for path in paths)


def _openapi(form: str, validator: Any) -> Probe:
    def probe(client: Any) -> bool:
        validator(client.get("/openapi", f=form).json).validate()  # raises
        return True

    return probe


def _first(client: Any) -> Any:
    return client.get(ITEMS, f="json", limit=1).json["features"][0]


def _features_core(client: Any) -> bool:
    page = client.get(ITEMS, f="json", limit=2).json
    following = client.link(next(link["href"] for link in page["links"] if link["rel"] == "next")).json
    west, south, east, north = client.get("/collections/parcels", f="json").json["extent"]["spatial"]["bbox"][0]
    outside = client.get(ITEMS, f="json", bbox=f"{west - 2},{south},{west - 1},{north}").json
    one = client.get(f"{ITEMS}/{page['features'][0]['id']}", f="json").json
    return (
        page["numberReturned"] == 2 and following["features"][0]["id"] not in {each["id"] for each in page["features"]}
        and outside["features"] == [] and one["id"] == page["features"][0]["id"] and east > west
        and client.get(ITEMS, nosuch=1).status == 400
    )  # fmt: skip


def _crs(client: Any) -> bool:
    here, there = (client.get(ITEMS, f="json", limit=1, crs=uri) for uri in (EPSG.format(4490), EPSG.format(4548)))
    latitude = here.json["features"][0]["geometry"]["coordinates"][0][0][0][0]
    northing = there.json["features"][0]["geometry"]["coordinates"][0][0][0][0]
    told = client.get("/collections/parcels", f="json").json
    return (
        there.headers["content-crs"] == f"<{EPSG.format(4548)}>" and 35 < latitude < 38 and northing > 3_000_000
        and EPSG.format(4548) in told["crs"] and told["storageCrs"] == EPSG.format(4490)
    )  # fmt: skip


def _by_queryable(client: Any) -> bool:
    code = _first(client)["properties"]["dlbm"]
    found = client.get(ITEMS, f="json", dlbm=code).json["features"]
    return bool(found) and {each["properties"]["dlbm"] for each in found} == {code}


def _roles(client: Any) -> bool:
    schema = client.get("/collections/parcels/schema", f="json").json["properties"]
    roles = {each.get("x-ogc-role") for each in schema.values()}
    return {"id", "primary-geometry"} <= roles


def _profile(client: Any) -> bool:
    """A known profile is applied and told, one that is not known is passed over."""
    plain, told, other = (
        client.get(ITEMS, f="json", limit=1, **given).json
        for given in ({}, {"profile": "val-as-title"}, {"profile": "nosuch"})
    )
    named = [link["href"] for link in told["links"] if link["rel"] == "profile"]
    classes = [page["features"][0]["properties"]["dlbm"] for page in (plain, told, other)]
    return len(named) == 1 and named[0].endswith("val-as-title") and classes[0] == classes[2] != classes[1]


def _tile(client: Any) -> bool:
    """The tile of zoom 8 in which the middle of the districts lies, by the standard's formula."""
    west, south, east, north = client.get("/collections/districts", f="json").json["extent"]["spatial"]["bbox"][0]
    column = int(((west + east) / 2 + 180) / 360 * 256)
    row = int((1 - asinh(tan(radians((south + north) / 2))) / pi) / 2 * 256)
    answer = client.get(f"/collections/districts/tiles/WebMercatorQuad/8/{row}/{column}")
    layers = mapbox_vector_tile.decode(answer.content)
    return answer.headers["content-type"] == "application/vnd.mapbox-vector-tile" and layers["districts"]["features"]


def _picture(client: Any, path: str, **params: Any) -> Any:
    """Red, green, blue and alpha of a picture."""
    answer = client.get(path, **{"f": "png"} | params)
    assert answer.headers["content-type"] == f"image/{params.get('f', 'png')}", answer.text
    return np.asarray(Image.open(BytesIO(answer.content)).convert("RGBA"))


_BOX = "116.03,36.4,116.05,36.41"


def _map_of_a_box(client: Any) -> bool:
    """A box shows what a larger one shows in its middle."""
    small = _picture(client, "/collections/imagery/map", bbox=_BOX, width=200)
    large = _picture(client, "/collections/imagery/map", bbox="116.02,36.395,116.06,36.415", width=400)
    return bool(small.shape == (100, 200, 4) and np.abs(large[50:150, 100:300].astype(int) - small).mean() < 3)


def _map_of_layers(client: Any) -> bool:
    one = _picture(client, "/map", collections="land_cover", bbox=_BOX, width=100)
    two = _picture(client, "/map", collections="land_cover,roads", bbox=_BOX, width=100)
    return bool((one != two).any()) and client.get("/map", collections="nosuch", bbox=_BOX).status == 404


def _map_in_style(client: Any) -> bool:
    styles = [
        _picture(client, f"/collections/elevation/styles/{name}/map", width=100) for name in ("elevation", "hillshade")
    ]
    return bool((styles[0] != styles[1]).any())


def _map_of_a_size(client: Any) -> bool:
    sizes = [_picture(client, "/collections/districts/map", bbox=_BOX, **given).shape[:2]
             for given in ({"width": 60}, {"height": 60}, {"width": 50, "height": 70})]  # fmt: skip
    return (
        sizes == [(30, 60), (60, 120), (70, 50)]
        and client.get("/collections/districts/map", width=99_999).status == 400
    )


def _map_of_a_time(client: Any) -> bool:
    times = client.get("/collections/precipitation/coverage", f="json").json["domain"]["axes"]["t"]["values"]
    shown = {
        _picture(client, "/collections/precipitation/map", width=60, datetime=time).tobytes() for time in times[-30:-20]
    }
    return len(shown) > 5


def _map_in_crs(client: Any) -> bool:
    answer = client.get("/collections/districts/map", f="png", crs=EPSG.format(4548), bbox=_BOX, width=50)
    south, west, north, east = map(float, answer.headers["content-bbox"].split(","))
    return (
        answer.headers["content-crs"] == f"<{EPSG.format(4548)}>"
        and 4e6 < south < north < 5e6
        and 4e5 < west < east < 5e5
    )


def _map_background(client: Any) -> bool:
    path, box = "/collections/heritage_sites/map", "115.301,36.901,115.302,36.902"
    clear, red = (_picture(client, path, bbox=box, width=9, **given) for given in ({}, {"bgcolor": "0xff0000"}))
    return clear[4, 4, 3] == 0 and red[4, 4].tolist() == [255, 0, 0, 255]


def _map_tile(form: str) -> Probe:
    def probe(client: Any) -> bool:
        told = client.get("/collections/imagery/map/tiles/c").json
        limits = told["tileMatrixSetLimits"][8]
        template = next(
            link["href"] for link in told["links"] if link["rel"] == "item" and link["type"] == f"image/{form}"
        )
        for name, value in (("tileMatrix", "tileMatrix"), ("tileRow", "minTileRow"), ("tileCol", "minTileCol")):
            template = template.replace(f"{{{name}}}", str(limits[value]))
        answer = client.link(template)
        return answer.headers["content-type"] == f"image/{form}" and Image.open(BytesIO(answer.content)).size == (
            256,
            256,
        )

    return probe


def _map_as(form: str) -> Probe:
    return lambda client: _picture(client, "/collections/districts/map", f=form, width=40).shape[1] == 40


def _coverage(**params: Any) -> Probe:
    def probe(client: Any) -> bool:
        whole = client.get("/collections/elevation/coverage", f="json").json["ranges"]["elevation"]["shape"]
        part = client.get("/collections/elevation/coverage", f="json", **params).json["ranges"]["elevation"]["shape"]
        return part[0] < whole[0] and part[1] < whole[1]

    return probe


def _coverage_of_a_time(client: Any) -> bool:
    path = "/collections/precipitation/coverage"
    times = client.get(path, f="json").json["domain"]["axes"]["t"]["values"]
    part = client.get(path, f="json", datetime=f"{times[2]}/{times[5]}").json["domain"]["axes"]["t"]["values"]
    return part == times[2:6]


def _coverage_fields(client: Any) -> bool:
    answer = client.get("/collections/precipitation/coverage", f="json", properties="precipitation")
    return set(answer.json["ranges"]) == {"precipitation"} and (
        client.get("/collections/precipitation/coverage", f="json", properties="nosuch").status == 400
    )


def _edr(client: Any) -> bool:
    stations = client.get("/collections/hydro_observations/locations", f="json").json["features"]
    one = client.get(f"/collections/hydro_observations/locations/{stations[0]['id']}", f="json")
    x, y = stations[0]["geometry"]["coordinates"]
    near = client.get("/collections/hydro_observations/position", f="json", coords=f"POINT({x} {y})")
    told = client.get("/collections/hydro_observations", f="json").json
    return one.json["type"] == near.json["type"] == "Coverage" and {"position", "locations"} <= set(
        told["data_queries"]
    )


def _execution(client: Any) -> bool:
    answer = client.post("/processes/what-is-here/execution", {"inputs": {"lon": 115.98, "lat": 36.45}})
    return answer.status == 200 and answer.json["point"] == [115.98, 36.45]


def _styles(client: Any) -> bool:
    """Requirements styles-success and style-md-op: unique ids, a stylesheet each, metadata that answer."""
    listed = client.get("/styles", f="json").json["styles"]
    links = [{link["rel"]: link for link in style["links"]} for style in listed]
    described = [client.link(each["describedby"]["href"]).json["id"] for each in links]
    told = client.get("/", f="json").json["links"]
    return (
        len({style["id"] for style in listed}) == len(listed) > 1 and described == [style["id"] for style in listed]
        and all(client.link(each["stylesheet"]["href"]).status == 200 for each in links)
        and "http://www.opengis.net/def/rel/ogc/1.0/styles" in {link["rel"] for link in told}
    )  # fmt: skip


def _stylesheet(media_type: str, words: bytes) -> Probe:
    def probe(client: Any) -> bool:
        answer = client.get("/styles/parcels", accept=media_type)
        return answer.headers["content-type"] == media_type and words in answer.content

    return probe


def _records(client: Any) -> bool:
    found = client.get("/collections/layers/items", f="json", q="parcels").json
    return found["numberMatched"] == 1 and client.get("/collections/layers/items/parcels").json["id"] == "parcels"


_SHAPE = "S_{}(geometry, POLYGON((115 35, 117 35, 117 38, 115 38, 115 35)))"
_AWAY = "S_{}(geometry, POLYGON((10 35, 11 35, 11 38, 10 38, 10 35)))"
_V30, _V31 = _openapi("oas30", OpenAPIV30SpecValidator), _openapi("json", OpenAPIV31SpecValidator)

#: Standard and part: class: its proof.
PROBES: dict[str, dict[str, Probe]] = {
    "ogcapi-common-1/1.0": {
        "core": _json("/", "links", "title"), "landing-page": _json("/", "links"), "oas30": _V30,
        "json": _json("/conformance", "conformsTo"), "html": _pages("/", "/conformance", "/collections"),
    },
    "ogcapi-common-2/1.0": {"collections": _json("/collections", "collections", "links")},
    "ogcapi-features-1/1.0": {
        "core": _features_core, "oas30": _V30, "html": _pages(ITEMS, "/collections/parcels"),
        "geojson": lambda client: client.get(ITEMS, f="json", limit=1).headers["content-type"] == "application/geo+json",
    },
    "ogcapi-features-1/1.1": {"oas31": _V31},
    "ogcapi-features-2/1.0": {"crs": _crs},
    "ogcapi-features-3/1.0": {
        "queryables": _json("/collections/parcels/queryables", "properties", "$id"),
        "queryables-query-parameters": _by_queryable,
        "filter": _selects("tbmj > 0", "tbmj < 0"), "features-filter": _selects("tbmj > 0", "tbmj < 0"),
    },
    "ogcapi-features-5/1.0": {
        "schemas": _json("/collections/parcels/schema", "properties", "$id"),
        "queryables": _json("/collections/parcels/queryables", "properties"), "core-roles-features": _roles,
        "profile-parameter": _profile,
    },
    "cql2/1.0": {
        "cql2-text": _selects("tbmj > 0", "tbmj < 0", filter_lang="cql2-text"),
        "cql2-json": _selects('{"op":">","args":[{"property":"tbmj"},0]}', '{"op":"<","args":[{"property":"tbmj"},0]}',
                              filter_lang="cql2-json"),
        "basic-cql2": _selects("tbmj > 0 AND NOT (dlbm IS NULL)", "tbmj > 0 AND dlbm IS NULL"),
        "advanced-comparison-operators": _selects("dlbm LIKE '1%' OR dlbm LIKE '0%'", "tbmj BETWEEN -2 AND -1 AND dlbm IN ('x')"),
        "case-insensitive-comparison": _selects("CASEI(origin) = CASEI('GENERATED')", "CASEI(origin) = CASEI('X')"),
        "accent-insensitive-comparison": _selects("ACCENTI(origin) = ACCENTI('générated')", "ACCENTI(origin) = ACCENTI('x')"),
        "basic-spatial-functions": _selects("S_INTERSECTS(geometry, POINT(116.0619 36.4321)) OR S_INTERSECTS(geometry, BBOX(115,35,117,38))",
                                            "S_INTERSECTS(geometry, POINT(10 36))"),
        "basic-spatial-operators": _selects(_SHAPE.format("INTERSECTS"), _AWAY.format("INTERSECTS")),
        "basic-spatial-functions-plus": _selects(_SHAPE.format("INTERSECTS"), _AWAY.format("INTERSECTS")),
        "spatial-functions": _selects(_SHAPE.format("WITHIN"), _SHAPE.format("DISJOINT")),
        "temporal-functions": _selects("T_AFTER(valid_from, DATE('1990-01-01'))", "T_BEFORE(valid_from, DATE('1990-01-01'))"),
        "array-functions": _selects("A_CONTAINS(('a', 'b'), ('a'))", "A_CONTAINS(('a', 'b'), ('c'))"),
        "property-property": _selects("tbmj = tbmj", "tbmj <> tbmj"),
        "functions": _selects("area(geometry) > 0", "area(geometry) < 0"),
        "arithmetic": _selects("tbmj * 2 > tbmj", "tbmj + 1 < tbmj"),
    },
    "ogcapi-records-1/1.0": {
        "core": _records, "json": _json("/collections/releases/items", "features", "numberMatched"),
        "html": _pages("/collections/layers/items", "/collections/layers/items/parcels"),
    },
    "ogcapi-tiles-1/1.0": {
        "core": _tile, "mvt": _tile, "geodata-tilesets": _tile, "oas30": _V30,
        "tileset": _json("/collections/parcels/tiles/WebMercatorQuad", "crs", "tileMatrixSetURI", "dataType"),
        "tilesets-list": _json("/collections/parcels/tiles", "tilesets"),
        "png": _map_tile("png"), "jpeg": _map_tile("jpeg"),
    },
    "ogcapi-maps-1/1.0": {
        "core": _map_as("png"), "png": _map_as("png"), "jpeg": _map_as("jpeg"), "collection-map": _map_of_a_box,
        "background": _map_background, "dataset-map": _map_of_layers, "collections-selection": _map_of_layers,
        "styled-map": _map_in_style, "scaling": _map_of_a_size, "spatial-subsetting": _map_of_a_box,
        "datetime": _map_of_a_time, "crs": _map_in_crs, "tilesets": _map_tile("png"),
    },
    "ogcapi-coverages-1/1.0": {
        "core": _coverage(bbox="115.9,36.4,116,36.5"), "oas30": _V30,
        "geodata-coverage": _json("/collections/elevation/coverage", "domain", "ranges", bbox="115.9,36.4,116,36.5"),
        "coverage-subset": _coverage(subset="Long(115.9:116),Lat(36.4:36.5)"),
        "coverage-rangesubset": _coverage_fields, "coverage-bbox": _coverage(bbox="115.9,36.4,116,36.5"),
        "coverage-datetime": _coverage_of_a_time,
    },
    "ogcapi-styles-1/0.0": {
        "core": _styles, "html": _pages("/styles", "/styles/city", "/collections/parcels/styles"),
        "mapbox-styles": _stylesheet("application/vnd.mapbox.style+json", b'"version":8'),
        "sld-10": _stylesheet("application/vnd.ogc.sld+xml;version=1.0", b'StyledLayerDescriptor version="1.0.0"'),
    },
    "ogcapi-edr-1/1.0": {"core": _edr},
    "ogcapi-processes-1/1.0": {
        "core": _execution, "ogc-process-description": _json("/processes/what-is-here", "inputs", "outputs", "version"),
        "json": _json("/processes", "processes", "links"), "html": _pages("/processes", "/processes/what-is-here"),
        "oas30": _V30, "job-list": _json("/jobs", "jobs", "links"),
    },
}  # fmt: skip

PROOFS = {f"{OGC}/{part}/conf/{name}": probe for part, probes in PROBES.items() for name, probe in probes.items()}


def test_nothing_is_claimed_without_a_proof_nor_proved_without_a_claim(client: Any) -> None:
    claimed = client.get("/conformance", f="json").json["conformsTo"]
    assert sorted(PROOFS) == claimed
    assert set(claimed) >= QGIS


@pytest.mark.parametrize("name", sorted(PROOFS), ids=lambda name: name.removeprefix(f"{OGC}/"))
def test_a_claimed_class_is_kept(client: Any, name: str) -> None:
    assert PROOFS[name](client)


def test_classes_of_editing_are_claimed_where_features_can_be_edited() -> None:
    """What they promise is proved by the tests of editing (tests/integration/test_editing.py)."""
    more = set(conformance.classes("open")) - set(conformance.classes("off"))
    assert more == {
        f"{OGC}/ogcapi-features-4/1.0/conf/{name}"
        for name in ("create-replace-delete", "update", "features", "optimistic-locking-etags")
    }


_THINGS = "/sensorthings/v1.1"
_READINGS = f"{_THINGS}/Observations"


def _told_by(name: str, *members: str) -> Probe:
    """Entities of a set tell these members, and their ids and links."""

    def probe(client: Any) -> bool:
        found = client.get(f"{_THINGS}/{name}").json["value"]
        return bool(found) and all({"@iot.id", "@iot.selfLink", *members} <= set(one) for one in found)

    return probe


def _values(client: Any, path: str = _READINGS, **options: Any) -> list[Any]:
    found: list[Any] = client.get(path, **{f"${name}": value for name, value in options.items()}).json["value"]
    return found


def _walks(client: Any) -> bool:
    first = client.get(_READINGS, **{"$top": 3, "$count": "true"}).json
    following = client.link(first["@iot.nextLink"]).json
    return first["@iot.count"] == following["@iot.count"] and first["value"] != following["value"]


def _operators(client: Any) -> bool:
    some = _values(
        client, filter="not (result lt 1) and (result add 1 gt 2 or result eq 1) and result mul 2 ge 2", top=9
    )
    return bool(some) and all(one["result"] >= 1 for one in some)


def _orders(client: Any) -> bool:
    found = [one["result"] for one in _values(client, orderby="result desc", top=9)]
    return found == sorted(found, reverse=True)


def _leads_on(client: Any) -> bool:
    thing = _values(client, f"{_THINGS}/Things", top=1)[0]
    streams = client.link(thing["Datastreams@iot.navigationLink"]).json["value"]
    back = client.link(streams[0]["Thing@iot.navigationLink"])
    return back.json == thing and client.get(f"{_THINGS}/Things('{thing['@iot.id']}')/name").json == {
        "name": thing["name"]
    }


#: Requirements classes of SensorThings that its root tells: their proofs.
SENSING: dict[str, Probe] = {
    "datamodel/thing": _told_by("Things", "name", "description", "Datastreams@iot.navigationLink"),
    "datamodel/location": _told_by("Locations", "name", "description", "encodingType", "location"),
    "datamodel/datastream": _told_by("Datastreams", "name", "description", "unitOfMeasurement", "observationType"),
    "datamodel/sensor": _told_by("Sensors", "name", "description", "encodingType", "metadata"),
    "datamodel/observed-property": _told_by("ObservedProperties", "name", "definition", "description"),
    "datamodel/observation": _told_by("Observations", "phenomenonTime", "resultTime", "result"),
    "datamodel/feature-of-interest": _told_by("FeaturesOfInterest", "name", "description", "encodingType", "feature"),
    "datamodel/entity-control-information": _told_by("Things", "Locations@iot.navigationLink"),
    "resource-path/resource-path-to-entities": _leads_on,
    "request-data/order": lambda client: _values(client, filter="result gt 5", orderby="result", skip=1, top=1)
    == _values(client, filter="result gt 5", orderby="result", top=2)[1:],
    "request-data/expand": lambda client: "name" in _values(client, top=1, expand="Datastream/Thing")[0]["Datastream"]["Thing"],
    "request-data/select": lambda client: _values(client, top=1, select="result")[0].keys() == {"result"},
    "request-data/orderby": _orders,
    "request-data/top": lambda client: len(_values(client, top=4)) == 4,
    "request-data/skip": lambda client: _values(client, top=4)[2:] == _values(client, top=2, skip=2),
    "request-data/count": lambda client: client.get(_READINGS, **{"$count": "true", "$top": 0}).json["@iot.count"] > 9,
    "request-data/filter": lambda client: all(one["result"] > 5 for one in _values(client, filter="result gt 5")),
    "request-data/built-in-filter-operations": _operators,
    "request-data/pagination": _walks,
    "request-data/status-code": lambda client: client.get(f"{_THINGS}/Things('nobody')").status == 404,
    "request-data/query-status-code": lambda client: client.get(_READINGS, **{"$nosuch": 1}).status == 400,
    "data-array/data-array": lambda client: "dataArray" in _values(client, resultFormat="dataArray", top=2)[0],
}  # fmt: skip


def test_what_sensorthings_tells_of_itself_is_what_is_proved(client: Any) -> None:
    told = client.get(_THINGS).json["serverSettings"]["conformance"]
    assert sorted(f"{OGC}/iot_sensing/1.1/req/{name}" for name in SENSING) == told


@pytest.mark.parametrize("name", sorted(SENSING))
def test_a_class_of_sensorthings_is_kept(client: Any, name: str) -> None:
    assert SENSING[name](client)
