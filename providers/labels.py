"""What codes mean, in place of the codes.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from shikong.layers import catalog
from shikong.layers.model import Layer

#: Languages in which code lists say what their codes mean.
Language = Literal["zh", "en"]

Row = tuple[Any, ...]


def meanings(layer: Layer, language: Language) -> dict[str, dict[str, str]]:
    """For each property with a code list, what its codes mean."""
    lists = catalog.default().codes
    return {
        name: {code: getattr(told.title, language) for code, told in lists[field.codes].codes.items()}
        for name, field in layer.fields.items()
        if field.codes and field.type == "string"
    }


def labelled(layer: Layer, columns: tuple[str, ...], rows: list[Row], language: Language | None) -> list[Row]:
    """Rows (id, geometry, these columns, then anything) with what codes mean; a code that its list lacks stays.

    language: None leaves the codes.
    """
    found = _positions(layer, columns, language) if language else ()
    if not found:
        return rows
    told = []
    for row in rows:
        values = list(row)
        for position, titles in found:
            values[position] = titles.get(values[position], values[position])
        told.append(tuple(values))
    return told


@lru_cache(maxsize=1024)
def _positions(layer: Layer, columns: tuple[str, ...], language: Language) -> tuple[tuple[int, dict[str, str]], ...]:
    titles = meanings(layer, language)
    return tuple((number, titles[name]) for number, name in enumerate(columns, 2) if name in titles)
