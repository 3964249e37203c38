"""From the two sides of a rule to the conflicts between them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import ConflictRule
from shikong.processes.conflicts.sides import Features
from shikong.processes.counties import Counties
from shikong.processes.overlay import kernel
from shikong.processes.overlay.kernel import Pieces, Shapes
from shikong.processes.overlay.spread import Progress, Spread

#: Pieces smaller than this (m²) are what rounding leaves between surfaces that touch: a square millimetre.
_NOTHING = 1e-6


@dataclass(frozen=True)
class Conflicts:
    """Conflicts by one rule, in the columns of the layer plan_conflicts, and their shapes (EPSG:4490)."""

    columns: pd.DataFrame
    shapes: Shapes

    def __len__(self) -> int:
        return len(self.shapes)


#: For the classes of each side, the top code below which each lies.
Tops = tuple[Mapping[str, str], Mapping[str, str]]


def tops_of(catalog: Catalog, rule: ConflictRule) -> Tops | None:
    """What a rule compares of classes; None for one that does not."""
    if not rule.differing:
        return None
    (_, a), (_, b) = catalog.class_field(rule.a), catalog.class_field(rule.b)
    assert a is not None
    assert b is not None
    return catalog.tops(a, b), catalog.tops(b, b)


def find(
    name: str, rule: ConflictRule, a: Features, b: Features, tops: Tops | None, districts: Counties, spread: Spread,
    progress: Progress,
) -> Conflicts:  # fmt: skip
    """The conflicts by a rule between features of its sides, in the order of their keys. tops: `tops_of` the rule."""
    choose = partial(_breaking, rule, tops, a, b) if rule.limit or rule.differing else None
    pieces = spread.overlay(rule.relation, a.shapes, b.shapes, progress, choose)
    return _told(name, rule, a, b, districts, pieces.only(pieces.area >= _NOTHING))


def _breaking(rule: ConflictRule, tops: Tops | None, a: Features, b: Features, pairs: kernel.Pairs) -> kernel.Pairs:
    """The pairs that break a limit, or differ in their classes; what is unknown breaks none."""
    broken = np.ones(len(pairs), dtype=bool)
    if rule.limit:
        value, bound = a.values[pairs.first], b.values[pairs.second]
        broken &= value > bound if rule.limit.at_most else value < bound  # false for NaN
    if tops is not None:
        one, other = _of(tops[0], a.classes)[pairs.first], _of(tops[1], b.classes)[pairs.second]
        broken &= (one != other) & (one != "") & (other != "")
    return kernel.Pairs(pairs.first[broken], pairs.second[broken])


def _of(tops: Mapping[str, str], classes: Any) -> Any:
    """The top code of each class; an empty one where that is unknown."""
    return np.array([tops.get(code, "") for code in classes], dtype=object)


def _told(name: str, rule: ConflictRule, a: Features, b: Features, districts: Counties, pieces: Pieces) -> Conflicts:
    """Pieces as features of the layer of conflicts."""
    first, second, alone = pieces.first, pieces.second, rule.relation == "uncovered"
    number = len(pieces)
    nothing = np.full(number, None, dtype=object)
    b_keys = nothing if alone else b.keys[second]
    codes = [".".join((name, one) if alone else (name, one, other))
             for one, other in zip(a.keys[first], b_keys, strict=True)]  # fmt: skip
    limited = rule.limit is not None
    columns = {
        "code": codes, "rule": name, "severity": rule.severity,
        "sliver": (pieces.area < rule.sliver.area) | (pieces.width < rule.sliver.width),
        "xzqdm": districts.of(pieces.shapes),
        "a_layer": a.layer.id, "a_id": a.keys[first], "a_class": a.classes[first], "a_system": a.system,
        "a_release": a.releases[first],
        "b_layer": b.layer.id, "b_id": b_keys, "b_class": nothing if alone else b.classes[second],
        "b_system": None if alone else b.system, "b_release": nothing if alone else b.releases[second],
        "a_value": a.values[first] if limited else nothing, "b_bound": b.values[second] if limited else nothing,
        "width": np.round(pieces.width, 2), "area": np.round(pieces.area, 4),
        "origin": np.where(a.generated[first] | (False if alone else b.generated[second]), "generated", "delivered"),
    }  # fmt: skip
    frame = pd.DataFrame({column: pd.Series(values, index=range(number), dtype=object)
                          for column, values in columns.items()})  # fmt: skip
    return Conflicts(frame, pieces.shapes)
