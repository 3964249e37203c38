"""Lines of equal rain over an area, as GeoJSON.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from matplotlib.figure import Figure
from numpy.typing import NDArray

from shikong.processes.overlay import plane

Floats = NDArray[np.float64]

#: Steps between lines, in mm, from which the one is chosen that gives some lines and not many.
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
_FEW = 12


def of(clip: Any, surface: tuple[Floats, Floats, Floats]) -> dict[str, Any]:
    """Isohyets within an area. clip: the area. surface: x (c,), y (r,) and mm (r, c); all in metres of EPSG:4548."""
    x, y, rain = surface
    features = [] if np.isnan(rain).any() or np.ptp(rain) == 0 else _lines(x, y, rain, clip)
    return {"type": "FeatureCollection", "features": features}


def _lines(x: Floats, y: Floats, surface: Floats, clip: Any) -> list[dict[str, Any]]:
    low, high = float(surface.min()), float(surface.max())
    step = next((each for each in _STEPS if (high - low) / each <= _FEW), _STEPS[-1])
    levels = np.arange(np.ceil(low / step) + (low == 0), np.floor(high / step) + 1) * step
    if not len(levels):
        return []
    drawn = Figure().subplots().contour(x, y, surface, levels)
    found = []
    for level, parts in zip(levels.tolist(), drawn.allsegs, strict=True):
        lines = shapely.multilinestrings([shapely.linestrings(part) for part in parts if len(part) > 1])
        inside = shapely.intersection(lines, clip)
        if inside.is_empty:
            continue
        one = np.empty(1, dtype=object)
        one[0] = inside
        shape = shapely.set_precision(plane.to_degrees(one)[0], 1e-6)
        found.append({
            "type": "Feature", "properties": {"rain_mm": round(level, 1)},
            "geometry": shapely.geometry.mapping(shape),
        })  # fmt: skip
    return found
