"""What a layer's style comes to: the symbols that its features are drawn with, in the order of its code list.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.layers.model import Layer


@dataclass(frozen=True)
class Symbol:
    """One colour and what it stands for. value: of the style's field; None for all values that have no other."""

    value: str | None
    title: Text
    color: str


def symbols(catalog: Catalog, layer: Layer) -> list[Symbol]:
    """The symbols of a features layer, that for all other values last. A layer without a style has none."""
    if layer.style is None:
        return []
    others = Symbol(None, layer.title, layer.style.color)
    if layer.style.by is None:
        return [others]
    listed = catalog.codes[layer.fields[layer.style.by].codes or ""].codes
    return [Symbol(code, entry.title, entry.color) for code, entry in listed.items() if entry.color] + [others]


def palette(catalog: Catalog, layer: Layer, parameter: str) -> list[Symbol]:
    """The symbols of a raster's values that are codes."""
    listed = catalog.codes[layer.parameters[parameter].codes or ""].codes
    return [Symbol(code, entry.title, entry.color) for code, entry in listed.items() if entry.color]
