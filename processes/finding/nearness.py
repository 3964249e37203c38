"""What lies near sites, and how near.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from shikong.processes.overlay import plane
from shikong.processes.overlay.kernel import Shapes

#: A degree of latitude, and of longitude in all of China, has at least so many metres.
_DEGREE = 50_000

#: m; the library looks no farther than a distance that has to be more than 0.
_NOTHING = 1e-6


def around(shapes: Shapes, metres: float) -> Shapes:
    """The box of all shapes (degrees), so many metres wider, as an array of one; empty where there are none."""
    if not len(shapes):
        return shapes
    west, south, east, north = shapely.total_bounds(shapes)
    wide = metres / _DEGREE
    found = np.empty(1, dtype=object)
    found[0] = shapely.box(west - wide, south - wide, east + wide, north + wide)
    return found


@dataclass(frozen=True)
class Nearest:
    """Of each site the distance (m) to the nearest of some features, and its position among them; infinitely far and -1
    where none is within reach."""

    metres: NDArray[np.float64]
    feature: NDArray[np.intp]


def nearest(sites: Shapes, features: Shapes, reach: float) -> Nearest:
    """The nearest feature of each site. sites, features: degrees. reach: m."""
    found = Nearest(np.full(len(sites), np.inf), np.full(len(sites), -1))
    if not len(sites) or not len(features):
        return found
    tree = shapely.STRtree(plane.to_plane(features))
    scale = plane.scales(sites)
    (site, feature), metres = tree.query_nearest(
        plane.to_plane(sites),
        max_distance=reach * float(scale.max()) + _NOTHING,
        return_distance=True,
        all_matches=False,
    )
    metres = metres / scale[site]
    within = metres <= reach
    found.metres[site[within]] = metres[within]
    found.feature[site[within]] = feature[within]
    return found


def within(sites: Shapes, features: Shapes, metres: float) -> list[list[tuple[int, float]]]:
    """Of each site the features that are no farther, with their distances (m), the nearest first."""
    found: list[list[tuple[int, float]]] = [[] for _ in sites]
    if not len(sites) or not len(features):
        return found
    scale, flat, others = plane.scales(sites), plane.to_plane(sites), plane.to_plane(features)
    one, other = shapely.STRtree(others).query(flat, predicate="dwithin", distance=metres * scale)
    apart = shapely.distance(flat[one], others[other]) / scale[one]
    for number in np.lexsort((apart, one)).tolist():
        found[one[number]].append((int(other[number]), float(apart[number])))
    return found
