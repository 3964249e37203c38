"""The OpenAPI document as a whole, in version 3.1, and in 3.0 for clients that know no other.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from shikong.layers.catalog import Catalog
from shikong.providers.options import field_schemas
from shikong.server.contract import drawing, editing, observing, parameters, reading, schemas, sensing
from shikong.server.contract.schemas import Part, schema
from shikong.server.settings import Editing

_TAGS = {
    "service": "服务 / the service itself", "layers": "图层 / layers", "features": "要素 / features",
    "editing": "编辑 / editing of features", "records": "目录 / records of layers and releases",
    "styles": "样式 / styles and legends", "tiles": "瓦片 / vector tiles", "pictures": "图像 / maps and map tiles",
    "rasters": "栅格 / coverages and cubes", "observations": "观测 / time series",
    "sensorthings": "物联网感知 / SensorThings API",
    "warnings": "预警 / warnings as they come",
    "processes": "分析 / questions that the service answers", "jobs": "作业 / loads in work",
}  # fmt: skip


def document(catalog: Catalog, url: str, setting: Editing) -> dict[str, Any]:
    """The document of OpenAPI 3.1. url: the service's public address. setting: who may edit."""
    paths = reading.paths(catalog) | observing.paths() | sensing.paths() | drawing.paths()
    for path, item in paths.items():
        if "/items" in path and path.count("/") <= 4 and not path.startswith("/stac"):
            _add(item, {"options": editing.options(f"options{item['get']['operationId'].removeprefix('get')}")})
    known = schemas.components(catalog)
    if setting != "off":
        known |= editing.SCHEMAS
        for path, operations in editing.operations().items():
            _add(paths.setdefault(path, {}), operations)
    for item in paths.values():
        if "get" in item:
            item["head"] = _head(item["get"])
    city = catalog.city
    return {
        "openapi": "3.1.0",
        "info": {
            "title": city.title.zh, "description": f"{city.description.zh}\n\n{city.description.en}",
            "version": version("shikong"), "contact": {"name": city.publisher.zh, "email": city.contact},
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": url}],
        "security": [{}, {"bearer": []}, {"basic": []}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "parameters": parameters.components(catalog, drawing.PARAMETERS), "schemas": known, "responses": _RESPONSES,
            "securitySchemes": _SIGNING_IN,
            "headers": {
                name: {"description": text, "schema": schemas.TEXT} for name, text in reading.HEADERS.items()
            },
        },
    }  # fmt: skip


_SIGNING_IN: dict[str, Part] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an account's token"},
    "basic": {"type": "http", "scheme": "basic", "description": "an account's token as the password"},
}

_RESPONSES: dict[str, Part] = {
    "Problem": {
        "description": "why not: which parameter, and what it may be",
        "content": {"application/problem+json": {"schema": schema("Problem")},
                    "text/html": {"schema": {"type": "string"}}},
    },
    "Headers": {"description": "the headers of GET"},
    "Features": {
        "description": "features", "content": {"application/geo+json": {"schema": schema("FeatureCollection")}},
    },
}  # fmt: skip


def _add(item: Part, operations: Part) -> None:
    """Add operations to a path. Query parameters stay with what is read."""
    if "get" in item and "parameters" not in item["get"]:
        shared = item.pop("parameters")
        path = [each for each in shared if _in_path(each)]
        item |= {"parameters": path}
        item["get"]["parameters"] = [each for each in shared if each not in path]
    item |= operations


def _in_path(parameter: Part) -> bool:
    name: str = parameter.get("$ref", "").rpartition("/")[2]
    return name.endswith(("Id", "Layer"))


def _head(got: Part) -> Part:
    """HEAD of what can be read: the same without a body."""
    kept: Part = {name: got[name] for name in ("tags", "parameters") if name in got}
    responses = {
        status: answer if status == "304" else {"$ref": "#/components/responses/Headers"}
        for status, answer in got["responses"].items()
    }
    name = f"head{got['operationId'].removeprefix('get')}"
    return {"summary": "the headers of GET", "operationId": name, **kept, "responses": responses}


def in_version_3_0(catalog: Catalog, whole: dict[str, Any]) -> dict[str, Any]:
    """The document as OpenAPI 3.0, whose schemas have one type, and null as a keyword.

    Clients that know no later version look under each layer's own address what can be asked of it: GDAL filters on the
    server by the properties that it finds there.
    """
    older: dict[str, Any] = _older(whole)
    return older | {"openapi": "3.0.3", "paths": older["paths"] | _by_layer(catalog, older["paths"])}


def _by_layer(catalog: Catalog, paths: dict[str, Part]) -> dict[str, Part]:
    got: Part = paths["/collections/{collectionId}/items"]["get"]
    shared = [each for each in got["parameters"] if "$ref" in each]
    responses = {
        "200": {"$ref": "#/components/responses/Features"}, "default": {"$ref": "#/components/responses/Problem"},
    }  # fmt: skip
    found = {}
    for layer in catalog:
        if layer.kind == "features":
            fields = [{"name": name, "in": "query", "schema": schemas.TEXT} for name in field_schemas(layer)]
            operation = {"operationId": f"getFeaturesOf.{layer.id}", "tags": got["tags"], "responses": responses}
            found[f"/collections/{layer.id}/items"] = {"get": operation | {"parameters": [*shared, *fields]}}
    return found


def _older(node: Any) -> Any:
    if isinstance(node, list):
        return [_older(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: _older(value) for key, value in node.items()}
    if isinstance(kinds := node.get("type"), list):
        plain = [kind for kind in kinds if kind != "null"]
        del made["type"]
        made |= {"type": plain[0]} if len(plain) == 1 else {"anyOf": [{"type": kind} for kind in plain]}
        made |= {"nullable": True} if "null" in kinds else {}
    return made
