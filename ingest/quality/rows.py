"""Rules that one row answers for alone, checked on whole batches as they stream in.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from shikong.ingest.quality.findings import Finding, storable
from shikong.ingest.readers.base import Geometries
from shikong.layers import rules
from shikong.layers.model import Layer
from shikong.store import ellipsoid

Flags = NDArray[np.bool_]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, "=": operator.eq, ">=": operator.ge, ">": operator.gt, "!=": operator.ne,
}  # fmt: skip


def check(
    layer: Layer, values: Mapping[str, Any], shapes: Geometries, keep: Flags, first_row: int
) -> Iterator[Finding]:
    """Findings of the layer's row rules in a batch.

    values: field -> value per row. shapes: EPSG:4490. keep: rows that are still in; of the others nothing is said.
    """
    keys = values[layer.key_field]
    for rule in layer.quality:
        broken, name, told = _broken(rule, values, shapes)
        found = np.flatnonzero(broken & keep)
        for row, shape in zip(found.tolist(), storable(shapes[found]), strict=True):
            key = None if keys[row] is None else str(keys[row])
            yield Finding(first_row + row, rule.rule, name, told(row), rule.severity, key, shape)


def _broken(rule: Any, values: Mapping[str, Any], shapes: Geometries) -> tuple[Flags, str, Callable[[int], str | None]]:
    """Which rows break a rule, in which field, and what to tell of each. Rules over the whole break nowhere here."""
    match rule:
        case rules.Range(field=name):
            low = -np.inf if rule.minimum is None else rule.minimum
            high = np.inf if rule.maximum is None else rule.maximum
            return _each(values[name], lambda value: not low <= value <= high), name, _value(values[name])
        case rules.Pattern(field=name):
            matches = re.compile(rule.pattern).fullmatch
            return _each(values[name], lambda value: matches(value) is None), name, _value(values[name])
        case rules.Compare(left=name):
            return _compared(rule, values), name, _pair(rule, values)
        case rules.MinArea():
            areas = ellipsoid.areas(shapes)
            return areas < rule.area, "geometry", lambda row: f"{areas[row]:.2f} m2"
        case rules.NoSlivers():
            with np.errstate(divide="ignore", invalid="ignore"):
                widths = 2 * ellipsoid.areas(shapes) / ellipsoid.lengths(shapely.boundary(shapes))
            return widths < rule.width, "geometry", lambda row: f"{widths[row]:.2f} m wide"
    return np.zeros(len(shapes), dtype=bool), "", lambda row: None


def _each(column: Any, breaks: Callable[[Any], bool]) -> Flags:
    return np.array([value is not None and breaks(value) for value in column], dtype=bool)


def _compared(rule: rules.Compare, values: Mapping[str, Any]) -> Flags:
    holds = _OPERATORS[rule.operator]
    pairs = zip(values[rule.left], values[rule.right], strict=True)
    return np.array(
        [left is not None and right is not None and not holds(left, right) for left, right in pairs], dtype=bool
    )


def _value(column: Any) -> Callable[[int], str | None]:
    return lambda row: str(column[row])[:200]


def _pair(rule: rules.Compare, values: Mapping[str, Any]) -> Callable[[int], str | None]:
    return lambda row: f"{values[rule.left][row]} {rule.operator} {rule.right} {values[rule.right][row]} does not hold"
