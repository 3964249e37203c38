"""How is a piece of land cut into fields, or a settlement into plots?

A lattice is laid out in a frame of its own (s along the strips, t across the bands): bands of land
between lanes, cut into strips, some strips cut in two. The frame is turned, and bent a little by
two shears, so that lanes curve as real ones do. The bending can be undone exactly, so the place of
a face in the lattice is found from any point in it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from shikong.samples.plane import Floats

#: Lines run on past their end by this much, so that they meet the next line for certain.
OVERSHOOT_M = 1.3
STEP_M = 95.0


@dataclass(frozen=True)
class Pattern:
    """Measures of a lattice, in metres; shares are 0 to 1."""

    band: tuple[float, float]
    lane: tuple[float, float]
    strip: tuple[float, float]
    path: tuple[float, float]
    path_share: float
    halved: float
    bend: float
    skew: float


@dataclass(frozen=True)
class Lattice:
    """A lattice laid over a disc: break lines in its own frame, and how the frame lies in the plane."""

    x: float
    y: float
    angle: float
    bends: tuple[float, float, float, float]
    across: Floats
    bands: list[tuple[Floats, NDArray[np.bool_], Floats, float]]

    def plane(self, s: Floats, t: Floats) -> Floats:
        """Points of the lattice's frame in the plane."""
        a, p, b, q = self.bends
        s = s + a * np.sin(t / 150 + p)
        t = t + b * np.sin(s / 170 + q)
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.column_stack([self.x + s * cos - t * sin, self.y + s * sin + t * cos])

    def frame(self, xy: Floats) -> tuple[Floats, Floats]:
        """Points of the plane in the lattice's frame: s, t."""
        a, p, b, q = self.bends
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        x, y = xy[:, 0] - self.x, xy[:, 1] - self.y
        s, t = x * cos + y * sin, -x * sin + y * cos
        t = t - b * np.sin(s / 170 + q)
        return s - a * np.sin(t / 150 + p), t

    def cells(self, xy: Floats) -> NDArray[np.int64]:
        """Band, strip and half of each point: (n, 3). Strip -1 is a lane, half -1 a path."""
        s, t = self.frame(xy)
        row = np.searchsorted(self.across, t) - 1
        found = np.full((len(s), 3), -1, dtype=np.int64)
        found[:, 0] = row
        for band in np.unique(row[(row >= 0) & (row % 2 == 0)]):
            breaks, paths, halves, slope = self.bands[min(band // 2, len(self.bands) - 1)]
            mine = np.flatnonzero(row == band)
            low, high = self.across[band], self.across[min(band + 1, len(self.across) - 1)]
            strip = np.searchsorted(breaks, s[mine] - slope * (t[mine] - (low + high) / 2)) - 1
            strip = strip.clip(0, len(paths) - 1)
            found[mine, 1] = strip
            found[mine, 2] = np.where(paths[strip], -1, t[mine] > halves[strip])
        return found


def _interleaved(wide: Floats, gaps: Floats, start: float) -> Floats:
    steps = np.column_stack([wide, gaps]).ravel()
    return start + np.concatenate([[0.0], np.cumsum(steps)])


def lay(x: float, y: float, angle: float, radius: float, pattern: Pattern, rng: np.random.Generator) -> Lattice:
    """A lattice that covers the disc around a point."""
    count = int(2 * radius / pattern.band[0]) + 2
    across = _interleaved(rng.uniform(*pattern.band, count), rng.uniform(*pattern.lane, count), -radius - 60.0)
    across = across[: 2 * (int(np.searchsorted(across, radius)) // 2 + 1)]
    bands = []
    for index in range(len(across) // 2):
        strips = int(2 * radius / pattern.strip[0]) + 2
        is_path = rng.random(strips) < pattern.path_share
        widths = np.where(is_path, rng.uniform(*pattern.path, strips), 0.0)
        breaks = _interleaved(rng.uniform(*pattern.strip, strips), widths, -radius - rng.uniform(0, 60))
        kept = np.concatenate([[True], np.diff(breaks) > 0])
        paths = np.zeros(len(breaks) - 1, dtype=bool)
        paths[1::2] = is_path
        paths = paths[kept[1:]]
        breaks = breaks[kept]
        low, high = across[2 * index], across[2 * index + 1]
        halves = low + (high - low) * rng.uniform(0.35, 0.65, len(paths))
        halves[(rng.random(len(paths)) > pattern.halved) | paths] = np.inf
        bands.append((breaks, paths, halves, float(rng.uniform(-1, 1) * pattern.skew)))
    a, b = rng.uniform(-1, 1, 2) * pattern.bend
    p, q = rng.uniform(0, 2 * np.pi, 2)
    return Lattice(x, y, angle, (float(a), float(p), float(b), float(q)), across, bands)


def lines(lattice: Lattice, radius: float) -> Any:
    """All lines of the lattice within about the disc, as linestrings in the plane."""
    count = int(2 * radius / STEP_M) + 2
    along = np.linspace(-radius, radius, count)
    s_parts, t_parts, sizes = [], [], []
    for t in lattice.across[1:-1]:
        s_parts.append(along)
        t_parts.append(np.full(count, t))
        sizes.append(np.full(1, count))
    for index, (breaks, _, halves, slope) in enumerate(lattice.bands):
        low, high = lattice.across[2 * index], lattice.across[2 * index + 1]
        middle = (low + high) / 2
        inner = breaks[(breaks > -radius) & (breaks < radius)]
        ends = np.array([low - OVERSHOOT_M, middle, high + OVERSHOOT_M])
        s_parts.append((inner[:, None] + slope * (ends - middle)[None]).ravel())
        t_parts.append(np.tile(ends, len(inner)))
        sizes.append(np.full(len(inner), 3))
        cut = np.flatnonzero(np.isfinite(halves) & (np.abs(breaks[:-1]) < radius))
        shift = slope * (halves[cut] - middle)
        pair = np.column_stack([breaks[cut] + shift - 0.4, breaks[cut + 1] + shift + 0.4])
        s_parts.append(pair.ravel())
        t_parts.append(np.repeat(halves[cut], 2))
        sizes.append(np.full(len(cut), 2))
    size = np.concatenate(sizes)
    xy = lattice.plane(np.concatenate(s_parts), np.concatenate(t_parts))
    return shapely.linestrings(xy, indices=np.repeat(np.arange(len(size)), size))
