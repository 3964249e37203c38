"""Requests that are wrong or hostile, and what is told of each. Filters have tables of their own (test_bad_filters.py).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

PARCELS = "/collections/parcels/items"
KEY = "371502000000388"
TILE = "/collections/parcels/tiles/WebMercatorQuad/14/6406/13473"


@dataclass(frozen=True)
class Request:
    """One bad request.

    query: as parameters, or as the text that is sent. parameter: the one that the answer names. words: in its detail.
    status: 200 where a text is only a text that nothing matches.
    """

    name: str
    path: str
    query: dict[str, Any] | str = ""
    status: int = 400
    parameter: str | None = None
    words: str = ""

    @property
    def url(self) -> str:
        """What is asked for."""
        text = self.query if isinstance(self.query, str) else urlencode(self.query)
        return f"{self.path}?{text}" if text else self.path


#: SQL that would do harm, or wait, or tell something, if it got through.
INJECTIONS = {
    "second statement": "1; DROP TABLE data.parcels; --",
    "always true": "' OR '1'='1",
    "union": "1) UNION SELECT 1, version() --",
    "wait": "1 AND 1=(SELECT 1 FROM pg_sleep(10))",
    "placeholder": "%(limit)s %s %%",
}

#: Parameters of pages of features, in which any of these texts is wrong.
STRICT = (
    "asOf", "bbox", "bbox-crs", "crs", "cursor", "datetime", "exclude-properties", "f", "filter", "filter-crs",
    "filter-lang", "limit", "max-allowable-offset", "offset", "properties", "resultType", "skipGeometry", "sortby",
    "zoom-level", "encoding", "lang",
)  # fmt: skip

#: Parameters of pages of features that are only compared with texts.
FREE = ("ids", "q", "bsm", "dlmc")


def _injected() -> Iterator[Request]:
    for name in STRICT:
        for kind, text in INJECTIONS.items():
            given = {"f": "json", name: text}
            if name in ("bbox-crs", "filter-crs", "filter-lang"):  # only together with what they are about
                given |= {"bbox": "115,36,116,37"} if name == "bbox-crs" else {"filter": "tbmj > 0"}
            yield Request(f"SQL in {name}: {kind}", PARCELS, given, parameter=name)
    for name in FREE:
        for kind, text in INJECTIONS.items():
            yield Request(f"SQL in {name}: {kind}", PARCELS, {"f": "json", name: text}, 200)
    for kind, text in INJECTIONS.items():
        encoded = quote(text, safe="")
        yield Request(f"SQL as a parameter's name: {kind}", PARCELS, {text: "1"}, parameter=text)
        yield Request(f"SQL as a collection: {kind}", f"/collections/{encoded}/items", status=404)
        yield Request(f"SQL as a feature: {kind}", f"{PARCELS}/{encoded}", {"f": "json"}, 404)
        yield Request(f"SQL in a feature's asOf: {kind}", f"{PARCELS}/{KEY}", {"asOf": text}, parameter="asOf")
        yield Request(f"SQL in a feature's versions: {kind}", f"{PARCELS}/{encoded}/versions", status=404)
        yield Request(f"SQL in a feature's lineage: {kind}", f"{PARCELS}/{encoded}/lineage", status=404)
        yield Request(
            f"SQL as a zoom: {kind}",
            f"/collections/parcels/tiles/WebMercatorQuad/{encoded}/0/0",
            parameter="tileMatrix",
        )
        yield Request(f"SQL as a matrix set: {kind}", f"/collections/parcels/tiles/{encoded}/1/0/0", status=404)
        yield Request(f"SQL in a record: {kind}", f"/collections/releases/items/{encoded}", status=404)
        yield Request(
            f"SQL in a release of STAC: {kind}", f"/stac/collections/elevation/items/{encoded}", parameter="release"
        )
        yield Request(f"SQL as a style: {kind}", f"/styles/{encoded}", status=404)
        yield Request(f"SQL in a job: {kind}", f"/jobs/{encoded}", parameter="jobId")
        yield Request(f"SQL in a station: {kind}", f"/collections/hydro_observations/locations/{encoded}", status=404)
        yield Request(
            f"SQL in coords: {kind}", "/collections/hydro_observations/position", {"coords": text}, parameter="coords"
        )
        yield Request(f"SQL in subset: {kind}", "/collections/elevation/coverage", {"subset": text}, parameter="subset")


def _cursor(values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _one(name: str, parameter: str, text: str, words: str = "", **more: str) -> Request:
    return Request(name, PARCELS, {"f": "json", parameter: text} | more, parameter=parameter, words=words)


_BOXES = {
    "no numbers": ("west,south,east,north", "not numbers"),
    "nothing": ("", "not numbers"),
    "three numbers": ("115,36,116", "3 numbers"),
    "five numbers": ("1,2,3,4,5", "5 numbers"),
    "seven numbers": ("1,2,3,4,5,6,7", "7 numbers"),
    "NaN": ("115,36,nan,37", "not finite"),
    "infinite": ("115,36,inf,37", "not finite"),
    "minus infinite": ("-Infinity,36,116,37", "not finite"),
    "huge": ("1e308,36,1e309,37", "not finite"),
    "too far": ("-1e300,36,1e300,37", "leaves the earth"),
    "tiny, beyond the antimeridian": ("180.000001,36,180.000002,37", "leaves the earth"),
    "upside down": ("115,37,116,36", "corners swapped"),
    "latitude first": ("36,115,37,116", "leaves the earth"),
    "semicolons": ("115;36;116;37", "not numbers"),
    "hexadecimal": ("0x73,36,116,37", "not numbers"),
    "null byte": ("115,36,116,37\0", "not numbers"),
    "JSON": ("[115,36,116,37]", "not numbers"),
    "ten thousand numbers": (",".join(["1"] * 10_000), "10000 numbers"),
}

_TIMES = {
    "a word": ("yesterday", "not a time"),
    "no such month": ("2024-13-01", "not a time"),
    "no such day": ("2023-02-29", "not a time"),
    "April 31": ("2024-04-31T00:00:00Z", "not a time"),
    "hour 25": ("2024-01-01T25:00:00Z", "not a time"),
    "year zero": ("0000-01-01", "not a time"),
    "year ten thousand": ("10000-01-01", "not a time"),
    "null byte": ("2024-01-01\0", "not a time"),
    "slashes only": ("///", "not a time"),
    "three ends": ("2024-01-01/2024-02-01/2024-03-01", "not a time"),
    "backwards": ("2024-12-31/2024-01-01", "ends before it starts"),
    "open where no interval is": ("..", "neither an instant nor an interval"),
    "seconds since 1970": ("1704067200.5", "not a time"),
}

_NUMBERS = {
    "a word": "ten", "a fraction": "1.5", "an exponent": "1e3", "NaN": "NaN", "infinite": "Infinity",
    "negative": "-1", "huge": "9" * 39, "beyond 64 bits": "18446744073709551616", "hexadecimal": "0x10",
    "Arabic digits": "١٠", "ten thousand digits": "9" * 10_000, "nothing": "", "null byte": "1\0", "underscore": "1_0",
}  # fmt: skip

_CURSORS = {
    "not base64": "!!!", "not JSON": "AAAA", "a word": _cursor("x"), "an object": _cursor({"a": 1}),
    "empty list": _cursor([]), "too many values": _cursor([1] * 20), "a text as row": _cursor(["1; DROP TABLE x", 1, -1]),
    "a negative row": _cursor([-5, 1, -1]), "row beyond 64 bits": _cursor([2**70, 1, -1]),
    "a fraction as row": _cursor([1.5, 1, -1]), "nested": _cursor([[[[1]]], 1, -1]), "null": _cursor([None, 1, -1]),
    "deeply nested": base64.urlsafe_b64encode(b"[" * 10_000).decode(), "true": _cursor([True, 1, -1]),
    "long": "A" * 20_000, "null byte": "AA\0A", "letters of China": "游标",
}  # fmt: skip


def _of_parameters() -> Iterator[Request]:
    for name, (text, words) in _BOXES.items():
        yield _one(f"box: {name}", "bbox", text, words)
    for name, (text, words) in _TIMES.items():
        yield _one(f"datetime: {name}", "datetime", text, words)
        if "/" not in text and text != "..":
            yield _one(f"asOf: {name}", "asOf", text, words)
    for name, text in _NUMBERS.items():
        yield _one(f"limit: {name}", "limit", text)
        yield _one(f"offset: {name}", "offset", text)
        yield _one(f"zoom-level: {name}", "zoom-level", text)
    for name, text in _CURSORS.items():
        yield _one(f"cursor: {name}", "cursor", text, "`next` link")


def _of_pages() -> Iterator[Request]:
    yield _one("limit of none", "limit", "0", "outside 1 to 10000")
    yield _one("limit beyond the largest page", "limit", "10001", "outside 1 to 10000")
    yield _one("offset too deep", "offset", "100001", "outside 0 to 100000")
    for text in ("NaN", "-1", "inf", "-Infinity", "ten", "1e400", ""):
        yield _one(f"max-allowable-offset: {text}", "max-allowable-offset", text)
    yield _one("simplified twice", "zoom-level", "3", "beside max-allowable-offset", **{"max-allowable-offset": "1"})
    yield _one("flag of no kind", "skipGeometry", "yes", "neither true nor false")
    yield _one("hits of no kind", "resultType", "HITS ", "is not known")
    yield _one("unknown CRS", "crs", "http://www.opengis.net/def/crs/EPSG/0/2000", "is not served")
    yield _one("CRS without an authority", "crs", "4326", "is not served")
    yield _one("CRS of another host", "crs", "http://evil.example/def/crs/EPSG/0/4326", "is not served")
    yield _one("CRS of a long number", "crs", "http://www.opengis.net/def/crs/EPSG/0/" + "4" * 5000, "is not served")
    yield _one("CRS of a box without a box", "bbox-crs", "http://www.opengis.net/def/crs/OGC/1.3/CRS84", "without bbox")
    yield _one(
        "CRS of a filter without a filter",
        "filter-crs",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "without filter",
    )
    yield _one(
        "swapped box of a plane CRS",
        "bbox",
        "4100000,400000,4000000,500000",
        "corners swapped",
        **{"bbox-crs": "http://www.opengis.net/def/crs/EPSG/0/4548"},
    )


def _of_properties() -> Iterator[Request]:
    yield _one("unknown property", "properties", "dlbm,nosuch", "not a property")
    yield _one("column of bookkeeping", "properties", "_release", "not a property")
    yield _one("unknown property left out", "exclude-properties", "nosuch", "not a property")
    yield _one("chosen and left out", "exclude-properties", "dlbm", "beside properties", properties="dlbm")
    yield _one("sorting by a column of bookkeeping", "sortby", "-_row", "not a property")
    yield _one("sorting by nothing", "sortby", ",", "not a property")
    yield _one("sorting by geometry", "sortby", "geometry", "not a property")
    yield _one("a million ids", "ids", ",".join(map(str, range(8_000))), "8000 are given")
    yield _one("ids with a null byte", "ids", "a\0b", "NUL")
    yield _one("words without end", "q", " ".join(["a"] * 11), "too many words")
    yield _one("words with a null byte", "q", "a\0b", "NUL")
    yield _one("number that is none", "tbmj", "wide", "is not a number")
    yield _one("number that is not finite", "tbmj", "NaN", "is not a number")
    yield _one("number that is infinite", "tbmj", "-inf", "is not a number")
    yield _one("property with a null byte", "dlbm", "a\0", "NUL")
    yield _one("time of a property that is none", "valid_from", "2024-02-30", "is not a time")
    yield _one("format that does not exist", "f", "xml", "not a format")
    yield _one("format that climbs out", "f", "../../etc/passwd", "not a format")
    yield _one("encoding of no Shapefile", "encoding", "gbk", "only f=shp")
    yield _one("hits of an export", "resultType", "hits", "hits are not told as csv", f="csv")
    yield _one("Shapefile without shapes", "skipGeometry", "true", "nothing without geometry", f="shp")
    yield _one("encoding that does not exist", "encoding", "ebcdic", "is not an encoding", f="shp")
    yield _one("export without a limit", "limit", "0", "outside 1 to", f="csv")
    yield _one("language that is none", "lang", "<script>", "not a language tag")
    yield Request("one parameter twice", PARCELS, "limit=1&limit=2", parameter="limit", words="more than once")
    yield Request("one box twice", PARCELS, "bbox=1,2,3,4&bbox=1,2,3,4", parameter="bbox", words="more than once")
    yield Request("misspelt parameter", PARCELS, {"limt": "1"}, parameter="limt", words="did you mean 'limit'")
    yield Request("parameter without a name", PARCELS, "=1", parameter="")
    yield Request(
        "parameter in other letters", PARCELS, {"Limit": "1"}, parameter="Limit", words="did you mean 'limit'"
    )


def _of_texts() -> Iterator[Request]:
    """Bytes that are no text, and texts that are something else."""
    yield Request("invalid UTF-8 in a filter", PARCELS, "filter=dlbm%20%3D%20'%ff%fe'", 200)
    yield Request("invalid UTF-8 in a name", PARCELS, "%ff=1", words="no parameter")
    yield Request("invalid UTF-8 in a box", PARCELS, "bbox=%ff", parameter="bbox")
    yield Request("invalid UTF-8 in a feature", f"{PARCELS}/%ff%fe", {"f": "json"}, 404)
    yield Request("half a surrogate", PARCELS, "q=%ed%a0%80", 200)
    yield Request("percent without digits", PARCELS, "q=%zz", 200)
    yield Request("null byte in a collection", "/collections/par%00cels/items", status=404)
    yield Request("null byte in a feature", f"{PARCELS}/a%00b", {"f": "json"}, 404)
    yield Request("null byte in a feature's versions", f"{PARCELS}/a%00b/versions", status=404)
    yield Request("null byte in a feature's lineage", f"{PARCELS}/a%00b/lineage", status=404)
    yield Request("null byte in a station", "/collections/hydro_observations/locations/a%00b", status=404)
    yield Request("null byte in a record", "/collections/layers/items/a%00b", status=404)
    yield Request("null byte in a release", "/collections/releases/items/a%00b", status=404)
    yield Request("null byte in words of records", "/collections/releases/items", {"q": "a\0"}, parameter="q")
    yield Request("null byte in a value of records", "/collections/releases/items", {"layer": "a\0"}, parameter="layer")
    yield Request("path that climbs out", "/collections/../../etc/passwd", status=404)
    yield Request("path that climbs out of static files", "/static/..%2f..%2fpyproject.toml", status=404)
    yield Request("feature of 10,000 letters", f"{PARCELS}/{'x' * 10_000}", {"f": "json"}, 404)
    yield Request("collection of 10,000 letters", f"/collections/{'x' * 10_000}", status=404)
    yield Request("nothing there", "/nothing", status=404)
    yield Request("script in a path", "/%3Cscript%3Ealert(1)%3C/script%3E", status=404)
    yield Request(
        "filter nested 10,000 deep",
        PARCELS,
        {"filter": "(" * 10_000 + "tbmj > 0" + ")" * 10_000},
        parameter="filter",
        words="nests",
    )
    yield Request(
        "filter of JSON nested 800 deep",
        PARCELS,
        {"filter": '{"op":"not","args":[' * 800 + "true" + "]}" * 800, "filter-lang": "cql2-json"},
        parameter="filter",
    )
    yield Request("filter that waits", PARCELS, {"filter": "pg_sleep(10) = 1"}, parameter="filter", words="pg_sleep")
    yield Request(
        "filter of a function of the server",
        PARCELS,
        {"filter": "current_setting('data_directory') = 'x'"},
        parameter="filter",
    )
    yield Request(
        "filter that reads a file", PARCELS, {"filter": "pg_read_file('/etc/passwd') = 'x'"}, parameter="filter"
    )
    yield Request("10 MB of filter", PARCELS, "filter=" + "a" * 10_000_000, words="65,535 bytes")


def _of_features() -> Iterator[Request]:
    item = f"{PARCELS}/{KEY}"
    for name, query, parameter in (
        ("unknown parameter", {"bbox": "1,2,3,4"}, "bbox"), ("interval", {"datetime": "2020-01-01/.."}, "datetime"),
        ("impossible day", {"datetime": "2023-02-29"}, "datetime"), ("impossible asOf", {"asOf": "2023-02-29"}, "asOf"),
        ("unknown CRS", {"crs": "EPSG:1"}, "crs"), ("unknown format", {"f": "csv"}, "f"),
        ("zoom beyond bounds", {"zoom-level": "25"}, "zoom-level"), ("no distance", {"max-allowable-offset": "nan"}, "max-allowable-offset"),
    ):  # fmt: skip
        yield Request(f"feature: {name}", item, query, parameter=parameter)
    yield Request("feature that never was", f"{PARCELS}/nosuch", {"f": "json"}, 404, words="never had one")
    yield Request(
        "feature before it was", item, {"f": "json", "datetime": "1990-01-01"}, 410, words="but not at 1990-01-01"
    )
    yield Request("feature of a raster", "/collections/elevation/items/1", status=404, words="of kind coverage")
    yield Request("features of a raster", "/collections/elevation/items", status=404, words="of kind coverage")
    yield Request("misspelt collection", "/collections/parcel/items", status=404, words="did you mean 'parcels'")
    yield Request("versions: unknown parameter", f"{item}/versions", {"datetime": "2024-01-01"}, parameter="datetime")
    yield Request("versions: unknown format", f"{item}/versions", {"f": "xml"}, parameter="f")
    yield Request("versions: impossible asOf", f"{item}/versions", {"asOf": "2024-02-30"}, parameter="asOf")
    yield Request(
        "versions along recorded time: asOf",
        "/collections/roads/items/x/versions",
        {"asOf": "2024-01-01"},
        parameter="asOf",
    )
    yield Request("lineage: unknown parameter", f"{item}/lineage", {"asOf": "2024-01-01"}, parameter="asOf")
    yield Request("lineage: unknown format", f"{item}/lineage", {"f": "xml"}, parameter="f")
    for place in ("schema", "queryables", "tiles", "tiles/WebMercatorQuad"):
        yield Request(f"{place}: unknown parameter", f"/collections/parcels/{place}", {"limit": "1"}, parameter="limit")
        yield Request(f"{place}: unknown format", f"/collections/parcels/{place}", {"f": "xml"}, parameter="f")
    for place in ("coverage", "position", "locations"):
        yield Request(f"{place} of features", f"/collections/parcels/{place}", status=404, words="of kind features")


def _of_tiles() -> Iterator[Request]:
    tiles = "/collections/parcels/tiles/WebMercatorQuad"
    yield Request("tile: unknown parameter", TILE, {"bbox": "1,2,3,4"}, parameter="bbox")
    yield Request("tile: unknown format", TILE, {"f": "png"}, parameter="f")
    yield Request("tile: filter of an unknown property", TILE, {"filter": "nosuch = 1"}, parameter="filter")
    yield Request("tile: CRS of a filter without a filter", TILE, {"filter-crs": "EPSG:4326"}, parameter="filter-crs")
    yield Request("tile: negative zoom", f"{tiles}/-1/0/0", parameter="tileMatrix", words="0 to")
    yield Request("tile: zoom that is none", f"{tiles}/a/0/0", parameter="tileMatrix")
    yield Request("tile: zoom of a fraction", f"{tiles}/1.5/0/0", parameter="tileMatrix")
    yield Request("tile: row that is none", f"{tiles}/14/a/0", parameter="tileRow")
    yield Request("tile: column of 10,000 digits", f"{tiles}/14/0/{'9' * 10_000}", parameter="tileCol")
    yield Request("tile: row beyond the matrix", f"{tiles}/14/16384/0", status=404)
    yield Request("tile: zoom beyond the layer", f"{tiles}/22/0/0", status=404, words="from zoom 5 to 18")
    yield Request("tile: zoom beyond all", f"{tiles}/99/0/0", status=404, words="levels 0 to 22")
    yield Request(
        "tile: level below those of the set",
        f"{tiles.replace('WebMercatorQuad', 'c')}/0/0/0",
        status=404,
        words="levels 1 to 18",
    )
    yield Request(
        "tile: encoded slash in the matrix set", "/collections/parcels/tiles/..%2F..%2Fetc/14/0/0", status=404
    )
    yield Request("tile: encoded slash in the zoom", f"{tiles}/14%2F0/0/0", status=404)
    yield Request(
        "tile: a filter where areas are merged",
        f"{tiles}/8/100/210",
        {"filter": "tbmj > 1"},
        parameter="filter",
        words="merged",
    )
    yield Request(
        "dataset tile: unknown layer",
        "/tiles/WebMercatorQuad/14/6406/13473",
        {"collections": "parcels,nosuch"},
        parameter="collections",
        words="nosuch",
    )
    yield Request(
        "dataset tile: a layer without tiles",
        "/tiles/WebMercatorQuad/14/6406/13473",
        {"collections": "hydro_observations"},
        parameter="collections",
    )
    yield Request(
        "dataset tile: a filter", "/tiles/WebMercatorQuad/14/6406/13473", {"filter": "tbmj > 1"}, parameter="filter"
    )
    yield Request("dataset tile: no layer at this zoom", "/tiles/WebMercatorQuad/0/0/0", status=404, words="no layer")
    yield Request("dataset tile: column beyond the matrix", "/tiles/c/10/0/1024", status=404, words="columns 0-1023")
    yield Request(
        "dataset tileset: unknown matrix set", "/tiles/Nosuch", status=404, words="there are: WebMercatorQuad"
    )
    yield Request(
        "tile: unknown matrix set",
        "/collections/parcels/tiles/Nosuch/1/0/0",
        status=404,
        words="there are: WebMercatorQuad",
    )
    yield Request(
        "tileset: unknown matrix set",
        "/collections/parcels/tiles/Nosuch",
        status=404,
        words="there are: WebMercatorQuad",
    )
    yield Request("unknown matrix set", "/tileMatrixSets/Nosuch", status=404, words="there are: WebMercatorQuad")
    yield Request("tiles of a raster", "/collections/elevation/tiles", status=404, words="no vector tiles")


def _of_rasters() -> Iterator[Request]:
    grid = "/collections/elevation/coverage"
    yield Request("raster: box upside down", grid, {"bbox": "115,37,116,36"}, parameter="bbox")
    yield Request("raster: box of NaN", grid, {"bbox": "115,nan,116,36"}, parameter="bbox")
    yield Request("raster: box elsewhere", grid, {"bbox": "1,2,3,4"}, words="outside the coverage")
    yield Request(
        "raster: box over the antimeridian that leaves a gap", grid, {"bbox": "116,36,115.9,37"}, words="leaves a gap"
    )
    yield Request(
        "raster: CRS that is not served",
        grid,
        {"bbox": "1,2,3,4", "bbox-crs": "http://www.opengis.net/def/crs/EPSG/0/4490"},
        parameter="bbox-crs",
    )
    yield Request("raster: unknown field", grid, {"properties": "nosuch"})
    yield Request("raster: unknown axis", grid, {"subset": "time(1:2)"}, parameter="subset")
    yield Request("raster: subset of words", grid, {"subset": "Lat(a:b)"}, parameter="subset")
    yield Request("raster: subset of NaN", grid, {"subset": "Lat(nan:nan)"}, parameter="subset")
    yield Request("raster: subset not closed", grid, {"subset": "Lat(36:37"}, parameter="subset")
    yield Request("raster: subset backwards", grid, {"subset": "Lat(37:36)"})
    yield Request("raster: impossible day", grid, {"datetime": "2023-02-29"}, parameter="datetime")
    yield Request(
        "raster: year ten thousand",
        "/collections/precipitation/coverage",
        {"datetime": "10000-01-01/.."},
        parameter="datetime",
    )
    yield Request("raster: unknown format", grid, {"f": "png"}, parameter="f")
    yield Request("raster: format of another kind", grid, {"f": "NetCDF"})


def _of_observations() -> Iterator[Request]:
    place = "/collections/hydro_observations/position"
    for name, text in {
        "none": "", "no WKT": "115.9,36.4", "a line": "LINESTRING(1 2,3 4)", "empty": "POINT EMPTY", "NaN": "POINT(nan nan)",
        "infinite": "POINT(inf 36)", "latitude first": "POINT(36 115)", "huge": "POINT(1e300 1e300)", "not closed": "POINT(115 36",
        "null byte": "POINT(115 36)\0", "nested": "GEOMETRYCOLLECTION(" * 3000,
    }.items():  # fmt: skip
        yield Request(f"position: {name}", place, {"coords": text}, parameter="coords")
    yield Request("position: nothing", place)
    yield Request(
        "position: unknown parameter name", place, {"coords": "POINT(115.98 36.45)", "parameter-name": "nosuch"}
    )
    yield Request(
        "position: one of two unknown",
        place,
        {"coords": "POINT(115.98 36.45)", "parameter-name": "z,nosuch"},
        words="nosuch",
    )
    yield Request(
        "position: unknown CRS", place, {"coords": "POINT(115.98 36.45)", "crs": "EPSG:4326"}, parameter="crs"
    )
    yield Request(
        "position: impossible day",
        place,
        {"coords": "POINT(115.98 36.45)", "datetime": "2023-02-29"},
        parameter="datetime",
    )
    yield Request(
        "position: unknown parameter",
        place,
        {"coord": "POINT(115.98 36.45)"},
        parameter="coord",
        words="did you mean 'coords'",
    )
    yield Request("station that does not exist", "/collections/hydro_observations/locations/nosuch", status=404)


def _of_pictures() -> Iterator[Request]:
    path, tile = "/collections/elevation/map", "/collections/elevation/map/tiles/c"
    for name, text in {
        "none": "", "a word": "wide", "nothing": "0", "negative": "-5", "too many": "4097", "huge": "9" * 40, "a fraction": "10.5",
        "infinite": "inf",
    }.items():  # fmt: skip
        yield Request(f"map: width of {name}", path, {"width": text}, parameter="width")
        yield Request(f"map: height of {name}", path, {"height": text}, parameter="height")
    for name, (text, words) in _BOXES.items():
        yield Request(f"map: box: {name}", path, {"bbox": text}, parameter="bbox", words=words)
    yield Request("map: box without area", path, {"bbox": "116,36,116,36"}, parameter="bbox", words="no area")
    yield Request(
        "map: box over the antimeridian", path, {"bbox": "170,36,-170,37"}, parameter="bbox", words="antimeridian"
    )
    yield Request(
        "map: flat box of great length", path, {"bbox": "-180,36,180,36.001", "height": "4000"}, words="too many"
    )
    yield Request(
        "map: poles in Web Mercator",
        path,
        {"crs": "http://www.opengis.net/def/crs/EPSG/0/3857", "bbox": "0,-90,1,90"},
        words="too many",
    )
    yield Request("map: unknown CRS", path, {"crs": "EPSG:2000"}, parameter="crs")
    yield Request(
        "map: CRS of a box without a box", path, {"bbox-crs": "EPSG:4490"}, parameter="bbox-crs", words="without bbox"
    )
    for name, text in {"none": "", "a word": "colourful", "too long": "0x" + "f" * 400, "SVG": "url(#x)"}.items():
        yield Request(f"map: background {name}", path, {"bgcolor": text}, parameter="bgcolor")
    yield Request("map: transparent perhaps", path, {"transparent": "perhaps"}, parameter="transparent")
    yield Request("map: unknown format", path, {"f": "gif"}, parameter="f")
    yield Request("map: data as a picture", path, {"f": "json"}, parameter="f")
    yield Request("map: unknown style", path, {"style": "../../etc/passwd"}, parameter="style")
    yield Request("map: style in the address", "/collections/elevation/styles/nosuch/map", status=404)
    yield Request(
        "map: style twice", "/collections/elevation/styles/hillshade/map", {"style": "hillshade"}, parameter="style"
    )
    yield Request("map: heights as JPEG", path, {"style": "terrain_rgb", "f": "jpeg"}, parameter="f")
    yield Request("map: impossible day", path, {"datetime": "2023-02-29"}, parameter="datetime")
    yield Request(
        "map: before the first hour",
        "/collections/precipitation/map",
        {"datetime": "1900-01-01"},
        404,
        words="has steps from",
    )
    yield Request("map: unknown parameter", path, {"widht": "5"}, parameter="widht", words="did you mean 'width'")
    yield Request("map: of observations", "/collections/hydro_observations/map", status=404, words="is not drawn")
    yield Request("map: of records", "/collections/layers/map/tiles", status=404, words="is not drawn")
    yield Request("maps: of nothing", "/map", {"f": "png"}, parameter="collections", words="0 are named")
    yield Request(
        "maps: of what is not there", "/map", {"collections": "elevation,parcel"}, 404, words="did you mean 'parcels'"
    )
    yield Request("maps: of observations", "/map", {"collections": "hydro_observations"}, parameter="collections")
    yield Request("maps: of too many", "/map", {"collections": ",".join(["elevation"] * 21)}, parameter="collections")
    yield Request("map tile: style", f"{tile}/9/76/421", {"style": "nosuch"}, parameter="style")
    yield Request("map tile: outside", f"{tile}/9/9999/421", status=404, words="has rows 0-255")
    yield Request("map tile: level", f"{tile}/2/0/0", status=404, words="from zoom 6 to 18")
    yield Request("map tile: matrix set", "/collections/elevation/map/tiles/nosuch/9/76/421", status=404)
    yield Request("map tile: row of no kind", f"{tile}/9/x/421", parameter="tileRow")
    yield Request("map tile: filter", f"{tile}/9/76/421", {"filter": "1=1"}, parameter="filter")
    yield Request("map tileset: matrix set", "/collections/elevation/map/tiles/nosuch", status=404)
    yield Request("map tileset: parameter", tile, {"limit": "1"}, parameter="limit")


def _of_others() -> Iterator[Request]:
    for name, text in {"a word": "x", "negative": "-1", "huge": "9" * 30, "a fraction": "1.5"}.items():
        yield Request(f"records: limit of {name}", "/collections/releases/items", {"limit": text}, parameter="limit")
        yield Request(f"jobs: offset of {name}", "/jobs", {"offset": text}, parameter="offset")
        yield Request(f"processes: limit of {name}", "/processes", {"limit": text}, parameter="limit")
    yield Request("records: box upside down", "/collections/layers/items", {"bbox": "1,4,3,2"}, parameter="bbox")
    yield Request(
        "records: impossible day", "/collections/layers/items", {"datetime": "2023-02-29"}, parameter="datetime"
    )
    yield Request("jobs: unknown state", "/jobs", {"status": "lazy"}, parameter="status")
    yield Request("jobs: no such job", "/jobs/999999", status=404)
    yield Request("jobs: beyond 64 bits", f"/jobs/{2**63}", parameter="jobId")
    yield Request("process that does not exist", "/processes/nosuch", status=404)
    yield Request("style that does not exist", "/styles/nosuch", status=404, words="city, ")
    yield Request("legend of a style that does not exist", "/styles/nosuch/legend", status=404, words="city, ")
    yield Request("styles of a layer that is not drawn", "/collections/hydro_observations/styles", status=404)
    yield Request("style in an unknown encoding", "/styles/parcels", {"f": "css"}, parameter="f")
    yield Request("style in an encoding that it lacks", "/styles/city", {"f": "sld10"}, parameter="f")
    yield Request("legend as GIF", "/styles/parcels/legend", {"f": "gif"}, parameter="f")
    yield Request("release of STAC that does not exist", "/stac/collections/elevation/items/999999", status=404)
    yield Request("layer of STAC that has no rasters", "/stac/collections/parcels", status=404)


REQUESTS = [
    *_injected(), *_of_parameters(), *_of_pages(), *_of_properties(), *_of_texts(), *_of_features(), *_of_tiles(),
    *_of_rasters(), *_of_pictures(), *_of_observations(), *_of_others(),
]  # fmt: skip
