"""How much does it rain where and when in a storm that is invented?

In time the rain at the centre is a triangle: it grows to its peak and falls back to nothing. In space it falls off from
the centre as exp(-(distance / radius)²), and the centre moves along a line at one speed. So the sum at the centre of a
storm that stands still is half its peak times its duration, and on the whole plane pi radius² as much.

Sources: Chow, Maidment & Mays 1988, 14.4 (triangular hyetograph, advancement of the peak); Rodríguez-Iturbe, Cox &
Eagleson 1986, Proc. R. Soc. Lond. A 403 (rain cells with a quadratically exponential spread).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Moments of an hour whose mean rate stands for the hour: a minute each.
_MOMENTS = 60


@dataclass(frozen=True)
class Storm:
    """An invented storm.

    x, y: where its centre is when it rains most (m). peak: mm/h there and then. duration: h. radius: km at which the
    rain is 1/e of that at the centre. direction: where it moves to, in degrees from north by east. speed: km/h.
    advancement: the share of the duration that is before the peak.
    """

    x: float
    y: float
    peak: float
    duration: float
    radius: float
    direction: float = 0.0
    speed: float = 0.0
    advancement: float = 0.5


def centre(storm: Storm, hours: Floats) -> Floats:
    """Where the centre is (t, 2), in m. hours: since the storm began."""
    metres = 1000 * storm.speed * (hours - storm.advancement * storm.duration)
    bearing = np.radians(storm.direction)
    place: Floats = np.array([storm.x, storm.y]) + metres[:, None] * np.array([np.sin(bearing), np.cos(bearing)])
    return place


def intensity(storm: Storm, hours: Floats) -> Floats:
    """The rain at the centre (t,), in mm/h."""
    top = storm.advancement * storm.duration
    return np.interp(hours, [0.0, top, storm.duration], [0.0, storm.peak, 0.0], left=0.0, right=0.0)


def rate(storm: Storm, places: Floats, hours: Floats) -> Floats:
    """The rain (t, n) at places (n, 2), in mm/h."""
    squares = ((places[None] - centre(storm, hours)[:, None]) ** 2).sum(axis=2) / (1000 * storm.radius) ** 2
    fallen: Floats = intensity(storm, hours)[:, None] * np.exp(-squares)
    return fallen


def hourly(storm: Storm, places: Floats, number: int) -> Floats:
    """The rain (t, n) at places of each of so many hours from the storm's beginning, in mm."""
    moments = (np.arange(number * _MOMENTS) + 0.5) / _MOMENTS
    rain: Floats = rate(storm, places, moments).reshape(number, _MOMENTS, len(places)).mean(axis=1)
    return rain
