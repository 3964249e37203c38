"""Areas by county and class, from what layers have stored of each feature.

Each area is a whole number of square metres, which is the fourth decimal of a hectare: rounded once, for the lowest
class in each county. All that is told are sums of these, so that figures of any level add up to the last digit.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from psycopg import Connection, sql

from shikong.layers.catalog import Catalog
from shikong.layers.code_lists import CodeList
from shikong.layers.model import Layer
from shikong.processes.counties import Counties
from shikong.processes.overlay import kernel
from shikong.processes.supply import classes
from shikong.processes.supply.classes import Level
from shikong.store import moments
from shikong.store.moments import Moment

#: m² by county and class; no county is what lies in none, no class what has none.
Amounts = dict[tuple[str | None, str | None], int]

_SUMS = """
    SELECT left(s.xzqdm, 6), s.{by}::text, sum(s.{area}) FROM {rows} AS s
    WHERE left(s.xzqdm, 6) = ANY(%(wanted)s) GROUP BY 1, 2
"""

# A code of the whole city, as rivers and highways have, is no county's.
_OTHERS = """
    SELECT s.{by}::text, s.{area}, st_asbinary(s.geom) FROM {rows} AS s
    WHERE (left(s.xzqdm, 6) = ANY(%(counties)s)) IS NOT TRUE
"""


@dataclass(frozen=True)
class Scope:
    """Of what figures are wanted. counties: all of the city. district: one of them, or None for all."""

    conn: Connection[Any]
    city: Catalog
    counties: Counties
    district: str | None
    level: Level

    @property
    def names(self) -> dict[str, str]:
        """The names of the wanted counties by code."""
        every = zip(self.counties.codes.tolist(), self.counties.names.tolist(), strict=True)
        return {code: name for code, name in every if self.district in (None, code)}

    @property
    def wanted(self) -> Counties:
        """The wanted counties."""
        which = np.isin(self.counties.codes.astype(str), list(self.names))
        return Counties(self.counties.codes[which], self.counties.names[which], self.counties.shapes[which])


def area_field(layer: Layer) -> str:
    """The field with a feature's area on the ellipsoid."""
    return next(name for name, field in layer.fields.items() if field.derived == "ellipsoidal_area")


def by_county(scope: Scope, layer: Layer, field: str, moment: Moment) -> Amounts:
    """Areas of a layer by county and the codes of a field.

    A feature lies in the county that it names. One that names none is cut, and what lies in no county is told apart
    where all are wanted.
    """
    parts = {
        "by": sql.Identifier(field),
        "area": sql.Identifier(area_field(layer)),
        "rows": moments.rows(layer, moment),
    }
    params = moment.values | {"wanted": list(scope.names), "counties": scope.counties.codes.tolist()}
    found: defaultdict[tuple[str | None, str | None], float] = defaultdict(float)
    for county, code, area in scope.conn.execute(sql.SQL(_SUMS).format(**parts), params):
        found[county, code] += area
    others = scope.conn.execute(sql.SQL(_OTHERS).format(**parts), params, binary=True).fetchall()
    if others:
        codes, areas, wkb = zip(*others, strict=True)
        shapes = np.asarray(shapely.from_wkb(np.array(wkb, dtype=object)), dtype=object)
        for (county, number), area in cut(shapes, np.array(areas, dtype=float), scope).items():
            found[county, codes[number]] += area
    return {key: round(area) for key, area in found.items() if round(area)}


def cut(shapes: Any, areas: Any, scope: Scope) -> dict[tuple[str | None, int], float]:
    """The area (m²) of each shape, by position, in each wanted county, and in none where all are wanted."""
    wanted = scope.wanted
    pieces = kernel.shared(shapes, wanted.shapes, kernel.meeting(shapes, wanted.shapes))
    found: defaultdict[tuple[str | None, int], float] = defaultdict(float)
    for number, county, area in zip(pieces.first.tolist(), pieces.second.tolist(), pieces.area.tolist(), strict=True):
        found[wanted.codes[county], number] += area
    if scope.district is None:
        inside = np.bincount(pieces.first, pieces.area, minlength=len(shapes))
        # What the cutting itself loses of a surface is no land.
        for number in np.flatnonzero(areas - inside > np.maximum(1, areas * 1e-6)).tolist():
            found[None, number] += float(areas[number] - inside[number])
    return found


def raised(amounts: Amounts, listed: CodeList, level: Level) -> Amounts:
    """The same by the classes of a level."""
    found: Counter[tuple[str | None, str | None]] = Counter()
    for (county, code), area in amounts.items():
        found[county, classes.at(listed, code, level)] += area
    return dict(found)


def of_counties(amounts: Amounts) -> dict[str | None, int]:
    """The sum of all classes in each county."""
    found: Counter[str | None] = Counter()
    for (county, _), area in amounts.items():
        found[county] += area
    return dict(found)


def hectares(square_metres: int | None) -> float | None:
    """The same in hectares; to the last digit, since square metres are whole."""
    return None if square_metres is None else square_metres / 10_000
