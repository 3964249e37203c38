"""How editing is described in the OpenAPI document, and which conformance classes it fulfils.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from shikong.layers.catalog import Catalog
from shikong.server import edit_bodies
from shikong.server.edit_preferences import KNOWN

_PART_4 = "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf"

CONFORMANCE_CLASSES = [
    f"{_PART_4}/create-replace-delete",
    f"{_PART_4}/update",
    f"{_PART_4}/features",
    f"{_PART_4}/optimistic-locking-etags",
]


def extend(document: dict[str, Any], catalog: Catalog) -> None:
    """Add the editing of features to an OpenAPI document that describes how they are read."""
    components = document.setdefault("components", {})
    for kind, parts in _COMPONENTS.items():
        components.setdefault(kind, {}).update(parts)
    for path, operations in document["paths"].items():
        collection, found, item = path.removeprefix("/collections/").partition("/items")
        layer = catalog.layers.get(collection)
        if not found or layer is None or layer.kind != "features" or item.count("/") > 1:
            continue
        tags = operations["get"]["tags"]
        named = [each for each in operations["get"]["parameters"] if "featureId" in str(each)]
        methods = ("put", "patch", "delete") if item else ("post",)
        for method in methods:
            operations[method] = _operation(method, layer.id, layer.title.zh, tags, named)
        operations["options"] = {
            "summary": "what can be done here", "tags": tags, "parameters": named,
            "operationId": f"options{'Item' if item else 'Items'}{layer.id}",
            "responses": {"204": {"description": "`Allow` tells it"}},
        }  # fmt: skip
    document["paths"]["/transactions"] = {"post": _TRANSACTION}


def _operation(method: str, layer: str, title: str, tags: list[str], named: list[Any]) -> dict[str, Any]:
    body, what, done = _METHODS[method]
    refs = ["ContentCrs", "Prefer", *([] if method == "post" else ["IfMatch"])]
    statuses = ["400", "405", "422", "503", *(["409"] if method != "delete" else [])]
    statuses += [] if method == "post" else ["404", "412", "428"]
    statuses += [] if method == "delete" else ["413", "415"]
    operation: dict[str, Any] = {
        "summary": f"{what} · {title}", "tags": tags, "operationId": f"{method}{layer}",
        "parameters": [*named, *({"$ref": f"#/components/parameters/{name}"} for name in refs)],
        "responses": {
            done: {"$ref": f"#/components/responses/{'Created' if done == '201' else 'Edited'}"},
            **{status: {"$ref": "#/components/responses/Problem"} for status in sorted(statuses)},
        },
    }  # fmt: skip
    if method != "post":
        operation["responses"]["204"] = {"description": "done; with `Prefer: return=minimal`"}
    if body:
        operation["requestBody"] = {"$ref": f"#/components/requestBodies/{body}"}
    return operation


_METHODS = {
    "post": ("Features", "add a feature, or several as one", "201"),
    "put": ("Feature", "replace a feature by a new version", "200"),
    "patch": ("FeaturePatch", "change parts of a feature", "200"),
    "delete": ("", "end a feature", "200"),
}


def _content(types: tuple[str, ...], schema: str) -> dict[str, Any]:
    return {kind: {"schema": {"$ref": f"#/components/schemas/{schema}"}} for kind in types}


_FEATURE = {
    "type": "object", "required": ["type", "geometry", "properties"],
    "properties": {
        "type": {"type": "string", "enum": ["Feature"]},
        "id": {"type": "string"},
        "geometry": {"type": "object", "nullable": True, "required": ["type"],
                     "properties": {"type": {"type": "string"}}},
        "properties": {"type": "object", "nullable": True,
                       "description": "as /schema of the collection has them; what is readOnly there is passed over"},
    },
}  # fmt: skip

_FINDINGS = {
    "type": "array",
    "items": {"type": "object", "properties": {
        "rule": {"type": "string"}, "field": {"type": "string", "nullable": True},
        "value": {"type": "string", "nullable": True},
    }},
}  # fmt: skip

_REPORT = {
    "type": "object", "required": ["status"],
    "properties": {
        "status": {"type": "integer"}, "collection": {"type": "string"}, "id": {}, "release": {"type": "integer"},
        "etag": {"type": "string"}, "location": {"type": "string"}, "warnings": _FINDINGS,
        "detail": {"type": "string"}, "findings": _FINDINGS, "feature": {"type": "object"},
    },
}  # fmt: skip

_COMPONENTS: dict[str, dict[str, Any]] = {
    "schemas": {
        "EditedFeature": _FEATURE,
        "EditedFeatures": {"oneOf": [
            {"$ref": "#/components/schemas/EditedFeature"},
            {"type": "object", "required": ["type", "features"], "properties": {
                "type": {"type": "string", "enum": ["FeatureCollection"]},
                "features": {"type": "array", "minItems": 1, "maxItems": 1000,
                             "items": {"$ref": "#/components/schemas/EditedFeature"}},
            }},
        ]},
        "FeaturePatch": {"type": "object", "properties": {
            "geometry": {"type": "object"}, "properties": {"type": "object", "nullable": True},
        }},
        "EditReport": _REPORT,
        "EditReports": {"type": "object", "properties": {
            "done": {"type": "integer"}, "refused": {"type": "integer"},
            "operations": {"type": "array", "items": _REPORT},
        }},
        "EditOperation": {
            "type": "object", "required": ["collection", "method"], "additionalProperties": False,
            "properties": {
                "collection": {"type": "string"},
                "method": {"type": "string", "enum": ["POST", "PUT", "PATCH", "DELETE"]},
                "id": {"type": "string", "description": "which feature; not with POST"},
                "if-match": {"type": "string", "description": "the feature's ETag as it was read; not with POST"},
                "body": {"type": "object", "description": "as the method's own request has it; none with DELETE"},
            },
        },
    },
    "parameters": {
        "ContentCrs": {"name": "Content-Crs", "in": "header", "schema": {"type": "string"},
                       "description": "CRS of the body's coordinates, in angle brackets; CRS84 unless said"},
        "Prefer": {"name": "Prefer", "in": "header", "schema": {"type": "string"},
                   "description": "; ".join(f"{name}={'|'.join(values)}" for name, values in KNOWN.items())},
        "IfMatch": {"name": "If-Match", "in": "header", "schema": {"type": "string"},
                    "description": "the ETag that came with the feature when it was read"},
    },
    "requestBodies": {
        "Features": {"required": True, "content": _content(edit_bodies.GEOJSON, "EditedFeatures")},
        "Feature": {"required": True, "content": _content(edit_bodies.GEOJSON, "EditedFeature")},
        "FeaturePatch": {"required": True, "content": _content(edit_bodies.MERGE_PATCH, "FeaturePatch")},
    },
    "responses": {
        "Created": {"description": "added; `Location` tells where a single feature is",
                    "headers": {"Location": {"schema": {"type": "string"}}},
                    "content": {"application/json": {"schema": {"anyOf": [
                        {"$ref": "#/components/schemas/EditReport"}, {"$ref": "#/components/schemas/EditReports"},
                    ]}}}},
        "Edited": {"description": "done", "content": _content(("application/json",), "EditReport")},
        "Problem": {"description": "why nothing was changed",
                    "content": {"application/problem+json": {"schema": {"type": "object"}}}},
    },
}  # fmt: skip

_TRANSACTION = {
    "summary": "change features of several layers as one", "operationId": "transact", "tags": ["server"],
    "description": "All operations are done, or none; with `Prefer: handling=lenient` those that can be done. "
    "The answer tells of each; the operations of a layer are one release.",
    "parameters": [{"$ref": "#/components/parameters/ContentCrs"}, {"$ref": "#/components/parameters/Prefer"}],
    "requestBody": {"required": True, "content": {"application/json": {"schema": {
        "type": "object", "required": ["operations"], "properties": {"operations": {
            "type": "array", "minItems": 1, "maxItems": 1000, "items": {"$ref": "#/components/schemas/EditOperation"},
        }},
    }}}},
    "responses": {
        "200": {"description": "done", "content": _content(("application/json",), "EditReports")},
        "201": {"description": "done; all were added", "content": _content(("application/json",), "EditReports")},
        **{status: {"$ref": "#/components/responses/Problem"}
           for status in ("400", "404", "405", "409", "412", "413", "415", "422", "428", "503")},
    },
}  # fmt: skip
