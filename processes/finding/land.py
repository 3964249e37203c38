"""The land on which a site may lie: what the plan allows, less what forbids it, piece by piece, with an account of what
took how much.

Pieces are EPSG:4490, x = longitude. They are cut as maps draw them, in degrees, as the site check cuts. Widths and
distances are taken in the plane.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from psycopg import Connection

from shikong.layers.catalog import Catalog
from shikong.layers.conflict_rules import Side
from shikong.layers.declared import Text
from shikong.layers.site_rules import SiteRule
from shikong.processes.conflicts import sides
from shikong.processes.finding import nearness
from shikong.processes.overlay import kernel, plane
from shikong.processes.overlay.kernel import Shapes
from shikong.store import ellipsoid
from shikong.store.moments import Moment

#: Surroundings are drawn with 16 segments a quarter, whose middles lie so much nearer than their ends.
_CHORDS = 1 / math.cos(math.pi / 64) + 1e-6


@dataclass(frozen=True)
class Step:
    """What was taken away and why, and what was left then. m², and how many pieces."""

    name: str
    title: Text
    removed: float
    left: float
    pieces: int


@dataclass
class Land:
    """Pieces of land, and the steps that led to them."""

    conn: Connection[Any]
    city: Catalog
    moment: Moment
    pieces: Shapes
    steps: list[Step] = field(default_factory=list)

    @property
    def areas(self) -> Any:
        """m² of each piece, by the survey's rule."""
        return ellipsoid.areas(self.pieces)

    def note(self, name: str, title: Text, pieces: Shapes) -> None:
        """Go on with these pieces."""
        before = float(self.areas.sum()) if self.steps else 0.0
        self.pieces = pieces
        after = float(self.areas.sum())
        self.steps.append(Step(name, title, max(0.0, before - after) if len(self.steps) else 0.0, after, len(pieces)))

    def without(self, name: str, title: Text, surfaces: Shapes) -> None:
        """Take surfaces away."""
        one, other = shapely.STRtree(surfaces).query(self.pieces, predicate="intersects")
        order = np.lexsort((other, one))
        pairs = kernel.Pairs(one[order], other[order])  # those that meet indeed: cutting is dear
        self.note(name, title, _single(kernel.uncovered(self.pieces, surfaces, pairs).shapes))

    def only_on(self, name: str, title: Text, surfaces: Shapes) -> None:
        """Keep what lies on surfaces."""
        together = np.array([shapely.union_all(surfaces)], dtype=object)
        shared = kernel.shared(self.pieces, together, kernel.meeting(self.pieces, together))
        self.note(name, title, _single(shared.shapes))

    def only(self, name: str, title: Text, which: Any) -> None:
        """Keep some pieces."""
        self.note(name, title, self.pieces[which])

    def near(self, side: Side, within: float = 0.0) -> sides.Features:
        """The features of a side that may meet the pieces, with surroundings so many metres wide."""
        wider = side.model_copy(update={"within": within * _CHORDS})
        return sides.read(self.conn, self.city, wider, None, self.moment, near=nearness.around(self.pieces, 0))


def allowed(
    conn: Connection[Any], city: Catalog, moment: Moment, side: Side, region: Shapes, *, joined: bool
) -> Land:  # fmt: skip
    """The features of a side in a region. joined: those that touch become one piece; else each stays by itself."""
    found = sides.read(conn, city, side, None, moment, near=region)
    inside = kernel.shared(found.shapes, region, kernel.meeting(found.shapes, region)).shapes
    if joined and len(inside):
        inside = np.array([shapely.union_all(inside)], dtype=object)
    land = Land(conn, city, moment, _single(kernel.surfaces_of(inside)))
    land.note("allowed", Text(zh="规划允许此类用途的用地", en="Land that the plan has for it"), land.pieces)
    return land


def without_forbidden(land: Land, rules: dict[str, SiteRule], project: str, taken: tuple[str, ...]) -> None:
    """Take away all that a rule of the site check forbids for a project, and the land of rules in `taken`."""
    for name, rule in rules.items():
        if not rule.holds_for(project) or not (rule.verdict_for(project) == "forbidden" or name in taken):
            continue
        found = land.near(rule.land, rule.nearer_than)
        if rule.fits:
            fitting = land.city.classes_of(rule.land.model_copy(update={"classes": rule.fits[project], "group": None}))
            found = found.only(np.array([code not in (fitting or ()) for code in found.classes], dtype=bool))
        land.without(name, rule.title, found.shapes)


def without_surroundings(land: Land, name: str, title: Text, side: Side, metres: float) -> None:
    """Take away what lies nearer to features than so many metres."""
    land.without(name, title, land.near(side, metres).shapes)


def without_strips(land: Land, metres: float) -> None:
    """Take away what is narrower than so many metres: pieces are worn down and grown again."""
    worn = shapely.buffer(plane.to_plane(land.pieces), -metres / 2, join_style="mitre")
    grown = plane.to_degrees(shapely.buffer(worn, metres / 2, join_style="mitre"))
    crossed = ~shapely.is_valid(grown)  # where two points have come to lie on each other
    grown[crossed] = shapely.make_valid(grown[crossed])
    kept = kernel.surfaces_of(shapely.intersection(grown, land.pieces))
    title = Text(zh=f"窄于 {metres:g} 米", en=f"Narrower than {metres:g} m")
    land.note("width", title, _single(kept))


def in_sizes(land: Land, least: float, most: float | None) -> None:
    """Cut what is larger than `most` (m²), and take away what is smaller than `least`."""
    if most is not None:
        pieces = [part for piece in land.pieces for part in _cut(piece, most)]
        land.note("cut", Text(zh="大于上限的地块分割", en="Cut where larger than wanted"), _objects(pieces))
    title = Text(zh=f"小于 {least / 10_000:g} 公顷", en=f"Smaller than {least / 10_000:g} ha")
    land.only("least", title, land.areas >= least)


def _cut(piece: Any, most: float) -> list[Any]:
    """A piece in strips across its length, none of which is larger than `most` (m²)."""
    area = float(ellipsoid.areas([piece])[0])
    if area <= most:
        return [piece]
    flat = plane.to_plane([piece])[0]
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(flat))
    one, two = corners[1] - corners[0], corners[2] - corners[1]
    start, along, across = (corners[0], one, two) if np.hypot(*one) >= np.hypot(*two) else (corners[1], two, -one)
    number = max(2, math.ceil(area / most))
    side, end = across * 0.01, along * 0.01  # a little more all round, so that the rim is in a strip for sure
    found: list[Any] = []
    for step in range(number):
        near, far = start + along * (step / number), start + along * ((step + 1) / number)
        near, far = (near - end if step == 0 else near), (far + end if step == number - 1 else far)
        strip = shapely.polygons([near - side, far - side, far + across + side, near + across + side])
        parts = _single(kernel.surfaces_of(shapely.intersection([piece], plane.to_degrees([strip]))))
        found += [small for part in parts for small in _cut(part, most)]
    return found


def _single(shapes: Shapes) -> Shapes:
    """The single surfaces of shapes."""
    return np.asarray(shapely.get_parts(shapes[~shapely.is_missing(shapes)]), dtype=object)


def _objects(shapes: list[Any]) -> Shapes:
    found = np.empty(len(shapes), dtype=object)
    found[:] = shapes
    return found
