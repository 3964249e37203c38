"""What sites are measured by: ways to roads and services, slope, shape, what they cost.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql

from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import Side
from shikong.layers.declared import Text
from shikong.layers.find_rules import Measure
from shikong.processes.conflicts import sides
from shikong.processes.conflicts.sides import Features
from shikong.processes.finding import checks, nearness, terrain
from shikong.processes.finding.terrain import Slope
from shikong.processes.overlay.kernel import Shapes
from shikong.store import ellipsoid, moments
from shikong.store.moments import Moment

#: Parcels tell what is on a site where they cover so much of it.
_COVERED = 0.99


_NAMES = "SELECT s.{key}, s.name FROM {rows} AS s WHERE s.{key} = ANY(%(keys)s) AND s.name <> ''"


@dataclass(frozen=True)
class Value:
    """A measure of a site. number: None where it is not known; infinite where nothing is within reach. about: what it
    was measured to."""

    number: float | None
    about: Text | None = None


@dataclass(frozen=True)
class Ways:
    """From each site to the nearest feature of each of some kinds. kinds: what they are called; those of None
    are called by their class. names: of the nearest features, where they have one. reach: how far was looked (m)."""

    kinds: Mapping[str, Text | None]
    nearest: Mapping[str, nearness.Nearest]
    features: Mapping[str, Features]
    names: Mapping[str, Mapping[str, str]]
    reach: float

    def farthest(self) -> NDArray[np.float64]:
        """Of each site the way to the kind that is farthest."""
        return np.asarray(np.max([each.metres for each in self.nearest.values()], axis=0))

    def value(self, city: Catalog, site: int) -> Value:
        """The same with what it leads to."""
        name = max(self.nearest, key=lambda each: self.nearest[each].metres[site])
        near, features = self.nearest[name], self.features[name]
        number, metres = int(near.feature[site]), float(near.metres[site])
        kind = self.kinds[name] or features.layer.title
        if number < 0:
            far = f"{self.reach / 1000:g} km"
            return Value(metres, Text(zh=f"{kind.zh}，{far} 内没有", en=f"{kind.en}, none within {far}"))
        listed = city.codes[features.system].codes if features.system else {}
        code = listed.get(features.classes[number])
        title = code.title if code and self.kinds[name] is None else kind
        key = str(features.keys[number])
        called = self.names[name].get(key, key)
        return Value(metres, Text(zh=f"{title.zh} {called}", en=f"{title.en} {called}"))


def ways(
    conn: Connection[Any], city: Catalog, moment: Moment, sites: Shapes, wanted: Mapping[str, tuple[Text | None, Side]],
    reach: float,
) -> Ways:  # fmt: skip
    """The ways from sites to features of sides, by name."""
    near = nearness.around(sites, reach)
    features = {name: sides.read(conn, city, side, None, moment, near=near) for name, (_, side) in wanted.items()}
    found = {name: nearness.nearest(sites, each.shapes, reach) for name, each in features.items()}
    names = {
        name: _names(conn, moment, features[name].only(np.unique(each.feature[each.feature >= 0])))
        for name, each in found.items()
    }
    return Ways({name: title for name, (title, _) in wanted.items()}, found, features, names, reach)


def _names(conn: Connection[Any], moment: Moment, features: Features) -> dict[str, str]:
    """The names of features by key, of those that have one."""
    layer = features.layer
    if "name" not in layer.fields:
        return {}
    query = sql.SQL(_NAMES).format(key=sql.Identifier(layer.key_field), rows=moments.rows(layer, moment))
    return {str(key): str(name) for key, name in conn.execute(query, moment.values | {"keys": features.keys.tolist()})}


def compactness(sites: Shapes) -> NDArray[np.float64]:
    """4π of the area over the square of the rim's length: 1 for a circle, 0.785 for a square."""
    rings = ellipsoid.rings_of(sites)
    return np.asarray(4 * np.pi * ellipsoid.areas(sites, rings) / ellipsoid.perimeters(sites, rings) ** 2)


def slopes(place: Path | None, sites: Shapes) -> list[Slope | None]:
    """The slope of each site's ground; None where there are no heights."""
    return [None] * len(sites) if place is None else terrain.slopes(place, sites)


@dataclass(frozen=True)
class Present:
    """What is on a site now. classes: m² by class. cropland: % of the site, None where parcels do not cover it."""

    classes: dict[str, float]
    cropland: float | None


def present(
    conn: Connection[Any], city: Catalog, moment: Moment, sites: Shapes, layer: str, cropland: Sequence[str]
) -> list[Present]:  # fmt: skip
    """What is on each site now."""
    crops = city.classes_of(Side.model_validate({"layer": layer, "classes": cropland})) or frozenset()
    found = []
    for meeting, area in zip(checks.on(conn, city, layer, sites, moment), ellipsoid.areas(sites), strict=True):
        classes = {str(code): part for code, part in meeting.by_class().items()}
        covered = sum(classes.values()) >= _COVERED * area
        taken = sum(part for code, part in classes.items() if code in crops)
        found.append(Present(classes, float(taken / area * 100) if covered else None))
    return found


Values = dict[Measure, Value]
