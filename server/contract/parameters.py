"""The parameters of the OpenAPI document, their bounds from the code that checks them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, get_args

from shikong.layers import catalog as catalog_of
from shikong.layers.catalog import Catalog
from shikong.processes.registry import PROCESSORS
from shikong.providers import crs
from shikong.providers.cql2.parse import LANGUAGES
from shikong.providers.observed import STATISTICS, STEPS
from shikong.server import asked, edit_preferences, jobs
from shikong.server import parameters as rules
from shikong.server.asked import Asked
from shikong.server.edr.questions import SHAPES
from shikong.server.formats import files
from shikong.server.profiles import AS_CODE, AS_TITLE
from shikong.server.pygeoapi_config import DEFAULT_LIMIT, MAX_LIMIT, THEMES
from shikong.tiles.matrix import MAX_ZOOM, SERVED

Part = dict[str, Any]

_TEXT: Part = {"type": "string"}
_LENGTH: Part = {"type": "number", "minimum": 0.001, "maximum": 20_100}
_UNITS: Part = {"type": "string", "enum": ["m", "km"]}
_FLAG: Part = {"type": "boolean", "default": False}
_OFFSET: Part = {"type": "integer", "minimum": 0, "maximum": rules.MAX_OFFSET, "default": 0}
_SECONDS: Part = {"type": "integer", "minimum": 0, "maximum": jobs.LONGEST}
_BOX: Part = {"type": "array", "items": {"type": "number"}, "oneOf": [{"minItems": n, "maxItems": n} for n in (4, 6)]}


def query(name: str, schema: Part, description: str, **more: Any) -> Part:
    """A query parameter; a list is separated by commas."""
    parameter = {"name": name, "in": "query", "description": description, "schema": schema, **more}
    return parameter | {"style": "form", "explode": False} if schema.get("type") == "array" else parameter


def of(resource: Asked, kind: str = "") -> list[Part]:
    """References to the query parameters of a resource. kind: of those that have parameters of their own in OWN."""
    own = {name: f"{name}.{kind}" for name in resource.names if f"{name}.{kind}" in OWN}
    formats = query("f", {"type": "string", "enum": list(resource.formats)}, _FORMAT)
    return [*(reference(own.get(name, name)) for name in sorted(resource.names)), formats, reference("lang")]


_FORMAT = "the format; without it the Accept header says"


def reference(name: str) -> Part:
    """A reference to a parameter of the document."""
    return {"$ref": f"#/components/parameters/{name}"}


def _limit(default: int, maximum: int, description: str) -> Part:
    return query("limit", {"type": "integer", "minimum": 1, "maximum": maximum, "default": default}, description)


def _list(values: Part | None = None, **bounds: Any) -> Part:
    return {"type": "array", "items": values or _TEXT, **bounds}


#: Parameters that mean something else, or have other bounds, than those of the same name elsewhere.
OWN = {
    "limit.items": query(
        "limit", {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT},
        f"features on a page, {MAX_LIMIT} at most; of an export as many as there are, unless this says less",
    ),
    "limit.jobs": _limit(jobs.DEFAULT_LIMIT, jobs.MAX_LIMIT, "jobs on a page"),
    **{
        f"crs.{kind}": query("crs", {"type": "string", "enum": [crs.CRS84]}, "the CRS of the question and the answer")
        for kind in asked.EDR
    },
    **{
        f"coords.{kind}": query("coords", _TEXT, f"a shape as WKT, such as `{example}`", required=True)
        for kind, (_, example) in SHAPES.items()
    },
    "bbox.cube": query("bbox", _BOX, "west, south, east, north", required=True),
    "bbox-crs.coverage": query("bbox-crs", {"type": "string", "enum": [crs.CRS84]}, "the CRS of `bbox`"),
    "properties.coverage": query("properties", _list(), "the coverage's fields to give"),
}  # fmt: skip


def components(catalog: Catalog, more: list[Part]) -> dict[str, Part]:
    """The document's parameters, by the names under which they are referred to. more: query parameters of pictures."""
    served = {"type": "string", "enum": crs.uris(catalog.city.crs)}
    found = {part["name"]: part for part in [*_everywhere(), *_features(served), *_of_jobs(), *_records(), *more]}
    return found | OWN | _path() | _headers()


def _everywhere() -> list[Part]:
    return [
        query("case", _TEXT, "the code of a case"),
        query("state", {"type": "string", "enum": [*catalog_of.default().codes["case_state"].codes]}, "of the cases"),
        query("name", _TEXT | {"minLength": 1, "maxLength": 200}, "with POST: the file's name, such as `意见.pdf`"),
        query("lang", _TEXT | {"pattern": asked.LANGUAGE}, "the language of titles and pages; the best match is given"),
        query("ui", {"type": "string", "enum": ["swagger", "redoc"]}, "which program shows the page"),
        _limit(DEFAULT_LIMIT, MAX_LIMIT, "entries on a page"),
        query("offset", _OFFSET, "entries to pass over; the `next` links have no such bound"),
        query("bbox", _BOX, "west, south, east, north, in the axis order of its CRS; heights are passed over; west may "
              "be greater than east over the antimeridian"),
        query("datetime", _TEXT, "when things hold in the world: an instant or an interval (RFC 3339, `..` is open)"),
        query("asOf", _TEXT, "answer with what the service knew at this time (RFC 3339; a day means its end)"),
        query("subset", _TEXT | {"pattern": f"^{rules.SUBSET}$"},
              "ranges along the axes, such as `Lat(36.4:36.5),Long(115.9:116)`"),
        query("step", {"type": "string", "enum": [*STEPS]},
              "sum values up by a step of time; a day is a hydrologic one, 08:00 to 08:00, and what is summed up is "
              "stamped with its end"),
        query("statistic", {"type": "string", "enum": [*STATISTICS]},
              "what of a step; without it the sum of rain, and the mean of what is of a moment"),
        query("flagged", _FLAG, "values that cannot be, too, with their qualities"),
        query("within", _LENGTH, "the radius", required=True),
        query("within-units", _UNITS, "its unit", required=True),
        query("corridor-width", _LENGTH, "the whole width", required=True),
        query("width-units", _UNITS, "its unit", required=True),
        query("parameter-name", _list(), "the parameters to give"),
        query("collections", _list(), "the layers, in the order in which they are drawn"),
    ]  # fmt: skip


def _features(served: Part) -> list[Part]:
    zooms = {"type": "integer", "minimum": 0, "maximum": rules.MAX_SIMPLIFIED_ZOOM}
    return [
        query("crs", served | {"default": crs.CRS84}, "the CRS, and its axis order, of the answer"),
        query("bbox-crs", served | {"default": crs.CRS84}, "the CRS, and its axis order, of `bbox`"),
        query("filter", _TEXT, "a condition in CQL2 on what /queryables names"),
        query("filter-lang", {"type": "string", "enum": list(LANGUAGES), "default": "cql2-text"}, "that of `filter`"),
        query("filter-crs", served | {"default": crs.CRS84}, "the CRS, and its axis order, of shapes in `filter`"),
        query("cursor", _TEXT, "where the next page begins; taken from a `next` link"),
        query("ids", _list(maxItems=rules.MAX_IDS), "only features with these ids"),
        query("q", _TEXT, f"at most {rules.MAX_WORDS} words that a feature has in its texts or that its codes mean"),
        query("profile", _list(), f"`{AS_CODE}`: codes as they are; `{AS_TITLE}`: what they mean, in the language "
              "asked for; pages for readers give the latter; what is not known is passed over"),
        query("sortby", _list(), "properties to sort by, each with `-` before it for falling values"),
        query("properties", _list(), "properties to give; not beside `exclude-properties`"),
        query("exclude-properties", _list(), "properties to leave out"),
        query("skipGeometry", _FLAG, "leave out geometry"),
        query("max-allowable-offset", {"type": "number", "minimum": 0}, "simplify shapes by at most so much, in the "
              "units of `crs`; not beside `zoom-level`"),
        query("zoom-level", zooms, "simplify shapes as far as a map of this level (WebMercatorQuad) does not show"),
        query("resultType", {"type": "string", "enum": ["results", "hits"], "default": "results"},
              "`hits`: the number of features alone, as JSON or page"),
        query("encoding", {"type": "string", "enum": list(files.ENCODINGS), "default": files.ENCODINGS[0]},
              "of the texts in a Shapefile; only with `f=shp`"),
    ]  # fmt: skip


def _of_jobs() -> list[Part]:
    return [
        query("type", _list({"type": "string", "enum": ["process"]}), "jobs of this type"),
        query("processID", _list(), "jobs of these kinds: load, refresh, take"),
        query("status", _list({"type": "string", "enum": jobs.STATES}), "jobs in these states"),
        query("minDuration", _SECONDS, "jobs that took, or have taken so far, at least so many seconds"),
        query("maxDuration", _SECONDS, "jobs that took, or have taken so far, at most so many seconds"),
    ]


def _records() -> list[Part]:
    own = frozenset().union(*rules.RECORDS.values()) - {"bbox", "datetime", "limit", "offset", "q"}
    return [query(name, _TEXT, "records with this value") for name in sorted(own)]


def _path() -> dict[str, Part]:
    """Parameters of paths. Which collections a path has is told by the ids of their kind."""
    kinds = {name: {"$ref": f"#/components/schemas/{name}"} for name in asked.LAYERS}
    found = {name: _in_path("collectionId", schema, "the collection") for name, schema in kinds.items()}
    number = {"type": "integer", "minimum": 0}
    return found | {
        "featureId": _in_path("featureId", _TEXT, "the feature"),
        "recordId": _in_path("recordId", _TEXT, "the record"),
        "locationId": _in_path("locationId", _TEXT, "the station"),
        "instance": _in_path("instance", _TEXT | {"pattern": r"^\d{1,9}$"}, "the release"),
        "warning": _in_path("warning", _TEXT, "the warning's code"),
        "processId": _in_path("processId", {"type": "string", "enum": list(PROCESSORS)}, "the process"),
        "styleId": _in_path("styleId", _TEXT, "the style: `city`, or the id of a layer"),
        "themeId": _in_path("theme", {"type": "string", "enum": list(THEMES)}, "the theme"),
        "jobId": _in_path("jobId", number, "the job"),
        "release": _in_path("release", number, "the release"),
        "layerStyleId": _in_path("styleId", _TEXT, "a style of the layer"),
        "attachment": _in_path("attachment", number, "the file"),
        "archive": _in_path("archive", _TEXT, "the archive's name"),
        "tileMatrixSetId": _in_path("tileMatrixSetId", {"type": "string", "enum": list(SERVED)}, "the tile matrix set"),
        "tileMatrix": _in_path("tileMatrix", number | {"maximum": MAX_ZOOM}, "the zoom level"),
        "tileRow": _in_path("tileRow", number, "the row, from the top"),
        "tileCol": _in_path("tileCol", number, "the column, from the left"),
    }


def _in_path(name: str, schema: Part, description: str) -> Part:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _headers() -> dict[str, Part]:
    preferences = "; ".join(f"{name}={'|'.join(values)}" for name, values in edit_preferences.KNOWN.items())
    described = {
        "Content-Crs": "the CRS of the body's coordinates, in angle brackets; CRS84 unless said",
        "Prefer": preferences,
        "If-Match": "the ETag that came with the feature when it was read",
    }
    counts = " or ".join(f"count={way}" for way in get_args(rules.Counting))
    counted = {
        "Prefer.count": _header("Prefer", f"{counts}: tell how many features match, where it is not known anyway")
    }
    return {name: _header(name, text) for name, text in described.items()} | counted


def _header(name: str, description: str) -> Part:
    return {"name": name, "in": "header", "description": description, "schema": _TEXT}


def named(*names: str) -> list[Part]:
    """References to several parameters."""
    return [reference(name) for name in names]
