"""The conformance classes that the service keeps. A test proves each by a request, and fails for one without proof.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.server.settings import Editing

_OGC = "http://www.opengis.net/spec"

#: By standard and part: the classes.
_CLASSES = {
    "ogcapi-common-1/1.0": ("core", "landing-page", "json", "html", "oas30"),
    "ogcapi-common-2/1.0": ("collections",),
    "ogcapi-features-1/1.0": ("core", "oas30", "html", "geojson"),
    "ogcapi-features-1/1.1": ("oas31",),  # the draft's class of OpenAPI 3.1
    "ogcapi-features-2/1.0": ("crs",),
    "ogcapi-features-3/1.0": ("queryables", "queryables-query-parameters", "filter", "features-filter"),
    "ogcapi-features-5/1.0": ("schemas", "queryables", "core-roles-features", "profile-parameter"),
    "cql2/1.0": (
        "cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison",
        "accent-insensitive-comparison", "basic-spatial-functions",
        "basic-spatial-operators",  # the draft's name of basic-spatial-functions, which QGIS looks for
        "basic-spatial-functions-plus", "spatial-functions", "temporal-functions", "array-functions",
        "property-property", "functions", "arithmetic",
    ),
    "ogcapi-records-1/1.0": ("core", "json", "html"),
    "ogcapi-tiles-1/1.0": ("core", "mvt", "tileset", "tilesets-list", "oas30", "geodata-tilesets", "png", "jpeg"),
    "ogcapi-maps-1/1.0": (
        "core", "background", "collection-map", "dataset-map", "collections-selection", "styled-map", "scaling",
        "spatial-subsetting", "datetime", "crs", "tilesets", "png", "jpeg",
    ),
    "ogcapi-coverages-1/1.0": (
        "core", "oas30", "geodata-coverage", "coverage-subset", "coverage-rangesubset", "coverage-bbox",
        "coverage-datetime",
    ),
    "ogcapi-styles-1/0.0": ("core", "html", "mapbox-styles", "sld-10"),  # a draft, and numbered so by its clients
    "ogcapi-edr-1/1.0": ("core",),
    "ogcapi-processes-1/1.0": ("core", "ogc-process-description", "json", "html", "oas30", "job-list"),
}  # fmt: skip

#: What is kept of SensorThings, which has its own place for the list: its root's `serverSettings`.
_SENSING = (
    "datamodel/thing",
    "datamodel/location",
    "datamodel/datastream",
    "datamodel/sensor",
    "datamodel/observed-property",
    "datamodel/observation",
    "datamodel/feature-of-interest",
    "datamodel/entity-control-information",
    "resource-path/resource-path-to-entities",
    "request-data/order",
    "request-data/expand",
    "request-data/select",
    "request-data/orderby",
    "request-data/top",
    "request-data/skip",
    "request-data/count",
    "request-data/filter",
    "request-data/built-in-filter-operations",
    "request-data/pagination",
    "request-data/status-code",
    "request-data/query-status-code",
    "data-array/data-array",
)

#: Classes of services on which features can be edited.
_EDITING = {"ogcapi-features-4/1.0": ("create-replace-delete", "update", "features", "optimistic-locking-etags")}


def classes(editing: Editing) -> list[str]:
    """The classes that a service keeps whose operator has set editing so."""
    kept = _CLASSES | (_EDITING if editing != "off" else {})
    return sorted(f"{_OGC}/{part}/conf/{name}" for part, names in kept.items() for name in names)


def sensing() -> list[str]:
    """The classes of SensorThings API 1.1 that are kept."""
    return sorted(f"{_OGC}/iot_sensing/1.1/req/{name}" for name in _SENSING)
