"""The OpenAPI document: pygeoapi's, made whole, so that nobody must fetch a part of it elsewhere.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pygeoapi import api as pygeoapi_core
from pygeoapi.api import all_apis as pygeoapi_apis
from pygeoapi.api import itemtypes

from shikong.layers import catalog
from shikong.server import editing_api, features, filtering, jobs, parameters, settings

# The package's attribute of this name is its command line, not its module.
pygeoapi_openapi = import_module("pygeoapi.openapi")

_UNUSED = ("stac", "map")

#: pygeoapi's queries that can be asked as of a time; features say so themselves.
_WITH_PAST = ("coverage", "position", "locations")


def blocks() -> dict[str, Any]:
    """pygeoapi's building blocks with ours in their places, and without those that serve nothing here."""
    ours = {"itemtypes": features, "process": jobs}
    return {name: block for name, block in pygeoapi_apis().items() if name not in _UNUSED} | ours


def install_blocks() -> None:
    """Put our building blocks at pygeoapi's one seam."""
    for module in (pygeoapi_core, pygeoapi_openapi):
        vars(module)["all_apis"] = blocks


def document(config: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document for a configuration."""
    whole: dict[str, Any] = _without_outside_references(pygeoapi_openapi.get_oas_30(config))
    for path, operations in whole["paths"].items():
        if path.rpartition("/")[2] in _WITH_PAST or "/locations/" in path:
            operations["get"]["parameters"].append(parameters.AS_OF)
        if path.endswith("{tileCol}"):
            times = [parameters.DATETIME, parameters.AS_OF]
            operations["get"]["parameters"] += [*filtering.openapi_parameters(), *times]
    if settings.from_env().editing != "off":
        editing_api.extend(whole, catalog.default())
    whole["info"]["contact"]["name"] = config["metadata"]["contact"]["name"]  # pygeoapi puts both languages there
    return whole


def conformance_classes() -> list[str]:
    """The conformance classes of every block, each once."""
    classes = [*pygeoapi_core.CONFORMANCE_CLASSES, *itemtypes.CONFORMANCE_CLASSES_RECORDS]
    for block in blocks().values():
        classes += block.CONFORMANCE_CLASSES
    if settings.from_env().editing != "off":
        classes += editing_api.CONFORMANCE_CLASSES
    return sorted(set(classes))


def _without_outside_references(node: Any, role: str = "") -> Any:
    """Replace references to documents on other hosts by short definitions of the same meaning."""
    if isinstance(node, list):
        return [_without_outside_references(item, role) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith("http"):
        return _standing_in(reference, role)
    return {key: _without_outside_references(value, key) for key, value in node.items()}


def _standing_in(reference: str, role: str) -> dict[str, Any]:
    name = reference.rstrip("/").split("/")[-1].removesuffix(".yaml")
    if role == "parameters":
        path = name.endswith("Id") or name.startswith("tile") or name == "processID"
        return {"name": name, "in": "path" if path else "query", "required": path, "schema": {"type": "string"}}
    if role == "schema":
        return {"type": "object", "title": name}
    return {"description": name}
