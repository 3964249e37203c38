"""What a site meets, layer by layer: how much of it lies on which classes, and how far away what does not touch it is.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from psycopg import Connection, sql

from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import Side
from shikong.layers.model import Layer
from shikong.processes.conflicts import sides
from shikong.processes.conflicts.sides import Features
from shikong.processes.overlay import kernel
from shikong.processes.overlay.kernel import Pieces
from shikong.processes.sites.site import Site
from shikong.store import moments, tables
from shikong.store.moments import Moment

# The nearest by the index; the distance on the ellipsoid.
_NEAREST = """
    SELECT s.{key}, st_distance(s.geom::geography, site.geom::geography)
    FROM {rows} AS s, (SELECT st_setsrid(st_geomfromwkb(%(site)s), {srid}) AS geom) AS site
    WHERE s.geom && st_expand(site.geom, %(degrees)s) AND {classes}
        AND st_dwithin(s.geom::geography, site.geom::geography, %(metres)s)
    ORDER BY 2, 1 LIMIT %(limit)s
"""

#: A square centimetre (m²): what rounding leaves of a site along a feature that it touches.
NOTHING = 1e-4

#: A degree of latitude, and of longitude in all of China, has at least so many metres.
_DEGREE = 50_000


@dataclass(frozen=True)
class Meeting:
    """A layer's features on a site and the site's pieces on them; areas are shares of the site's own."""

    features: Features
    pieces: Pieces

    @property
    def area(self) -> float:
        """m² of the site that lie on the layer; where its features overlap, that counts once for each."""
        return float(self.pieces.area.sum())

    def by_class(self) -> dict[str | None, float]:
        """m² by class."""
        found: dict[str | None, float] = {}
        for number, area in zip(self.pieces.second, self.pieces.area, strict=True):
            code = self.features.classes[number]
            found[code] = found.get(code, 0.0) + float(area)
        return found


def on(conn: Connection[Any], city: Catalog, layer: Layer, site: Site, moment: Moment) -> Meeting:
    """What of a layer of surfaces lies on a site."""
    side = Side.model_validate({"layer": layer.id})
    features = sides.read(conn, city, side, None, moment, near=site.shapes)
    pieces = kernel.shared(site.shapes, features.shapes, kernel.meeting(site.shapes, features.shapes))
    return Meeting(features, pieces.only(pieces.area >= NOTHING))


def near(
    conn: Connection[Any], city: Catalog, side: Side, site: Site, metres: float, moment: Moment, limit: int = 20
) -> list[tuple[str, float]]:
    """Keys and distances (m) of a side's features that are no farther from a site, the nearest first."""
    layer, codes = city.layer(side.layer), city.classes_of(side)
    by, _ = city.class_field(side)
    params: Mapping[str, Any] = moment.values | {
        "site": shapely.to_wkb(site.shape), "degrees": metres / _DEGREE, "metres": metres, "limit": limit,
        "codes": sorted(codes or ()),
    }  # fmt: skip
    classes = sql.SQL("true")
    query = sql.SQL(_NEAREST).format(
        key=sql.Identifier(layer.key_field), rows=moments.rows(layer, moment), srid=sql.Literal(tables.SRID),
        classes=classes if codes is None else sql.SQL("s.{} = ANY(%(codes)s)").format(sql.Identifier(by or "")),
    )  # fmt: skip
    return [(str(key), float(distance)) for key, distance in conn.execute(query, params)]
