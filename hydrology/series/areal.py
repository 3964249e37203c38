"""How much rain fell on an area, told from rain gauges?

Each method makes weights of the gauges, and the areal rain is their weighted mean. Weights are made once for each set
of gauges that have a value, not for each hour. All places are in metres in a plane that the caller chooses.

Sources: Thiessen 1911; Shepard 1968 (inverse distances); Chow, Maidment & Mays 1988, 3.4 (areal means). The variogram
is fitted by pykrige; ordinary kriging is linear in the values, so its weights follow from one system of equations
(Cressie 1993, 3.2).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Weights of gauges from their places (n, 2); they add up to 1.
Weigh = Callable[[Floats], Floats]

#: Weights of gauges (n, 2) at each of some targets (m, n); each row adds up to 1.
Weighs = Callable[[Floats], Floats]

#: About how many points stand for an area where a method has no areas of its own.
POINTS = 400

#: No more squares than these are looked at, however little of what is around an area it fills.
MOST_POINTS = 40_000

#: A variogram needs so many gauges to be fitted; with fewer it grows by the distance alone.
FEWEST_TO_FIT = 5


@dataclass(frozen=True)
class Areal:
    """values: mm for each time (t,), nan where no gauge has a value. patterns: which gauges there are (k, n), each with
    its weights (k, n); which: the pattern of each time (t,)."""

    values: Floats
    patterns: NDArray[np.bool_]
    weights: Floats
    which: NDArray[np.int64]


def series(rain: Floats, places: Floats, weigh: Weigh) -> Areal:
    """The areal rain of many times at once. rain: (t, n) in mm, nan where a gauge has no value. places: (n, 2)."""
    patterns, which = _patterns(rain)
    weights = np.zeros(patterns.shape)
    for row, pattern in zip(weights, patterns, strict=True):
        if pattern.any():
            row[pattern] = weigh(places[pattern])
    values = np.einsum("tn,tn->t", np.nan_to_num(rain), weights[which])
    values[(patterns.sum(axis=1) == 0)[which]] = np.nan
    return Areal(values, patterns, weights, which)


def sums(rain: Floats, places: Floats, weigh: Weighs) -> Floats:
    """The sum of all times at some targets (m,), each time by the gauges that have a value then; nan where none has one
    at some time."""
    patterns, which = _patterns(rain)
    if not patterns.any(axis=1).all():
        return np.full(len(weigh(places)), np.nan)
    found = 0.0
    for number, pattern in enumerate(patterns):
        found = found + weigh(places[pattern]) @ rain[which == number][:, pattern].sum(axis=0)
    return np.asarray(found, dtype=float)


def _patterns(rain: Floats) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which gauges have a value (k, n), and which of these patterns each time has (t,)."""
    there: NDArray[np.bool_] = ~np.isnan(np.atleast_2d(rain))
    patterns, which = np.unique(there, axis=0, return_inverse=True)
    return patterns, which.reshape(-1)


def thiessen(places: Floats, area: Any) -> Floats:
    """The share of an area that is nearest to each gauge (n,). Gauges at one place share what is theirs."""
    middle = np.array(shapely.centroid(area).coords[0])  # near the origin, so that no digits are lost
    near = shapely.transform(area, lambda xy: xy - middle)
    own, inverse, times = np.unique(places - middle, axis=0, return_inverse=True, return_counts=True)
    if len(own) == 1:
        return np.full(len(places), 1 / len(places))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(own), extend_to=near, ordered=True))
    parts = shapely.area(shapely.intersection(cells, near)) / times
    shares: Floats = parts[inverse.reshape(-1)]
    shares /= shares.sum()
    return shares


def inside(area: Any, number: int = POINTS) -> Floats:
    """The middles (m, 2) of about so many equal squares that fill an area; fewer where it is long and thin."""
    west, south, east, north = shapely.bounds(area)
    around = (east - west) * (north - south)
    step = max(np.sqrt(shapely.area(area) / number), np.sqrt(around / MOST_POINTS))
    x = np.arange(west + step / 2, east + step / 2, step)
    y = np.arange(south + step / 2, north + step / 2, step)
    points = np.column_stack([axis.ravel() for axis in np.meshgrid(x, y)])
    kept = points[shapely.contains_xy(area, points)]
    return kept if len(kept) else np.array(shapely.point_on_surface(area).coords[:1])


def idw(places: Floats, targets: Floats, power: float = 2.0) -> Floats:
    """Weights (m, n) of gauges at targets (m, 2) by 1 / distance ** power; at a gauge its own value holds."""
    squares = ((targets[:, None] - places[None]) ** 2).sum(axis=2)
    at_gauge = squares == 0
    raw = np.where(at_gauge.any(axis=1)[:, None], at_gauge, 0.0)
    apart = ~at_gauge.any(axis=1)
    nearest = squares[apart].min(axis=1, keepdims=True)
    raw[apart] = (nearest / squares[apart]) ** (power / 2)  # the same shares, and no overflow
    weights: Floats = raw / raw.sum(axis=1, keepdims=True)
    return weights


def idw_area(targets: Floats, power: float = 2.0) -> Weigh:
    """Weighs gauges for the mean over targets, by inverse distances."""
    return lambda places: idw(places, targets, power).mean(axis=0)


@dataclass(frozen=True)
class Variogram:
    """model: linear (slope, nugget) or spherical (partial sill, range, nugget), with pykrige's parameters."""

    model: str
    parameters: tuple[float, ...]
    function: Callable[[Any, Floats], Floats]

    def __call__(self, distance: Floats) -> Floats:
        """The semivariance at a distance in metres; none at the place itself, so that values are honoured."""
        return np.where(distance > 0, self.function(list(self.parameters), distance), 0.0)


def variogram(places: Floats, values: Floats) -> Variogram:
    """The variogram of values (n,) at places (n, 2): spherical where it can be fitted, otherwise linear."""
    from pykrige.ok import OrdinaryKriging  # takes long to load, and other methods do without it

    known = ~np.isnan(values)
    places, values = places[known], values[known]
    if len(values) < FEWEST_TO_FIT or np.ptp(values) == 0:
        corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        model = OrdinaryKriging(*corners.T, np.arange(3.0), "linear", variogram_parameters=[1.0, 0.0])
        return Variogram("linear", (1.0, 0.0), model.variogram_function)
    model = OrdinaryKriging(*places.T, values, "spherical")
    fitted = tuple(float(each) for each in model.variogram_model_parameters)
    if fitted[0] <= 0 or fitted[1] <= 0:  # all nugget: nearness says nothing, and the mean is as good
        fitted = (1.0, fitted[1] if fitted[1] > 0 else 1.0, 0.0)
    return Variogram("spherical", fitted, model.variogram_function)


def kriging(places: Floats, targets: Floats, vary: Variogram) -> Floats:
    """Ordinary kriging weights (m, n) of gauges at targets (m, 2). Gauges at one place share their weight."""
    own, inverse, times = np.unique(places, axis=0, return_inverse=True, return_counts=True)
    number = len(own)
    system = np.zeros((number + 1, number + 1))
    system[:number, :number] = vary(_apart(own, own))
    system[number, :number] = system[:number, number] = 1.0
    right = np.ones((number + 1, len(targets)))
    right[:number] = vary(_apart(own, targets))
    weights = np.linalg.solve(system, right)[:number] / times[:, None]
    return np.asarray(weights[inverse.reshape(-1)].T, dtype=float)


def kriging_area(targets: Floats, vary: Variogram) -> Weigh:
    """Weighs gauges for the mean over targets, by ordinary kriging. A weight may be below 0."""
    return lambda places: kriging(places, targets, vary).mean(axis=0)


def _apart(a: Floats, b: Floats) -> Floats:
    distance: Floats = np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))
    return distance


def grid(area: Any, number: int = 2_500) -> tuple[Floats, Floats, Floats]:
    """A regular grid around an area: x (c,), y (r,) and its points (r * c, 2), row by row."""
    west, south, east, north = shapely.bounds(area)
    step = np.sqrt(max((east - west) * (north - south), 1.0) / number)
    x, y = np.arange(west - step, east + 2 * step, step), np.arange(south - step, north + 2 * step, step)
    return x, y, np.column_stack([axis.ravel() for axis in np.meshgrid(x, y)])
