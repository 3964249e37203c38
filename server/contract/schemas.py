"""What answers hold, as JSON Schema.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from shikong.layers.catalog import Catalog
from shikong.server import jobs
from shikong.server.asked import LAYERS

Part = dict[str, Any]

TEXT: Part = {"type": "string"}
WHOLE: Part = {"type": "integer", "minimum": 0}
_TIME: Part = {"type": "string", "format": "date-time"}
_MAYBE_TIME: Part = {"type": ["string", "null"], "format": "date-time"}
_MAYBE_TEXT: Part = {"type": ["string", "null"]}
ANYTHING: Part = {"type": "object"}


def schema(name: str) -> Part:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def an_object(required: str, **properties: Part) -> Part:
    """An object. required: names separated by blanks."""
    return {"type": "object", "required": required.split(), "properties": properties} if required else {
        "type": "object", "properties": properties,
    }  # fmt: skip


def a_list(items: Part, **bounds: Any) -> Part:
    """A list."""
    return {"type": "array", "items": items, **bounds}


def one_of(*values: str) -> Part:
    """One of these texts."""
    return {"type": "string", "enum": list(values)}


_LINKS = a_list(schema("Link"))


def components(catalog: Catalog) -> dict[str, Part]:
    """The document's schemas by name."""
    return _GENERAL | _FEATURES | _OTHERS | _layers(catalog)


def _layers(catalog: Catalog) -> dict[str, Part]:
    """The ids of layers by what can be asked of them. A layer adds its id to a list or two, and nothing else here."""
    kinds = ("FeatureLayer", "CatalogueLayer", "RasterLayer", "StationLayer")
    listed = (*kinds, "TiledLayer", "SteppedLayer", "AttachedLayer")
    found = {name: one_of(*(layer.id for layer in catalog if LAYERS[name](layer))) for name in listed}
    rasters = [layer.id for layer in catalog if LAYERS["DrawnLayer"](layer) and not LAYERS["TiledLayer"](layer)]
    found["DrawnLayer"] = {"anyOf": [schema("TiledLayer"), one_of(*rasters)]}
    together = {
        "AnyLayer": kinds, "SeriesLayer": ("RasterLayer", "StationLayer"),
        "QueriedLayer": ("FeatureLayer", "CatalogueLayer"),
    }  # fmt: skip
    return found | {name: {"anyOf": [schema(kind) for kind in parts]} for name, parts in together.items()}


_GENERAL: dict[str, Part] = {
    "Link": an_object(
        "href rel", href=TEXT, rel=TEXT, type=TEXT, title=TEXT, hreflang=TEXT, length=WHOLE,
        templated={"type": "boolean"},
    ),
    "Problem": an_object(
        "type title status detail code", type=TEXT, title=TEXT, status=WHOLE, detail=TEXT, code=TEXT, description=TEXT,
        parameter=TEXT, allowed=a_list(TEXT), findings=schema("Findings"), etag=TEXT,
    ) | {"description": "why the request was refused (RFC 9457): the parameter, and what it may be"},
    "Findings": a_list(an_object("rule", rule=TEXT, field=_MAYBE_TEXT, value={})),
    "Landing": an_object("title links", title=TEXT, description=TEXT, links=_LINKS),
    "Conformance": an_object("conformsTo", conformsTo=a_list(TEXT)),
    "Health": an_object(
        "service version status database", service=TEXT, version=TEXT, status=one_of("ok", "unavailable"),
        database=TEXT, layers_published=WHOLE, layers_empty=a_list(TEXT),
    ),
    "Collection": an_object(
        "id links", id=TEXT, title=TEXT, description=TEXT, keywords=a_list(TEXT), links=_LINKS, extent=ANYTHING,
        itemType=one_of("feature", "record"), crs=a_list(TEXT), storageCrs=TEXT,
        versioning=an_object("timeAxis", timeAxis=one_of("validity-time", "transaction-time")),
        data_queries=ANYTHING, parameter_names=ANYTHING,
    ),
    "Collections": an_object("collections links", collections=a_list(schema("Collection")), links=_LINKS),
    "JsonSchema": an_object("type properties", type=one_of("object"), properties=ANYTHING),
    "Functions": an_object("functions", functions=a_list(an_object(
        "name args returns", name=TEXT, description=TEXT, args=a_list(an_object("type", type=a_list(TEXT))),
        returns=a_list(TEXT),
    ))),
    "LinkedData": ANYTHING,
}  # fmt: skip

_GEOMETRY: Part = {"type": ["object", "null"], "required": ["type"], "properties": {"type": TEXT}}

_FEATURES: dict[str, Part] = {
    "Feature": an_object(
        "type geometry properties", type=one_of("Feature"), id={"type": ["string", "integer"]}, geometry=_GEOMETRY,
        properties={"type": ["object", "null"]}, links=_LINKS,
    ),
    "FeatureCollection": an_object(
        "type features", type=one_of("FeatureCollection"), features=a_list(schema("Feature")), numberMatched=WHOLE,
        numberReturned=WHOLE, timeStamp=_TIME, links=_LINKS,
    ),
    "JsonFg": an_object("type features", type=one_of("FeatureCollection"), features=a_list(schema("Feature"))),
    "TimeMap": an_object(
        "id timeAxis versions links", id=TEXT, timeAxis=one_of("validity-time", "transaction-time"),
        versions=a_list(an_object("start end", start=_TIME, end=_MAYBE_TIME)), links=_LINKS,
    ),
    "Lineage": an_object("id layer versions links", id=TEXT, layer=TEXT, links=_LINKS, versions=a_list(an_object(
        "state recordedFrom release source", state=one_of("current", "ended", "superseded"), validFrom=_MAYBE_TIME,
        validTo=_MAYBE_TIME, recordedFrom=_TIME, recordedTo=_MAYBE_TIME,
        supersededBy={"type": ["integer", "null"]}, release=ANYTHING, source=ANYTHING,
    ))),
}  # fmt: skip

_OTHERS: dict[str, Part] = {
    "Tilesets": an_object("tilesets links", tilesets=a_list(schema("Tileset")), links=_LINKS),
    "Tileset": an_object(
        "dataType crs links", title=TEXT, dataType=one_of("vector", "map"), crs=TEXT, tileMatrixSetURI=TEXT,
        links=_LINKS, layers=a_list(ANYTHING), tileMatrixSetLimits=a_list(ANYTHING), boundingBox=ANYTHING,
    ),
    "Archives": an_object("archives links", links=_LINKS, archives=a_list(an_object(
        "id size links", id=TEXT, size=WHOLE, updated=_TIME, links=_LINKS))),
    "TileJson": an_object("tilejson tiles vector_layers", tilejson=TEXT, tiles=a_list(TEXT),
                          vector_layers=a_list(ANYTHING)),
    "TileMatrixSets": an_object(
        "tileMatrixSets", tileMatrixSets=a_list(an_object("id links", id=TEXT, title=TEXT, links=_LINKS)), links=_LINKS,
    ),
    "TileMatrixSet": an_object("id crs tileMatrices", id=TEXT, crs=TEXT, title=TEXT, tileMatrices=a_list(ANYTHING)),
    "Instances": an_object("instances links", instances=a_list(ANYTHING), links=_LINKS),
    "Instance": an_object("id title extent data_queries links", id=TEXT, title=TEXT, extent=ANYTHING,
                          data_queries=ANYTHING, links=_LINKS),
    "SensorThings": an_object(""),
    "Coverage": an_object(
        "type", type=one_of("Coverage", "CoverageCollection"), domain=ANYTHING, parameters=ANYTHING, ranges=ANYTHING,
    ),
    "Styles": an_object(
        "styles", default=TEXT, links=_LINKS, styles=a_list(an_object("id links", id=TEXT, title=TEXT, links=_LINKS)),
    ),
    "MapLibreStyle": an_object("version sources layers", version=WHOLE, sources=ANYTHING, layers=a_list(ANYTHING)),
    "StyleMetadata": an_object(
        "id stylesheets layers links", id=TEXT, title=TEXT, description=TEXT, keywords=a_list(TEXT),
        pointOfContact=TEXT, scope=one_of("style"), version=TEXT, stylesheets=a_list(ANYTHING),
        layers=a_list(ANYTHING), links=_LINKS,
    ),
    "Processes": an_object("processes links", processes=a_list(an_object("id version links", id=TEXT, links=_LINKS)),
                           links=_LINKS),
    "Process": an_object("id version inputs outputs", id=TEXT, version=TEXT, title=TEXT, description=TEXT,
                         inputs=ANYTHING, outputs=ANYTHING, links=_LINKS),
    "Execute": an_object("", inputs=ANYTHING | {"description": "as /processes/{processId} names them"}),
    "Job": an_object(
        "jobID processID type status links", jobID=TEXT, processID=TEXT, type=one_of("process"),
        status=one_of(*jobs.STATES), progress={"type": "integer", "minimum": 0, "maximum": 100}, message=TEXT,
        links=_LINKS, created=_TIME, started=_TIME, finished=_TIME, updated=_TIME,
    ),
    "Account": an_object("name roles signedIn", name=TEXT, roles=a_list(TEXT), signedIn={"type": "boolean"}),
    "Steps": an_object("id layer state steps next", id=TEXT, layer=TEXT, state=TEXT, steps=a_list(ANYTHING),
                       next=a_list(ANYTHING)),
    "Attachment": an_object("id name type size sha256 by at href", id=WHOLE, name=TEXT, type=TEXT, size=WHOLE,
                            sha256=TEXT, by=TEXT, at=_TIME, href=TEXT),
    "Attachments": an_object("attachments", attachments=a_list(schema("Attachment"))),
    "Jobs": an_object("jobs links", jobs=a_list(schema("Job")), links=_LINKS),
    "StacCatalog": an_object("type id stac_version links", type=one_of("Catalog"), id=TEXT, stac_version=TEXT,
                             links=_LINKS),
    "StacCollection": an_object("type id stac_version extent license links", type=one_of("Collection"), id=TEXT,
                                stac_version=TEXT, extent=ANYTHING, license=TEXT, links=_LINKS),
    "StacItem": an_object("type id stac_version geometry properties assets links", type=one_of("Feature"), id=TEXT,
                          stac_version=TEXT, geometry=_GEOMETRY, properties=ANYTHING, assets=ANYTHING, links=_LINKS),
}  # fmt: skip
