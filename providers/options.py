"""The one place where pygeoapi's free dictionaries become typed: which layer a plugin serves.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from pygeoapi.provider.base import ProviderConnectionError, ProviderInvalidQueryError

from shikong.layers import catalog
from shikong.layers.errors import UnknownLayer
from shikong.layers.model import Layer

Box = tuple[float, float, float, float]

_TYPES = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}


def layer_of(definition: dict[str, Any], kind: str) -> Layer:
    """The layer that a provider definition names in `data`. Raises pygeoapi's connection error."""
    try:
        layer = catalog.default().layer(definition["data"])
    except UnknownLayer as error:
        raise ProviderConnectionError(str(error), user_msg=str(error)) from error
    if layer.kind != kind:
        raise ProviderInvalidQueryError(user_msg=f"{layer.id} is of kind {layer.kind}, not {kind}")
    return layer


def box_of(bbox: Any) -> Box:
    """pygeoapi's list of four or six numbers as west, south, east, north: heights mean nothing here."""
    numbers = [float(number) for number in bbox]
    west, south, *_, east, north = numbers if len(numbers) == 4 else [*numbers[:2], *numbers[3:5]]
    return west, south, east, north


def field_schemas(layer: Layer) -> dict[str, dict[str, Any]]:
    """A feature layer's properties as JSON Schema, with titles, units and code lists; what clients cannot set is
    `readOnly`.
    """
    codes = catalog.default().codes
    schemas: dict[str, dict[str, Any]] = {}
    for name, field in layer.fields.items():
        schema: dict[str, Any] = {"title": field.title.zh, "x-title-en": field.title.en}
        if field.type in ("date", "datetime"):
            schema |= {"type": "string", "format": "date" if field.type == "date" else "date-time"}
        else:
            schema["type"] = _TYPES[field.type]
        if field.unit:
            schema["x-ogc-unit"] = field.unit
        if field.codes:
            schema["values"] = list(codes[field.codes].codes)
            schema["x-code-system"] = codes[field.codes].system
        if field.derived:
            schema["readOnly"] = True
        schemas[name] = schema
    schemas["origin"] = {"type": "string", "title": "数据来源", "x-title-en": "Origin of the data",
                         "values": ["delivered", "generated"], "readOnly": True}  # fmt: skip
    if layer.versioned:
        for name, zh, en in (("valid_from", "生效时间", "Valid from"), ("valid_to", "失效时间", "Valid to")):
            schemas[name] = {"type": "string", "format": "date-time", "title": zh, "x-title-en": en}
        schemas["valid_to"]["readOnly"] = True  # a version ends when the next begins, or by DELETE
    return schemas
